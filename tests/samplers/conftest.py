"""Spaces, scores and a driver that the samplers' tests share."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)

ONE = {
    "style": ("prog", "deep", "techno", "bass"),
    "bpm": (122, 126, 130, 138, 150),
    "key": ("A minor", "F minor", "C minor", "Eb minor", "Bb minor"),
    "language": ("en", "pa"),
}


def _ten() -> dict[str, dict[str, tuple[Any, ...]]]:
    return {
        f"genre{number}": {
            "genre": (f"genre{number}",),
            "style": tuple(f"genre{number}/{style}" for style in range(4)),
            "bpm": tuple(80 + 6 * number + 5 * step for step in range(5)),
            "key": tuple(f"key {(number + key) % 12}" for key in range(5)),
            "language": ("en",) if number % 2 else ("hi", "en"),
        }
        for number in range(10)
    }


def _union(spaces: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, tuple[Any, ...]]:
    names = next(iter(spaces.values()))
    return {name: tuple(dict.fromkeys(value for own in spaces.values() for value in own[name])) for name in names}


def _distributions(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    found: dict[str, BaseDistribution] = {
        name: IntDistribution(values.low, values.high, step=values.step)
        if hasattr(values, "low")
        else CategoricalDistribution(values)
        for name, values in space.items()
    }
    return found | {"seed": IntDistribution(0, 2**31 - 1)}


def _score(params: Mapping[str, Any], number: int) -> float:
    """Return a score that depends on the recipe and, loudly, on the take; the same in every process."""
    recipe = random.Random(repr(sorted((name, value) for name, value in params.items() if name != "seed")))
    take = random.Random(f"{number} {params.get('seed')}")
    return min(max(3.2 + recipe.gauss(0, 0.3) + take.gauss(0, 0.4), 0.0), 10.0)


def _run(
    make: Callable[[], BaseSampler],
    space: Mapping[str, Any],
    songs: int,
    *,
    ahead: int = 0,
    disorder: int = 0,
    kills: float = 0.0,
    fails: Callable[[int], bool] = lambda number: False,
    study: optuna.Study | None = None,
) -> optuna.Study:
    """Run a study as the loop does: ask while no trial below ``number - ahead`` is open, finish in a random order.

    With `kills`, the process dies that often: the sampler is made anew, and open trials are adopted. A trial may lose
    its process after it got some of its parameters.
    """
    chance = random.Random(disorder)
    study = study or optuna.create_study(direction="maximize")
    distributions = _distributions(space)
    sampler = make()
    flights: list[Trial] = []
    number = len(study.get_trials(deepcopy=False))
    while number < songs or flights:
        study.sampler = sampler
        lag = max(ahead, 1) + 1 if number < sampler.explore else ahead  # type: ignore[attr-defined]
        while number < songs and len(flights) <= ahead and all(one.number >= number - lag for one in flights):
            trial = study.ask()
            given = len(distributions) if chance.random() >= kills else chance.randrange(len(distributions) + 1)
            for name in list(distributions)[:given]:
                trial._suggest(name, distributions[name])
            flights.append(trial)
            number += 1
            if given < len(distributions):
                break
        if chance.random() < kills or any(len(one.params) < len(distributions) for one in flights):
            study.sampler = sampler = make()
            flights = [Trial(study, one._trial_id) for one in study.get_trials(states=(TrialState.RUNNING,))]
            for trial in flights:
                for name, distribution in distributions.items():
                    trial._suggest(name, distribution)
            continue
        done = flights.pop(chance.randrange(len(flights)))
        if fails(done.number):
            study.tell(done, state=TrialState.FAIL)
        else:
            study.tell(done, _score(done.params, done.number))
    return study


def _recipes(study: optuna.Study) -> list[tuple[Any, ...]]:
    return [
        (trial.number, trial.user_attrs.get("phase"), tuple(sorted(trial.params.items()))) for trial in study.trials
    ]


@pytest.fixture(scope="session")
def world() -> SimpleNamespace:
    """Give two spaces, a score function and the driver."""
    ten = _ten()
    return SimpleNamespace(
        one=ONE,
        ten=_union(ten),
        ten_subspaces=ten,
        distributions=_distributions,
        score=_score,
        run=_run,
        recipes=_recipes,
        size_of_ten=sum(math.prod(len(values) for values in own.values()) for own in ten.values()),
    )
