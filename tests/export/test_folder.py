"""The export folder: complete or not there, replaced only where it is ours, and safe whatever the songs are called."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest

from optimizer import audio
from optimizer.errors import StorageFull, UsageError
from optimizer.export import folder as room
from optimizer.export.folder import Settings, export
from optimizer.song import Record

PLAIN = Settings(loudness=None)
EVERY = ("m3u8", "xspf", "jspf", "rekordbox", "csv", "json")


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_everything_is_in_one_folder(songs, record, target):
    done = export(songs[:3], target, records=[record], settings=Settings(formats=EVERY, audio="mp3"))
    assert [path.name for path in done.files] == [
        "playlist.m3u8", "playlist.xspf", "playlist.jspf", "rekordbox.xml", "songs.csv", "songs.json", "recipes.json",
    ]  # fmt: skip
    playlist = (target / "playlist.m3u8").read_text(encoding="utf-8").splitlines()
    named = [line for line in playlist if not line.startswith("#")]
    assert named == [track.file for track in done.tracks]
    assert all((target / name).is_file() for name in named)
    assert list(target.parent.iterdir()) == [target]
    recipes = json.loads((target / "recipes.json").read_text(encoding="utf-8"))
    assert set(recipes["files"]) | {"recipes.json"} == set(files(target))
    assert recipes["songs"][0]["command"] == "optimize rerender bhangra 2"
    assert recipes["songs"][0]["recipe"] == songs[2].recipe.to_dict()
    assert "options" not in recipes["studies"]["bhangra"]


def test_songs_leave_in_the_order_asked_for(songs, record, target):
    by_file = export(songs[:4], target, records=[record], settings=Settings(order="file"))
    assert [track.song.number for track in by_file.tracks] == [0, 1, 2, 3]
    mixed = export(songs, target, records=[record], settings=Settings(order="dj"))
    notes = json.loads((target / "recipes.json").read_text())["order"]
    assert notes["by"] == "dj" and notes["mix_cost"] == pytest.approx(mixed.ordering.cost, abs=1e-6)
    assert notes["mix_cost"] <= notes["mix_cost_by_score"]


@pytest.mark.parametrize(("loudness", "true_peak"), [(-20.0, -1.0), (-2.0, -1.5)], ids=["quiet", "loud"])
def test_loudness_is_reached_or_the_peak_forbids_it(songs, record, target, loudness, true_peak):
    settings = Settings(audio="wav", loudness=loudness, true_peak=true_peak)
    done = export(songs[:3], target, records=[record], settings=settings)
    for track in done.tracks:
        sound = audio.read(target / track.file)
        measured = pyloudnorm.Meter(sound.rate).integrated_loudness(sound.samples.astype(np.float64))
        peak = audio.true_peak(sound.samples, sound.rate)
        if loudness == -20.0:
            assert measured == pytest.approx(loudness, abs=0.3) and peak < true_peak
        else:
            assert peak == pytest.approx(true_peak, abs=0.05) and measured < loudness
        master = audio.read(track.song.audio)
        assert np.allclose(sound.samples, master.samples * 10 ** (track.gain_db / 20), atol=1e-4)
        assert track.loudness == pytest.approx(measured, abs=0.3)


def test_without_a_target_the_samples_stay(songs, record, target):
    done = export(songs[:1], target, records=[record], settings=Settings(loudness=None))
    (track,) = done.tracks
    assert track.gain_db is None
    assert np.array_equal(audio.read(target / track.file).samples, audio.read(songs[0].audio).samples)


def test_copies_are_the_masters_bytes(songs, record, target):
    done = export(songs[:1], target, records=[record], settings=Settings(audio="copy"))
    assert (target / done.tracks[0].file).read_bytes() == songs[0].audio.read_bytes()
    assert done.tracks[0].sha256 == songs[0].sha256


def test_songs_without_audio_leave_as_a_table(make_song, record, target):
    done = export([make_song(9)], target, records=[record], settings=Settings(formats=("csv", "json"), audio="none"))
    assert files(target) == ["recipes.json", "songs.csv", "songs.json"]
    assert done.tracks[0].file is None


def test_titles_do_not_depend_on_which_songs_leave(songs, record, target):
    # Of two songs that would be called the same, the later one is called otherwise even when it leaves alone.
    songs[4] = replace(songs[4], recipe=songs[0].recipe)
    record = replace(record, songs=tuple(songs))
    every = export(songs, target, records=[record], settings=PLAIN)
    named = {track.song.number: track.title for track in every.tracks}
    some = export(songs[3:5], target, records=[record], settings=PLAIN)
    assert all(named[track.song.number] == track.title for track in some.tracks)


def test_long_versions_take_the_songs_place_and_clips_are_kept(songs, record, target):
    long = replace(songs[1], audio=songs[4].audio, value=2.5, recipe=replace(songs[1].recipe, duration=120.0))
    done = export(songs[:2], target, records=[record], settings=PLAIN, full={("bhangra", 1): long})
    first, second = done.tracks
    assert first.song.value == 2.5 and first.clip.value == songs[1].value
    assert (target / first.clip_file).is_file() and second.clip_file is None
    entry = json.loads((target / "recipes.json").read_text())["songs"][0]
    assert entry["clip"]["score"] == songs[1].value
    assert entry["score_change"] == pytest.approx(2.5 - songs[1].value)
    assert not np.array_equal(audio.read(target / first.file).samples, audio.read(target / first.clip_file).samples)


def test_genres_and_studies_cannot_leave_the_folder(songs, record, target, make_recipe):
    hostile = replace(songs[0], study="../../evil", recipe=make_recipe(genre="../../x", style="/etc/passwd"))
    other = Record("../../evil", record.folder, {}, (hostile,))
    done = export([hostile], target, records=[other], settings=Settings(formats=EVERY, audio="copy"))
    assert all((target / track.file).resolve().is_relative_to(target) for track in done.tracks)
    assert list(target.parent.iterdir()) == [target]
    assert not (target.parent.parent / "evil").exists()


def test_an_imported_song_says_what_rendered_it(songs, record, target):
    imported = replace(songs[0], info={"engine": "ACE-Step 1.5", "revision": "abc"})
    done = export([imported], target, records=[record], settings=Settings(audio="copy", artist="Somebody"))
    track = done.tracks[0]
    assert (track.engine, track.revision, track.artist) == ("ACE-Step 1.5", "abc", "Somebody")


def test_an_export_replaces_an_earlier_one(songs, record, target):
    assert not export(songs[:3], target, records=[record], settings=PLAIN).replaced
    assert export(songs[3:5], target, records=[record], settings=PLAIN).replaced
    assert len(list((target / "audio").iterdir())) == 2
    assert list(target.parent.iterdir()) == [target]


def test_an_empty_folder_is_taken(songs, record, target):
    target.mkdir(parents=True)
    assert not export(songs[:1], target, records=[record], settings=PLAIN).replaced


@pytest.mark.parametrize(
    "content", [{"notes.txt": "mine"}, {"recipes.json": "[]"}, {"recipes.json": '{"generator": "x"}'}]
)
def test_a_foreign_folder_is_left_alone(songs, record, target, content):
    target.mkdir(parents=True)
    for name, text in content.items():
        (target / name).write_text(text)
    with pytest.raises(UsageError, match="no export made it"):
        export(songs[:1], target, records=[record])
    assert {path.name: path.read_text() for path in target.iterdir()} == content
    assert list(target.parent.iterdir()) == [target]


def test_what_was_added_to_an_export_is_not_lost(songs, record, target):
    export(songs[:1], target, records=[record], settings=PLAIN)
    (target / "cover.jpg").write_text("mine")
    with pytest.raises(UsageError, match=r"files that no export wrote \(cover\.jpg\)"):
        export(songs[:1], target, records=[record], settings=PLAIN)
    assert (target / "cover.jpg").read_text() == "mine"


def test_a_file_or_a_link_is_not_replaced(songs, record, target, tmp_path):
    target.parent.mkdir()
    target.write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        export(songs[:1], target, records=[record])
    target.unlink()
    (tmp_path / "elsewhere").mkdir()
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is not a folder"):
        export(songs[:1], target, records=[record])


def test_missing_audio_is_found_before_anything_is_written(songs, record, target, make_song):
    gone = replace(songs[1], audio=Path("/nowhere/0001.flac"))
    with pytest.raises(UsageError, match=r"audio of 2 of 3 songs is not here: bhangra 1, bhangra 7\.") as caught:
        export([songs[0], gone, make_song(7)], target, records=[record])
    assert "--audio none" in str(caught.value)
    assert not target.parent.exists()


def test_nothing_to_export(record, target):
    with pytest.raises(UsageError, match="no song to export"):
        export([], target, records=[record])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"audio": "ogg"}, "audio 'ogg' is not one of flac, mp3, wav, copy, none"),
        ({"loudness": 3.0}, "loudness 3 is not usable"),
        ({"loudness": float("nan")}, "loudness nan is not usable"),
        ({"true_peak": 1.0}, "true peak 1 is not usable"),
        ({"formats": ("m4u",)}, "no export format 'm4u'"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UsageError, match=message):
        Settings(**settings)


def test_a_full_disk_leaves_what_was_there(songs, record, target, monkeypatch):
    export(songs[:1], target, records=[record], settings=PLAIN)
    before = {name: (target / name).read_bytes() for name in files(target)}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room, "_write_marker", full)
    with pytest.raises(StorageFull):
        export(songs[:2], target, records=[record], settings=PLAIN)
    assert {name: (target / name).read_bytes() for name in files(target)} == before
    assert list(target.parent.iterdir()) == [target]


def test_progress_is_told(songs, record, target):
    told = []
    export(songs[:3], target, records=[record], settings=PLAIN, on_song=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


KILLED = r"""
import itertools, os, pickle, sys, time
from pathlib import Path
from optimizer.export import folder
songs, record, target = pickle.loads(Path(sys.argv[1]).read_bytes())
stage = sys.argv[2]
def wait(*_, **__):
    os.write(1, b"there\n")
    time.sleep(60)
