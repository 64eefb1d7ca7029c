"""Strengths: recovered from simulated listeners, with intervals that hold; agreement with each judge."""

from __future__ import annotations

import math
import random

import pytest

from optimizer.listening import Side, Vote, agreement, strengths


def vote(a, b, choice, number=0):
    return Vote(f"{a}-{b}-{number}", "me", Side("s", a, ""), Side("s", b, ""), choice, 0.0)


def simulate(truth, rounds, seed):
    rng = random.Random(seed)
    cast = []
    for number in range(rounds):
        for a in range(len(truth)):
            for b in range(a + 1, len(truth)):
                wins = rng.random() < 1 / (1 + math.exp(truth[b] - truth[a]))
                cast.append(vote(a, b, "left" if wins else "right", number))
    return cast


def test_recovers_simulated_strengths():
    truth = [-1.5, -0.5, 0.0, 0.5, 1.5]
    found = {one.song[1]: one for one in strengths(simulate(truth, 200, 1))}
    for number, strength in enumerate(truth):
        assert found[number].strength == pytest.approx(strength, abs=0.25)


def test_intervals_cover_the_truth():
    truth = [-1.0, -0.3, 0.0, 0.3, 1.0]
    inside = [
        one.low <= truth[one.song[1]] <= one.high
        for seed in range(60)
        for one in strengths(simulate(truth, 6, seed))
    ]  # fmt: skip
    assert 0.91 < sum(inside) / len(inside) <= 1.0


def test_two_songs_have_the_closed_form_without_much_prior():
    cast = [vote(0, 1, "left", n) for n in range(3000)] + [vote(1, 0, "left", n) for n in range(1000)]
    best, worst = strengths(cast)
    assert (best.won, best.lost, worst.won) == (3000, 1000, 1000)
    assert best.strength - worst.strength == pytest.approx(math.log(3), abs=0.01)


def test_a_clean_sweep_stays_finite_and_ties_are_even():
    best, _ = strengths([vote(0, 1, "left", n) for n in range(50)])
    assert 1 < best.strength < 5
    assert best.low < best.strength < best.high
    even = strengths([vote(0, 1, "tie", n) for n in range(9)])
    assert [one.strength for one in even] == [pytest.approx(0, abs=1e-9)] * 2
    assert (even[0].tied, even[0].won) == (9, 0)


def test_no_votes_no_strengths():
    assert strengths([]) == ()


def test_agreement_counts_decided_pairs(make_song):
    songs = {
        ("s", n): make_song(n, value, parts={"pulse": pulse, "same": 1.0}, study="s")
        for n, (value, pulse) in enumerate([(1.0, 9.0), (2.0, 5.0), (3.0, 1.0)])
    }
    cast = [vote(1, 0, "left"), vote(2, 0, "left"), vote(1, 2, "right"), vote(0, 1, "tie"), vote(0, 9, "left")]
    found = {one.name: one for one in agreement(cast, songs)}
    assert (found["score"].agreed, found["score"].votes, found["score"].share) == (3, 3, 1.0)
    assert (found["pulse"].agreed, found["pulse"].votes) == (0, 3)
    assert "same" not in found
    assert found["score"].low == pytest.approx(0.438, abs=1e-3)
