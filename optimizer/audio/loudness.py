"""Loudness and true peak as broadcasters measure them, and one gain that brings a song to a target.

References
----------
.. [1] ITU-R BS.1770-4, "Algorithms to measure audio programme loudness and true-peak audio level", 2015.
.. [2] EBU R 128, "Loudness normalisation and permitted maximum level of audio signals", and EBU Tech 3341.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from optimizer.audio.decode import Samples
from optimizer.errors import BadAudio

_OVERSAMPLING = 4
_BLOCK = 0.4

# pyloudnorm reads columns as left, right, centre, left surround, right surround. None is a silent column. Channel
# orders are those of WAV and FLAC; the low-frequency effects channel of 5.1 is not measured [1].
_LAYOUTS: dict[int, tuple[int | None, ...]] = {
    1: (0,),
    2: (0, 1),
    3: (0, 1, 2),
    4: (0, 1, None, 2, 3),
    5: (0, 1, 2, 3, 4),
    6: (0, 1, 2, 4, 5),
}


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness, gated, in LUFS.

    Parameters
    ----------
    samples : float array [shape=(frames,) or (frames, channels)]
        One to six channels. A clip shorter than one gating block of 0.4 s is repeated until it fills one.
    rate : int
        Hz.

    Returns
    -------
    float
        About -70 to 5; ``-inf`` when every block lies below the absolute gate of -70 LUFS.

    Raises
    ------
    BadAudio
        For more than six channels (reason ``unreadable``) or samples that are not finite (``nan``).
    """
    import pyloudnorm

    columns = _columns(samples)
    layout = _LAYOUTS.get(columns.shape[1])
    if layout is None:
        raise BadAudio(f"Loudness of {columns.shape[1]} channels is not defined here; at most 6.", reason="unreadable")
    if not np.isfinite(columns).all():
        raise BadAudio("Loudness of samples that are not numbers is not defined.", reason="nan")
    if len(columns) == 0:
        return -math.inf
    block = math.ceil(_BLOCK * rate)
    if len(columns) < block:
        columns = np.tile(columns, (math.ceil(block / len(columns)), 1))
    silent = np.zeros(len(columns))
    arranged = np.stack([silent if c is None else columns[:, c] for c in layout], axis=1)
    # "DeMan" holds the coefficients of the standard; pyloudnorm's default filters only come near them.
    meter = pyloudnorm.Meter(rate, filter_class="DeMan", block_size=_BLOCK)
    value = float(meter.integrated_loudness(arranged))
    # With no block above the gate there is no mean to take, and what the meter returns then is no measurement.
    return value if value >= -70.0 else -math.inf


def true_peak(samples: Samples, rate: int) -> float:
    """Peak of the waveform between the samples, in dBTP, by fourfold oversampling [1, annex 2].

    Parameters
    ----------
    samples : float array [shape=(frames,) or (frames, channels)]
    rate : int
        Hz.

    Returns
    -------
    float
        Decibels relative to full scale; ``-inf`` for digital silence. Never below the sample peak.
    """
    import soxr

    columns = _columns(samples).astype(np.float32)
    if len(columns) == 0:
        return -math.inf
    between = soxr.resample(columns, rate, _OVERSAMPLING * rate, quality="HQ")
    peak = max(float(np.abs(columns).max()), float(np.abs(between).max(initial=0.0)))
    return 20.0 * math.log10(peak) if peak > 0.0 else -math.inf


def normalise_loudness(
    samples: Samples, rate: int, target_lufs: float = -14.0, true_peak_dbtp: float = -1.0
) -> tuple[Samples, float]:
    """Bring a song to a loudness with one constant gain.

    Where the gain would lift the true peak above the limit it is made smaller, and the song stays below the target: a
    limiter would reach it, but would change the sound that was scored and chosen.

    Parameters
    ----------
    samples : float array [shape=(frames,) or (frames, channels)]
    rate : int
        Hz.
    target_lufs : float
        -14 is what streaming services play at.
    true_peak_dbtp : float
        Ceiling; -1 leaves room for what a lossy encoder adds.

    Returns
    -------
    samples : float32 array, same shape
    gain_db : float
        What was applied; 0 for silence.
    """
    measured = loudness(samples, rate)
    if not math.isfinite(measured):
        return np.asarray(samples, dtype=np.float32), 0.0
    gain_db = min(target_lufs - measured, true_peak_dbtp - true_peak(samples, rate))
    return (np.asarray(samples, dtype=np.float64) * 10.0 ** (gain_db / 20.0)).astype(np.float32), gain_db


def _columns(samples: Samples) -> npt.NDArray[np.float64]:
    array = np.asarray(samples, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array
