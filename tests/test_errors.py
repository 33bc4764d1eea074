"""The tree of errors: who may mend it, what it exits with, and the nearest name."""

from __future__ import annotations

import inspect

import pytest

from unrolled import errors
from unrolled.errors import UnrolledError, UserError, did_you_mean

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_of_the_tree_stands_on_its_page_and_says_when(cls):
    assert issubclass(cls, UnrolledError)
    assert cls.__name__ in errors.__doc__
    assert cls.__doc__


def test_a_mistake_that_its_maker_can_mend_exits_with_2_and_nothing_else_does():
    users = {cls.__name__ for cls in CLASSES if cls.exit_code == 2}
    assert users == {"UserError", "OptionError", "DataError", "PromptError", "CheckpointError", "RunError"}
    assert all(issubclass(cls, UserError) == (cls.exit_code == 2) for cls in CLASSES)


def test_errors_that_python_knows_too_are_caught_as_both():
    assert issubclass(errors.ShapeError, ValueError)
    assert issubclass(errors.ContractError, AssertionError)


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("char-ml", " Did you mean 'char-lm'?"),
        ("chars-lm", " Did you mean 'char-lm'?"),
        ("hallo", " Did you mean 'hello'?"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_the_nearest_name(word, answer):
    assert did_you_mean(word, ["char-lm", "hello", "names"]) == answer


def test_two_that_are_near_are_both_offered_the_nearest_first():
    assert did_you_mean("lstmm", iter(["gru", "lstm", "slstm"])) == " Did you mean 'lstm' or 'slstm'?"
