"""Samplers by name: what cannot be used is refused before a run is bound to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimizer.errors import UsageError
from optimizer.samplers import build
from optimizer.session import Options, open_session

MODULE = """
def broken(seed):
    raise RuntimeError("no such table")


class NoSampler:
    pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a module of a user's own samplers."""
    (tmp_path / "own_samplers.py").write_text(MODULE)
    (tmp_path / "half_samplers.py").write_text("def (")
    monkeypatch.syspath_prepend(tmp_path)
    return "own_samplers"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nopkg:Cls", "cannot be imported: No module named 'nopkg'"),
        ("half_samplers:Cls", "cannot be imported"),
        (".relative:Cls", "cannot be imported"),
        ("own_samplers:Absent", "cannot be imported"),
        ("own_samplers:NoSampler", "is a NoSampler, not an optuna.samplers.BaseSampler"),
        ("own_samplers:broken", "cannot be made: no such table"),
        ("optuna.samplers:GridSampler", "cannot be made"),
    ],
)
def test_a_sampler_that_cannot_be_used_is_refused_before_a_run_is_begun(
    tmp_path: Path, module: str, name: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        open_session(Options("bhangra", sampler=name, runs_dir=tmp_path, renderer="synth", scorer="acoustic", trials=2))
    with pytest.raises(UsageError, match=said):
        build(name, search_space={"style": ("a",)}, seed=0)
