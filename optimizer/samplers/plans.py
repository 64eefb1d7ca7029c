"""A new plan or one more take of one: which brings more per minute, where a take costs less than a fresh song."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from optimizer.samplers.features import Array
from optimizer.samplers.observation import Observation

TAKE_COST = 0.5
"""Cost of a take of a stored plan in units of a fresh song, until it is measured."""
KEPT = 5
"""Songs whose mean is to be raised."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What songs cost, in any unit of time.

    Attributes
    ----------
    fresh : float
        A song with a plan of its own.
    take : float
        A song that replays a plan.
    """

    fresh: float = 1.0
    take: float = TAKE_COST


def measured_costs(songs: Sequence[Observation]) -> Costs:
    """Return the median seconds of fresh songs and of takes, with a guess in place of what is not measured yet."""
    fresh = [one.seconds for one in songs if one.seconds and one.plan in (None, one.number)]
    takes = [one.seconds for one in songs if one.seconds and one.plan not in (None, one.number)]
    whole = float(np.median(fresh)) if fresh else 1.0
    return Costs(whole, float(np.median(takes)) if takes else TAKE_COST * whole)


def threshold(songs: Sequence[Observation]) -> float:
    """Return the score a new song must exceed to be among the best five; the lowest score while there are fewer."""
    return float(min(sorted((one.value for one in songs), reverse=True)[:KEPT]))


def log_excess(mean: Array, sd: Array, limit: float) -> Array:
    """Return the logarithm of the expected excess of a Gaussian over a limit, ``log E[max(y - limit, 0)]``.

    Parameters
    ----------
    mean, sd : float arrays [shape=(points,)]
    limit : float

    References
    ----------
    .. [1] Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", 2023.
    """
    z = (mean - limit) / sd
    near = np.maximum(z, -10.0)
    density = np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi)
    plain = np.log(np.maximum(density + near * np.exp(log_ndtr(near)), 1e-300))
    far = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2.0 * np.log(np.maximum(-z, 1.0))
    return np.asarray(np.log(sd) + np.where(z > -10.0, plain, far))


@dataclass(frozen=True)
class Plan:
    """A stored plan and what its songs say.

    Attributes
    ----------
    trial : int
        That it was made for.
    block, point : int
        Recipe.
    mean : float
        Mean score of its songs.
    worth : float
        Songs it has, outliers counted less.
    """

    trial: int
    block: int
    point: int
    mean: float
    worth: float


def take_belief(plan: Plan, mean: float, sd: float, noise: float, share: float) -> tuple[float, float, float]:
    """Return mean, its sd, and the noise of one more take of a plan.

    With ``v = share + (1 - share) / songs`` the variance of a plan's mean about its recipe, the plan's own part is
    ``share / v`` of what its songs deviate by.

    Parameters
    ----------
    plan : Plan
    mean, sd, noise : float
        Belief about its recipe.
    share : float
        Share of the noise variance that belongs to the plan.
    """
    variance = share + (1.0 - share) / plan.worth
    kept = share / variance
    left = (1.0 - kept) ** 2 * sd**2 + noise**2 * share * (1.0 - kept)
    return mean + kept * (plan.mean - mean), float(np.sqrt(left)), noise * float(np.sqrt(1.0 - share))
