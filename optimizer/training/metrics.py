"""Figures of a prediction, with intervals that resample whole groups: songs of one artist are no two witnesses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its bootstrap interval.

    Attributes
    ----------
    value, low, high : float
        95 %; nan where it is not defined: a single group says nothing of how groups differ.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if not np.isfinite(self.low + self.high):
            return f"{self.value:.3f} [no interval]"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_list(self) -> list[float | None]:
        """Return value, low and high for JSON, None where not defined."""
        return [None if not np.isfinite(x) else round(float(x), 6) for x in (self.value, self.low, self.high)]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return the rank correlation of two arrays; 0 where one of them does not vary, for it ranks nothing."""
    # Most of what hears nothing says one thing throughout; ranking it is half a card's time.
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return 0.0
    x, y = _ranks(a), _ranks(b)
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y) / float(np.sqrt((x @ x) * (y @ y)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return mid-ranks from 0; a bootstrap asks for them thousands of times, mostly of small parts."""
    order = np.argsort(values)
    ordered = values[order]
    ranks = np.empty(len(values))
    changes = (ordered[1:] != ordered[:-1]).nonzero()[0] + 1
    if len(changes) == len(values) - 1:
        ranks[order] = np.arange(len(values))
        return ranks
    bounds = np.concatenate([[0], changes, [len(values)]])
    ranks[order] = np.repeat((bounds[:-1] + bounds[1:] - 1) / 2, bounds[1:] - bounds[:-1])
    return ranks


def within(prediction: np.ndarray, truth: np.ndarray, strata: np.ndarray) -> float:
    """Return the mean rank correlation within strata (genres), weighted by their songs; strata below 5 do not count."""
    total, weight = 0.0, 0
    for name in np.unique(strata):
        rows = strata == name
        if rows.sum() >= 5:
            total += spearman(prediction[rows], truth[rows]) * rows.sum()
            weight += int(rows.sum())
    return total / weight if weight else float("nan")


def mae(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.abs(prediction - truth).mean())


def bootstrap(
    figures: Callable[[np.ndarray], Mapping[str, float]], groups: np.ndarray, *, seed: int = 0, rounds: int = ROUNDS
) -> dict[str, Figure]:
    """Give figures their percentile intervals, expanded for few groups.

    Resampling few groups varies less than drawing new ones does; the quantiles lie as far out as Student's t would,
    after Hesterberg [1]_. `benchmarks/evaluation.py groups` measures the coverage.

    Parameters
    ----------
    figures : callable
        Row numbers -> figures by name.
    groups : array [shape=(n,)]
        What is drawn with replacement; each row's own number resamples rows.
    seed, rounds : int

    Returns
    -------
    dict
        Without ends where there is one group: drawn again and again it would pretend to certainty.

    References
    ----------
    .. [1] Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69, 2015.
    """
    from scipy import stats

    n = len(groups)
    names, code = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    members = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
    rng = np.random.default_rng(seed)
    value = figures(np.arange(n))
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for _ in range(rounds if len(names) > 1 else 0):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        for name, number in figures(rows).items():
            drawn[name].append(number)
    # Groups of one size that weigh as evenly; a group of half the rows leaves hardly more than two.
    sizes = np.bincount(code)
    equal = max(2.0, float(sizes.sum()) ** 2 / float((sizes.astype(float) ** 2).sum()))
    tail = float(stats.norm.cdf(np.sqrt(equal / (equal - 1)) * stats.t.ppf(0.025, equal - 1)))
    result = {}
    for name, numbers in drawn.items():
        finite = np.array(numbers)[np.isfinite(numbers)]
        low, high = np.quantile(finite, [tail, 1 - tail]) if len(finite) else (float("nan"), float("nan"))
        result[name] = Figure(float(value[name]), float(low), float(high))
    return result


def exact(value: float, witnesses: Sequence[float]) -> Figure:
    """Give a share its exact interval, for where no resample differs from another and a bootstrap would have no width.

    One share of n witnesses has the interval of Clopper and Pearson [1]_: where all were right it begins at
    0.025 ** (1 / n), the two-sided rule of three. A mean over classes that were all right begins at the least mean
    whose chance of all being right, the product of p ** n over classes, is 2.5 %: there each p is in proportion to its
    n, or 1; for classes of one n that is as low as for all witnesses together. Where all were wrong it is the mirror
    image.

    Parameters
    ----------
    value : float
        0 to 1.
    witnesses : sequence of float
        Above 0: groups of each class, or of all songs. For a mean between 0 and 1 they count together.

    References
    ----------
    .. [1] Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
       Biometrika 26, 1934.
    """
    from scipy import stats

    n = np.sort(np.asarray(witnesses, dtype=float))
    if 0 < value < 1:
        right, wrong = value * n.sum(), (1 - value) * n.sum()
        low, high = stats.beta.ppf(0.025, right, wrong + 1), stats.beta.ppf(0.975, right + 1, wrong)
        return Figure(value, float(low), float(high))
    least = 1.0
    for count in range(len(n), 0, -1):
        few = n[:count]
        p = few * np.exp((np.log(0.025) - few @ np.log(few)) / few.sum())
        if p[-1] <= 1:
            least = (float(p.sum()) + len(n) - count) / len(n)
            break
    return Figure(value, least, 1.0) if value == 1 else Figure(value, 0.0, 1 - least)


def widened(
    found: Mapping[str, Figure], witnesses: Sequence[float], rival: str = "", known: Collection[str] = ()
) -> dict[str, Figure]:
    """Return shares, those that no resample changed with their exact interval, and the gain that follows from it.

    Parameters
    ----------
    found : mapping of str to Figure
        Shares of predictors, among them ``model`` and the rival; ``gain``, what the one has over the other.
    witnesses : sequence of float
        See `exact`.
    rival : str
    known : collection of str
        Predictors whose share no songs are needed to know.
    """
    agreed = [key for key, one in found.items() if one.low == one.high and key != "gain" and key not in known]
    out = dict(found) | {key: exact(found[key].value, witnesses) for key in agreed}
    if rival and {"model", rival} & set(agreed):
        out["gain"] = difference(out["model"], out[rival])
    return out


def difference(first: Figure, second: Figure) -> Figure:
    """Return first minus second with the interval that follows from both (Zou and Donner [1]_).

    For figures of two test parts: what these share is not reckoned with, which widens the interval.

    References
    ----------
    .. [1] Zou and Donner, "Construction of confidence limits about effect measures: A general approach", Statistics in
       Medicine 27, 2008.
    """
    gap = first.value - second.value
    low = gap - float(np.hypot(first.value - first.low, second.high - second.value))
    high = gap + float(np.hypot(first.high - first.value, second.value - second.low))
    return Figure(gap, low, high)


def calibration(
    prediction: np.ndarray, truth: np.ndarray, bins: int = 5, *, groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return what was true where so much was predicted: slope of truth on prediction, and bins of equal number.

    A slope of 1 means that predictions neither shrink nor exaggerate.

    Parameters
    ----------
    prediction, truth : float arrays [shape=(n,)]
    bins : int
    groups : array [shape=(n,)], optional
        What the slope's interval draws; rows, where there is none.
    seed : int

    Returns
    -------
    dict
        ``slope`` and ``slope_interval`` [value, low, high], None where predictions do not differ; ``spread``, the
        deviation of predictions over that of labels, for a slope on predictions that hardly differ means little;
        ``bins`` with ``predicted``, ``true`` (means) and ``n``.
    """
    units = np.arange(len(truth)) if groups is None else groups
    found = bootstrap(lambda rows: {"slope": _slope(prediction[rows], truth[rows])}, units, seed=seed, rounds=300)
    parts = [part for part in np.array_split(np.argsort(prediction, kind="stable"), bins) if len(part)]
    rows = [{"predicted": float(prediction[p].mean()), "true": float(truth[p].mean()), "n": len(p)} for p in parts]
    slope = found["slope"].to_list()
    spread = float(prediction.std() / truth.std()) if truth.std() > 0 else 0.0
    return {"slope": slope[0], "slope_interval": slope, "spread": spread, "bins": rows}


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    away = x - x.mean()
    total = float(away @ away)
    return float(away @ y) / total if total > 1e-18 * len(x) else float("nan")
