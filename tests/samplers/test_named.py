"""Samplers by name: what cannot be used is refused before a run is bound to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from optuna.samplers import BaseSampler

from optimizer.errors import UsageError
from optimizer.opening import open_session
from optimizer.options import Options
from optimizer.samplers import build

MODULE = """
from optuna.samplers import RandomSampler


def broken(seed):
    raise RuntimeError("no such table")


class Unseeded(RandomSampler):
    def __init__(self):
        super().__init__()


def passing(**settings):
    return RandomSampler(**settings)


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


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("name", ["own_samplers:passing", "optuna.samplers:NSGAIISampler"])
def test_whatever_takes_a_seed_resumes_exactly(world: SimpleNamespace, name: str) -> None:
    def make() -> BaseSampler:
        return build(name, search_space=world.one, seed=9, explore=2, ahead=0)

    plain = world.run(make, world.one, 10)
    broken = world.run(make, world.one, 10, kills=0.4, disorder=1)
    assert world.recipes(plain) == world.recipes(broken)


@pytest.mark.usefixtures("module")
def test_who_takes_no_seed_is_told_what_that_means(tmp_path: Path) -> None:
    asked = Options("bhangra", runs_dir=tmp_path, renderer="synth", scorer="acoustic", trials=2)
    session = open_session(replace(asked, sampler="own_samplers:Unseeded"))
    assert any("own_samplers:Unseeded" in note and "takes no `seed`" in note for note in session.notes)
    assert not any(
        "seed" in note for note in open_session(replace(asked, study="b", sampler="own_samplers:passing")).notes
    )
