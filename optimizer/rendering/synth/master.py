"""The last stage: loudness as the standard measures it, soft clipping under a ceiling, and quiet ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from optimizer.rendering.synth.voices import RATE, Wave

TARGET = -14.0
"""Integrated loudness in LUFS."""

CEILING = 0.85
"""Peak of the finished song, linear: -1.4 dBFS, so that what lies between samples stays below -1 as well."""

_GATE = 19_200
"""Samples of a gating block, 400 ms."""


def _weighting() -> npt.NDArray[np.float64]:
    """Power response of the standard's two filters on the bins of one gating block [1]_.

    References
    ----------
    .. [1] ITU-R BS.1770-4, tables 1 and 2 (coefficients at 48 kHz).
    """
    z = np.exp(-2j * np.pi * np.arange(_GATE // 2 + 1) / _GATE)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z * z) / (
        1.0 - 1.69065929318241 * z + 0.73248077421585 * z * z
    )
    high = (1.0 - 2.0 * z + z * z) / (1.0 - 1.99004745483398 * z + 0.99007225036621 * z * z)
    return np.asarray(np.abs(shelf * high) ** 2)


def loudness(song: Wave) -> float:
    """Integrated loudness in LUFS, gated, over blocks that do not overlap (within 0.1 of the standard's).

    Parameters
    ----------
    song : Wave [shape=(2, n)]
        Anything shorter than a block is measured as one block of its own.
    """
    n = song.shape[1]
    if n < _GATE:
        song = np.tile(song, (1, -(-_GATE // n)))[:, :_GATE]
    curve = _weighting()
    powers = []
    for start in range(0, song.shape[1] - _GATE + 1, _GATE):
        spectrum = fft.rfft(song[:, start : start + _GATE])
        energy = spectrum.real**2 + spectrum.imag**2
        powers.append(2.0 * float(np.sum(energy * curve)) / _GATE**2)
    power = np.array(powers)
    loud = power[power > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if not len(loud):
        return -70.0
    loud = loud[loud > 0.1 * np.mean(loud)]
    return float(-0.691 + 10.0 * np.log10(np.mean(loud)))


def _clip(song: Wave) -> Wave:
    """Leave what lies under half scale as it is, and bend the rest towards the ceiling."""
    knee = np.float32(0.5)
    span = np.float32(CEILING) - knee
    flat = song.reshape(-1)
    loud = np.flatnonzero(np.abs(flat) > knee)
    peaks = flat[loud]
    out = flat.copy()
    out[loud] = np.copysign(knee + span * np.tanh((np.abs(peaks) - knee) / span), peaks)
    return out.reshape(song.shape)


def master(song: Wave, drive: float = 0.0, fade: float = 0.25) -> Wave:
    """Bring a song to `TARGET`, under `CEILING`, with its last moment faded out.

    Parameters
    ----------
    song : Wave [shape=(2, n)]
    drive : float
        dB by which it is pushed into the clipper above what the loudness needs; what comes out is turned down again.
    fade : float
        Seconds.

    Returns
    -------
    Wave [shape=(2, n)]
    """
    n = song.shape[1]
    level = loudness(song)
    if level <= -69.0:
        return song
    gain = 10.0 ** ((TARGET + drive - level) / 20.0)
    out = _clip(song * np.float32(gain))
    missing = TARGET - loudness(out)
    if missing > 0.1:
        # The clipper took more than the drive gave: push a little harder, as it gives back less than it gets.
        out = _clip(song * np.float32(gain * 10.0 ** (1.3 * missing / 20.0)))
    else:
        out *= np.float32(10.0 ** (missing / 20.0))
    count = min(n // 2, round(fade * RATE))
    if count:
        out[:, n - count :] *= np.cos(np.linspace(0.0, 0.5 * np.pi, count)).astype(np.float32)
    return out
