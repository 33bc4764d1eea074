"""Texts with a label each: out of a table, of a folder or archive with a folder for each class, or a file for each."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from unrolled.data import reading, tables, text
from unrolled.data.tables import Table
from unrolled.errors import DataError

#: More classes than this, or more than half as many as rows, and a column is taken for no label.
MOST_CLASSES = 50


@dataclass(frozen=True)
class LabelledTexts:
    """texts, labels: N of each. classes: the distinct labels, sorted: numbers by their value. summary, digest: as of
    tables. column: that of a table's texts; empty where they came by class."""

    texts: list[str]
    labels: list[str]
    summary: str
    digest: str
    column: str = ""

    @property
    def classes(self) -> list[str]:
        return sorted_classes(self.labels)


def sorted_classes(labels: Sequence[str]) -> list[str]:
    """The distinct labels; numbers by their value, others by their letters."""
    try:
        return sorted(set(labels), key=lambda label: (float(label), label))
    except ValueError:
        return sorted(set(labels))


def read_labelled_texts(
    path: Path, encoding: str = "utf-8", text_column: str = "", label_column: str = "", separator: str = ""
) -> LabelledTexts:
    """From a table with a column of texts and one of labels, found by what is in them where they are not named; or from
    a folder or zip archive: a folder of text files for each class, or files NAME.CLASS with one text a line.

    DataError where there is neither, or where only one class is there.
    """
    parts = _class_parts(path)
    if parts:
        if text_column or label_column:
            raise DataError(f"{path}: texts by class, which have no columns: leave --text and --label out")
        found = _by_class(path, parts, encoding)
    else:
        found = _from_table(tables.read_table(path, encoding, separator), text_column, label_column)
    if len(found.classes) < 2:
        raise DataError(f"{path.name}: every label is {found.labels[0]!r}: two classes or more were expected")
    return found


def text_column(table: Table, named: str = "") -> str:
    """The column of texts: the one that is named, else the one with the longest cells."""
    if named:
        return table.columns[table.find(named, "--text")]
    length = {name: sum(map(len, table.column(name))) for name in table.columns}
    return max(length, key=lambda name: length[name])


def _label_column(table: Table, texts: str, named: str) -> str:
    if named:
        return table.columns[table.find(named, "--label")]
    others = [name for name in table.columns if name != texts]
    fitting = [name for name in others if 2 <= len(set(table.column(name)) - {""}) <= _most_classes(table)]
    if len(fitting) != 1:
        which = (
            f"{', '.join(fitting)} may all be" if fitting else f"none of {', '.join(others) or 'no columns'} looks like"
        )
        raise DataError(f"{table.name}: which column holds the label? {which} one: name it with --label")
    return fitting[0]


def _most_classes(table: Table) -> int:
    return max(2, min(MOST_CLASSES, len(table.rows) // 2))


def _from_table(table: Table, text_name: str, label_name: str) -> LabelledTexts:
    label = _label_column(table, "", label_name) if label_name else ""
    texts = text_column(table, text_name)
    label = label or _label_column(table, texts, "")
    if label == texts:
        raise DataError(f"{table.name}: --label {label} is the column of the texts: name the texts' own with --text")
    if not label_name and label in table.column(label):
        raise DataError(
            f"{table.name}: its first row names the columns, and {label!r} is a label there too: put a row of names on "
            f"top, or where it is the name of the labels' column say --label {label}"
        )
    found = LabelledTexts(table.column(texts), table.column(label), "", table.digest, texts)
    for row, (one, name) in enumerate(zip(found.texts, found.labels, strict=True)):
        if not one or not name:
            raise DataError(
                f"{table.place(row)}: no {'text' if not one else 'label'} in column {texts if not one else label}"
            )
    if len(found.classes) > MOST_CLASSES:
        raise DataError(
            f"{table.name}: {len(found.classes):,} different labels in column {label}, such as {found.labels[0]!r}, "
            f"where at most {MOST_CLASSES} classes were expected: name another column with --label"
        )
    how = {(False, False): ", both guessed", (True, False): ", the label guessed", (False, True): ", the text guessed"}
    guessed = how.get((bool(text_name), bool(label_name)), "")
    said = f"{table.summary}; text in {texts}, label in {label}{guessed}"
    return replace(found, summary=said)


def _class_parts(path: Path) -> dict[str, list[reading.Part]]:
    """Class → its files; empty where the path is a table."""
    if path.is_dir():
        parts = [reading.Part(file) for file in sorted(path.rglob("*")) if file.is_file()]
        steps = [part.path.relative_to(path).parts for part in parts]
    elif path.suffix.lower() == ".zip":
        parts = [reading.Part(path, name) for name in _member_names(path)]
        steps = [PurePosixPath(part.member).parts for part in parts]
    else:
        return {}
    seen = [
        (part, one)
        for part, one in zip(parts, steps, strict=True)
        if not any(step.startswith((".", "__MACOSX")) for step in one)
    ]
    folders: dict[str, list[reading.Part]] = {}
    endings: dict[str, dict[str, list[reading.Part]]] = {}
    for part, one in seen:
        if len(one) > 1 and PurePosixPath(one[-1]).suffix.lower() in text.TEXT_ENDINGS:
            folders.setdefault(one[-2], []).append(part)
        name = PurePosixPath(one[-1])
        endings.setdefault(name.stem, {}).setdefault(name.suffix.lstrip("."), []).append(part)
    if len(folders) > 1:
        return folders
    classes = [of for of in endings.values() if len(of) > 1 and "" not in of]
    if len(seen) > 1 and not classes:
        raise DataError(
            f"{path}: a table, a folder of text files for each class, or files NAME.CLASS were expected in it"
        )
    return classes[0] if classes else {}


def _member_names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: a damaged zip file ({error}): fetch or pack it again") from error
    except OSError as error:
        raise text.unreadable(path, error) from error


def _by_class(path: Path, parts: dict[str, list[reading.Part]], encoding: str) -> LabelledTexts:
    encoding = reading.check_encoding(encoding)
    # One file a class holds a text a line; several hold a text each.
    a_line_each = all(len(files) == 1 for files in parts.values())
    texts, labels = [], []
    for name, files in sorted(parts.items()):
        for part in files:
            whole = "".join(reading.read_text([part], encoding))
            items = whole.split("\n") if a_line_each else [whole]
            kept = [stripped for item in items if (stripped := item.strip())]
            texts += kept
            labels += [name] * len(kept)
    if not texts:
        raise DataError(f"{path}: empty, where texts were expected: name another file")
    digest = reading.digest([part for _, files in sorted(parts.items()) for part in files])
    counts = ", ".join(f"{name} {labels.count(name):,}" for name in sorted(parts))
    return LabelledTexts(texts, labels, f"{path.name}: {len(texts):,} texts ({counts})", digest)
