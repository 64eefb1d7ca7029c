"""Ranges of numbers: which levels stand for them, and that they are searched."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BruteForceSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from optimizer.errors import UsageError
from optimizer.samplers import TopKSampler, build
from optimizer.samplers.grid import Factor, Grid
from optimizer.samplers.ranges import LEVELS
from optimizer.search_space import Range

STYLES = CategoricalDistribution(("a", "b"))


def values(choices: Any, name: str = "x") -> tuple[Any, ...]:
    return Grid({name: choices}).values[name]


def factor(choices: Any, name: str = "x") -> Factor:
    return Grid({name: choices}).blocks[0].factors[0]


@pytest.mark.parametrize(
    ("choices", "name", "expected"),
    [
        (Range(90, 100, 5), "bpm", (90, 95, 100)),
        (IntDistribution(0, 1), "x", (0, 1)),
        (IntDistribution(1, 9, step=4), "x", (1, 5, 9)),
        (IntDistribution(1, 5, log=True), "x", (1, 2, 3, 4, 5)),
        (FloatDistribution(60.0, 180.0), "bpm", tuple(range(60, 181))),
        (FloatDistribution(60.0, 180.0, log=True), "bpm", tuple(range(60, 181))),
        (FloatDistribution(120.0, 124.0), "bpm", (120, 121, 122, 123, 124)),
        (FloatDistribution(0.0, 100.0), "x", tuple(range(101))),
        (FloatDistribution(60.0, 70.0, step=5.0), "x", (60, 65, 70)),
    ],
)
def test_whole_numbers_are_searched_one_by_one(choices: Any, name: str, expected: tuple[int, ...]) -> None:
    found = values(choices, name)
    assert found == expected
    assert {type(value) for value in found} == {int}


@pytest.mark.parametrize(
    ("low", "high", "step"), [(60.0, 180.0, 0.5), (0.1, 1.0, 0.1), (-1.5, 1.5, 1.0), (0.0, 0.7, 0.35)]
)
def test_a_step_divides_a_range_as_optuna_does(low: float, high: float, step: float) -> None:
    distribution = FloatDistribution(low, high, step=step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(sampler=BruteForceSampler(seed=0))
    study.optimize(lambda trial: trial._suggest("x", distribution))
    assert values(distribution) == tuple(sorted({trial.params["x"] for trial in study.trials}))
    assert all(distribution._contains(value) for value in values(distribution))


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(0.0, 1.0),
        FloatDistribution(90.5, 91.4),
        FloatDistribution(-0.3, 0.1),
        FloatDistribution(0.0, 1e7),
        FloatDistribution(1e-5, 1e-1, log=True),
        FloatDistribution(1.0, 1000.0, log=True),
        FloatDistribution(1e-300, 1e300, log=True),
    ],
    ids=str,
)
def test_a_range_without_a_step_has_levels(distribution: FloatDistribution) -> None:
    found = values(distribution)
    assert len(found) == LEVELS
    assert found[0] == distribution.low
    assert found[-1] == distribution.high
    assert all(distribution._contains(value) for value in found)
    gaps = [right / left if distribution.log else right - left for left, right in itertools.pairwise(found)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps), rel=1e-6)


def test_narrow_and_empty_ranges_have_the_numbers_they_hold() -> None:
    assert values(FloatDistribution(0.5, 0.5)) == (0.5,)
    assert values(FloatDistribution(1.0, 1.0 + 2**-52)) == (1.0, 1.0 + 2**-52)
    assert Grid({"x": FloatDistribution(0.5, 0.5, log=True), "style": ("a", "b")}).size == 2


def test_numbers_between_the_levels_count_as_the_closest_one() -> None:
    linear, steps = factor(FloatDistribution(0.0, 1.0)), factor(FloatDistribution(0.0, 1.0, step=0.1))
    assert linear.level(0.437) == linear.index[0.45]
    assert linear.level(1.01) is None
    assert steps.level(0.1 + 0.2) == steps.index[0.3]
    assert steps.level(0.35) is None
    assert steps.level("0.3") is None
    geometric = factor(FloatDistribution(1.0, 100.0, log=True))
    assert geometric.values[geometric.level(9.0) or 0] == pytest.approx(10.0)
    assert factor(FloatDistribution(60.0, 180.0), "bpm").level(90.4) is None


@pytest.mark.parametrize("name", ["topk", "tpe"])
def test_an_optimum_within_a_range_is_found(name: str) -> None:
    space: dict[str, BaseDistribution] = {
        "style": STYLES,
        "swing": FloatDistribution(0.0, 1.0),
        "rate": FloatDistribution(1e-4, 1.0, log=True),
    }
    choices = {**space, "style": ("a", "b")}
    study = optuna.create_study(
        direction="maximize", sampler=build(name, search_space=choices, seed=1, n_trials=24, ahead=None)
    )
    for _ in range(24):
        trial = study.ask(space)
        study.tell(trial, -abs(trial.params["swing"] - 0.5))
        assert space["swing"]._contains(trial.params["swing"])
        assert space["rate"]._contains(trial.params["rate"])
    assert abs(study.best_params["swing"] - 0.5) < 0.06
    late = [abs(trial.params["swing"] - 0.5) for trial in study.trials[12:]]
    assert sum(one <= 0.2 for one in late) >= 6


def test_proposals_of_a_range_are_modelled() -> None:
    space = {"style": ("a", "b"), "x": FloatDistribution(90.5, 91.4)}
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(space, seed=1, n_trials=20))
    study.enqueue_trial({"x": 91.01})
    for _ in range(12):
        trial = study.ask({"style": STYLES, "x": FloatDistribution(90.5, 91.4)})
        study.tell(trial, trial.params["x"])
    grid = Grid(space)
    assert all(grid.find(trial.params) is not None for trial in study.trials)
    assert study.best_params["x"] == 91.4


def test_ranges_resume_exactly_from_a_file(world: SimpleNamespace, tmp_path: Path) -> None:
    asked = {"style": STYLES, "x": FloatDistribution(1e-3, 1.0, log=True), "y": FloatDistribution(1.0, 4.0, step=0.1)}

    def make() -> TopKSampler:
        return TopKSampler({**asked, "style": ("a", "b")}, seed=3, n_trials=14)

    plain = optuna.create_study(direction="maximize", sampler=make())
    for number in range(14):
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "ranges.log")))
        resumed = optuna.create_study(
            study_name="s", storage=storage, direction="maximize", sampler=make(), load_if_exists=True
        )
        for study in (plain, resumed):
            trial = study.ask(asked)
            study.tell(trial, world.score(trial.params, number))
    assert [trial.params for trial in plain.trials] == [trial.params for trial in resumed.trials]


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (SimpleNamespace(low=1.0, high=float("inf")), "must be numbers"),
        (SimpleNamespace(low=2.0, high=1.0), "the lower one"),
        (SimpleNamespace(low="a", high="b"), "must be numbers"),
        (SimpleNamespace(low=0.0, high=1.0, log=True), "begin above 0"),
        (SimpleNamespace(low=0, high=1, step=-1), "step must be above 0"),
        (FloatDistribution(0.0, 1.0, step=1e-6), "1000001 values, at most 5000"),
        (IntDistribution(0, 2**40), "values, at most 100000"),
        (7, "must be a list"),
        ([["a"], ["b"]], "must be a list"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_refused_with_its_name(choices: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        TopKSampler({"style": ("a",), "swing": choices}, seed=0)
    assert "'swing'" in str(caught.value)
    assert caught.value.next_step
