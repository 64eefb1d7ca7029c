"""Figures of a whole set of songs: how varied it is, and how far its embeddings lie from a reference's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.metrics import Figure

BLOCKS = 20
"""Parts that are left out in turn; each costs an eigenproblem of the embedding's width."""

ENOUGH = 3
"""Songs for each dimension from which on the extrapolated distance was within its interval in simulation."""


def set_figures(
    x: np.ndarray, reference: np.ndarray | None = None, *, components: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Say how varied a set is, and how far from a reference.

    Intervals come from the jackknife, leaving out blocks of songs; a bootstrap would draw songs twice, which passes for
    a lack of variety. They tell where the figure of as many songs of the same source would lie; the reference is taken
    as it is. `benchmarks/evaluation.py sets` measures their coverage.

    Parameters
    ----------
    x : float array [shape=(n, d)]
    reference : float array [shape=(m, d)], optional
    components : int, optional
        Compare along so many principal components of the reference, which few songs can be compared along.
    seed : int
        Of the blocks.

    Returns
    -------
    dict
        ``songs``, and as [value, low, high] ``vendi`` and ``mean_distance`` (cosines of the embeddings as they are).
        With a reference also ``vendi_standardised`` and ``mean_distance_standardised`` (each dimension by the
        reference's mean and deviation: the raw embeddings of an encoder all point much the same way), ``frechet``,
        ``frechet_infinity`` (see `frechet_infinity`), ``reference`` (its songs), ``dimensions``, and ``warnings``.

    Raises
    ------
    UsageError
        If a set has fewer than two songs, or there are not so many components.
    """
    if len(x) < 2 or (reference is not None and len(reference) < 2):
        raise UsageError("a set needs two songs or more.")
    x = np.asarray(x, dtype=np.float64)
    blocks = _blocks(len(x), seed)
    result: dict[str, Any] = {"songs": len(x), **_variety(x, blocks, "")}
    if reference is None:
        if components is not None:
            raise UsageError("--components are those of a reference.", next_step="Give --reference DIR too.")
        return result
    other = np.asarray(reference, dtype=np.float64)
    centre, scale = other.mean(axis=0), other.std(axis=0)
    result |= _variety((x - centre) / np.where(scale > 1e-9, scale, 1.0), blocks, "_standardised")
    near, far = (x, other) if components is None else _projected(x, other, components)
    whole, halved, parts = _distances(near, far, blocks, seed)
    n, dimensions = len(x), near.shape[1]
    result["frechet"] = _jackknife(whole, parts, n).to_list()
    result["frechet_infinity"] = _jackknife(2 * whole - halved, parts, n).to_list()
    result |= {"reference": len(other), "dimensions": dimensions, "warnings": []}
    if min(n, len(other)) < ENOUGH * dimensions:
        few = f"{n} songs" if n <= len(other) else f"a reference of {len(other)} songs"
        result["warnings"].append(
            f"{few} for {dimensions} dimensions: frechet is too high, by more the fewer the songs, and "
            f"frechet_infinity does not mend it below {ENOUGH} songs a dimension. Compare sets of equal size only, or "
            f"along fewer dimensions: --components {max(1, min(n, len(other)) // ENOUGH)}."
        )
    return result


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Fréchet distance of the Gaussians with two sets' means and sample covariances.

    Parameters
    ----------
    a, b : float arrays [shape=(n, d)], [shape=(m, d)]
        Few songs make it too high: covariances of n songs hold errors of the order d / n.

    Returns
    -------
    float
        In squared units of the embedding, as published.

    References
    ----------
    .. [1] Kilgour et al., "Fréchet Audio Distance: A Reference-Free Metric for Evaluating Music Enhancement
       Algorithms", Interspeech 2019.
    """
    a, b = (np.asarray(part, dtype=np.float64) for part in (a, b))
    return _distance(a, _moments(b))


def frechet_infinity(a: np.ndarray, b: np.ndarray, *, seed: int = 0) -> float:
    """Return the Fréchet distance that a would have if it had no end, b being taken as it is.

    The distance of n songs exceeds that of all by about a constant over n, as [1]_ found and used: from the distance
    of n and the mean of halves of n / 2 it follows as twice the first less the second.

    References
    ----------
    .. [1] Gui, Gamper, Braun and Emmanouilidou, "Adapting Frechet Audio Distance for Generative Music Evaluation",
       ICASSP 2024.
    """
    a, b = (np.asarray(part, dtype=np.float64) for part in (a, b))
    whole, halved, _ = _distances(a, b, [], seed)
    return 2 * whole - halved


def _variety(x: np.ndarray, blocks: list[np.ndarray], suffix: str) -> dict[str, list[float | None]]:
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    found = {}
    figures: dict[str, Callable[[np.ndarray], float]] = {"vendi": _vendi, "mean_distance": _mean_distance}
    for name, figure in figures.items():
        parts = [figure(np.delete(unit, block, axis=0)) for block in blocks if len(unit) - len(block) >= 2]
        found[name + suffix] = _jackknife(figure(unit), parts, len(unit)).to_list()
    return found


def _vendi(unit: np.ndarray) -> float:
    """Return what `selection.vendi` does; of the two matrices that have these eigenvalues the smaller is taken."""
    square = unit @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit
    weights = np.linalg.eigvalsh(square / len(unit))
    weights = weights[weights > 1e-12]
    return float(np.exp(-(weights * np.log(weights)).sum()))


def _mean_distance(unit: np.ndarray) -> float:
    """Return what `selection.mean_distance` does, without a matrix of all pairs."""
    total, n = unit.sum(axis=0), len(unit)
    return 1.0 - float(total @ total - (unit**2).sum()) / (n * (n - 1))


def _blocks(n: int, seed: int) -> list[np.ndarray]:
    return np.array_split(np.random.default_rng(seed).permutation(n), min(n, BLOCKS))


def _jackknife(value: float, parts: list[float], n: int) -> Figure:
    """Give a figure the interval that follows from those of the set without each block in turn."""
    from scipy import stats

    if len(parts) < 2 or n < 3:
        return Figure(value, float("nan"), float("nan"))
    count = len(parts)
    error = float(np.sqrt((count - 1) / count * ((np.array(parts) - np.mean(parts)) ** 2).sum()))
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return Figure(value, value - half, value + half)


def _projected(x: np.ndarray, reference: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    most = min(reference.shape[1], len(reference) - 1)
    if not 1 <= components <= most:
        raise UsageError(f"--components {components} must be 1 to {most}: the reference has no more.")
    centre = reference.mean(axis=0)
    _, _, axes = np.linalg.svd(reference - centre, full_matrices=False)
    return (x - centre) @ axes[:components].T, (reference - centre) @ axes[:components].T


def _distances(a: np.ndarray, b: np.ndarray, blocks: list[np.ndarray], seed: int) -> tuple[float, float, list[float]]:
    """Return the distance of all songs, the mean of that of halves, and that without each block."""
    moments = _moments(b)
    whole = _distance(a, moments)
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(BLOCKS // 2):
        order = rng.permutation(len(a))
        # Both halves of a division: what one has too much of a song the other lacks.
        halves += [_distance(a[half], moments) for half in np.array_split(order, 2) if len(half) >= 2]
    parts = [_distance(np.delete(a, block, axis=0), moments) for block in blocks if len(a) - len(block) >= 2]
    return whole, float(np.mean(halves)) if halves else float("nan"), parts


def _moments(b: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Return mean, total variance and a root of the covariance."""
    covariance = np.atleast_2d(np.cov(b.T))
    values, vectors = np.linalg.eigh(covariance)
    return b.mean(axis=0), float(np.trace(covariance)), vectors * np.sqrt(np.maximum(values, 0.0))


def _distance(a: np.ndarray, other: tuple[np.ndarray, float, np.ndarray]) -> float:
    mean, variance, root = other
    centred = a - a.mean(axis=0)
    gap = a.mean(axis=0) - mean
    # The trace of the root of the covariances' product is the sum of this matrix's singular values; its smaller
    # square has them squared.
    mixed = centred @ root / np.sqrt(len(a) - 1)
    square = mixed @ mixed.T if len(mixed) < mixed.shape[1] else mixed.T @ mixed
    cross = float(np.sqrt(np.maximum(np.linalg.eigvalsh(square), 0.0)).sum())
    own = float((centred**2).sum()) / (len(a) - 1)
    return max(0.0, float(gap @ gap) + own + variance - 2 * cross)
