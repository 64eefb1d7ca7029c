"""A conjugate Bayesian mixed model of the scores: effects of every parameter and pair, a part per combination, noise.

A song of point ``x`` in genre ``g`` scores ``centre + f_g(x) + e``, with ``e ~ N(0, noise_g**2)`` and ``f_g`` a
Gaussian process whose kernel is the sum of the effects' kernels (see `Effects`), all in units of ``noise_g**2``.
Everything is in closed form given the effects' sizes; those are averaged over a short list (`SIZES`) by marginal
likelihood. The formulas stand in docs/search.md.

References
----------
.. [1] Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press, 2006, ch. 2 and 5.
.. [2] Gelman et al., "Bayesian Data Analysis", 3rd ed., CRC Press, 2013, ch. 14 (conjugate noise) and 15 (shrinkage).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from optimizer.samplers.features import Array, Effects, Features, Indices, features_of
from optimizer.samplers.grid import Block

NOISE = 0.40
"""Noise sd, in score points, where there is nothing to learn it from."""
NOISE_SONGS = 6.0
"""Songs that the first guess of the noise is worth."""
GENRE_SD = 1.0
"""Spread of the genres' means, in units of the noise."""
VAGUE = 5.0
"""The same where there is one genre: as good as flat."""


PUBLISHED = Effects()
"""The sizes fitted to the 230 published songs (docs/search.md)."""
COARSE = replace(PUBLISHED, pair=0.0, combo=0.43)
"""Nearly the same for a third of the cost: what three pairs do together counts as the combination's own."""
ADDITIVE = Effects(style=0.63, bpm=0.28, key=0.42, language=0.2, other=0.4, pair=0.11, combo=0.11)
INTERACTIVE = Effects(style=0.14, bpm=0.07, key=0.11, language=0.07, other=0.1, pair=0.35, combo=0.84)
SIZES: tuple[tuple[Effects, float], ...] = (
    (PUBLISHED, 0.0),
    (PUBLISHED.scaled(0.5), -1.0),
    (PUBLISHED.scaled(2.0), -0.5),
    (PUBLISHED.scaled(4.0), -1.0),
    (ADDITIVE, -1.0),
    (ADDITIVE.scaled(2.5), -1.0),
    (INTERACTIVE, -1.0),
    (INTERACTIVE.scaled(2.5), -1.0),
)
"""Sizes to average over, each with the logarithm of its prior weight; other judges may scatter less."""


@dataclass(frozen=True)
class Evidence:
    """The songs of one genre, gathered by point.

    Attributes
    ----------
    points : int array [shape=(points,)]
        Distinct indices into the block.
    precision : float array [shape=(points,)]
        What their songs are worth together, in songs.
    means : float array [shape=(points,)]
        Precision-weighted mean scores.
    spread : float
        Weighted sum of squares about those means.
    songs : int
    log_determinant : float
        Of the songs' noise, less that of the points' means; it tells shares of the plan apart.
    """

    points: Indices
    precision: Array
    means: Array
    spread: float
    songs: int
    log_determinant: float = 0.0


def gather(
    points: Indices,
    values: Array,
    weights: Array | None = None,
    plans: Sequence[int | str | None] | None = None,
    plan_share: float = 0.0,
) -> Evidence:
    """Reduce songs to what the model needs of them.

    Songs of one plan share a part of their noise. It is integrated out: together they are worth
    ``1 / (plan_share + (1 - plan_share) / songs)`` songs.

    Parameters
    ----------
    points : int array [shape=(songs,)]
    values : float array [shape=(songs,)]
    weights : float array [shape=(songs,)], optional
        What each song is worth, at most 1.
    plans : sequence [shape=(songs,)], optional
        Plan of each song; None is a plan of its own.
    plan_share : float
        Share of the noise variance that belongs to the plan, 0 to less than 1.
    """
    weights = np.ones(len(values)) if weights is None else weights
    spread = determinant = 0.0
    songs = len(values)
    if plan_share > 0.0 and plans is not None:
        points, values, weights, spread, determinant = _by_plan(points, values, weights, plans, plan_share)
    distinct, inverse = np.unique(points, return_inverse=True)
    precision = np.bincount(inverse, weights=weights, minlength=len(distinct)).astype(float)
    sums = np.bincount(inverse, weights=weights * values, minlength=len(distinct)).astype(float)
    means = sums / precision if len(distinct) else sums
    if len(values):
        spread += float((weights * (values - means[inverse]) ** 2).sum())
        determinant += float(np.log(precision).sum() - np.log(weights).sum())
    return Evidence(distinct.astype(np.int64), precision, means, spread, songs, determinant)


