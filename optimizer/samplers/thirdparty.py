"""The samplers that can be asked for by name: ours, Optuna's, and anybody's ``package.module:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from optimizer.errors import MissingPrerequisite, UsageError, did_you_mean
from optimizer.samplers.grid import Grid
from optimizer.samplers.model import Model
from optimizer.samplers.observation import Observation
from optimizer.samplers.stateless import StatelessSampler
from optimizer.samplers.topk import TopKSampler

NAMES = ("topk", "tpe", "gp", "random", "nsga2")
POPULATION = 20


def build(
    name: str,
    *,
    search_space: Mapping[str, Any],
    subspaces: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int,
    n_trials: int | None = None,
    explore: int | None = None,
    ahead: int | None = 0,
    goal: str = "best",
    per_genre: bool = False,
    prior: Sequence[Observation] = (),
    replay_plans: bool = False,
    model: Model | None = None,
) -> BaseSampler:
    """Make a sampler by name.

    Parameters
    ----------
    name : str
        One of `NAMES`, or ``package.module:Class`` of a class or function that takes ``seed`` or nothing. Without
        ``seed`` only a sampler in which nothing is random resumes exactly.
    search_space, subspaces, seed, n_trials, explore, ahead, goal, per_genre, prior, replay_plans, model
        See `TopKSampler`. Samplers other than ``topk`` know of these only the spaces, seed, explore and ahead.

    Raises
    ------
    UsageError
        If there is no sampler of that name.
    MissingPrerequisite
        If it needs a package that is not here.
    """
    if name == "topk":
        return TopKSampler(
            search_space,
            seed=seed,
            n_trials=n_trials,
            explore=explore,
            subspaces=subspaces,
            ahead=ahead,
            goal=goal,
            per_genre=per_genre,
            prior=prior,
            replay_plans=replay_plans,
            model=model,
        )
    factory = _factory(name)
    if explore is None:
        grid = Grid(search_space, subspaces)
        explore = min(2 * len(grid.blocks) if grid.several else 10, grid.size)
    return StatelessSampler(factory, search_space, seed=seed, subspaces=subspaces, explore=explore, ahead=ahead)


def check_name(name: str) -> str | None:
    """Import and make a sampler once, before a run is bound to its name.

    Returns
    -------
    str or None
        What its user should know.

    Raises
    ------
    UsageError
        If there is no sampler of that name, or it cannot be made from a seed.
    MissingPrerequisite
        If it needs a package that is not here.
    """
    if name == "topk":
        return None
    _factory(name)
    if ":" in name and not _takes_seed(_imported(name)):
        return (
            f"Sampler {name!r} takes no `seed`: if anything in it is random, a run that is resumed will not propose "
            "what it would have. A function that takes `seed` and makes it would."
        )
    return None


def _factory(name: str) -> Callable[[int], BaseSampler]:
    if name == "tpe":
        return lambda seed: optuna.samplers.TPESampler(seed=seed)
    if name == "random":
        return lambda seed: optuna.samplers.RandomSampler(seed=seed)
    if name == "nsga2":
        return lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION)
    if name == "gp":
        if importlib.util.find_spec("torch") is None:
            raise MissingPrerequisite(
                "sampler gp needs torch, which is not here.",
                next_step="pip install 'banger-optimizer[models]', or take --sampler topk, which needs nothing.",
            )
        return _gaussian_process
    if ":" in name:
        return _foreign(name)
    raise UsageError(
        f"sampler {name!r} is not known: {', '.join(NAMES)}, or package.module:Class.{did_you_mean(name, NAMES)}"
    )


def _gaussian_process(seed: int) -> BaseSampler:
    # Its independent draws are made before it has anything to model; saying so at every trial helps nobody.
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)


def _imported(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # A module runs whatever its author wrote.
        raise UsageError(
            f"sampler {name!r} cannot be imported: {_said(error)}.",
            next_step="Name it as package.module:Class, and put its folder on PYTHONPATH.",
        ) from error


def _foreign(name: str) -> Callable[[int], BaseSampler]:
    made = _imported(name)
    seeded = _takes_seed(made)

    def factory(seed: int) -> BaseSampler:
        try:
            sampler = made(seed=seed) if seeded else made()
        except Exception as error:  # So does a constructor.
            raise UsageError(
                f"sampler {name!r} cannot be made: {_said(error)}.",
                next_step="It is given `seed` alone; wrap it in a function of your own that gives the rest.",
            ) from error
        if not isinstance(sampler, BaseSampler):
            raise UsageError(
                f"sampler {name!r} is a {type(sampler).__name__}, not an optuna.samplers.BaseSampler.",
                next_step="Name a class of samplers, or a function that takes `seed` and returns one.",
            )
        return sampler

    factory(0)
    return factory


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


def _takes_seed(made: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(made).parameters
    except (TypeError, ValueError):
        return False
    return "seed" in parameters or any(one.kind == one.VAR_KEYWORD for one in parameters.values())
