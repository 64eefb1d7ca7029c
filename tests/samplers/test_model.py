"""The model against dense linear algebra done by hand, and against its own other path."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optimizer.samplers.draws import draw, joint_covariance
from optimizer.samplers.features import Effects, features_of
from optimizer.samplers.grid import Block, Grid
from optimizer.samplers.model import ADDITIVE, COARSE, PUBLISHED, Model, gather, solve

SPACE = {"style": ("a", "b", "c"), "bpm": (90, 100, 140), "key": ("C", "D"), "language": ("en", "hi")}
BLOCK = Grid(SPACE).blocks[0]
POINTS = list(itertools.product(*SPACE.values()))


def prior(effects: Effects, intercept: float) -> np.ndarray:
    """Write the kernel out point by point, as docs/search.md states it."""
    sds = (effects.style, effects.bpm, effects.key, effects.language)
    total = np.empty((len(POINTS), len(POINTS)))
    for row, left in enumerate(POINTS):
        for column, right in enumerate(POINTS):
            alike = [float(one == other) for one, other in zip(left, right, strict=True)]
            alike[1] = math.exp(-0.5 * (math.log2(left[1] / right[1]) / 0.25) ** 2)
            value = intercept**2 + sum(sd**2 * same for sd, same in zip(sds, alike, strict=True))
            value += effects.pair**2 * sum(one * other for one, other in itertools.combinations(alike, 2))
            total[row, column] = value + effects.combo**2 * (left == right)
    return total


def songs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, len(POINTS), count), 3.0 + 0.5 * random.standard_normal(count)


def dense(
    points: np.ndarray, noise: np.ndarray, scores: np.ndarray, effects: Effects, intercept: float
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Condition the joint Gaussian of all points on every single song."""
    kernel = prior(effects, intercept)
    covariance = kernel[np.ix_(points, points)] + noise
    gain = np.linalg.solve(covariance, kernel[points]).T
    mean, variance = gain @ scores, np.diag(kernel - gain @ kernel[points])
    return mean, variance, float(scores @ np.linalg.solve(covariance, scores)), float(np.linalg.slogdet(covariance)[1])


@pytest.mark.parametrize("count", [1, 7, 25, 400], ids=["one", "few", "some", "more than columns"])
def test_mean_variance_and_likelihood_equal_the_dense_computation(count: int) -> None:
    points, scores = songs(count)
    evidence = gather(points, scores)
    at = np.arange(len(POINTS))
    for effects in (PUBLISHED, ADDITIVE, COARSE):
        mean, variance, square, determinant = dense(points, np.eye(count), scores, effects, 5.0)
        solved = solve(features_of(BLOCK), effects, 5.0, evidence, at, np.zeros(0, dtype=np.int64))
        assert_allclose(solved.level, mean, atol=1e-6)
        assert_allclose(solved.variance, variance, atol=1e-6)
        assert_allclose(solved.squares[0] + evidence.spread, square, rtol=1e-6)
        assert_allclose(solved.log_determinant + evidence.log_determinant, determinant, atol=1e-5)
        ones, _, _, _ = dense(points, np.eye(count), np.ones(count), effects, 5.0)
        assert_allclose(1.0 - solved.slope, ones, atol=1e-6)


def test_both_ways_of_inverting_agree() -> None:
    features = features_of(BLOCK)
    points, scores = songs(300, 4)
    at = np.arange(len(POINTS))
    nothing = np.zeros(0, dtype=np.int64)
    evidence = gather(points, scores)
    assert len(evidence.points) <= features.count
    wide = solve(features, PUBLISHED, 5.0, evidence, at, nothing)
    few = Grid({"style": ("a", "b"), "bpm": tuple(range(60, 180, 2)), "key": ("C", "D")}).blocks[0]
    every = np.arange(few.size)
    narrow = gather(every, np.sin(every))
    assert len(narrow.points) > features_of(few).count
    solved = solve(features_of(few), PUBLISHED, 5.0, narrow, every, nothing)
    covariance = joint_covariance(few, PUBLISHED, 5.0, narrow, every)
    assert_allclose(solved.variance, np.diag(covariance), atol=1e-6)
    assert_allclose(wide.variance, np.diag(joint_covariance(BLOCK, PUBLISHED, 5.0, evidence, at)), atol=1e-8)


def test_weights_of_songs_are_their_precisions() -> None:
    points, scores = songs(9)
    weights = np.linspace(0.2, 1.0, 9)
    solved = solve(
        features_of(BLOCK), PUBLISHED, 5.0, gather(points, scores, weights), np.arange(36), np.zeros(0, dtype=np.int64)
    )
    mean, variance, _, _ = dense(points, np.diag(1 / weights), scores, PUBLISHED, 5.0)
    assert_allclose(solved.level, mean, atol=1e-6)
    assert_allclose(solved.variance, variance, atol=1e-6)


