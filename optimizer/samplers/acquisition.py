"""How much a point promises: its expectation, what is not known of it, and how far its songs scatter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from optimizer.samplers.model import Belief

Array = NDArray[np.float64]

WIDTH = 3.0
"""Width of the confidence bound, in standard deviations of the expectation, before the first song."""
SHORTEST = 30
"""Songs that a search is taken to have in total, where nobody said; doubled whenever they are there."""
LEAST_LEFT = 0.02
"""Share of the songs that counts as left at the end, so that points known equally well are still told apart."""
TAIL = 1.0
"""What share of the noise's expected maximum counts."""


def width(begun: int, n_trials: int | None) -> float:
    """Return the width of the confidence bound, ``3 sqrt(share of the songs left)``.

    What is learned by one song is of use to the songs after it, so the last songs need no curiosity. Among thirty
    shapes this one was as good as any on the tuning worlds at every length (docs/search.md).

    Parameters
    ----------
    begun : int
        Songs made or in the making.
    n_trials : int or None
        Songs in total. Where nobody said, 30, 60, 120 ..., the first of them that is not reached: at 30 songs that is
        worth a constant width and 0.01 more, later as much as one (docs/search.md).
    """
    if n_trials is None:
        n_trials = SHORTEST
        while n_trials <= begun:
            n_trials *= 2
    left = max(n_trials - begun, 0) / max(n_trials, 1)
    return WIDTH * math.sqrt(max(left, LEAST_LEFT))


def tail(left: int) -> float:
    """Return how many noise sds the best of the songs left may lie above its point's mean, on average.

    About the expected maximum of `left` Gaussian draws, ``sqrt(2 ln(left + 1))``.
    """
    return TAIL * math.sqrt(2.0 * math.log(max(left, 1) + 1.0))


def promise(belief: Belief, wide: float, reach: float = 0.0) -> Array:
    """Return ``mean + wide * sd + reach * noise`` [shape=(points,)].

    Parameters
    ----------
    belief : Belief
    wide : float
        See `width`.
    reach : float
        See `tail`; 0 where recipes rather than single songs shall be good, and within one genre, whose noise is one.
    """
    return belief.mean + wide * belief.sd + reach * belief.noise
