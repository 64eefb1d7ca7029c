"""Sources of sound: sine banks, band-limited saws and pulses, harmonic series, noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Sample rate of the engine, Hz."""

Wave = npt.NDArray[np.float32]
"""Samples, shape (frames,) or (2, frames)."""

Doubles = npt.NDArray[np.float64]

Floats = npt.NDArray[np.floating[Any]]

_BLOCK = 256


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch; 69 is A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def frames(seconds: float) -> int:
    """Length in samples, at least one."""
    return max(1, round(seconds * RATE))


def clock(n: int) -> Doubles:
    """Times of `n` samples in seconds [shape=(n,)]."""
    return np.arange(n, dtype=np.float64) / RATE


def bank(
    n: int,
    frequencies: Sequence[float] | Floats,
    amplitudes: Sequence[float] | Floats,
    decays: Sequence[float] | Floats,
    phases: Sequence[float] | Floats | None = None,
) -> Wave:
    """Sum of exponentially damped sines.

    ``exp(s (256 i + j))`` is ``exp(256 s i) exp(s j)``, so each partial is an outer product of two short
    vectors: exact in pitch, and some fifty times cheaper than a sine per sample. A matrix product would be
    shorter to write, but its rounding may depend on how many threads the linear algebra library uses.

    Parameters
    ----------
    n : int
        Samples.
    frequencies, amplitudes, decays : sequence of float [shape=(partials,)]
        Hz; linear; seconds until 1/e. Partials above 20 kHz are left out.
    phases : sequence of float, optional
        Radians at the first sample; 0 is a sine's rising zero.

    Returns
    -------
    Wave [shape=(n,)]
    """
    hz = np.asarray(frequencies, dtype=np.float64)
    gain = np.asarray(amplitudes, dtype=np.float64)
    decay = np.asarray(decays, dtype=np.float64)
    start = np.zeros_like(hz) if phases is None else np.asarray(phases, dtype=np.float64)
    rows = -(-n // _BLOCK)
    out = np.zeros((rows, _BLOCK), dtype=np.float32)
    scratch = np.empty_like(out)
    inner_time = np.arange(_BLOCK)
    outer_time = np.arange(rows) * _BLOCK
    for p in range(len(hz)):
        if hz[p] >= 20_000.0 or gain[p] == 0.0:
            continue
        pole = (-1.0 / decay[p] + 2j * np.pi * hz[p]) / RATE
        live = min(rows, int(8.0 * decay[p] * RATE) // _BLOCK + 1)
        inner = (gain[p] * np.exp(pole * inner_time + 1j * start[p])).astype(np.complex64)
        outer = np.exp(pole * outer_time[:live]).astype(np.complex64)[:, None]
        # The imaginary part of the product: a sine at phase 0 starts at zero, so no click.
        for left, right in ((outer.real, inner.imag), (outer.imag, inner.real)):
            np.multiply(left, right, out=scratch[:live])
            out[:live] += scratch[:live]
    return out.reshape(-1)[:n]


def saw(n: int, hz: float | Doubles, phase: float = 0.0) -> Wave:
    """Sawtooth in [-1, 1] with polyBLEP corrected steps.

    Parameters
    ----------
    n : int
    hz : float or float array [shape=(n,)]
        Frequency, constant or per sample.
    phase : float
        Start, in periods.

    Returns
    -------
    Wave [shape=(n,)]

    References
    ----------
    .. [1] Valimaki, Pekonen, Nam: "Perceptually informed synthesis of bandlimited classical waveforms using
       integrated polynomial interpolation", JASA 131(1), 2012.
    """
    if isinstance(hz, float):
        step: float | Doubles = hz / RATE
        position = phase + step * np.arange(n)
    else:
        step = hz / RATE
        position = phase + np.cumsum(step) - step[0]
    position -= np.floor(position)
    out = 2.0 * position - 1.0
    after = np.flatnonzero(position < step)
    width = step if isinstance(step, float) else step[after]
    x = position[after] / width
    out[after] -= 2.0 * x - x * x - 1.0
    before = np.flatnonzero(position > 1.0 - step)
    width = step if isinstance(step, float) else step[before]
    x = (position[before] - 1.0) / width
    out[before] -= x * x + 2.0 * x + 1.0
    return out.astype(np.float32)


def pulse(n: int, hz: float, width: float = 0.5, phase: float = 0.0) -> Wave:
    """Pulse wave as the difference of two saws; `width` in (0, 1) is the part of a period spent high."""
    return np.float32(0.5) * (saw(n, hz, phase) - saw(n, hz, phase + width))


def glide_phase(hz: Doubles) -> Doubles:
    """Integrate a frequency track to a phase in radians that starts at 0 [shape as `hz`]."""
    return np.asarray(2.0 * np.pi * (np.cumsum(hz) - hz[0]) / RATE)


def series(phase: Doubles, amplitudes: Sequence[float] | Floats) -> Wave:
    """Harmonic series on one moving phase: sum of ``a[k] sin((k + 1) phase)``.

    Each harmonic is the last one times ``exp(i phase)``, one complex product a sample instead of a sine.

    Parameters
    ----------
    phase : float array [shape=(n,)]
        Radians.
    amplitudes : sequence of float [shape=(harmonics,)]
    """
    turn = np.exp(1j * phase).astype(np.complex64)
    power = turn.copy()
    out = np.zeros(len(phase), dtype=np.float32)
    last = len(amplitudes) - 1
    for k, amplitude in enumerate(amplitudes):
        if amplitude:
            out += np.float32(amplitude) * power.imag
        if k < last:
            power *= turn
    return out


def vibrato(n: int, hz: float, cents: float, speed: float, onset: float, scoop: float = 0.0) -> Doubles:
    """Frequency track of a player's note [shape=(n,)].

    Parameters
    ----------
    n : int
    hz : float
        Written pitch; the track's mean once the note has settled.
    cents : float
        Depth to either side.
    speed : float
        Hz.
    onset : float
        Seconds until the vibrato has grown to its depth.
    scoop : float
        Cents above (or, negative, below) the pitch at which the note begins.
    """
    # A player's hand is slow: one value every 64 samples, joined by straight lines, is exact to a hundredth of a cent.
    knots = np.arange(0, n + 128, 64)
    t = knots / RATE
    wave = cents * np.minimum(1.0, t / max(onset, 1e-3)) ** 2 * np.sin(2.0 * np.pi * speed * t)
    track = hz * 2.0 ** ((wave + scoop * np.exp(-t / 0.045)) / 1200.0)
    lines = track[:-1, None] + np.diff(track)[:, None] * (np.arange(64) / 64.0)
    return np.asarray(lines.reshape(-1)[:n])


def noise(n: int, rng: np.random.Generator) -> Wave:
    """White noise of unit variance [shape=(n,)]."""
    return rng.standard_normal(n, dtype=np.float32)