def test_songs_of_one_plan_are_correlated() -> None:
    points = np.array([3, 3, 3, 3, 8, 8, 20])
    plans = [0, 0, 0, 1, 4, 4, None]
    scores = np.array([3.0, 3.4, 3.1, 2.0, 4.0, 4.4, 3.3])
    share = 0.6
    same = np.array([[one is not None and one == other for other in plans] for one in plans])
    noise = np.where(same, share, 0.0) + (1 - share) * np.eye(7)
    noise[6, 6] = 1.0
    mean, variance, square, determinant = dense(points, noise, scores, PUBLISHED, 5.0)
    evidence = gather(points, scores, None, plans, share)
    solved = solve(features_of(BLOCK), PUBLISHED, 5.0, evidence, np.arange(36), np.zeros(0, dtype=np.int64))
    assert_allclose(solved.level, mean, atol=1e-6)
    assert_allclose(solved.variance, variance, atol=1e-6)
    assert_allclose(solved.squares[0] + evidence.spread, square, rtol=1e-8)
    assert_allclose(solved.log_determinant + evidence.log_determinant, determinant, atol=1e-7)


def test_pending_songs_lower_the_variance_and_leave_the_mean() -> None:
    points, scores = songs(12)
    pending = np.array([2, 2, 30])
    model = Model(sizes=((PUBLISHED, 0.0),))
    at = [np.arange(36)]
    evidence = [gather(points, scores)]
    (plain,), _ = model.believe([BLOCK], evidence, at)
    (waiting,), _ = model.believe([BLOCK], evidence, at, [pending])
    assert_allclose(waiting.mean, plain.mean)
    _, variance, _, _ = dense(np.concatenate([points, pending]), np.eye(15), np.zeros(15), PUBLISHED, 5.0)
    assert_allclose(waiting.sd, plain.noise * np.sqrt(variance), rtol=1e-5)


def test_noise_is_the_conjugate_mean_and_the_sizes_are_weighted_by_their_likelihood() -> None:
    points, scores = songs(20, 2)
    model = Model(sizes=((PUBLISHED, 0.0), (ADDITIVE, -0.5)), noise=0.3, noise_songs=5.0)
    beliefs, weights = model.believe([BLOCK], [gather(points, scores)], [np.arange(36)])
    logs, noises, means, variances = [], [], [], []
    for effects, log in model.sizes:
        kernel = prior(effects, 5.0)[np.ix_(points, points)] + np.eye(20)
        inverse = np.linalg.inv(kernel)
        guess = scores.mean()
        centre = (scores @ inverse.sum(axis=1) + 0.5 * guess) / (inverse.sum() + 0.5)
        mean, variance, square, determinant = dense(points, np.eye(20), scores - centre, effects, 5.0)
        noise = (5.0 * 0.3**2 + square) / 25.0
        logs.append(log - 0.5 * determinant - 0.5 * 25.0 * np.log(noise))
        noises.append(noise)
        means.append(centre + mean)
        variances.append(noise * variance)
    expected = np.exp(np.array(logs) - max(logs))
    expected /= expected.sum()
    assert_allclose(weights, expected, rtol=1e-5)
    assert_allclose(beliefs[0].noise ** 2, expected @ noises, rtol=1e-5)
    mean = expected @ np.array(means)
    assert_allclose(beliefs[0].mean, mean, rtol=1e-6)
    spread = expected @ (np.array(variances) + (np.array(means) - mean) ** 2)
    assert_allclose(beliefs[0].sd, np.sqrt(spread), rtol=1e-5)


def test_genres_have_noise_of_their_own() -> None:
    random = np.random.default_rng(1)
    blocks: list[Block] = [BLOCK, BLOCK]
    points = random.integers(0, 36, 40)
    evidence = [gather(points, 3 + 0.1 * random.standard_normal(40)), gather(points, 3 + random.standard_normal(40))]
    (calm, loud), _ = Model().believe(blocks, evidence, [np.arange(36)] * 2)
    assert calm.noise < 0.5 < 0.7 < loud.noise


def test_a_genre_nobody_heard_lies_at_the_centre_and_is_less_certain() -> None:
    points, scores = songs(30, 5)
    evidence = [gather(points, scores), gather(points[:0], scores[:0])]
    (heard, silent), _ = Model().believe([BLOCK, BLOCK], evidence, [np.arange(36)] * 2)
    assert_allclose(silent.mean, silent.mean[0])
    assert abs(silent.mean[0] - scores.mean()) < 0.3
    assert silent.sd.min() > heard.sd.max()


def test_draws_have_the_mean_and_spread_of_the_belief() -> None:
    points, scores = songs(30, 6)
    evidence, at, model = [gather(points, scores)], [np.arange(36)], Model()
    draws = draw([BLOCK], evidence, at, model, 4000, 0)
    (belief,), _ = model.believe([BLOCK], evidence, at)
    assert_allclose(draws.surfaces[0].mean(axis=0), belief.mean, atol=0.04)
    assert_allclose(draws.surfaces[0].std(axis=0), belief.sd, rtol=0.15)


def test_a_long_range_has_few_columns_and_the_same_kernel() -> None:
    block = Grid({"bpm": tuple(range(60, 241))}).blocks[0]
    features = features_of(block)
    rows = features.rows(np.arange(block.size))
    found = (rows * features.variances(PUBLISHED, 0.0)) @ rows.T
    octaves = np.log2(np.arange(60, 241))
    wanted = PUBLISHED.bpm**2 * np.exp(-0.5 * ((octaves[:, None] - octaves) / 0.25) ** 2)
    assert features.count < 30
    assert_allclose(found, wanted, atol=1e-5)
