"""Is it a usable clip at all? Length, finite numbers, sound from end to end, not clipped flat."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from optimizer.audio.decode import Samples, Sound, read
from optimizer.errors import BadAudio

SILENCE_DBFS = -60.0
"""RMS below which audio counts as silent; an encoder's view of it would be noise."""

SILENT_SHARE = 0.5
"""A clip is refused when more than this share of it is silent."""

CLIPPED_LEVEL = 0.99
CLIPPED_SHARE = 0.1
"""A clip at full scale is refused when more than this share of its samples lies in runs at its peak."""

_BLOCK = 0.1
"""Seconds; the grain in which silence is looked for."""

_RUN = 3
"""Neighbouring samples at the peak that make a flat top."""


def check(
    source: str | Path | Sound,
    *,
    expected_duration: float | None = None,
    expected_rate: int | None = None,
    tolerance: float | None = None,
    follow_links: bool = True,
) -> Sound:
    """Return the decoded clip, or say why it cannot be used.

    Parameters
    ----------
    source : str, Path or Sound
        A file, or samples already decoded.
    expected_duration : float, optional
        Seconds that were asked for.
    expected_rate : int, optional
        Hz the file must have.
    tolerance : float, optional
        Seconds the length may be off; by default 2 % of what was asked for, but at least 0.25 s (engines round to
        their own frames), and never so much that half of a short clip may be missing.
    follow_links : bool
        False for a file that an untrusted child has written.

    Returns
    -------
    Sound

    Raises
    ------
    BadAudio
        With reason ``unreadable``, ``nan``, ``duration``, ``sample-rate``, ``silence`` or ``clipped``.
    """
    allowed = 0.0
    if expected_duration is not None:
        allowed = max(0.25, 0.02 * expected_duration) if tolerance is None else tolerance
    if isinstance(source, Sound):
        sound, name = source, "the clip"
    else:
        longest = None if expected_duration is None else expected_duration + allowed
        sound, name = read(source, longest=longest, follow_links=follow_links), str(source)
    if expected_rate is not None and sound.rate != expected_rate:
        raise BadAudio(f"{name} has {sound.rate} Hz; {expected_rate} Hz were expected.", reason="sample-rate")
    if expected_duration is not None:
        shortest = max(expected_duration - allowed, expected_duration / 2)
        if not shortest <= sound.seconds <= expected_duration + allowed:
            raise BadAudio(
                f"{name} lasts {sound.seconds:.2f} s; {expected_duration:g} s (+-{allowed:.2f}) were expected.",
                reason="duration",
            )
    if sound.samples.size == 0:
        raise BadAudio(f"{name} holds no samples.", reason="unreadable")
    if not np.isfinite(sound.samples).all():
        raise BadAudio(f"{name} holds samples that are not numbers.", reason="nan")
    check_silence(sound, name)
    _check_clipping(sound.samples, name)
    return sound


def block_levels(samples: Samples, rate: int) -> np.ndarray:
    """RMS in dBFS of each tenth of a second, the mean of each channel taken off.

    A constant offset is not sound, so it does not count. The last block may be shorter.

    Parameters
    ----------
    samples : float array [shape=(frames, channels)]
    rate : int
        Hz.

    Returns
    -------
    float array [shape=(blocks,)]
        -inf for digital silence.
    """
    size = max(1, round(_BLOCK * rate))
    power = np.square(samples - samples.mean(axis=0, dtype=np.float64)).mean(axis=1)
    edges = np.arange(0, len(power), size)
    means = np.add.reduceat(power, edges) / np.diff(np.append(edges, len(power)))
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(means))


def check_silence(sound: Sound, name: str) -> None:
    """Refuse audio that is silent as a whole or for most of its length.

    Parameters
    ----------
    sound : Sound
    name : str
        What the message calls it.

    Raises
    ------
    BadAudio
        ``silence``.
    """
    levels = block_levels(sound.samples, sound.rate)
    overall = 10.0 * np.log10(np.mean(10.0 ** (levels / 10.0)) + 1e-20)
    if overall < SILENCE_DBFS:
        raise BadAudio(f"{name} is silent: {overall:.0f} dBFS, below {SILENCE_DBFS:.0f}.", reason="silence")
    share = float(np.mean(levels < SILENCE_DBFS))
    if share > SILENT_SHARE:
        raise BadAudio(f"{name} is silent for {100 * share:.0f} % of its length.", reason="silence")


def _check_clipping(samples: Samples, name: str) -> None:
    level = np.abs(samples)
    peak = float(level.max())
    if peak < CLIPPED_LEVEL:
        return
    flat = level >= CLIPPED_LEVEL * peak
    inside = flat.copy()
    for lag in range(1, _RUN):
        inside[lag:] &= flat[:-lag]
        inside[:lag] = False
    # `inside` marks the last sample of each run of _RUN; the ones before it belong to the flat top too.
    tops = inside.copy()
    for lag in range(1, _RUN):
        tops[:-lag] |= inside[lag:]
    share = float(tops.mean())
    if share > CLIPPED_SHARE:
        raise BadAudio(f"{name} is clipped flat: {100 * share:.0f} % of its samples lie at the peak.", reason="clipped")
