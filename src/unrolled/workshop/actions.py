"""Every action: what a person can do, as a typed request and a function that answers with events. Faces list these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from unrolled.workshop.catalogue import (
    DataGetRequest,
    DataListRequest,
    RecipesRequest,
    data_get,
    data_list,
    recipes,
)
from unrolled.workshop.doctor import DoctorRequest, doctor
from unrolled.workshop.evaluate import EvaluateRequest, evaluate
from unrolled.workshop.report import ReportRequest, report
from unrolled.workshop.runs import (
    RunsCompareRequest,
    RunsListRequest,
    RunsShowRequest,
    runs_compare,
    runs_list,
    runs_show,
)
from unrolled.workshop.sample import SampleRequest, sample
from unrolled.workshop.train import ResumeRequest, TrainRequest, resume, train_events


@dataclass(frozen=True)
class Action:
    """name: as it is typed. request: what it is told. run(request) → events. local: for this machine only."""

    name: str
    request: type
    run: Callable[[Any], Iterator[Any]]
    local: bool = False

    @property
    def summary(self) -> str:
        return (self.request.__doc__ or "").strip().splitlines()[0]


ACTIONS: tuple[Action, ...] = (
    Action("train", TrainRequest, train_events),
    Action("resume", ResumeRequest, resume),
    Action("sample", SampleRequest, sample),
    Action("evaluate", EvaluateRequest, evaluate),
    Action("runs list", RunsListRequest, runs_list),
    Action("runs show", RunsShowRequest, runs_show),
    Action("runs compare", RunsCompareRequest, runs_compare),
    Action("recipes", RecipesRequest, recipes),
    Action("data list", DataListRequest, data_list),
    Action("data get", DataGetRequest, data_get),
    Action("doctor", DoctorRequest, doctor, local=True),
    Action("report", ReportRequest, report, local=True),
)


def find(name: str) -> Action:
    """The action of that exact name."""
    return next(action for action in ACTIONS if action.name == name)
