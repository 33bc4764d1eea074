"""Every action: what a person can do, as a typed request and a function that answers with events. Faces list these.

Listing them imports none of them, so that `unrolled --help` is quick; each loads when it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Action:
    """name: as it is typed. summary: one line for a person. local: for this machine only, so that no web face has it.

    module, request_name, run_name: where the request and the function stand. room: where the module is; a face may be
    an action too, which is named here and not imported, for faces stand above.
    """

    name: str
    summary: str
    module: str
    request_name: str
    run_name: str
    local: bool = False
    room: str = "workshop"

    @property
    def request(self) -> type:
        """What the action is told: a frozen dataclass."""
        return getattr(self._module(), self.request_name)

    @property
    def run(self) -> Callable[[Any], Iterator[Any]]:
        """run(request) → events and messages, as they come."""
        return getattr(self._module(), self.run_name)

    def _module(self) -> Any:
        return importlib.import_module(f"unrolled.{self.room}.{self.module}")


ACTIONS: tuple[Action, ...] = (
    Action("train", "Train a recipe, or a character model on any text.", "train", "TrainRequest", "train_events"),
    Action("resume", "Go on with a run that was stopped, as if nothing had been.", "train", "ResumeRequest", "resume"),
    Action("sample", "Write a text with a trained model.", "sample", "SampleRequest", "sample"),
    Action("predict", "Say labels of texts, or tags of words, in a file.", "predict", "PredictRequest", "predict"),
    Action("evaluate", "Measure a run on what was held out from it.", "evaluate", "EvaluateRequest", "evaluate"),
    Action("translate", "Translate sentences, one a line.", "translate", "TranslateRequest", "translate"),
    Action("parse", "Write the trees of sentences, one a line.", "parse", "ParseRequest", "parse"),
    Action("forecast", "Say what comes next in a series.", "forecast", "ForecastRequest", "forecast"),
    Action("point", "Find a hull, a tour or triangles of points.", "point", "PointRequest", "point"),
    Action("inspect ranking", "Find units that follow something readable.", "inspect", "RankingRequest", "inspect"),
    Action("inspect unit", "Show what one unit does over a text.", "inspect", "UnitRequest", "inspect"),
    Action("inspect units", "Show all units of a layer over a text.", "inspect", "UnitsRequest", "inspect"),
    Action(
        "inspect reading",
        "Give all that a layer does over a text, as arrays.",
        "inspect_reading",
        "ReadingRequest",
        "inspect_reading",
    ),
    Action("inspect surprise", "Colour a text by what surprised a model.", "inspect", "SurpriseRequest", "inspect"),
    Action("inspect alternatives", "Show what else might have come.", "inspect", "AlternativesRequest", "inspect"),
    Action("inspect saliency", "Show what a forecast hangs on.", "inspect", "SaliencyRequest", "inspect"),
    Action("inspect half-life", "Show how long each unit remembers.", "inspect", "HalfLifeRequest", "inspect"),
    Action("inspect saturation", "Show how often gates are shut or open.", "inspect", "SaturationRequest", "inspect"),
    Action("inspect numbers", "Show every number of a small network.", "inspect", "NumbersRequest", "inspect"),
    Action(
        "inspect weights",
        "Show every weight of a small network.",
        "inspect_weights",
        "WeightsRequest",
        "inspect_weights",
    ),
    Action(
        "inspect influence",
        "Show which steps each answer hangs on.",
        "inspect_answers",
        "InfluenceRequest",
        "inspect_influence",
    ),
    Action(
        "inspect gradient-flow",
        "Show how far back a gradient reaches, in a run or a cell.",
        "inspect_training",
        "GradientFlowRequest",
        "inspect_training",
    ),
    Action(
        "inspect jacobian",
        "Show spectra of a step and of many, of a run or a cell.",
        "inspect_training",
        "JacobianRequest",
        "inspect_training",
    ),
    Action(
        "inspect memory",
        "Show the bytes that backpropagation holds, for a cell.",
        "inspect_training",
        "MemoryRequest",
        "inspect_memory",
    ),
    Action(
        "inspect depth",
        "Show the gradient in deep networks, with shortcuts and without.",
        "inspect_training",
        "DepthRequest",
        "inspect_depth",
    ),
    Action(
        "inspect cliff",
        "Show what clipping does at a cliff of the loss.",
        "inspect_training",
        "CliffRequest",
        "inspect_cliff",
    ),
    Action("runs list", "List the runs, the newest first.", "runs", "RunsListRequest", "runs_list"),
    Action("runs show", "Show a run's options, curves and last sample.", "runs", "RunsShowRequest", "runs_show"),
    Action("runs compare", "Show what differs between runs.", "runs", "RunsCompareRequest", "runs_compare"),
    Action(
        "study", "Answer a question by many runs; stopped, it goes on from there.", "study", "StudyRequest", "study"
    ),
    Action("studies", "List the studies.", "study", "StudiesRequest", "studies"),
    Action("recipes", "List the recipes, or the options of one.", "catalogue", "RecipesRequest", "recipes"),
    Action("data list", "List the data sets that have a name.", "catalogue", "DataListRequest", "data_list"),
    Action("data get", "Fetch a data set, and check it.", "catalogue", "DataGetRequest", "data_get"),
    Action("lab", "Open the lab: all of this, live, in the browser.", "lab", "LabRequest", "lab", True, "web"),
    Action("doctor", "Say what this machine has and which kernels run.", "doctor", "DoctorRequest", "doctor", True),
    Action("report", "Write runs that differ by seed as one result.", "report", "ReportRequest", "report", True),
)


def find(name: str) -> Action:
    """The action of that exact name."""
    return next(action for action in ACTIONS if action.name == name)