if stage == "audio":
    real, calls = folder.write_tags, itertools.count(1)
    def slow(*given):
        # Several threads tag: each takes a number of its own, or all may have counted before one looks.
        number = next(calls)
        real(*given)
        if number == 2:
            wait()
    folder.write_tags = slow
elif stage == "marker":
    folder._write_marker = wait
else:
    real = Path.rename
    def rename(self, to):
        if str(to) == str(target) and self.name.endswith(".partial"):
            wait()
        return real(self, to)
    Path.rename = rename
folder.export(songs, target, records=[record], settings=folder.Settings(loudness=None))
"""


@pytest.mark.parametrize("again", [False, True], ids=["first", "replacing"])
@pytest.mark.parametrize("stage", ["audio", "marker", "rename"])
def test_a_kill_leaves_no_half_folder(songs, record, target, tmp_path, stage, again):
    import pickle

    if again:
        export(songs[:2], target, records=[record], settings=PLAIN)
    (tmp_path / "job").write_bytes(pickle.dumps((songs, record, target)))
    (tmp_path / "job.py").write_text(KILLED)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "job.py"), str(tmp_path / "job"), stage],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout.readline() == b"there\n"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    if target.exists():
        assert again and len(list((target / "audio").iterdir())) == 2
    # What is left is hidden, and gone with the next export.
    assert all(path == target or path.name.startswith(".best.") for path in target.parent.iterdir())
    export(songs[:3], target, records=[record], settings=PLAIN)
    assert len(list((target / "audio").iterdir())) == 3
    assert list(target.parent.iterdir()) == [target]


def test_an_export_killed_between_two_renames_is_put_back(songs, record, target):
    export(songs[:2], target, records=[record], settings=PLAIN)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    target.rename(target.with_name(f".best.{ended.pid}.old"))
    room.recover(target)
    assert len(list((target / "audio").iterdir())) == 2


def test_a_running_exports_folder_is_not_cleared(songs, record, target):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        busy = target.with_name(f".best.{other.pid}.partial")
        busy.mkdir(parents=True)
        started = time.monotonic()
        export(songs[:1], target, records=[record], settings=PLAIN)
        assert busy.is_dir() and time.monotonic() - started < 30
        other.kill()
