"""Where the beat falls: the phase of a grid whose tempo is known, for DJ programs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HOP = 0.005
_WINDOW = 0.04


def first_beat(samples: npt.NDArray[np.float32], rate: int, bpm: float) -> float:
    """Estimate when the first beat falls, the tempo being known and constant.

    Rises of the spectrum's magnitude are added up at every phase of the beat, and the strongest phase wins. Low
    frequencies weigh more, for drums mark the beat there and everything else in between.

    Parameters
    ----------
    samples : float array [shape=(frames,) or (frames, channels)]
        The first 30 s are used.
    rate : int
        Hz.
    bpm : float

    Returns
    -------
    float
        Seconds, from 0 to one beat's length.
    """
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    mono = np.asarray(mono[: 30 * rate], dtype=np.float32)
    hop, window = max(1, round(_HOP * rate)), round(_WINDOW * rate)
    period = 60.0 / bpm
    if len(mono) < window + 2 * round(period * rate):
        return 0.0
    # With half a window of silence in front, frame k is centred on k hops.
    padded = np.concatenate((np.zeros(window // 2, dtype=np.float32), mono))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1))
    frequencies = np.fft.rfftfreq(window, 1.0 / rate)
    weighted = np.sqrt(spectrum) / (1.0 + frequencies / 100.0)
    rise = np.maximum(np.diff(weighted, axis=0, prepend=weighted[:1]), 0.0).sum(axis=1)
    step = hop / rate
    times = np.arange(len(rise)) * step
    phases = np.arange(0.0, period, step)
    beats = np.arange(int(times[-1] / period))
    strength = np.interp(phases[:, None] + beats[None, :] * period, times, rise).sum(axis=1)
    # An attack rises over several frames; smoothing around the circle finds its middle. The window sees it coming, so
    # the rise is one step early (measured on clicks and on the embedded engine, whose beats are known).
    smooth = strength + np.roll(strength, 1) + np.roll(strength, -1)
    return float((phases[int(np.argmax(smooth))] + step) % period)
