"""Which two songs are heard next: every pair once per listener, in random order, songs and sides evenly spread."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from optimizer.errors import UsageError
from optimizer.song import Song

PICKS = ("spread", "best")


@dataclass(frozen=True, slots=True)
class Ballot:
    """A pair to be heard.

    Attributes
    ----------
    id : str
        Of this pair and listener; the same whichever side a song stands on.
    left, right : Song
    """

    id: str
    left: Song
    right: Song


def choose_songs(songs: Sequence[Song], count: int, pick: str = "spread") -> tuple[Song, ...]:
    """Choose the songs of a test.

    Parameters
    ----------
    songs : sequence of Song
        Those without an audio file are left out, and takes beyond the best of a recipe.
    count : int
        2 or more; fewer are returned where there are no more.
    pick : {"spread", "best"}
        Evenly over the ranks, best and worst among them, which is what tests a judge; or the best ones, which is what
        chooses between songs.

    Raises
    ------
    UsageError
        For an illegal value, or where fewer than two songs are left.
    """
    if pick not in PICKS:
        raise UsageError(f"pick {pick!r} is not one of {', '.join(PICKS)}.")
    if count < 2:
        raise UsageError(f"a listening test of {count} songs is not possible: it takes 2 or more.")
    ranked: dict[tuple[object, ...], Song] = {}
    for song in sorted(songs, key=lambda one: (-one.value, one.study, one.number)):
        if song.audio is not None and song.audio.is_file():
            ranked.setdefault(song.recipe.combo, song)
    found = list(ranked.values())
    if len(found) < 2:
        raise UsageError("a listening test takes two songs of different recipes whose audio is here.")
    if pick == "best" or count >= len(found):
        return tuple(found[:count])
    return tuple(found[round(place * (len(found) - 1) / (count - 1))] for place in range(count))


def ballot_id(listener: str, first: Song, second: Song) -> str:
    """Return the name of a pair for a listener, 16 hexadecimal digits, whatever the order of the two."""
    pair = sorted([[first.study, first.number, first.sha256], [second.study, second.number, second.sha256]])
    return hashlib.sha256(json.dumps([listener, pair]).encode()).hexdigest()[:16]


def next_ballot(
    songs: Sequence[Song], listener: str, done: Collection[str], order: random.Random, last: Ballot | None = None
) -> Ballot | None:
    """Choose the next pair, or None when the listener has heard them all.

    Songs heard least come first, a song of the last pair is avoided where others are left, and chance decides among
    equals and on sides.

    Parameters
    ----------
    songs : sequence of Song
    listener : str
    done : collection of str
        Ballots that are voted on.
    order : random.Random
    last : Ballot, optional
    """
    heard: Counter[tuple[str, int]] = Counter()
    left = []
    for first, second in itertools.combinations(songs, 2):
        name = ballot_id(listener, first, second)
        if name in done:
            heard.update([(first.study, first.number), (second.study, second.number)])
        else:
            left.append((name, first, second))
    if not left:
        return None
    before = () if last is None else ((last.left.study, last.left.number), (last.right.study, last.right.number))

    def rank(entry: tuple[str, Song, Song]) -> tuple[int, int, float]:
        keys = [(song.study, song.number) for song in entry[1:]]
        return (sum(key in before for key in keys), sum(heard[key] for key in keys), order.random())

    name, first, second = min(left, key=rank)
    sides = (first, second) if order.random() < 0.5 else (second, first)
    return Ballot(name, *sides)
