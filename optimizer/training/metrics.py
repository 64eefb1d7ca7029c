"""Figures of a prediction, with intervals that resample whole groups: songs of one artist are no two witnesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        95 %; nan where it is not defined.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_list(self) -> list[float | None]:
        """Return value, low and high for JSON, None where not defined."""
        return [None if not np.isfinite(x) else round(float(x), 6) for x in (self.value, self.low, self.high)]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return the rank correlation of two arrays; 0 where one of them does not vary, for it ranks nothing."""
    from scipy.stats import rankdata

    if len(a) < 2:
        return 0.0
    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else 0.0


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
    """Give figures their percentile intervals.

    Parameters
    ----------
    figures : callable
        Row numbers -> figures by name.
    groups : array [shape=(n,)]
        What is drawn with replacement; each row's own number resamples rows.
    seed, rounds : int
    """
    n = len(groups)
    names, code = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    members = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
    rng = np.random.default_rng(seed)
    value = figures(np.arange(n))
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        for name, number in figures(rows).items():
            drawn[name].append(number)
    result = {}
    for name, numbers in drawn.items():
        finite = np.array(numbers)[np.isfinite(numbers)]
        low, high = np.quantile(finite, [0.025, 0.975]) if len(finite) else (float("nan"), float("nan"))
        result[name] = Figure(float(value[name]), float(low), float(high))
    return result


def calibration(prediction: np.ndarray, truth: np.ndarray, bins: int = 5) -> dict[str, Any]:
    """Return what was true where so much was predicted: slope of truth on prediction, and bins of equal number.

    A slope of 1 means that predictions neither shrink nor exaggerate.
    """
    slope = float(np.polyfit(prediction, truth, 1)[0]) if prediction.std() > 1e-9 else float("nan")
    parts = [part for part in np.array_split(np.argsort(prediction, kind="stable"), bins) if len(part)]
    rows = [{"predicted": float(prediction[p].mean()), "true": float(truth[p].mean()), "n": len(p)} for p in parts]
    return {"slope": slope, "bins": rows}
