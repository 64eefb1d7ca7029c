"""Samplers under `Study.optimize(n_jobs=...)`: threads of one process neither pile up nor leave anything behind."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from optimizer.samplers import TopKSampler, build


@pytest.mark.parametrize("name", ["topk", "random"])
def test_a_sweep_by_threads_has_no_repeats(world: SimpleNamespace, name: str) -> None:
    study = optuna.create_study(
        direction="maximize", sampler=build(name, search_space=world.one, seed=2, n_trials=60, explore=20, ahead=None)
    )
    asked = world.distributions(world.one)

    def objective(trial: optuna.Trial) -> float:
        return float(world.score({name: trial._suggest(name, one) for name, one in asked.items()}, trial.number))

    study.optimize(objective, n_trials=20, n_jobs=10)
    assert {trial.user_attrs["phase"] for trial in study.trials} == {"sweep"}
    assert len({tuple(trial.params[name] for name in world.one) for trial in study.trials}) == 20


def test_threads_that_loaded_the_study_each_for_itself_have_no_repeats_either(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    def load() -> optuna.Study:
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.log")))
        return optuna.load_study(study_name="s", storage=storage, sampler=TopKSampler(world.one, seed=2, explore=20))

    optuna.create_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(tmp_path / "study.log"))))
    asked = world.distributions(world.one)
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda study: [study.ask(asked) for _ in range(4)], [load() for _ in range(5)]))
    assert len({tuple(trial.params[name] for name in world.one) for trial in load().trials}) == 20


def test_a_trial_that_was_told_its_recipe_but_not_given_it_yet_is_pending(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=2, explore=20))
    asked = world.distributions(world.one)
    half = study.ask()
    half._suggest("seed", asked["seed"])
    whole = study.ask(asked)
    for name in world.one:
        half._suggest(name, asked[name])
    assert [half.params[name] for name in world.one] != [whole.params[name] for name in world.one]


def test_a_sampler_in_use_can_be_copied_and_pickled(world: SimpleNamespace) -> None:
    sampler = TopKSampler(world.one, seed=2)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.ask(world.distributions(world.one))
    assert copy.deepcopy(sampler).policy.seed == 2
    assert pickle.loads(pickle.dumps(sampler)).policy.grid.size == sampler.policy.grid.size  # noqa: S301
