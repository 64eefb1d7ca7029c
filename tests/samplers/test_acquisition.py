"""How curious the search is, and when."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optimizer.samplers.acquisition import promise, tail, width
from optimizer.samplers.model import Belief


def test_curiosity_ends_with_the_songs() -> None:
    widths = [width(begun, 30) for begun in range(30)]
    assert widths[0] == pytest.approx(3.0)
    assert widths == sorted(widths, reverse=True)
    assert 0 < width(30, 30) == width(45, 30) < 0.5


def test_a_search_of_unknown_length_is_taken_for_thirty_songs_and_then_for_twice_as_many() -> None:
    unknown = [width(begun, None) for begun in range(130)]
    known = [width(begun, total) for total, songs in ((30, range(30)), (60, range(30, 60)), (120, range(60, 120)))
             for begun in songs]  # fmt: skip
    assert unknown[:120] == known
    assert unknown[120:] == [width(begun, 240) for begun in range(120, 130)]


def test_the_tail_is_that_of_the_maximum_of_gaussians() -> None:
    random = np.random.default_rng(0)
    for left in (5, 50):
        largest = random.standard_normal((4000, left)).max(axis=1).mean()
        assert tail(left) == pytest.approx(largest, rel=0.65)
    assert tail(0) == tail(1) > 0


def test_the_promise_is_a_sum() -> None:
    belief = Belief(np.array([3.0, 2.0]), np.array([0.1, 0.5]), 0.4)
    assert_allclose(promise(belief, 2.0, 1.5), [3.8, 3.6])
