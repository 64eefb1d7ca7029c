"""Points and their indices."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.errors import UsageError
from optimizer.samplers.grid import MANY, Grid
from optimizer.search_space import Range, load_genre


def test_points_and_indices_are_inverse() -> None:
    grid = Grid({"style": ("a", "b"), "bpm": Range(90, 100, 5), "seed": (1, 2)})
    block = grid.blocks[0]
    assert block.size == 6
    assert [block.find(block.point(index)) for index in range(6)] == list(range(6))
    assert grid.find({"style": "a", "bpm": 95, "seed": 7}) == (0, 1)
    assert grid.find({"style": "a", "bpm": 96}) is None
    assert grid.find({"style": "a"}) is None


@pytest.mark.parametrize("values", [(), ("a", "a")])
def test_values_must_be_there_once(values: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="'style'"):
        Grid({"style": values})


def test_a_shipped_genre_and_all_of_them_fit() -> None:
    for name in ("bhangra", "all"):
        space = load_genre(name)
        grid = Grid(space.parameters(), space.subspaces() if space.several else None)
        assert grid.size == space.size
        point = grid.blocks[-1].point(grid.blocks[-1].size - 1)
        assert space.contains(point)


def test_a_large_grid_is_sampled_the_same_way_each_time_with_what_was_heard_and_its_neighbours() -> None:
    block = Grid({"style": tuple(range(40)), "bpm": tuple(range(60, 180)), "key": tuple(range(24))}).blocks[0]
    heard = block.find({"style": 7, "bpm": 100, "key": 3})
    assert heard is not None
    chosen = block.candidates(5, 1, [heard])
    assert np.array_equal(chosen, block.candidates(5, 1, [heard]))
    assert not np.array_equal(chosen, block.candidates(6, 1, [heard]))
    assert len(chosen) < 2 * MANY
    many = list(range(0, block.size, 9973))
    assert len(many) > 8
    assert set(many) <= set(block.candidates(5, 1, many).tolist())
    near = [block.find({"style": 8, "bpm": 100, "key": 3}), block.find({"style": 7, "bpm": 101, "key": 3}), heard]
    assert set(near) <= set(chosen.tolist())
