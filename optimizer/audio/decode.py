"""Read audio files: whole, or only the seconds that are needed, with a reason for every file that cannot be read."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optimizer.errors import BadAudio

Samples = npt.NDArray[np.float32]

RATE_RANGE = (1_000, 768_000)
"""Hz; a header outside it is damage, not music."""

MAX_CHANNELS = 32

RESAMPLER_REACH = 0.5
"""Seconds decoded beyond the wanted part: the resampler's filter then sees the same neighbours as in the whole file."""

_MISSING_ALLOWED = 0.1
"""Seconds by which a decoder may fall short of its header: MP3 lengths are announced in whole frames."""

_UNKNOWN_SIZE = 0xFFFFFFFF - 0xFFFF
"""Programs that write WAV to a pipe announce about this many bytes, because they cannot know."""

_SHORTENED = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


class Sound(NamedTuple):
    """Decoded audio.

    Attributes
    ----------
    samples : float32 array [shape=(frames, channels)]
        Full scale is 1; a float file may go beyond.
    rate : int
        Hz.
    """

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(len(self.samples) / self.rate)


def read(path: str | Path, *, longest: float | None = None, follow_links: bool = True) -> Sound:
    """Decode a whole file.

    Parameters
    ----------
    path : str or Path
        Any format libsndfile reads: WAV, FLAC, MP3, Ogg, AIFF ...
    longest : float, optional
        Seconds; a file whose header promises more is refused before its samples are read.
    follow_links : bool
        False refuses a symbolic link, for a file that somebody untrusted has put there.

    Raises
    ------
    BadAudio
        ``unreadable`` if the file is missing, empty, no audio, damaged or cut short; ``duration`` past `longest`.
    """
    with _opened(path, follow_links=follow_links) as file:
        if longest is not None and file.frames > longest * file.samplerate:
            raise BadAudio(
                f"{path} lasts {file.frames / file.samplerate:.2f} s; at most {longest:.2f} s were expected.",
                reason="duration",
            )
        return Sound(_decode(file, path, file.frames), int(file.samplerate))


def load_mono(path: str | Path, sample_rate: int, seconds: float | None = 30.0, start: float = 0.0) -> Samples:
    """Decode `seconds` of a file from `start`, mixed to one channel, at `sample_rate`.

    Only the wanted part and a margin are decoded. From the beginning of a file the result equals, bit for bit,
    decoding and resampling all of it and then cutting; further in, it equals that to one unit of float32 rounding,
    because the resampler works in blocks counted from where it started.

    Parameters
    ----------
    path : str or Path
    sample_rate : int
        Hz wanted.
    seconds : float or None
        How much; None for all that follows `start`. A shorter file gives what it has.
    start : float
        Seconds from the beginning.

    Returns
    -------
    float32 array [shape=(n,)]
        ``n <= int(seconds * sample_rate)``; the mean of the channels.

    Raises
    ------
    BadAudio
        ``unreadable`` as in `read`, or if nothing lies after `start`; ``nan`` for samples that are not finite.
    """
    with _opened(path) as file:
        rate = int(file.samplerate)
        # The decoded part begins where both rates have a sample, so that the resampler keeps its phase.
        stride = rate // math.gcd(rate, sample_rate)
        first = max(0, int((start - RESAMPLER_REACH) * rate)) // stride * stride
        if start * rate >= file.frames:
            raise BadAudio(
                f"{path} has no audio at {start:g} s: it lasts {file.frames / rate:.2f} s.", reason="unreadable"
            )
        if first:
            file.seek(first)
        left = file.frames - first
        wanted = left if seconds is None else min(left, math.ceil((start + seconds + RESAMPLER_REACH) * rate) - first)
        samples = _decode(file, path, wanted)
    mono: Samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise BadAudio(f"{path} holds samples that are not numbers.", reason="nan")
    mono = resample(mono, rate, sample_rate)
    skip = int(start * sample_rate) - first * sample_rate // rate
    end = None if seconds is None else skip + int(seconds * sample_rate)
    return np.ascontiguousarray(mono[skip:end], dtype=np.float32)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Change the sample rate with soxr's HQ setting; `samples` may be (n,) or (n, channels)."""
    if rate == target:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, rate, target, quality="HQ"), dtype=np.float32)


class Probe(NamedTuple):
    """What a file's header says.

    Attributes
    ----------
    frames : int
    rate : int
        Hz.
    channels : int
    format : str
        libsndfile's major format: ``WAV``, ``FLAC``, ``MP3`` ...
    """

    frames: int
    rate: int
    channels: int
    format: str


def probe(path: str | Path) -> Probe:
    """Read a file's header without decoding it; raises `BadAudio` as `read` does."""
    with _opened(path) as file:
        return Probe(int(file.frames), int(file.samplerate), int(file.channels), str(file.format))


def duration(path: str | Path) -> float:
    """Length of a file in seconds, by its header; raises `BadAudio` as `read` does."""
    header = probe(path)
    return header.frames / header.rate


@contextmanager
def _opened(path: str | Path, *, follow_links: bool = True) -> Iterator[Any]:
    """Open a regular file for decoding and check what its header says."""
    import soundfile

    # One descriptor from look to read: a file swapped in between is never the one that is decoded.
    # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(path, "it is not a regular file")
        if status.st_size == 0:
            raise _unreadable(path, "it is empty (0 bytes)")
        try:
            file = soundfile.SoundFile(descriptor, closefd=False)
        except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
            raise _unreadable(path, _reason(error)) from error
        with file:
            _check_header(file, path)
            yield file
    finally:
        os.close(descriptor)


def _check_header(file: Any, path: str | Path) -> None:
    low, high = RATE_RANGE
    if not low <= file.samplerate <= high or not 1 <= file.channels <= MAX_CHANNELS:
        raise _unreadable(path, f"its header says {file.channels} channels at {file.samplerate} Hz")
    if file.frames <= 0:
        raise _unreadable(path, "it holds no samples")
    # libsndfile quietly shortens a WAV or AIFF whose header promises more than is there; only its log says so.
    for promised, present in _SHORTENED.findall(file.extra_info or ""):
        if int(present) < int(promised) < _UNKNOWN_SIZE:
            raise _unreadable(path, f"it is cut short: {promised} bytes of samples promised, {present} there")


def _decode(file: Any, path: str | Path, frames: int) -> Samples:
    import soundfile

    try:
        samples = file.read(frames, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, MemoryError, ValueError) as error:
        raise _unreadable(path, _reason(error)) from error
    missing = (frames - len(samples)) / file.samplerate
    if len(samples) == 0 or missing > _MISSING_ALLOWED:
        raise _unreadable(path, f"it is cut short: {missing:.2f} s of what its header promises are not there")
    return np.asarray(samples, dtype=np.float32)


def _unreadable(path: str | Path, why: str) -> BadAudio:
    return BadAudio(f"{path} cannot be read as audio: {why}.", reason="unreadable")


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or error)
    return text.removeprefix("Error : ").removeprefix("Error opening ").strip().rstrip(".") or type(error).__name__
