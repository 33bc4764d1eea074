"""`attention`: what looking back at the source gives, where a sentence is translated and where it is parsed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from unrolled.figures import Curves, Figure, Series, Table, from_json
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study

if TYPE_CHECKING:
    from unrolled.models.model import Model
    from unrolled.recipes.recipe import Data

#: Line → recipe and options. Settings were chosen on the validation parts (docs/translation.md).
STEPS = {"translate": 4000, "parse": 4000}
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "translate-attention": ("translate", {}),
    "translate-none": ("translate", {"attention": "none"}),
    "translate-reversed": ("translate", {"attention": "none", "reversed": True}),
    "parse-attention": ("parse", {}),
    "parse-none": ("parse", {"attention": "none"}),
}
#: Sentences of the test part of which the map is shown, words of those whose BLEU is taken together, draws of a test.
MAPS = 10
BINS = ((1, 8), (9, 11), (12, 14), (15, 18), (19, 1000))
DRAWS = 1000
BLEU, F1 = "BLEU, beam 5", "labelled F1"
#: In which the two parsers differ, besides the weights over all words.
NEXT_WORD = (
    "parse: the difference is of two things together, for the decoder with attention looks at all words by its "
    "weights and reads, besides, what the encoder wrote of the word that comes next. The one without has neither: only "
    "the encoder's last states, its own last step, and the rule that says which steps may come."
)


def jobs(extent: Extent) -> list[Job]:
    """One training for each line and seed; all lines of a seed before the next seed."""
    return [
        Job(
            f"{line}-{seed}",
            {"line": line, "seed": seed},
            {**options, "steps": STEPS[recipe], "seed": seed},
            recipe=recipe,
        )
        for seed in extent.seeds
        for line, (recipe, options) in LINES.items()
    ]


def measure(model: Model, data: Data) -> dict[str, Any]:
    """Of a translation: every sentence of the test part, its reference, and what was made of it; and ten maps."""
    from unrolled.diagnostics.attention import attention_map
    from unrolled.models.encoder_decoder import EncoderDecoder
    from unrolled.recipes import translate

    part = data.held_out["test"]
    if not isinstance(part, translate.HeldOut):
        return {}
    made = translate.translate(cast("EncoderDecoder", model), part.symbols, part.sentences)
    looked = [one for one in made if one.weights.shape[1]][:MAPS]
    maps = [attention_map(one.text, one.source, one.target, one.weights.tolist()).to_json() for one in looked]
    texts = {"sources": part.sentences, "references": part.references, "translations": [one.text for one in made]}
    return {**texts, "lowercase": part.symbols.lowercase, "maps": maps}


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """Tables of figures, tests of differences, BLEU by length, maps."""
    by_line: dict[str, dict[int, Mapping[str, Any]]] = {line: {} for line in LINES}
    for outcome in outcomes:
        by_line[outcome.job.labels["line"]][outcome.job.labels["seed"]] = outcome.found
    words: list[str] = []
    figures: dict[str, Figure] = {}
    results: dict[str, Quantity] = {}
    for recipe, figure, unit, bar, least in (("translate", BLEU, "BLEU", 30, 3), ("parse", F1, "%", 65, 15)):
        lines = [line for line, (of, _) in LINES.items() if of == recipe and by_line[line]]
        if not lines:
            continue
        for line in lines:
            values = tuple(found["test"][figure] for found in by_line[line].values())
            target = f">= {bar}" if line.endswith("attention") else ""
            results[f"{recipe}, {_how(line)}: {figure}"] = Quantity(unit, values, target)
        _compare(by_line, f"{recipe}-none", f"{recipe}-attention", figure, unit, f">= {least}", words, results)
        figures[recipe] = _table(recipe, by_line, lines)
    if by_line["parse-none"].keys() & by_line["parse-attention"].keys():
        words.append(NEXT_WORD)
    _translations(by_line, words, figures, results)
    return Answer(tuple(words), figures, results)


def _how(line: str) -> str:
    return {
        "attention": "with attention",
        "none": "without attention",
        "reversed": "without, the source read from its end",
    }[line.rpartition("-")[2]]


def _compare(
    by_line: Mapping[str, Mapping[int, Mapping[str, Any]]],
    less: str,
    more: str,
    figure: str,
    unit: str,
    target: str,
    words: list[str],
    results: dict[str, Quantity],
) -> None:
    """How much more one line has than another, seed by seed."""
    seeds = sorted(by_line[less].keys() & by_line[more].keys())
    if not seeds:
        return
    gained = tuple(by_line[more][seed]["test"][figure] - by_line[less][seed]["test"][figure] for seed in seeds)
    recipe = LINES[more][0]
    results[f"{recipe}, {_how(more)}: {figure} above {_how(less)}"] = Quantity(unit, gained, target)
    words.append(
        f"{recipe}: {_how(more)} {statistics.fmean(gained):+.2f} {unit} in {figure} against {_how(less)} "
        f"({', '.join(f'{one:+.2f}' for one in gained)})."
    )


def _table(recipe: str, by_line: Mapping[str, Mapping[int, Mapping[str, Any]]], lines: Sequence[str]) -> Table:
    """Every figure of the test part, as the mean over the seeds."""
    names = list(next(iter(by_line[lines[0]].values()))["test"])
    rows = []
    for line in lines:
        runs = list(by_line[line].values())
        means = [statistics.fmean(run["test"][name] for run in runs) for name in names]
        rows.append((_how(line), *means, len(runs), runs[0]["parameters"], runs[0]["steps"]))
    return Table(f"{recipe}: figures of the test part", ("line", *names, "seeds", "parameters", "updates"), tuple(rows))


def _translations(
    by_line: Mapping[str, Mapping[int, Mapping[str, Any]]],
    words: list[str],
    figures: dict[str, Figure],
    results: dict[str, Quantity],
) -> None:
    """What the texts themselves say: tests between two lines, beams against greedy, BLEU by length, and the maps."""
    tried = [("translate-attention", "translate-none"), ("translate-reversed", "translate-none")]
    for one, other in tried:
        seeds = sorted(by_line[one].keys() & by_line[other].keys())
        if not seeds:
            continue
        tests = [bootstrap(by_line[other][seed]["measured"], by_line[one][seed]["measured"]) for seed in seeds]
        target = "< 0.05" if one == "translate-attention" else ""
        name = f"translate, {_how(one)} against {_how(other)}: p, paired bootstrap"
        results[name] = Quantity("probability", tuple(p for p, _ in tests), target)
        words.append(f"{name} of {DRAWS:,} draws: {', '.join(f'{p:.4f}' for p, _ in tests)} ({tests[0][1]}).")
    if by_line.get("translate-reversed"):
        _compare(by_line, "translate-none", "translate-reversed", BLEU, "BLEU", "", words, results)
    lines = [line for line in by_line if line.startswith("translate") and by_line[line]]
    for line in lines[:1]:
        tests_ = [found["test"] for found in by_line[line].values()]
        gained = tuple(test[BLEU] - test["BLEU, greedy"] for test in tests_)
        results[f"translate, {_how(line)}: a beam of 5 above greedy"] = Quantity("BLEU", gained, "> 0")
        for number, shown in enumerate(next(iter(by_line[line].values()))["measured"]["maps"], 1):
            figures[f"map-{number}"] = from_json(shown)
    if lines:
        figures["length"] = _by_length({line: [run["measured"] for run in by_line[line].values()] for line in lines})


def bootstrap(baseline: Mapping[str, Any], system: Mapping[str, Any]) -> tuple[float, str]:
    """(p that the system is no better, by resampling the test sentences, sacrebleu's signature).

    Koehn 2004, Statistical Significance Tests for Machine Translation Evaluation, as sacrebleu counts it.
    """
    from sacrebleu.significance import PairedTest

    from unrolled.recipes.translate import require_sacrebleu

    references = [list(system["references"])]
    metric = require_sacrebleu()(lowercase=system["lowercase"], references=references)
    named: Any = [("baseline", list(baseline["translations"])), ("system", list(system["translations"]))]
    test: Any = PairedTest(named, {"BLEU": metric}, None, test_type="bs", n_samples=DRAWS)
    signatures, scores = test()
    return float(scores["BLEU"][1].p_value), str(signatures["BLEU"])


def _by_length(measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> Curves:
    """BLEU of the test sentences of so many words, in the mean over the seeds."""
    from unrolled.recipes.translate import bleu

    series = []
    for line, runs in measured.items():
        x, y = [], []
        for low, high in BINS:
            chosen = [n for n, source in enumerate(runs[0]["sources"]) if low <= len(source.split()) <= high]
            if not chosen:
                continue
            x.append(statistics.fmean(len(runs[0]["sources"][n].split()) for n in chosen))
            scores = [
                bleu([run["translations"][n] for n in chosen], [run["references"][n] for n in chosen], run["lowercase"])
                for run in runs
            ]
            y.append(statistics.fmean(score for score, _ in scores))
        series.append(Series(_how(line), tuple(x), tuple(y)))
    return Curves("Translations by the length of what is translated", tuple(series), "words of the source", "BLEU")


STUDY = Study(
    summary="What looking back at the source gives, in translating and in parsing",
    source="Bahdanau et al. 2014, arXiv:1409.0473; Sutskever et al. 2014, arXiv:1409.3215; Vinyals et al. 2014, "
    "arXiv:1412.7449",
    question="Does a decoder that looks back at all that the encoder wrote do better than one that starts from the "
    "encoder's last state alone? Each pair has the same options but for attention, and as many updates. German is "
    "translated into English (Multi30k, test 2016), and sentences of up to 25 words are parsed (GUM), where looking "
    "back includes reading what the encoder wrote of the next word. Without attention, a source that is read from its "
    "end is tried as well, in translating. The test part is read once for each seed.",
    jobs=jobs,
    answer=answer,
    measure=measure,
)
