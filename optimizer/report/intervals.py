"""Numbers with their uncertainty: means, shares, differences, shares of variance, with n and a 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]

LEVEL = 0.95
DRAWS = 2000
"""Bootstrap samples; the ends of an interval then move by about a hundredth of its length between seeds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval.

    Attributes
    ----------
    value : float
    low, high : float or None
        None where there are too few songs to tell.
    n : int
        Songs behind it.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def known(self) -> bool:
        """Whether it has both ends."""
        return self.low is not None and self.high is not None

    def excludes(self, number: float) -> bool:
        """Whether the interval lies wholly on one side of a number."""
        return self.low is not None and self.high is not None and not self.low <= number <= self.high


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two groups, first minus second, compared within strata only.

    Attributes
    ----------
    interval : Interval
        Its n is both groups together.
    n_first, n_second : int
        Songs of each group in the strata that have both.
    strata : tuple of str
        The strata that were compared.
    """

    interval: Interval
    n_first: int
    n_second: int
    strata: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A factor's share of the variance, within strata.

    Attributes
    ----------
    omega : Interval
        Chance-corrected share (omega squared, may be slightly negative), with the interval of Steiger [1]_ by the
        noncentral F distribution.
    eta : float
        Uncorrected share; grows with the number of levels even when nothing is there.
    p : float
        Of the F test.
    levels : int
    """

    omega: Interval
    eta: float
    p: float
    levels: int


def mean(values: Values) -> Interval:
    """Mean with Student's t interval; a single value has no interval.

    Raises
    ------
    ValueError
        If there are no values.
    """
    from scipy import stats

    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    if n == 0:
        raise ValueError("the mean of no values")
    middle = float(array.mean())
    if n < 2:
        return Interval(middle, None, None, n)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * float(array.std(ddof=1)) / math.sqrt(n)
    return Interval(middle, middle - half, middle + half, n)


def share(hits: int, n: int) -> Interval:
    """Share with Wilson's score interval [1]_, which is right for few songs and for shares near 0 and 1.

    References
    ----------
    .. [1] Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.
    """
    from scipy import stats

    if n == 0:
        raise ValueError("the share of no songs")
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, 0.0 if hits == 0 else middle - half, 1.0 if hits == n else middle + half, n)


def share_difference(hits: int, n: int, other_hits: int, other_n: int) -> Interval:
    """Difference of two shares, first minus second, with Newcombe's interval (his method 10) [1]_.

    References
    ----------
    .. [1] Newcombe, "Interval estimation for the difference between independent proportions", Stat. Med. 17, 1998.
    """
    a, b = share(hits, n), share(other_hits, other_n)
    assert a.low is not None and a.high is not None and b.low is not None and b.high is not None
    gap = a.value - b.value
    return Interval(
        gap,
        gap - math.hypot(a.value - a.low, b.high - b.value),
        gap + math.hypot(a.high - a.value, b.value - b.low),
        n + other_n,
    )


def difference(first: Mapping[str, Values], second: Mapping[str, Values]) -> Difference | None:
    """Difference of two means, first minus second, within strata, with a Welch-Satterthwaite interval.

    A stratum is weighted by the harmonic size of its two groups (as in a fixed-effects model), so that one that has
    three songs of one side counts little. With one stratum it is Welch's t interval.

    Parameters
    ----------
    first, second : mapping of stratum to scores
        Strata that lack one side, or have fewer than two songs of either, are left out.

    Returns
    -------
    Difference or None
        None if no stratum can be compared.
    """
    from scipy import stats

    strata = [
        name for name in first if len(first[name]) >= 2 and name in second and len(second[name]) >= 2
    ]  # fmt: skip
    if not strata:
        return None
    weights = np.array([1 / (1 / len(first[name]) + 1 / len(second[name])) for name in strata])
    weights = weights / weights.sum()
    gap, variance, parts = 0.0, 0.0, 0.0
    for weight, name in zip(weights, strata, strict=True):
        for sign, side in ((1, first[name]), (-1, second[name])):
            array = np.asarray(side, dtype=np.float64)
            gap += sign * weight * float(array.mean())
            part = weight**2 * float(array.var(ddof=1)) / len(array)
            variance += part
            parts += part**2 / (len(array) - 1)
    n_first, n_second = sum(len(first[name]) for name in strata), sum(len(second[name]) for name in strata)
    half = 0.0
    if variance > 0:
        half = float(stats.t.ppf((1 + LEVEL) / 2, variance**2 / parts)) * math.sqrt(variance)
    interval = Interval(float(gap), float(gap - half), float(gap + half), n_first + n_second)
    return Difference(interval, n_first, n_second, tuple(strata))