def _by_plan(
    points: Indices, values: Array, weights: Array, plans: Sequence[int | str | None], share: float
) -> tuple[Indices, Array, Array, float, float]:
    """Join the songs of each plan to one, of what they are worth together."""
    order: dict[object, list[int]] = {}
    for song, plan in enumerate(plans):
        order.setdefault(("alone", song) if plan is None else (int(points[song]), plan), []).append(song)
    members = list(order.values())
    joined = np.empty((3, len(members)))
    spread = determinant = 0.0
    for row, songs in enumerate(members):
        own = weights[songs]
        total = own.sum()
        mean = float(own @ values[songs] / total)
        worth = total if len(songs) == 1 else 1.0 / (share + (1.0 - share) / total)
        joined[:, row] = points[songs[0]], mean, worth
        if len(songs) > 1:
            spread += float(own @ (values[songs] - mean) ** 2) / (1.0 - share)
            determinant += (len(songs) - 1) * float(np.log(1.0 - share)) + float(np.log(total))
    return joined[0].astype(np.int64), joined[1], joined[2], spread, determinant


@dataclass(frozen=True)
class Belief:
    """What is known of some points of one genre.

    Attributes
    ----------
    mean : float array [shape=(points,)]
        Expected score of a new song.
    sd : float array [shape=(points,)]
        Standard deviation of that expectation.
    noise : float
        Standard deviation of songs about it.
    """

    mean: Array
    sd: Array
    noise: float


@dataclass(frozen=True)
class Solved:
    """One genre under one size of effects and unit noise, for a centre that is not known yet.

    Attributes
    ----------
    level, slope : float arrays [shape=(points,)]
        The posterior mean is ``level + centre * slope``.
    variance : float array [shape=(points,)]
        In units of the noise variance.
    squares : tuple of three floats
        Generalised squares of the scores, of scores with ones, and of ones.
    log_determinant : float
        Of the scores' covariance.
    """

    level: Array
    slope: Array
    variance: Array
    squares: tuple[float, float, float]
    log_determinant: float


def solve(
    features: Features,
    effects: Effects,
    intercept: float,
    evidence: Evidence,
    at: Indices,
    pending: Indices,
    spread: bool = True,
) -> Solved:
    """Solve one genre's linear model for unit noise.

    With prior variances ``W`` of the coefficients, ``c`` of a combination's own part and ``D = c + 1 / precision``,
    the scores have covariance ``F W F' + D``. It is inverted as it stands where points are fewer than columns, else
    by way of ``A = 1 / W + F' / D F``. A point's own part is then its share ``s = c / D`` of what is left there.
    """
    prior = features.variances(effects, intercept)
    # What has no variance explains nothing, and costs as much as what has.
    columns = np.flatnonzero(prior) if not prior.all() else slice(None)
    prior = prior[columns]
    own = effects.combo**2 if features.has_combos else 0.0
    rows = features.rows(at)[:, columns]
    seen = features.rows(evidence.points)[:, columns]
    residual = own + 1.0 / evidence.precision
    sides = np.column_stack([evidence.means, np.ones(len(evidence.means))])
    fitted, variance, squares, determinant = _regress(rows, seen, prior, residual, sides, spread)
    share = np.zeros(len(at))
    where, found = _where(at, evidence.points)
    share[where] = own / residual[found]
    fitted *= (1.0 - share)[:, None]
    fitted[where] += share[where, None] * sides[found]
    if len(pending) and spread:
        points, precision = _with_pending(evidence, pending)
        residual = own + 1.0 / precision
        _, variance, _, _ = _regress(
            rows, features.rows(points)[:, columns], prior, residual, np.zeros((len(points), 0)), True
        )
        where, found = _where(at, points)
        share[where] = own / residual[found]
    total = (1.0 - share) ** 2 * variance + own * (1.0 - share)
    packed = (float(squares[0, 0]), float(squares[0, 1]), float(squares[1, 1]))
    return Solved(fitted[:, 0], 1.0 - fitted[:, 1], total, packed, determinant)


