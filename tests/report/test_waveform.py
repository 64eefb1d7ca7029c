"""Outlines: their shape, their cache, and files that cannot be read."""

from __future__ import annotations

import json

import numpy as np
import soundfile

from optimizer.report.waveform import BARS, CACHE_FILE, outline, outlines


def test_follows_the_level(tmp_path):
    path = tmp_path / "rise.flac"
    soundfile.write(path, np.linspace(0, -0.5, 8000 * 2), 8000)
    line = outline(path)
    assert len(line) == BARS
    assert line[0] == "0"
    assert line[-1] == "z"
    assert list(line) == sorted(line)


def test_what_cannot_be_read_has_none(tmp_path):
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"fLaC not really")
    silent = tmp_path / "silent.flac"
    soundfile.write(silent, np.zeros(800), 8000)
    assert outline(broken) == outline(silent) == outline(tmp_path / "none.flac") == ""


def test_are_kept_beside_the_run(make_record, make_song, write_audio):
    song = make_song(0)
    record = make_record([song])
    path = write_audio(record.folder / "0.flac", 0.5, 8000)
    record = make_record([make_song(0, audio=path), make_song(1, audio=record.folder / "gone.flac"), make_song(2)])
    first = outlines([record])
    assert list(first) == [("bhangra", 0)]
    path.unlink()
    assert outlines([record], budget=0) == first
    (record.folder / CACHE_FILE).write_text(json.dumps({song.sha256: "<script>"}))
    assert outlines([record]) == {}
    (record.folder / CACHE_FILE).write_text("{")
    assert outlines([record]) == {}


def test_the_best_songs_come_first_when_time_is_short(make_record, make_song, write_audio, monkeypatch):
    record = make_record([])
    songs = [make_song(n, float(n), audio=write_audio(record.folder / f"{n}.flac", 0.2, 8000)) for n in range(3)]
    clock = iter([0.0, 1.0, 99.0, 99.0])
    monkeypatch.setattr("optimizer.report.waveform.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("optimizer.report.waveform.os.cpu_count", lambda: 1)
    assert list(outlines([make_record(songs)], budget=5)) == [("bhangra", 2)]
