"""`long-memory`: which recurrences carry something over hundreds of steps: two numbers, or ten symbols."""

from __future__ import annotations

from functools import partial

from unrolled.studies import trials
from unrolled.studies.study import Study
from unrolled.studies.trials import Task, Trial

#: Rates and starts were chosen on validation parts (docs/long-memory.md), never on what is shown here.
TASKS = (
    Task(
        "adding-200",
        "adding",
        {"length": 200, "steps": 1000},
        "loss",
        "squared error",
        (
            Trial("gru", {}, "< 0.01"),
            Trial("lstm", {"start": "chrono"}, "< 0.01"),
            Trial("reset-before-gru", {}, "< 0.01"),
            Trial("elman", {"rate": 1e-3}),
        ),
        "a constant guess has 0.167",
    ),
    Task(
        "adding-600",
        "adding",
        {"length": 600, "steps": 1000},
        "loss",
        "squared error",
        (Trial("gru", {}, "< 0.01"), Trial("elman", {"rate": 1e-3})),
        "Bai et al. 2018 (arXiv:1803.01271): RNN 0.177, LSTM 0.164, GRU 5.3e-5",
    ),
    Task(
        "copy-200",
        "copy-memory",
        {"delay": 200, "steps": 1200},
        "loss",
        "nats/step",
        (Trial("exp-rnn", {}, "< 0.01"), Trial("lstm", {}), Trial("elman", {})),
        "who remembers nothing has 10 · ln 8 / 220 = 0.0945",
    ),
)

STUDY = Study(
    summary="Which recurrences carry something over hundreds of steps",
    source="Hochreiter & Schmidhuber 1997 (adding), Arjovsky et al. 2016, arXiv:1511.06464 (copying)",
    question="Adding two numbers that were marked among T; saying ten symbols again after T steps. Each cell has the "
    "hidden size that the task's recipe gives it, as many updates as the others, and the rate named in the table, "
    "chosen on validation parts; the test part is read once for each seed.",
    jobs=partial(trials.jobs, TASKS),
    answer=partial(trials.answer, TASKS),
)
