"""`pixel-by-pixel`: which recurrences tell a digit from its pixels, one a step, in a shuffled order."""

from __future__ import annotations

from functools import partial

from unrolled.studies import trials
from unrolled.studies.study import Study
from unrolled.studies.trials import Task, Trial

TASKS = (
    Task(
        "pixels",
        "permuted-pixels",
        {"side": 14, "steps": 2000},
        "accuracy",
        "%",
        (
            Trial("lstm", {}),
            Trial("gru", {}),
            Trial("irnn", {"rate": 1e-4}),
            Trial("exp-rnn", {"rate": 1e-3}),
            Trial("lru", {}),
            Trial("min-gru", {}),
        ),
        "28 × 28: uRNN 91.4, LSTM 88.0 (Arjovsky et al. 2016, arXiv:1511.06464), IRNN 82.0 (Le et al. 2015, "
        "arXiv:1504.00941)",
        higher=True,
    ),
)

STUDY = Study(
    summary="Which recurrences tell a digit from its pixels, one a step",
    source="Le et al. 2015, arXiv:1504.00941; Arjovsky et al. 2016, arXiv:1511.06464",
    question="The pixels of a digit of 14 × 14, one a step, in one shuffled order, so that what belongs together may "
    "stand up to 195 steps apart. Each cell has 128 units, as many updates as the others, and the rate named in the "
    "table. Papers read 28 × 28 pixels, four times as many steps, and train for many epochs: their order may be "
    "compared with this one, their figures not.",
    jobs=partial(trials.jobs, TASKS),
    answer=partial(trials.answer, TASKS),
)
