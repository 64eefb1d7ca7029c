"""Ballots: every pair once, sides and songs evenly, the choice of songs."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from optimizer.errors import UsageError
from optimizer.listening import ballot_id, choose_songs, next_ballot


@pytest.fixture
def songs(make_song, make_recipe, tmp_path):
    audio = tmp_path / "song.flac"
    audio.touch()
    return [make_song(n, n / 10, make_recipe(bpm=60 + n), audio=audio) for n in range(20)]


def test_every_pair_comes_once_and_songs_are_spread(songs):
    chosen, order, done, last = songs[:6], random.Random(0), set(), None
    seen, repeats, lefts = [], 0, Counter()
    while (ballot := next_ballot(chosen, "me", done, order, last)) is not None:
        seen.append(frozenset((ballot.left.number, ballot.right.number)))
        repeats += last is not None and bool(seen[-1] & seen[-2])
        lefts[ballot.left.number] += 1
        done.add(ballot.id)
        last = ballot
        if len(seen) == 3:
            assert len(set().union(*seen)) == 6
    assert len(seen) == len(set(seen)) == 15
    assert repeats <= 5
    assert max(lefts.values()) < 5


def test_sides_are_left_to_chance(songs):
    first = [next_ballot(songs[:2], "me", (), random.Random(seed)).left.number for seed in range(40)]
    assert 8 < sum(first) < 32


def test_a_ballot_is_the_pair_and_the_listener(songs):
    a, b, c = songs[:3]
    assert ballot_id("me", a, b) == ballot_id("me", b, a)
    assert len({ballot_id("me", a, b), ballot_id("you", a, b), ballot_id("me", a, c)}) == 3


def test_songs_are_spread_over_the_ranks(songs):
    assert [song.number for song in choose_songs(songs, 3)] == [19, 9, 0]
    assert [song.number for song in choose_songs(songs, 3, "best")] == [19, 18, 17]
    assert len(choose_songs(songs, 99)) == 20


def test_takes_and_songs_without_audio_are_left_out(songs, make_song):
    take = make_song(30, 9.0, songs[0].recipe, audio=songs[0].audio)
    assert [song.number for song in choose_songs([*songs[:3], take, make_song(31)], 9)] == [30, 2, 1]


def test_too_few_songs_are_refused(songs):
    for chosen, count, pick, said in (
        (songs[:1], 5, "spread", "two songs"),
        (songs, 1, "best", "2 or more"),
        (songs, 5, "worst", "'worst'"),
    ):
        with pytest.raises(UsageError, match=said):
            choose_songs(chosen, count, pick)