def _regress(
    rows: Array, seen: Array, prior: Array, residual: Array, sides: Array, spread: bool
) -> tuple[Array, Array, Array, float]:
    """Return fits at `rows` for each side, their variance, the generalised squares of the sides, and log det."""
    variance = np.zeros(len(rows))
    if len(seen) <= len(prior):
        weighted = seen * prior
        covariance = weighted @ seen.T
        covariance[np.diag_indices_from(covariance)] += residual
        root = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        whitened = solve_triangular(root, sides, lower=True, check_finite=False)
        coefficients = weighted.T @ solve_triangular(root, whitened, lower=True, trans=1, check_finite=False)
        if spread:
            reduced = solve_triangular(root, weighted @ rows.T, lower=True, check_finite=False)
            variance = np.square(rows) @ prior - np.einsum("ij,ij->j", reduced, reduced)
        determinant = 2.0 * float(np.log(np.diagonal(root)).sum())
        return rows @ coefficients, variance, whitened.T @ whitened, determinant
    scaled = seen / residual[:, None]
    information = scaled.T @ seen
    information[np.diag_indices_from(information)] += 1.0 / prior
    root = cholesky(information, lower=True, overwrite_a=True, check_finite=False)
    whitened = solve_triangular(root, scaled.T @ sides, lower=True, check_finite=False)
    coefficients = solve_triangular(root, whitened, lower=True, trans=1, check_finite=False)
    if spread:
        reduced = solve_triangular(root, rows.T, lower=True, check_finite=False)
        variance = np.einsum("ij,ij->j", reduced, reduced)
    squares = sides.T @ (sides / residual[:, None]) - whitened.T @ whitened
    determinant = 2.0 * float(np.log(np.diagonal(root)).sum())
    determinant += float(np.log(prior).sum() + np.log(residual).sum())
    return rows @ coefficients, variance, squares, determinant


def _where(at: Indices, points: Indices) -> tuple[Indices, Indices]:
    """Return which of `at` are among the sorted `points`, and where there."""
    if not len(points):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing
    found = np.minimum(np.searchsorted(points, at), len(points) - 1)
    where = np.flatnonzero(points[found] == at)
    return where, found[where]


def _with_pending(evidence: Evidence, pending: Indices) -> tuple[Indices, Array]:
    points, inverse = np.unique(np.concatenate([evidence.points, pending]), return_inverse=True)
    weights = np.concatenate([evidence.precision, np.ones(len(pending))])
    return points.astype(np.int64), np.bincount(inverse, weights=weights).astype(float)


