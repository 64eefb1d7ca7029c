"""Playing orders: permutations, deterministic, and as good as an exact solver where one can be run."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import UsageError
from optimizer.export.order import (
    EXACT,
    _Descent,
    arrange,
    cost_matrices,
    mix_cost,
    path_cost,
    search,
    solve,
    solve_exactly,
)
from optimizer.music import KEYS
from optimizer.recipe import Recipe
from optimizer.song import Song


def song_of(number, bpm=120, key="A minor", value=3.0):
    return Song("s", number, Recipe("g", "st", "c", bpm, key, "en", "", number), "sweep", value, None, "")


def many(count, seed):
    generator = random.Random(seed)
    return [
        song_of(number, generator.choice((78, 95, 110, 122, 126, 138, 156)), generator.choice(KEYS), generator.random())
        for number in range(count)
    ]


SONGS = st.lists(st.tuples(st.integers(60, 180), st.sampled_from(KEYS), st.floats(0, 10)), min_size=1, max_size=16).map(
    lambda values: [song_of(number, *each) for number, each in enumerate(values)]
)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", range(1, 8))
def test_both_solvers_find_what_trying_everything_finds(count, seed):
    transitions, positions = cost_matrices(many(count, seed))
    best = min(path_cost(path, transitions, positions) for path in itertools.permutations(range(count)))
    assert path_cost(solve_exactly(transitions, positions), transitions, positions) == pytest.approx(best)
    assert path_cost(search(transitions, positions), transitions, positions) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(5))
def test_the_search_comes_near_the_exact_cost_of_a_dozen(seed):
    transitions, positions = cost_matrices(many(12, seed))
    exact = path_cost(solve_exactly(transitions, positions), transitions, positions)
    assert path_cost(search(transitions, positions), transitions, positions) <= 1.03 * exact


@given(SONGS)
@settings(max_examples=12, deadline=None)
def test_every_order_is_a_permutation_and_costs_no_more_than_by_score(songs):
    mixed = arrange(songs, "dj")
    assert sorted(song.number for song in mixed.songs) == sorted(song.number for song in songs)
    assert mixed.cost <= mixed.score_cost + 1e-9
    assert mixed.cost == pytest.approx(mix_cost(mixed.songs))
    assert arrange(songs[::-1], "dj") == mixed


@given(st.integers(4, 14), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_what_a_move_promises_is_what_it_gives(count, seed):
    generator = np.random.default_rng(seed)
    transitions = generator.uniform(size=(count, count))
    transitions = transitions + transitions.T
    np.fill_diagonal(transitions, 0.0)
    positions = generator.uniform(size=(count, count))
    descent = _Descent(transitions, positions)
    path = generator.permutation(count)
    before = path_cost(path, transitions, positions)
    moves = [descent._best_reversal(path), *(descent._best_move(path, positions, length) for length in (1, 2, 3))]
    for gain, moved in moves:
        after = moved()
        assert sorted(after) == list(range(count))
        assert path_cost(after, transitions, positions) - before == pytest.approx(gain)


def test_a_large_set_is_much_cheaper_than_by_score_and_quick():
    songs = many(90, 1)
    start = time.process_time()
    mixed = arrange(songs, "dj")
    assert time.process_time() - start < 10.0
    assert mixed.cost < 0.25 * mixed.score_cost
    assert not mixed.optimal and arrange(songs[:EXACT], "dj").optimal


def test_neighbouring_keys_and_half_tempo_cost_little():
    same = mix_cost([song_of(0), song_of(1)])
    assert mix_cost([song_of(0), song_of(1, key="C major")]) - same == pytest.approx(0.25)
    assert mix_cost([song_of(0), song_of(1, key="Eb minor")]) - same == pytest.approx(5.0)
    transitions, _ = cost_matrices([song_of(0, 75), song_of(1, 150), song_of(2, 100)])
    assert transitions[0, 1] == pytest.approx(0.0)
    assert transitions[0, 2] > 1.0


def test_the_energy_rises_before_it_falls():
    songs = [song_of(number, 100 + 2 * number, value=number / 10) for number in range(9)]
    mixed = [song.number for song in arrange(songs, "dj").songs]
    assert mixed.index(8) >= 5
    assert mixed[0] <= 1


def test_score_and_file_order():
    songs = [song_of(0, value=1.0), song_of(1, value=3.0), song_of(2, value=3.0)]
    assert [song.number for song in arrange(songs, "score").songs] == [1, 2, 0]
    assert [song.number for song in arrange(songs[::-1], "file").songs] == [0, 1, 2]
    assert arrange(songs, "score").cost == arrange(songs, "file").score_cost


def test_an_unknown_order_is_named():
    with pytest.raises(UsageError, match=r"order 'scores' is not one of score, dj, file\. Did you mean 'score'"):
        arrange([], "scores")


def test_nothing_to_order():
    assert arrange([], "dj").songs == ()
    assert solve(np.zeros((0, 0)), np.zeros((0, 0))) == []
