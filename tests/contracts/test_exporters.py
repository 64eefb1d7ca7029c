"""What every exporter keeps: one file or more below the folder it is given, UTF-8, the same bytes for the same songs.

To put another exporter under this contract, register it in the entry point group ``optimizer.exporters``; every
registered name is tried.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optimizer.export.playlist import Playlist, Track, exporter, registered

EVERYTHING = "Quotes \" and ' & <markup> ]]> \x00\x07\x1b\u202e\ud800 ਨੱਚੋ 夜 é | =1+1 ../../x\n#EXTM3U"

WRITABLE = EVERYTHING.replace("\ud800", "")
"""A recipe itself refuses a lone surrogate."""


@pytest.fixture(params=sorted(registered()))
def write(request):
    return exporter(request.param)


@pytest.fixture
def playlist(make_song, make_recipe, tmp_path):
    """Three tracks with a file each, the second with a name, a genre and a caption that mean harm."""
    recipes = [
        make_recipe(key="F# minor"),
        make_recipe(genre=WRITABLE, style=WRITABLE, caption=WRITABLE, lyrics=WRITABLE, seed=2**31 - 1),
        make_recipe(language="unknown", lyrics="", time_signature="6", duration=600.0),
    ]
    tracks = []
    for position, recipe in enumerate(recipes, start=1):
        hostile = position == 2
        song = make_song(position, 10.0 if hostile else 0.0, recipe, parts={"pulse": 1.0} if hostile else {})
        tracks.append(
            Track(
                song=song,
                title=EVERYTHING if hostile else f"Song {position}",
                artist=EVERYTHING if hostile else "synth",
                album=EVERYTHING if hostile else "bhangra",
                file=f"audio/{position:02d} - é & ਨ.flac",
                seconds=recipe.duration,
                engine=EVERYTHING if hostile else "synth",
                position=position,
                sha256="0" * 64,
            )
        )
    return Playlist(EVERYTHING, tuple(tracks), tmp_path / "home")


@pytest.fixture
def folder(tmp_path, playlist):
    """A folder that holds the audio already."""
    made = tmp_path / "made"
    (made / "audio").mkdir(parents=True)
    for track in playlist.tracks:
        (made / track.file).write_bytes(b"fLaC")
    return made


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_it_writes_below_the_folder_and_nowhere_else(write, playlist, folder, tmp_path):
    main = write(playlist, folder)
    assert main.is_file() and main.resolve().is_relative_to(folder.resolve())
    assert {path.name for path in tmp_path.iterdir()} == {"made"}
    assert [path.read_bytes() for path in (folder / "audio").iterdir()] == [b"fLaC"] * 3
    assert not [name for name in texts(folder) if name.startswith(".") or name.endswith((".tmp", ".part"))]


def test_it_writes_utf8_without_marks_or_control_characters(write, playlist, folder):
    write(playlist, folder)
    for content in texts(folder).values():
        assert not content.startswith(b"\xef\xbb\xbf")
        text = content.decode("utf-8")
        assert not set(text) & {"\x00", "\x07", "\x1b", "\u202e", "\r"}
        assert text.endswith("\n")


def test_it_names_every_song(write, playlist, folder):
    write(playlist, folder)
    together = b"".join(texts(folder).values()).decode()
    assert "Song 1" in together and "Song 3" in together
    assert together.index("Song 1") < together.index("Song 3")


def test_the_same_songs_give_the_same_bytes(write, playlist, folder):
    write(playlist, folder)
    first = texts(folder)
    write(playlist, folder)
    assert texts(folder) == first


def test_one_song_is_enough(write, playlist, folder):
    assert write(replace(playlist, tracks=playlist.tracks[:1]), folder).is_file()