def best_difference(first: Values, second: Values, *, top: int = 5, seed: int = 0) -> Interval | None:
    """Difference of the mean of the best `top` songs at one budget, first minus second, by bootstrap.

    The larger group has more chances at a lucky song, so both are drawn, with replacement, at the smaller one's size.
    A bootstrap of a maximum is rough: it cannot draw a song better than any that was heard. Means of several are
    steadier, and the rest is why this is called an indication.

    Returns
    -------
    Interval or None
        None if either has fewer than ``2 * top`` songs.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    size = min(len(a), len(b))
    if size < 2 * top:
        return None
    rng = np.random.default_rng(seed)
    gaps = _best(rng, a, size, top) - _best(rng, b, size, top)
    low, high = np.quantile(gaps, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(gaps.mean()), float(low), float(high), len(a) + len(b))


def _best(rng: np.random.Generator, values: npt.NDArray[np.float64], size: int, top: int) -> npt.NDArray[np.float64]:
    drawn = values[rng.integers(0, len(values), (DRAWS, size))]
    found: npt.NDArray[np.float64] = np.partition(drawn, size - top, axis=1)[:, size - top :].mean(axis=1)
    return found


def variance_share(values: Values, levels: Sequence[Hashable], strata: Sequence[Hashable]) -> Share | None:
    """Share of the within-stratum variance that the levels of one factor explain, each stratum with its own levels.

    Parameters
    ----------
    values : float sequence [shape=(n,)]
    levels, strata : sequences of n

    Returns
    -------
    Share or None
        None without two levels in some stratum, or with no song to spare.

    References
    ----------
    .. [1] Steiger, "Beyond the F Test: Effect Size Confidence Intervals and Tests of Close Fit in the Analysis of
       Variance and Contrast Analysis", Psychological Methods 9, 2004.
    """
    from scipy import stats

    array = np.asarray(values, dtype=np.float64)
    centred = _centred(array, strata)
    cells = [(stratum, level) for stratum, level in zip(strata, levels, strict=True)]
    residual = _centred(array, cells)
    groups, cell_count = len(set(strata)), len(set(cells))
    between, spare = cell_count - groups, len(array) - cell_count
    total = float((centred**2).sum())
    within = float((residual**2).sum())
    if between < 1 or spare < 1 or total <= 0:
        return None
    gain = total - within
    eta = gain / total
    if within <= 1e-12 * total:
        return Share(Interval(1.0, None, None, len(array)), 1.0, 0.0, len(set(levels)))
    noise = within / spare
    f = (gain / between) / noise
    omega = (gain - between * noise) / (total + noise)
    p = float(stats.f.sf(f, between, spare))
    low, high = (_noncentrality(f, between, spare, tail) for tail in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    ends = [value / (value + between + spare + 1) for value in (low, high)]
    return Share(Interval(omega, ends[0], ends[1], len(array)), eta, p, len(set(levels)))


def _noncentrality(f: float, between: int, spare: int, tail: float) -> float:
    """Find the noncentrality under which F lies at the given point of its distribution; 0 if none does."""
    from scipy import optimize, stats

    def gap(centrality: float) -> float:
        at = stats.ncf.cdf(f, between, spare, centrality) if centrality > 0 else stats.f.cdf(f, between, spare)
        return float(at) - tail

    if gap(0.0) <= 0:
        return 0.0
    high = 10.0
    while gap(high) > 0:
        high *= 2
        if high > 1e6:
            return high
    return float(optimize.brentq(gap, 0.0, high, xtol=1e-4))


def _centred(values: npt.NDArray[np.float64], groups: Sequence[Hashable]) -> npt.NDArray[np.float64]:
    index: dict[Hashable, int] = {}
    places = np.array([index.setdefault(group, len(index)) for group in groups])
    sums = np.bincount(places, weights=values)
    found: npt.NDArray[np.float64] = values - (sums / np.bincount(places))[places]
    return found


def centred(values: Values, groups: Sequence[Hashable]) -> npt.NDArray[np.float64]:
    """Take each group's mean off its values."""
    return _centred(np.asarray(values, dtype=np.float64), groups)


def slope(x: Values, y: Values, strata: Sequence[Hashable]) -> Interval | None:
    """Slope of y on x within strata (ordinary least squares with a mean for each stratum).

    Returns
    -------
    Interval or None
        None if x does not vary within a stratum, or no song is to spare.
    """
    from scipy import stats

    a, b = centred(x, strata), centred(y, strata)
    spread = float((a**2).sum())
    spare = len(a) - len(set(strata)) - 1
    if spread <= 1e-12 or spare < 1:
        return None
    value = float((a * b).sum()) / spread
    error = math.sqrt(float(((b - value * a) ** 2).sum()) / spare / spread)
    half = float(stats.t.ppf((1 + LEVEL) / 2, spare)) * error
    return Interval(value, value - half, value + half, len(a))


def superiority(first: Values, second: Values, *, seed: int = 0) -> Interval:
    """Probability that a song of the first group scores above one of the second (ties count half), by bootstrap."""
    a, b = np.sort(np.asarray(first, dtype=np.float64)), np.sort(np.asarray(second, dtype=np.float64))
    rng = np.random.default_rng(seed)
    # Rank of each of a's values in b; resampling songs of b moves all ranks together.
    draws = np.empty(500)
    for index in range(len(draws)):
        resampled = np.sort(b[rng.integers(0, len(b), len(b))])
        drawn = a[rng.integers(0, len(a), len(a))]
        draws[index] = _above(drawn, resampled)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(_above(a, b), float(low), float(high), len(a) + len(b))


def _above(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    below = np.searchsorted(b, a, side="left") + np.searchsorted(b, a, side="right")
    return float(below.mean() / (2 * len(b)))


def take_spread(values: Values, recipes: Sequence[Hashable]) -> Interval | None:
    """Standard deviation between takes of one recipe, with a chi-square interval; None if no recipe has two takes."""
    from scipy import stats

    residual = centred(values, recipes)
    spare = len(residual) - len(set(recipes))
    if spare < 1:
        return None
    total = float((residual**2).sum())
    ends = stats.chi2.ppf([(1 + LEVEL) / 2, (1 - LEVEL) / 2], spare)
    low, high = (math.sqrt(total / float(end)) for end in ends)
    return Interval(math.sqrt(total / spare), low, high, spare)
