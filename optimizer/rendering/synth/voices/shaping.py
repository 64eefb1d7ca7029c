"""What is done to a source: filters, envelopes, saturation, level, place in the stereo picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from optimizer.rendering.synth.voices.signals import RATE, Wave

Response = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
"""Frequency response of an analogue prototype: Hz in (see `bins`), complex gain out."""


def low_pass(cutoff: float, q: float = 0.707) -> Response:
    """Two-pole low-pass; `q` above 0.7 gives a resonance at `cutoff` Hz."""
    return lambda f: 1.0 / (1.0 - (f / cutoff) ** 2 + 1j * f / (cutoff * q))


def high_pass(cutoff: float, q: float = 0.707) -> Response:
    """Two-pole high-pass at `cutoff` Hz."""
    return lambda f: -((f / cutoff) ** 2) / (1.0 - (f / cutoff) ** 2 + 1j * f / (cutoff * q))


def band_pass(centre: float, q: float = 1.0) -> Response:
    """Two-pole band-pass with unit gain at `centre` Hz."""
    return lambda f: (1j * f / (centre * q)) / (1.0 - (f / centre) ** 2 + 1j * f / (centre * q))


def peak(centre: float, gain: float, q: float = 1.0) -> Response:
    """Bell: `gain` (linear) at `centre` Hz, 1 far away."""
    band = band_pass(centre, q)
    return lambda f: 1.0 + (gain - 1.0) * band(f)


@lru_cache(maxsize=64)
def bins(size: int) -> Wave:
    """Frequencies at which to evaluate a `Response` for a transform of `size` points.

    Warped as the bilinear transform warps them, which makes every analogue prototype an exactly causal digital
    filter. Evaluated at the plain frequencies it would be cut off at half the sample rate and ring ahead of a sound
    because of it, and that would be heard as a click where two blocks of a song meet.
    """
    f = np.arange(size // 2 + 1) / size
    warped = RATE / np.pi * np.tan(np.pi * np.minimum(f, 0.4999))
    # Single precision halves the cost of a response and is far finer than any ear.
    return np.asarray(warped, dtype=np.float32)


def shape(wave: Wave, *responses: Response) -> Wave:
    """Filter by multiplying spectra; the length stays, what rings on past it is cut.

    Parameters
    ----------
    wave : Wave [shape=(n,) or (2, n)]
    *responses : Response
    """
    n = wave.shape[-1]
    size = fft.next_fast_len(n + RATE // 20, real=True)
    grid = bins(size)
    curve = responses[0](grid)
    for response in responses[1:]:
        curve = curve * response(grid)
    spectrum = fft.rfft(wave, size) * curve.astype(np.complex64)
    return np.ascontiguousarray(fft.irfft(spectrum, size)[..., :n])


def fall(n: int, decay: float) -> Wave:
    """Exponential decay, 1/e after `decay` seconds [shape=(n,)]."""
    return np.asarray(np.exp(np.arange(n, dtype=np.float32) * np.float32(-1.0 / (decay * RATE))))


def hold(n: int, seconds: float, attack: float, decay: float, sustain: float, release: float) -> Wave:
    """Envelope of a played note [shape=(n,)].

    Parameters
    ----------
    n : int
        Samples, release included.
    seconds : float
        When the key is let go.
    attack, decay, release : float
        Seconds; decay and release are time constants.
    sustain : float
        Level that the decay goes to, 0 to 1.
    """
    out = np.ones(n, dtype=np.float32)
    begun = min(n, max(1, round(attack * RATE)))
    if sustain < 1.0:
        out[begun:] = np.float32(sustain) + np.float32(1.0 - sustain) * fall(n - begun, decay)
    out[:begun] = np.arange(begun, dtype=np.float32) / np.float32(attack * RATE)
    let_go = min(n, max(1, round(seconds * RATE)))
    out[let_go:] *= fall(n - let_go, release)
    return out


def end_softly(wave: Wave, seconds: float = 0.006) -> Wave:
    """Fade the last samples to zero in place, so that a cut tail does not click."""
    count = min(wave.shape[-1], max(2, round(seconds * RATE)))
    ramp = 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, count))
    wave[..., -count:] *= ramp.astype(np.float32)
    return wave


def saturate(wave: Wave, drive: float) -> Wave:
    """Soft clipping; `drive` is the gain into the curve, the output stays within (-1, 1)."""
    return np.asarray(np.tanh(np.float32(drive) * wave), dtype=np.float32)


def to_peak(wave: Wave, level: float = 1.0) -> Wave:
    """Scale to a peak, and fade the end: for what is struck or plucked."""
    top = float(np.max(np.abs(wave)))
    return end_softly(wave * np.float32(level / top if top > 0 else 0.0))


def to_power(wave: Wave, level: float = 0.25) -> Wave:
    """Scale to a root mean square over the loudest 0.2 s, and fade the end: for what is sustained."""
    mono = wave if wave.ndim == 1 else wave[0]
    size = min(len(mono), RATE // 5)
    usable = mono[: len(mono) // size * size].reshape(-1, size)
    power = float(np.max(np.mean(np.square(usable, dtype=np.float64), axis=1)))
    return end_softly(wave * np.float32(level / np.sqrt(power) if power > 0 else 0.0))


def spread(left: Wave, right: Wave, width: float = 1.0) -> Wave:
    """Two layers as stereo [shape=(2, n)]; `width` 0 puts both in the middle, 1 fully apart."""
    near, far = np.float32(0.5 + 0.5 * width), np.float32(0.5 - 0.5 * width)
    return np.stack([near * left + far * right, near * right + far * left])
