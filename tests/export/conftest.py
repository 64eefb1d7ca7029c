"""Fixtures for exports: a run with masters on disk, and playlists of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optimizer.audio import sha256_file
from optimizer.export.playlist import Playlist, Track
from optimizer.song import Record

RATE = 22_050
HOSTILE = 'Dhol & "tumbi" <b>\x00\u202e ਨੱਚੋ | é'
"""Quotes, ampersand, markup, a control character, a bidirectional override, another script, a table's bar."""

IDENTITY = {
    "study": "bhangra",
    "renderer": {"name": "synth", "revision": "r1"},
    "scorer": {"name": "acoustic", "revision": "1"},
    "options": {"model": "/home/somebody/models"},
}


@pytest.fixture(scope="session")
def masters(tmp_path_factory, write_audio):
    """Six FLAC masters of 1 s, 24 bits, stereo."""
    folder = tmp_path_factory.mktemp("masters")
    return [
        write_audio(folder / f"{number:04d}.flac", 1.0, RATE, 2, seed=number, subtype="PCM_24") for number in range(6)
    ]


@pytest.fixture
def songs(masters, make_song, make_recipe):
    """Six songs with audio, of different recipes; the first has a caption that means harm."""
    keys = ("G major", "E minor", "C major", "A minor", "D major", "B minor")
    return [
        make_song(
            number,
            3.0 + number / 10,
            make_recipe(
                seed=number, key=keys[number], bpm=95 + 10 * number, caption="party dhol" if number else HOSTILE
            ),
            audio=path,
            sha256=sha256_file(path),
            parts={"pulse": 4.5, "mode": 1.25},
        )
        for number, path in enumerate(masters)
    ]


@pytest.fixture
def record(songs, tmp_path):
    return Record("bhangra", tmp_path / "runs" / "bhangra", IDENTITY, tuple(songs))


@pytest.fixture
def track(songs):
    """A track of the hostile song."""
    return Track(
        song=songs[0],
        title=f"Title {HOSTILE}",
        artist="synth & co",
        album="bhangra",
        file="audio/01 - Ünïcode & ਨੱਚੋ.flac",
        seconds=1.0,
        engine="synth",
        revision="r1",
        position=1,
        sample_rate=RATE,
        size=1234,
        sha256="ab" * 32,
        gain_db=-1.5,
        loudness=-14.0,
        peak=-2.0,
        first_beat=0.123,
    )


@pytest.fixture
def playlist(track, songs, tmp_path):
    """Two tracks, the second plain."""
    second = replace(track, song=songs[1], title="Plain", file="audio/02 - Plain.flac", position=2, first_beat=None)
    return Playlist(
        title=f"Best {HOSTILE}", tracks=(track, second), home=tmp_path / "home & away", studies={"bhangra": IDENTITY}
    )


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "out" / "best"
