"""Fixtures of the report's tests: records made up without a study."""

from __future__ import annotations

import random

import pytest

from optimizer.song import Record


@pytest.fixture
def make_record(tmp_path):
    """Return a function that wraps songs into a record."""

    def make(songs, name="bhangra", **changes):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        identity = {"renderer": {"name": "synth", "revision": "1", "duration": 8.0}, "scorer": {"name": "acoustic"}}
        return Record(**{"name": name, "folder": folder, "identity": identity, "songs": tuple(songs), **changes})

    return make


@pytest.fixture
def many_songs(make_song, make_recipe):
    """Return a function that makes songs of random recipes in some genres."""

    def make(count, genres=("bhangra",), seed=0, study="bhangra"):
        rng = random.Random(seed)
        songs = []
        for number in range(count):
            genre = rng.choice(genres)
            recipe = make_recipe(
                genre=genre,
                style=f"{genre}-{rng.choice('abcd')}",
                bpm=rng.choice([90, 100, 110, 120]),
                key=rng.choice(["C major", "A minor", "G major", "E minor"]),
                language=rng.choice(["pa", "en"]),
                seed=number,
            )
            songs.append(
                make_song(
                    number,
                    min(9.9, max(0.1, rng.gauss(3.5, 0.6))),
                    recipe,
                    study=study,
                    phase="sweep" if number < count // 2 else "refine",
                    parts={"pulse": rng.uniform(0, 10), "punch": rng.uniform(0, 10)},
                    timings={"render": rng.uniform(1, 2), "score": 0.1, "total": 2.0},
                )
            )
        return songs

    return make
