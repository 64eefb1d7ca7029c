"""Third-party samplers: Optuna's suite, resuming, points that exist, the seed hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from optuna.trial import TrialState

from optimizer.errors import UsageError
from optimizer.samplers import StatelessSampler, build


class TestOptunaSuite(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: StatelessSampler(lambda seed: TPESampler(seed=seed), {"style": ("a", "b")}, seed=0, explore=2)


@pytest.mark.parametrize("name", ["tpe", "random", "nsga2", "optuna.samplers:TPESampler"])
def test_resuming_is_exact(world: SimpleNamespace, name: str) -> None:
    def make() -> BaseSampler:
        return build(name, search_space=world.one, seed=9, explore=4, ahead=0)

    def fails(number: int) -> bool:
        return number == 6

    plain = world.run(make, world.one, 26, fails=fails)
    broken = world.run(make, world.one, 26, kills=0.4, disorder=1, fails=fails)
    assert world.recipes(plain) == world.recipes(broken)
    assert {trial.user_attrs["phase"] for trial in plain.trials} == {"sweep", "refine"}


def test_resuming_is_exact_with_songs_in_flight(world: SimpleNamespace) -> None:
    def make() -> BaseSampler:
        return build("tpe", search_space=world.one, seed=9, explore=4, ahead=3)

    plain = world.run(make, world.one, 30, ahead=3)
    broken = world.run(make, world.one, 30, ahead=3, kills=0.3, disorder=7)
    assert world.recipes(plain) == world.recipes(broken)


class Spy(RandomSampler):
    """Remembers which studies and parameters it was shown."""

    seen: list[tuple[int, int, set[str]]] = []  # noqa: RUF012

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)

    def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        trials: Sequence[optuna.trial.FrozenTrial] = study.get_trials(deepcopy=False)
        done = sum(one.state == TrialState.COMPLETE for one in trials)
        Spy.seen.append((trial.number, done, {name for one in trials for name in one.params}))


def test_it_sees_the_results_it_may_and_never_a_seed(world: SimpleNamespace) -> None:
    Spy.seen = []
    world.run(lambda: StatelessSampler(Spy, world.one, seed=1, explore=3, ahead=2), world.one, 12, ahead=2)
    assert [number for number, _, _ in Spy.seen] == list(range(3, 12))
    assert all(done == number - 2 for number, done, _ in Spy.seen)
    assert all(names == set(world.one) for _, _, names in Spy.seen)


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_only_points_that_exist_are_proposed(world: SimpleNamespace, name: str) -> None:
    def make() -> BaseSampler:
        return build(name, search_space=world.ten, subspaces=world.ten_subspaces, seed=3, explore=10, ahead=0)

    study = world.run(make, world.ten, 40)
    for trial in study.trials:
        own = world.ten_subspaces[trial.params["genre"]]
        assert all(trial.params[parameter] in own[parameter] for parameter in own)


def test_a_sampler_that_learns_is_heard(world: SimpleNamespace) -> None:
    study = optuna.create_study(
        direction="maximize", sampler=build("tpe", search_space=world.one, seed=2, explore=8, ahead=0)
    )
    for _ in range(60):
        trial = study.ask(world.distributions(world.one))
        study.tell(trial, float(trial.params["style"] == "deep") + 0.01 * trial.number % 0.05)
    late = [trial.params["style"] for trial in study.trials[30:]]
    assert late.count("deep") > 15


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("topkk", "Did you mean 'topk'"),
        ("no.such.module:Thing", "cannot be imported"),
        ("optuna.samplers:Nothing", "cannot be imported"),
        ("optuna.distributions:CategoricalDistribution", "cannot be made"),
        ("builtins:dict", "not an optuna.samplers.BaseSampler"),
    ],
)
def test_unusable_names(world: SimpleNamespace, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(name, search_space=world.one, seed=0)


def test_goal_is_checked(world: SimpleNamespace) -> None:
    wrong: Any = {"goal": "averge"}
    with pytest.raises(UsageError, match="Did you mean 'average'"):
        build("topk", search_space=world.one, seed=0, **wrong)


@pytest.mark.parametrize(
    "factory",
    [
        lambda seed: optuna.samplers.BruteForceSampler(seed=seed),
        lambda seed: optuna.samplers.GridSampler({"style": ["a", "b", "c"], "key": ["C", "D"]}, seed=0),
    ],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_samplers_that_read_what_their_trial_has_so_far_meet_every_recipe(
    factory: Callable[[int], BaseSampler],
) -> None:
    space = {"style": ["a", "b", "c"], "key": ["C", "D"]}
    study = optuna.create_study(sampler=StatelessSampler(factory, space, seed=1, explore=0))
    asked = {name: CategoricalDistribution(values) for name, values in space.items()}
    for number in range(6):
        study.tell(study.ask(asked), float(number))
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 6


class Broken(RandomSampler):
    """Fails, or proposes what is not legal."""

    def __init__(self, proposes: Any) -> None:
        super().__init__()
        self._proposes = proposes

    def sample_independent(self, *_: Any) -> Any:
        if isinstance(self._proposes, Exception):
            raise self._proposes
        return self._proposes


@pytest.mark.parametrize(
    ("proposes", "told"),
    [
        (RuntimeError("boom"), "sampler Broken failed at trial 0: RuntimeError: boom"),
        ("rubbish", "sampler Broken proposed 'rubbish' for 'style': it must be of Categorical"),
    ],
)
def test_what_is_wrong_with_a_sampler_of_others_is_said_of_it(proposes: Any, told: str) -> None:
    sampler = StatelessSampler(lambda seed: Broken(proposes), {"style": ["a", "b"]}, seed=1, explore=0)
    study = optuna.create_study(sampler=sampler)
    with pytest.raises(UsageError, match=told) as caught:
        study.ask({"style": CategoricalDistribution(["a", "b"])})
    assert caught.value.next_step == "Mend it and repeat the command: the songs so far are kept."


def test_numbers_of_numpy_are_taken_from_samplers_of_others(tmp_path: Path) -> None:
    space = {"bpm": [80, 100, 120]}
    sampler = StatelessSampler(lambda seed: Broken(np.int64(100)), space, seed=1, explore=0)
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'study.db'}", sampler=sampler)
    assert study.ask({"bpm": CategoricalDistribution([80, 100, 120])}).params == {"bpm": 100}
