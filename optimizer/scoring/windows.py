"""Which seconds of a song are heard: the first 30, the middle 30, or all of it in pieces of 30."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from optimizer.audio import duration, load_mono
from optimizer.audio.decode import Samples
from optimizer.errors import BadAudio, UsageError, did_you_mean

SECONDS = 30.0
"""Length of one window; what the published scores were computed on."""

SHORTEST_TAIL = 5.0
"""Seconds; a last piece shorter than this is left out of ``all``, where a few bars would weigh like a verse."""

SILENCE_DBFS = -60.0
"""RMS below which a window counts as silent: an encoder that normalises would listen to the noise floor."""

WINDOWS = {
    "first": "the first 30 s, as the published scores were computed",
    "middle": "the 30 s around the middle, as the published heads were trained",
    "all": "the whole song in pieces of 30 s, averaged, with the score over time",
}
"""Each window's name and meaning; scores of different windows are never comparable."""


class Heard(NamedTuple):
    """Windows of one file.

    Attributes
    ----------
    clips : list of float32 arrays [shape=(samples,)]
        Mono; all but the last of equal length.
    seconds : list of float
        Length of each.
    """

    clips: list[Samples]
    seconds: list[float]


def check_window(name: str) -> str:
    """Return a window's name if it is one.

    Raises
    ------
    UsageError
        If it is not.
    """
    if name not in WINDOWS:
        raise UsageError(f"window {name!r} must be one of {', '.join(WINDOWS)}.{did_you_mean(name, WINDOWS)}")
    return name


def hear(path: Path, rate: int, window: str, *, seconds: float = SECONDS) -> Heard:
    """Decode what a window names, mixed to mono at `rate`.

    Parameters
    ----------
    path : Path
    rate : int
        Hz.
    window : {"first", "middle", "all"}
    seconds : float
        Length of a piece.

    Raises
    ------
    BadAudio
        If the file cannot be decoded, or all that would be heard is silent.
    """
    if window == "first":
        starts = [0.0]
    else:
        length = duration(path)
        if window == "middle":
            starts = [max(0.0, (length - seconds) / 2)]
        else:
            starts = [piece * seconds for piece in range(max(1, int(length // seconds)))]
            if length - len(starts) * seconds >= SHORTEST_TAIL:
                starts.append(len(starts) * seconds)
    clips = [load_mono(path, rate, seconds, start) for start in starts]
    audible = [clip for clip in clips if len(clip) and not is_silent(clip)]
    if not audible:
        part = {"first": f"its first {seconds:g} s are", "middle": f"its middle {seconds:g} s are"}.get(window, "it is")
        raise BadAudio(f"{path}: {part} silent (below {SILENCE_DBFS:g} dBFS).", reason="silence")
    return Heard(audible, [len(clip) / rate for clip in audible])


def is_silent(samples: Samples) -> bool:
    """Whether the RMS, a constant offset taken off, lies below `SILENCE_DBFS`."""
    power = float(np.var(samples, dtype=np.float64))
    return power < float(10.0 ** (SILENCE_DBFS / 10.0))
