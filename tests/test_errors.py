"""The error tree is what its docstring draws, and errors survive a process border."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer import errors

TREE = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, BaseException) and cls.__module__ == errors.__name__
]


def make(cls: type, message: str, next_step: str | None) -> errors.OptimizeError:
    reason = {"reason": "hang"} if issubclass(cls, errors.AttemptFailed) else {}
    return cls(message, next_step=next_step, **reason)


def drawn() -> dict[str, tuple[str, int]]:
    """Read the docstring's picture: class name -> (parent, exit code)."""
    found: dict[str, tuple[str, int]] = {}
    ancestors: list[tuple[str, int]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ├└─]*)([A-Z]\w+)(?: \((\d+)\))?", line)
        if not match:
            continue
        depth = len(match[1]) // 4
        del ancestors[depth:]
        parent, inherited = ancestors[-1] if ancestors else ("Exception", 1)
        code = int(match[3]) if match[3] else inherited
        found[match[2]] = (parent, code)
        ancestors.append((match[2], code))
    return found


def test_the_docstring_draws_every_class_where_it_stands() -> None:
    actual = {cls.__name__: (cls.__bases__[0].__name__, cls.exit_code) for cls in TREE}
    assert drawn() == actual


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("next_step", [None, "Run `optimize doctor`."])
def test_errors_survive_pickling_and_copying(cls: type, next_step: str | None) -> None:
    error = make(cls, "the message", next_step)
    error.add_note("heard in a child")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(twin) is cls
        assert str(twin) == str(error)
        assert twin.__dict__ == error.__dict__
        assert twin.args == error.args


def test_the_next_step_stands_on_its_own_line() -> None:
    assert str(errors.UsageError("no such genre")) == "no such genre"
    assert str(errors.UsageError("no such genre", next_step="optimize spaces")) == "no such genre\noptimize spaces"


def test_a_failed_attempt_carries_its_reason() -> None:
    assert errors.BadAudio("all zeros", reason="silence").reason == "silence"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("bhangara", " Did you mean 'bhangra'?"), ("edn", " Did you mean 'edm'?"), ("xylophone", ""), ("", "")],
)
def test_did_you_mean(word: str, hint: str) -> None:
    assert errors.did_you_mean(word, ["bhangra", "edm", "rock"]) == hint


@given(st.text(), st.lists(st.text()))
def test_did_you_mean_offers_only_legal_words(word: str, legal: list[str]) -> None:
    hint = errors.did_you_mean(word, legal)
    assert hint == "" or any(hint == f" Did you mean {candidate!r}?" for candidate in legal)
    if word and word in legal:
        assert hint == f" Did you mean {word!r}?"
