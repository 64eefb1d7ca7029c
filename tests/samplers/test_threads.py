"""Samplers under `Study.optimize(n_jobs=...)`: threads of one process neither pile up nor leave anything behind."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import threadpoolctl
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from optimizer.samplers import TopKSampler, build
from optimizer.samplers.threads import one_thread


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


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let linear algebra have two threads; the tests themselves have one."""
    limits = threadpoolctl.threadpool_limits(2, user_api="blas")
    free_threads()
    yield
    free_threads()
    limits.restore_original_limits()
    free_threads()


def free_threads() -> None:
    """Let any thread set the number: from 3.8 on, threadpoolctl heeds the first one alone."""
    clear = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


def blas_threads() -> set[int]:
    return {int(one["num_threads"]) for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.usefixtures("two_threads")
def test_contexts_that_nest_or_overlap_keep_one_thread_and_give_back_what_was_there() -> None:
    assert blas_threads() == {2}
    with one_thread():
        with pytest.raises(ZeroDivisionError), one_thread():
            assert blas_threads() == {1}
            raise ZeroDivisionError
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_contexts_of_several_threads_give_back_what_was_there() -> None:
    both = threading.Barrier(2, timeout=30)
    left = threading.Event()

    def early() -> set[int]:
        with one_thread():
            both.wait()
        left.set()
        return blas_threads()

    def late() -> set[int]:
        with one_thread():
            both.wait()
            assert left.wait(30)
            return blas_threads()

    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(early), threads.submit(late)]
    assert asked[0].exception() is None
    assert asked[1].result() == {1}
    assert blas_threads() == {2}


def test_a_sampler_in_use_can_be_copied_and_pickled(world: SimpleNamespace) -> None:
    sampler = TopKSampler(world.one, seed=2)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.ask(world.distributions(world.one))
    assert copy.deepcopy(sampler).policy.seed == 2
    assert pickle.loads(pickle.dumps(sampler)).policy.grid.size == sampler.policy.grid.size  # noqa: S301
