"""A study of three jobs that take a moment, for tests: two that compute, one that trains `hello`. `FAILING`: one fails.

It stands in the folder that the command is started in, as somebody's own study does.
"""

from __future__ import annotations

import sys
import time

from unrolled.figures import Curves, Series, Table
from unrolled.studies.study import Answer, Extent, Job, Quantity, Study


def jobs(extent: Extent) -> list[Job]:
    made = [Job(f"square-{seed}", {"kind": "square", "seed": seed}, {"x": seed}) for seed in extent.seeds]
    options = {"steps": 200, "seed": 5}
    return [*made, Job("training", {"kind": "training", "seed": 5}, options, recipe="hello")]


def work(options: dict) -> dict:
    time.sleep(0.2)
    sys.stdout.write("what a job prints is no progress\n")
    if options["x"] == 7:
        raise ValueError("seven is too many")
    return {"square": options["x"] ** 2}


def answer(outcomes: list) -> Answer:
    squares = [o for o in outcomes if o.job.labels["kind"] == "square"]
    pairs = tuple((o.job.labels["seed"], o.found["square"]) for o in squares)
    line = Series("x²", tuple(float(x) for x, _ in pairs), tuple(float(y) for _, y in pairs))
    losses = tuple(o.found["test"]["loss on the word"] for o in outcomes if o.job.recipe)
    return Answer(
        words=(f"{len(outcomes)} jobs answered.",),
        figures={"table": Table("squares", ("x", "square"), pairs), "curve": Curves("squares", (line,), "x", "x²")},
        results={
            "square": Quantity("units", tuple(float(y) for _, y in pairs), "> 2"),
            "loss": Quantity("nats", losses),
            "none": Quantity("nats", (float("nan"),)),
        },
    )


STUDY = Study(
    summary="A toy",
    source="nowhere",
    question="Do squares grow?",
    jobs=jobs,
    answer=answer,
    work=work,
    measure=lambda model, data: {"letters": data.assets["letters"]},
    seeds=(1, 2),
)


def slow_jobs(extent: Extent) -> list[Job]:
    return [Job("slow", {}, {"seconds": 60})]


def sleep(options: dict) -> dict:
    time.sleep(options["seconds"])
    return {}


SLOW = Study("Slow", "nowhere", "How long?", slow_jobs, answer, sleep)


def choosing(extent: Extent) -> list[Job]:
    """Two rates are tried, and the training takes the better; another has none to take from."""
    tries = [
        Job(f"try-{rate}", {}, {"steps": 20, "rate": rate}, recipe="hello", parts=("valid",)) for rate in (0.001, 0.2)
    ]
    bad = Job("bad", {}, {"x": 7})
    last = Job("last", {}, {"steps": 20}, recipe="hello", best_of=("try-0.001", "try-0.2"), takes=("rate",))
    orphan = Job("orphan", {}, {"steps": 20}, recipe="hello", best_of=("bad",), takes=("rate",))
    return [*tries, bad, last, orphan]


def rates(outcomes: list) -> Answer:
    found = {o.job.name: o.found["options"]["rate"] for o in outcomes}
    return Answer((), {}, {name: Quantity("", (rate,)) for name, rate in found.items()})


CHOOSING = Study("Choosing", "nowhere", "Which rate?", choosing, rates, work)
