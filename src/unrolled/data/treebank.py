"""Files of trees: GUM by its official parts, and any file of trees in brackets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unrolled.data import reading, text
from unrolled.data.trees import Tree, cleaned, read_trees
from unrolled.errors import DataError

#: Documents of GUM's official validation and test parts (amir-zeldes/gum, splits.md), without those of reddit, whose
#: licence is another, and without GENTLE, which is a test by itself.
_VALID = """
academic_exposure academic_librarians bio_byron bio_emperor conversation_grounded conversation_risk court_loan
court_negligence essay_evolved essay_tools fiction_beast fiction_lunre interview_cyclone interview_gaming
letter_arendt letter_wiki news_homeopathic news_iodine podcast_bangladesh podcast_wrestling speech_impeachment
speech_inauguration textbook_governments textbook_labor vlog_portland vlog_radiology voyage_athens
voyage_coron whow_joke whow_overalls
"""

_TEST = """
academic_discrimination academic_eegimaa bio_dvorak bio_jespersen conversation_lambada conversation_retirement
court_insanity court_mitigation essay_fear essay_system fiction_falling fiction_teeth interview_hill
interview_libertarian letter_attorney letter_mandela news_nasa news_sensitive podcast_bezos
podcast_multitasking speech_austria speech_newzealand textbook_chemistry textbook_union vlog_london
vlog_studying voyage_oakland voyage_vavau whow_cactus whow_mice
"""
GUM_VALID, GUM_TEST = frozenset(_VALID.split()), frozenset(_TEST.split())


@dataclass(frozen=True)
class Treebank:
    """parts: name → trees, cleaned. summary: one line for a person. digest: SHA-256 of what was read."""

    parts: dict[str, list[Tree]]
    summary: str
    digest: str


def trees_in(file: Path | str, encoding: str = "utf-8") -> Treebank:
    """Every tree of a file, or of a folder's or an archive's texts, as the part "all"."""
    found = text.find_files([file])
    parts = reading.parts(found)
    encoding = reading.check_encoding(encoding)
    trees = [tree for part in parts for tree in _read(part, encoding)]
    if not trees:
        raise DataError(f"{found.name}: no tree with a word in it: name another file")
    return Treebank({"all": trees}, f"{found.name}: {len(trees):,} trees", reading.digest(parts))


def gum(archive: Path) -> Treebank:
    """The parts "train", "valid" and "test" of GUM's constituents."""
    parts: dict[str, list[Tree]] = {"train": [], "valid": [], "test": []}
    texts = reading.parts([archive])
    for one in texts:
        kind, _, document = PurePosixPath(one.member).stem.partition("_")
        if kind != "GUM" or document.startswith("reddit_"):
            continue
        part = "valid" if document in GUM_VALID else "test" if document in GUM_TEST else "train"
        parts[part] += _read(one, "utf-8")
    if not all(parts.values()):
        empty = ", ".join(name for name, trees in parts.items() if not trees)
        raise DataError(f"{archive}: no document of GUM's part {empty} in it, where its constituents were expected")
    summary = f"GUM: {sum(map(len, parts.values())):,} trees"
    return Treebank(parts, summary, reading.digest(texts))


def _read(part: reading.Part, encoding: str) -> list[Tree]:
    whole = "".join(reading.read_text([part], encoding))
    kept = (cleaned(tree) for tree in read_trees(whole, part.label))
    return [tree for tree in kept if tree is not None]