@dataclass(frozen=True)
class Model:
    """The model's settings.

    Attributes
    ----------
    sizes : sequence of (Effects, float)
        Sizes of effects to average over, with the logarithms of their prior weights.
    noise : float
        First guess of the noise sd.
    noise_songs : float
        Songs that guess is worth; also what the pooled noise is worth to each of several genres.
    learned : bool
        Whether the guess comes from other studies; otherwise it gives way to one by the scores' own spread.
    """

    sizes: Sequence[tuple[Effects, float]] = SIZES
    noise: float = NOISE
    noise_songs: float = NOISE_SONGS
    learned: bool = False

    def believe(
        self,
        blocks: Sequence[Block],
        evidence: Sequence[Evidence],
        at: Sequence[Indices],
        pending: Sequence[Indices] | None = None,
        *,
        spread: bool = True,
    ) -> tuple[list[Belief], Array]:
        """Compute what is known of the points `at` of each block.

        Parameters
        ----------
        blocks : sequence of Block
            All genres of the study; they share the sizes of effects, the centre, and (partly) the noise.
        evidence : sequence of Evidence
            One per block.
        at : sequence of int arrays
            Points to judge, per block.
        pending : sequence of int arrays, optional
            Points of songs in the making, per block; they count as returned at their mean.
        spread : bool
            Whether standard deviations are wanted; they cost more than all else.

        Returns
        -------
        beliefs : list of Belief
            One per block.
        weights : float array [shape=(sizes,)]
            Posterior weights of `sizes`.
        """
        beliefs, logs = self._believe(blocks, evidence, at, pending, spread)
        weights = np.exp(logs - logs.max())
        return _mixed(beliefs, weights / weights.sum()), weights / weights.sum()

    def posteriors(
        self, blocks: Sequence[Block], evidence: Sequence[Evidence], at: Sequence[Indices]
    ) -> tuple[list[list[Belief]], Array]:
        """Return what is known under each size of effects, by size and block, and the sizes' posterior weights."""
        beliefs, logs = self._believe(blocks, evidence, at, None, True)
        weights = np.exp(logs - logs.max())
        return beliefs, weights / weights.sum()

    def log_likelihood(self, blocks: Sequence[Block], evidence: Sequence[Evidence], at: Sequence[Indices]) -> float:
        """Return the logarithm of the scores' marginal likelihood, sizes and noise averaged over, up to a constant."""
        _, logs = self._believe(blocks, evidence, at, None, False)
        return float(logs.max() + np.log(np.exp(logs - logs.max()).sum()))

    def _believe(
        self,
        blocks: Sequence[Block],
        evidence: Sequence[Evidence],
        at: Sequence[Indices],
        pending: Sequence[Indices] | None,
        spread: bool,
    ) -> tuple[list[list[Belief]], Array]:
        """Return the beliefs under each size, and the logarithms of the sizes' posterior weights."""
        intercept = intercept_of(blocks)
        waiting = pending if pending is not None else [np.zeros(0, dtype=np.int64)] * len(blocks)
        features = [features_of(block) for block in blocks]
        songs = np.array([own.songs for own in evidence])
        centre_guess = _mean_of(evidence)
        beliefs, logs = [], []
        for effects, log_weight in self.sizes:
            solved = [
                solve(own_features, effects, intercept, own, points, asked, spread)
                for own_features, own, points, asked in zip(features, evidence, at, waiting, strict=True)
            ]
            squares = np.array([one.squares for one in solved])
            within = np.array([own.spread for own in evidence])
            centre = (squares[:, 1].sum() + 0.5 * centre_guess) / (squares[:, 2].sum() + 0.5)
            left = np.maximum(squares[:, 0] - 2 * centre * squares[:, 1] + centre**2 * squares[:, 2] + within, 0.0)
            guess = self.noise_songs * self.noise**2
            pooled = (guess + left.sum()) / (self.noise_songs + songs.sum())
            noise = (self.noise_songs * pooled + left) / (self.noise_songs + songs) if len(blocks) > 1 else [pooled]
            beliefs.append(
                [
                    Belief(
                        one.level + centre * one.slope,
                        np.sqrt(np.maximum(one.variance, 1e-12) * own),
                        float(np.sqrt(own)),
                    )
                    for one, own in zip(solved, noise, strict=True)
                ]
            )
            determinant = sum(one.log_determinant for one in solved) + sum(own.log_determinant for own in evidence)
            logs.append(log_weight - 0.5 * determinant - 0.5 * (self.noise_songs + songs.sum()) * np.log(pooled))
        return beliefs, np.array(logs)


def intercept_of(blocks: Sequence[Block]) -> float:
    """Return the prior sd of a genre's mean about the centre, in units of the noise."""
    return GENRE_SD if len(blocks) > 1 else VAGUE


def _mixed(beliefs: Sequence[Sequence[Belief]], weights: Array) -> list[Belief]:
    """Average beliefs over the sizes of effects, by the law of total variance."""
    if len(beliefs) == 1:
        return list(beliefs[0])
    mixed = []
    for own in zip(*beliefs, strict=True):
        means = np.stack([one.mean for one in own])
        mean = weights @ means
        variance = weights @ (np.stack([one.sd for one in own]) ** 2 + (means - mean) ** 2)
        noise = float(np.sqrt(weights @ np.array([one.noise**2 for one in own])))
        mixed.append(Belief(mean, np.sqrt(variance), noise))
    return mixed


def _mean_of(evidence: Sequence[Evidence]) -> float:
    precision = sum(float(own.precision.sum()) for own in evidence)
    return sum(float(own.precision @ own.means) for own in evidence) / precision if precision else 0.0
