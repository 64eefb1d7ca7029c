"""The sweep: coverage, balance, no repeats, failed trials."""

from __future__ import annotations

import itertools
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from optimizer.samplers.grid import Grid
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.sweep import sweep_point


def walk(grid: Grid, songs: int, seed: int = 1, fails: frozenset[int] = frozenset()) -> list[dict[str, Any]]:
    heard: list[Observation] = []
    failed: list[dict[str, Any]] = []
    points = []
    for number in range(songs):
        point = sweep_point(grid, History(number, tuple(heard), (), tuple(failed)), seed)
        points.append(point)
        if number in fails:
            failed.append(point)
        else:
            heard.append(Observation(point, 3.0, number))
    return points


def key(point: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(point.items()))


def test_every_value_appears_as_early_as_it_can(world: SimpleNamespace) -> None:
    points = walk(Grid(world.one), 5)
    for name, values in world.one.items():
        assert {point[name] for point in points} == set(values)


def test_no_recipe_comes_twice_until_all_were_asked(world: SimpleNamespace) -> None:
    grid = Grid(world.one)
    points = walk(grid, 230)
    assert len({key(point) for point in points[:200]}) == 200
    assert len({(point["style"], point["bpm"], point["key"]) for point in points[:100]}) == 100
    assert Counter(point["language"] for point in points[:100]) == {"en": 50, "pa": 50}
    assert len({key(point) for point in points[200:]}) == 30


def test_the_published_sweep_is_twenty_songs_per_genre_without_repeats(world: SimpleNamespace) -> None:
    points = walk(Grid(world.ten, world.ten_subspaces), 200)
    assert set(Counter(point["genre"] for point in points).values()) == {20}
    assert len({key(point) for point in points}) == 200
    for start in range(0, 200, 10):
        assert len({point["genre"] for point in points[start : start + 10]}) == 10


def test_a_failed_trial_is_made_up_for_in_its_genre_by_another_recipe(world: SimpleNamespace) -> None:
    fails = frozenset({3, 4, 17, 60})
    points = walk(Grid(world.ten, world.ten_subspaces), 64, fails=fails)
    made = [point for number, point in enumerate(points) if number not in fails]
    assert set(Counter(point["genre"] for point in made).values()) == {6}
    assert len({key(point) for point in points}) == 64


def test_the_order_is_the_seeds(world: SimpleNamespace) -> None:
    grid = Grid(world.one)
    assert walk(grid, 12, seed=1) == walk(grid, 12, seed=1)
    assert walk(grid, 12, seed=1) != walk(grid, 12, seed=2)


def test_a_long_range_is_covered_evenly() -> None:
    grid = Grid({"bpm": tuple(range(60, 181)), "style": ("a", "b")})
    for seed in range(5):
        tempi = sorted(point["bpm"] for point in walk(grid, 10, seed))
        assert min(later - one for one, later in itertools.pairwise(tempi)) >= 6
        assert tempi[0] < 75 and tempi[-1] > 155


def test_fixed_values_are_respected_and_impossible_ones_ignored(world: SimpleNamespace) -> None:
    grid = Grid(world.ten, world.ten_subspaces)
    point = sweep_point(grid, History(0), 1, fixed={"style": "genre4/2", "key": "nowhere"})
    assert point["genre"] == "genre4" and point["style"] == "genre4/2"


@pytest.mark.parametrize("size", [1, 10_000])
def test_small_and_large_grids(size: int) -> None:
    grid = Grid({"bpm": tuple(range(100)), "style": tuple(range(size // 100))} if size > 1 else {"style": ("a",)})
    assert grid.size == size
    points = walk(grid, 12)
    assert len({key(point) for point in points}) == min(size, 12)
