"""Outlines of songs for the page: a short string of peaks for each, computed best first and kept beside the run."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from optimizer.errors import OptimizeError
from optimizer.runs import write_atomic
from optimizer.song import Record, Song

BARS = 96
BUDGET = 5.0
"""Seconds a report may spend on new outlines; the next one goes on where this one stopped."""

CACHE_FILE = "waveforms.json"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def outline(path: Path) -> str:
    """Return the loudest sample of each of `BARS` equal parts, relative to the loudest of all, as base-36 digits.

    Returns
    -------
    str
        `BARS` characters, or an empty string for a file that cannot be read.
    """
    import soundfile

    peaks = np.zeros(BARS)
    try:
        with soundfile.SoundFile(path) as file:
            edges = np.linspace(0, file.frames, BARS + 1).astype(int)
            for bar, count in enumerate(np.diff(edges)):
                block = file.read(int(count), dtype="float32")
                if block.size:
                    peaks[bar] = max(float(block.max()), -float(block.min()))
    except (OSError, RuntimeError):
        # libsndfile's own errors are RuntimeErrors.
        return ""
    most = float(peaks.max(initial=0.0))
    if not (np.isfinite(peaks).all() and most > 0):
        return ""
    return "".join(_DIGITS[round(35 * peak / most)] for peak in peaks)


def outlines(records: Sequence[Record], *, budget: float = BUDGET) -> dict[tuple[str, int], str]:
    """Return the outlines of as many songs as the time allows, the best songs' first.

    Parameters
    ----------
    records : sequence of Record
    budget : float
        Seconds for songs that have none yet.

    Returns
    -------
    dict of (study, trial number) to str
        Only songs that have one.
    """
    kept = {record.name: _read(record.folder / CACHE_FILE) for record in records}
    songs = sorted((song for record in records for song in record.songs), key=lambda song: -song.value)
    missing = [song for song in songs if song.sha256 not in kept[song.study] and song.audio is not None]
    deadline = time.monotonic() + budget
    changed: set[str] = set()

    def draw(song: Song) -> str | None:
        if time.monotonic() > deadline or song.audio is None or not song.audio.is_file():
            return None
        return outline(song.audio)

    if missing:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            for song, line in zip(missing, threads.map(draw, missing), strict=True):
                if line is not None:
                    kept[song.study][song.sha256] = line
                    changed.add(song.study)
    for record in records:
        if record.name in changed:
            # A run that may only be read still gets its report.
            with contextlib.suppress(OptimizeError, OSError):
                write_atomic(record.folder / CACHE_FILE, json.dumps(kept[record.name]).encode())
    return {
        (song.study, song.number): kept[song.study][song.sha256] for song in songs if kept[song.study].get(song.sha256)
    }


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(key): line
        for key, line in found.items()
        if isinstance(line, str) and len(line) in (0, BARS) and set(line) <= set(_DIGITS)
    }
