"""What fails is learned from: a trial without a song says something of its recipe, or of nothing but bad luck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.testing import assert_allclose
from optuna.trial import TrialState
from scipy.stats import beta

from optimizer.samplers import TopKSampler, build
from optimizer.samplers.failures import attempts, survival
from optimizer.samplers.grid import Grid

SPACE = {"style": list("abcd"), "bpm": [80, 95, 110, 125, 140], "key": list("CDEFG")}
GENRES = {"genre": ["edm", "folk", "pop"], "style": ["x", "y", "z"]}


def no_song(study: optuna.Study, trial: optuna.Trial, how: str) -> None:
    if how == "minus infinity":
        study.tell(trial, -np.inf)
    else:
        study.tell(trial, state=TrialState[how])


def spend(sampler: optuna.samplers.BaseSampler, space: dict[str, Any], bad: Callable[[Any], bool], how: str) -> Any:
    """Search for 40 trials, of which the bad ones give no song, and return what was asked."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    random = np.random.default_rng(0)
    for _ in range(40):
        trial = study.ask()
        params = {name: trial.suggest_categorical(name, values) for name, values in space.items()}
        if bad(params):
            no_song(study, trial, how)
        else:
            study.tell(trial, 3.0 + 0.3 * (params["style"] in "bx") + 0.4 * random.standard_normal())
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("how", ["FAIL", "PRUNED", "minus infinity"])
def test_a_style_that_always_fails_is_soon_left_alone(how: str) -> None:
    asked = spend(TopKSampler(SPACE, seed=3), SPACE, lambda params: params["style"] == "d", how)
    assert sum(params["style"] == "d" for params in asked) <= 8
    assert sum(params["style"] == "d" for params in asked[-20:]) <= 2


@pytest.mark.parametrize("options", [{}, {"n_trials": 60}, {"explore": 0}, {"explore": 30}])
def test_a_genre_that_always_fails_does_not_swallow_the_study(options: dict[str, int]) -> None:
    asked = spend(TopKSampler(GENRES, seed=1, **options), GENRES, lambda params: params["genre"] == "pop", "FAIL")
    assert sum(params["genre"] == "pop" for params in asked) <= 40 / 3 + 3


@pytest.mark.parametrize("name", ["topk", "tpe"])
def test_an_even_budget_is_spent_on_the_other_genres_too(name: str) -> None:
    sampler = build(name, search_space=GENRES, seed=1, explore=40 if name == "tpe" else None, per_genre=True)
    asked = Counter(params["genre"] for params in spend(sampler, GENRES, lambda p: p["genre"] == "pop", "FAIL"))
    assert max(asked.values()) <= 40 / 3 + 3


@pytest.mark.parametrize("seed", range(8))
def test_failures_by_chance_are_held_against_no_recipe(seed: int) -> None:
    random = np.random.default_rng(seed)
    asked, bad = random.integers(100, size=60), random.random(60) < 0.2
    found = survival(Grid(SPACE), [asked[~bad]], [asked[bad]], [np.arange(100)])
    assert found is not None
    assert np.ptp(found[0]) < 0.06
    assert found[0].mean() == pytest.approx(1 - bad.mean(), abs=0.02)


@pytest.mark.parametrize("outcome", [optuna.TrialPruned, RuntimeError])
def test_a_trial_that_ends_before_it_asked_for_everything_is_remembered(outcome: type[Exception]) -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("style", SPACE["style"]) == "d":
            raise outcome
        return float(trial.suggest_categorical("bpm", SPACE["bpm"])) + len(
            trial.suggest_categorical("key", SPACE["key"])
        )

    study = optuna.create_study(direction="maximize", sampler=TopKSampler(SPACE, seed=3))
    study.optimize(objective, n_trials=30, catch=(RuntimeError,))
    assert sum(trial.params["style"] == "d" for trial in study.trials) <= 8


def test_survival_is_the_mean_over_hypotheses() -> None:
    # By hand: two styles, one factor; a gave three songs, b failed twice.
    grid = Grid({"style": ["a", "b"]})
    found = survival(grid, [np.array([0, 0, 0])], [np.array([1, 1])], [np.array([0, 1])])
    share = 3.5 / 6

    def likelihood(good: int, bad: int) -> float:
        rates = np.linspace(0, 1, 200_001)[1:-1]
        return float(np.mean(beta.pdf(rates, share, 1 - share) * rates**good * (1 - rates) ** bad))

    one, own = likelihood(3, 2), likelihood(3, 0) * likelihood(0, 2)
    common, apart = 0.9 * one / (0.9 * one + 0.1 * own), 0.1 * own / (0.9 * one + 0.1 * own)
    assert found is not None
    assert_allclose(found[0][0], common * (3 + share) / 6 + apart * (3 + share) / 4, rtol=0.01)
    assert_allclose(found[0][1], common * (3 + share) / 6 + apart * share / 3, rtol=0.01)
    assert survival(grid, [np.array([0])], [np.array([], dtype=int)], [np.array([0])]) is None


def test_a_few_failures_do_not_count_as_songs() -> None:
    assert [attempts(20, failed) for failed in (0, 5, 22, 30)] == [20, 20, 20, 28]
    assert [attempts(0, failed) for failed in (0, 2, 3, 9)] == [0, 0, 1, 7]


def test_what_fails_in_a_poor_genre_is_left_alone_too() -> None:
    # With an even budget a genre is chosen for its turn, however far below the others it scores.
    space = {"genre": ["g0", "g1", "g2"], "style": list("abcd"), "bpm": [80, 95, 110, 125, 140], "key": list("CDEFGA")}
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(space, seed=4, n_trials=60, per_genre=True))
    random = np.random.default_rng(0)
    asked = Counter[str]()
    for _ in range(60):
        trial = study.ask()
        params = {name: trial.suggest_categorical(name, values) for name, values in space.items()}
        if (params["genre"], params["style"]) == ("g1", "a"):
            asked["failed"] += 1
            study.tell(trial, state=TrialState.FAIL)
        else:
            asked[str(params["genre"])] += 1
            study.tell(trial, (3.0 if params["genre"] == "g1" else 8.0) + 0.5 * random.standard_normal())
    assert asked["failed"] <= 6
    assert min(asked[genre] for genre in space["genre"]) >= 17
