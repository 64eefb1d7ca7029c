"""Outliers, plans and scales."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.samplers.grid import Grid
from optimizer.samplers.model import PUBLISHED, Model
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.record import SIZE_SONGS, Gathered, gather_history

GRID = Grid({"style": ("a", "b", "c", "d"), "bpm": (90, 100, 120, 140, 150), "key": tuple("CDEFG")})


def gathered(scores: list[float], plans: list[int | None] | None = None, points: list[int] | None = None) -> Gathered:
    random = np.random.default_rng(3)
    points = points or random.integers(0, 100, len(scores)).tolist()
    songs = [
        Observation(GRID.blocks[0].point(point), score, number, None if plans is None else plans[number])
        for number, (point, score) in enumerate(zip(points, scores, strict=True))
    ]
    return gather_history(GRID, History(len(songs), songs), (), Model())


def gaussian(count: int, seed: int = 0) -> list[float]:
    return (3.0 + 0.4 * np.random.default_rng(seed).standard_normal(count)).tolist()


def test_an_outlier_counts_little_and_the_rest_counts_whole() -> None:
    scores = gaussian(30)
    scores[7] = 9.8
    weights = gathered(scores).songs[0].weights
    assert weights[7] < 0.1
    assert np.delete(weights, 7).min() > 0.8


@pytest.mark.parametrize("wild", [-1e9, -1e4, -100.0, 100.0, 1e4, 1e9])
@pytest.mark.parametrize("count", [7, 30, 200])
def test_a_score_from_another_world_changes_nothing_that_is_learned(wild: float, count: int) -> None:
    random = np.random.default_rng(4)
    points = random.integers(0, 100, count).tolist()
    # The third style is a noise sd better than the others.
    scores = [3.0 + 0.4 * (point // 25 == 2) + 0.4 * random.standard_normal() for point in points]

    def belief(given: list[float], at: list[int]) -> tuple[float, np.ndarray]:
        found = gathered(given, points=at)
        (one,), _ = found.model.believe(GRID.blocks, found.evidence, [np.arange(100)])
        return one.noise, one.mean

    noise, mean = belief(scores, points)
    wilder, moved = belief([*scores, wild], [*points, 0])
    # As much as a song at the edge of the plausible would; the fewer there are, the more that is.
    most = {7: (1.9, 0.35), 30: (1.3, 0.2), 200: (1.05, 0.02)}[count]
    assert 0.9 < wilder / noise < most[0] and np.abs(moved - mean)[25:].max() < most[1]


def test_scores_of_one_world_are_not_cut() -> None:
    for count in (5, 20, 200):
        for seed in range(20):
            values = gaussian(count, seed)
            assert gathered(values).songs[0].values.tolist() == values


def test_gaussian_scores_have_hardly_an_outlier() -> None:
    weights = np.concatenate([gathered(gaussian(40, seed)).songs[0].weights for seed in range(20)])
    assert (weights < 1).mean() < 0.03


@pytest.mark.parametrize("scores", [[3.0] * 20, [0.0] * 19 + [10.0], [2.0, 2.0, 2.0, 2.5] * 6])
def test_scores_that_are_equal_or_pile_up_are_weighed_without_fuss(scores: list[float]) -> None:
    found = gathered(scores)
    assert np.isfinite(found.songs[0].weights).all()
    assert found.songs[0].weights.min() > 0
    beliefs, _ = found.model.believe(GRID.blocks, found.evidence, [np.arange(100)])
    assert np.isfinite(beliefs[0].mean).all() and (beliefs[0].sd > 0).all()


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_the_plans_share_of_the_noise_is_learned(share: float) -> None:
    random = np.random.default_rng(8)
    own = random.standard_normal(30)
    scores, plans, points = [], [], []
    for plan in range(30):
        for _ in range(3):
            noise = share**0.5 * own[plan] + (1 - share) ** 0.5 * random.standard_normal()
            scores.append(3.0 + 0.4 * noise)
            plans.append(plan)
            points.append(plan * 3)
    found = gathered(scores, plans, points).plan_share
    assert abs(found - share) < 0.25


def test_without_a_plan_that_has_two_songs_its_share_is_not_asked() -> None:
    assert gathered(gaussian(12)).plan_share == 0.0
    assert gathered(gaussian(12), list(range(12))).plan_share == 0.0


def test_many_songs_choose_one_size_of_effects() -> None:
    few, many = gathered(gaussian(SIZE_SONGS)), gathered(gaussian(SIZE_SONGS + 1))
    assert len(few.model.sizes) == len(Model().sizes)
    assert len(many.model.sizes) == 1
    assert many.model.sizes[0][0] == PUBLISHED.scaled(0.5)


def test_an_observation_may_name_its_genre_apart() -> None:
    spaces = {name: {"genre": (name,), "bpm": (100, 120)} for name in ("edm", "folk")}
    grid = Grid({"genre": ("edm", "folk"), "bpm": (100, 120)}, spaces)
    songs = [Observation({"bpm": 100}, 3.0, 0, genre="folk"), Observation({"bpm": 100}, 3.0, 1)]
    found = gather_history(grid, History(2, songs), (), Model())
    assert [len(own.values) for own in found.songs] == [0, 1]
