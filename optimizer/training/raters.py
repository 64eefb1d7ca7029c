"""How far raters agree: what a model could reach at best, and who rates against all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas

FEWEST = 5
"""Clips a rater must share with others before a correlation says anything of them."""


def ceiling(ratings: pandas.DataFrame, clip: str, column: str, *, rounds: int = 50) -> dict[str, float | None]:
    """Say how well ratings could be foretold at best.

    Each round splits every clip's ratings into two halves at random and correlates the halves' means over clips;
    by Spearman and Brown the reliability of the full mean is 2 r / (1 + r), and no model can correlate with it more
    than the root of that.

    Returns
    -------
    dict
        ``split_half`` (r), ``reliability``, ``ceiling`` and ``rater_error``, the mean absolute distance of one
        rating from the mean of the clip's others. All None where fewer than three clips have two ratings.
    """
    rng = np.random.default_rng(0)
    groups = [part.to_numpy(dtype=float) for _, part in ratings.dropna(subset=[column]).groupby(clip)[column]]
    several = [values for values in groups if len(values) >= 2]
    if len(several) < 3:
        return dict.fromkeys(("split_half", "reliability", "ceiling", "rater_error"))
    found = []
    for _ in range(rounds):
        halves = []
        for values in several:
            mixed = rng.permutation(values)
            halves.append((mixed[::2].mean(), mixed[1::2].mean()))
        first, second = np.array(halves).T
        if first.std() > 0 and second.std() > 0:
            found.append(float(np.corrcoef(first, second)[0, 1]))
    r = float(np.mean(found)) if found else 0.0
    reliability = max(0.0, 2 * r / (1 + r)) if r > -1 else 0.0
    alone = [np.abs(v - (v.sum() - v) / (len(v) - 1)) for v in several]
    return {
        "split_half": r,
        "reliability": reliability,
        "ceiling": float(np.sqrt(reliability)),
        "rater_error": float(np.concatenate(alone).mean()),
    }


def rater_agreement(ratings: pandas.DataFrame, clip: str, rater: str, column: str) -> dict[str, float]:
    """Correlate each rater's ratings with the mean of everybody else's ratings of the same clips.

    Returns
    -------
    dict
        Pearson correlation by rater, sorted by name; raters who share fewer than `FEWEST` clips with others, or gave
        one rating to all of them, are left out.
    """
    shared = ratings.dropna(subset=[column]).sort_values(rater, kind="stable")
    groups = shared.groupby(clip)[column]
    total, count = groups.transform("sum"), groups.transform("count")
    shared = shared.assign(others=(total - shared[column]) / (count - 1).where(count > 1)).dropna(subset=["others"])
    found = {}
    for name, part in shared.groupby(rater):
        own, others = part[column].to_numpy(dtype=float), part["others"].to_numpy(dtype=float)
        if len(own) >= FEWEST and own.std() > 0 and others.std() > 0:
            found[str(name)] = float(np.corrcoef(own, others)[0, 1])
    return found
