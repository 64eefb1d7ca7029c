"""What can be measured of a song without a model: rhythm, spectrum, dynamics and harmony as plain numbers.

Everything is numpy and scipy.fft on one decoded clip: no compiled-at-first-use code, no state between clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 22_050
"""Hz; what the clip is resampled to. Nothing above 11 kHz is looked at."""

FRAME, HOP = 1024, 256
"""Samples; 46 ms windows every 11.6 ms, short enough to place an onset."""

TONAL_FRAME, TONAL_HOP = 8192, 4096
"""Samples; 372 ms windows, long enough to tell semitones apart from 80 Hz upwards."""

CROSSOVER = 80.0
"""Hz; where a subwoofer takes over."""

BANDS = 40
"""Mel bands from 30 Hz to 11 kHz."""

COEFFICIENTS = 20
"""Mel-frequency cepstral coefficients kept, the first being the level."""

FRAME_RATE = RATE / HOP

ONSET_FLOOR = 0.002
"""Deviation of the onset envelope below which its rhythm hardly counts: a third of white noise's."""

TEMPI = np.geomspace(40.0, 240.0, 24)
"""BPM at which the onset autocorrelation is read for the embedding."""

BEAT_RANGE = (0.25, 1.5)
"""Seconds between beats that a listener can tap: 240 to 40 BPM."""

Floats = npt.NDArray[np.float32]

# Krumhansl and Kessler's probe-tone ratings, tonic first [1].
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


@dataclass(frozen=True, slots=True)
class Features:
    """Measurements of one clip, all independent of its level.

    Attributes
    ----------
    pulse : float
        Highest autocorrelation of the onset envelope at a tappable period, -1 to 1 [2].
    tempo : float
        BPM of the period that stands out most after weighting by human preference [3]; 0 if there is none.
    tempo_strength : float
        Autocorrelation there, times the preference weight of that tempo, 0 to 1.
    low_db : float
        Energy that a second-order crossover at 80 Hz would send to a subwoofer, relative to the whole, dB.
    high_db : float
        Energy above 2 kHz relative to all above 150 Hz, dB: a heavy bass makes no song dull.
    crest_db : float
        Peak over RMS, dB.
    spread_db : float
        Between the 10th and the 95th percentile of the level in frames of 46 ms, dB.
    density : float
        Onsets per second.
    mode : float
        How much better the best minor key explains the chroma than the best major one: difference of correlations,
        about -0.4 (major) to 0.4 (minor).
    clarity : float
        Correlation of the chroma with the best key's profile, -1 to 1.
    mfcc_mean, mfcc_std : float32 array [shape=(20,)]
    chroma : float32 array [shape=(12,)]
        From C; sums to 1.
    periodicity : float32 array [shape=(24,)]
        Onset autocorrelation at `TEMPI`.

    References
    ----------
    .. [1] C. L. Krumhansl, "Cognitive Foundations of Musical Pitch", 1990.
    .. [2] O. Lartillot et al., "Multi-feature modeling of pulse clarity", ISMIR 2008.
    .. [3] L. van Noorden and D. Moelants, "Resonance in the perception of musical pulse", 1999.
    """

    pulse: float
    tempo: float
    tempo_strength: float
    low_db: float
    high_db: float
    crest_db: float
    spread_db: float
    density: float
    mode: float
    clarity: float
    mfcc_mean: Floats
    mfcc_std: Floats
    chroma: Floats
    periodicity: Floats


def measure(samples: Floats) -> Features:
    """Measure one clip.

    Parameters
    ----------
    samples : float32 array [shape=(n,)]
        Mono at `RATE`, not silent. Shorter than one frame is padded with zeros.

    Returns
    -------
    Features
    """
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    samples = (samples * (0.1 / rms)).astype(np.float32)
    power = _power(samples, FRAME, HOP)
    # Compressing with a floor 60 dB under the mean level keeps noise between the notes from looking like onsets.
    mel = np.log10(1.0 + 1e4 * (power @ _mel_matrix().T))
    envelope = _onset_envelope(mel)
    correlation = _autocorrelation(envelope)
    tempo, strength = _tempo(correlation)
    spectrum = power.mean(axis=0, dtype=np.float64)
    frequencies, tones = (np.fft.rfftfreq(frame, 1.0 / RATE) for frame in (FRAME, TONAL_FRAME))
    body = frequencies >= 150.0
    tonal = _power(samples, TONAL_FRAME, TONAL_HOP)
    levels = 10.0 * np.log10(power.sum(axis=1, dtype=np.float64) + 1e-9)
    chroma = _chroma(tonal)
    mode, clarity = _mode(chroma)
    mfcc = mel @ _cosines().T
    return Features(
        pulse=_pulse(correlation),
        tempo=tempo,
        tempo_strength=strength,
        low_db=_share_db(tonal.mean(axis=0, dtype=np.float64), 1.0 / (1.0 + (tones / CROSSOVER) ** 4)),
        high_db=_share_db(spectrum[body], frequencies[body] > 2000.0),
        crest_db=float(20.0 * np.log10(np.abs(samples).max() / 0.1)),
        spread_db=float(np.subtract(*np.percentile(levels, [95.0, 10.0]))),
        density=_density(envelope, len(samples) / RATE),
        mode=mode,
        clarity=clarity,
        mfcc_mean=mfcc.mean(axis=0, dtype=np.float64).astype(np.float32),
        mfcc_std=mfcc.std(axis=0, dtype=np.float64).astype(np.float32),
        chroma=chroma.astype(np.float32),
        periodicity=_read_at(correlation, 60.0 / TEMPI).astype(np.float32),
    )


def preference(tempo: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weight of a tempo in BPM, 0 to 1: a bell over its logarithm around 125 BPM, 0.61 half an octave away."""
    return np.asarray(np.exp(-0.5 * np.square(np.log2(np.asarray(tempo, dtype=np.float64) / 125.0) / 0.5)))


def _power(samples: Floats, frame: int, hop: int) -> Floats:
    """Power spectrogram with a Hann window, (frames, frame // 2 + 1), its sum over bins near the frame's mean power."""
    import scipy.fft

    if len(samples) < frame:
        samples = np.pad(samples, (0, frame - len(samples)))
    windows = np.lib.stride_tricks.sliding_window_view(samples, frame)[::hop]
    window = np.hanning(frame + 1)[:-1].astype(np.float32)
    spectrum = scipy.fft.rfft(windows * window, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power * (2.0 / (frame * float(np.sum(window**2)))), dtype=np.float32)


@lru_cache(maxsize=1)
def _mel_matrix() -> Floats:
    """Triangles on the mel scale, (BANDS, FRAME // 2 + 1), each of height 1; narrow ones keep at least one bin."""
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (30.0, RATE / 2.0))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    frequencies = np.fft.rfftfreq(FRAME, 1.0 / RATE)
    rise = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    matrix = np.clip(np.minimum(rise, fall), 0.0, None)
    nearest = np.abs(frequencies - edges[1:-1, None]).argmin(axis=1)
    matrix[np.arange(BANDS), nearest] = np.maximum(matrix[np.arange(BANDS), nearest], 0.5)
    return np.asarray(matrix, dtype=np.float32)


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """Orthonormal DCT-II over the mel bands, (COEFFICIENTS, BANDS)."""
    angles = np.pi * (np.arange(BANDS) + 0.5) * np.arange(COEFFICIENTS)[:, None] / BANDS
    scale = np.full(COEFFICIENTS, np.sqrt(2.0 / BANDS))
    scale[0] = np.sqrt(1.0 / BANDS)
    return np.asarray(np.cos(angles) * scale[:, None], dtype=np.float32)


def _onset_envelope(mel: Floats) -> npt.NDArray[np.float64]:
    """Rise of the log-mel spectrum, averaged over bands, smoothed over three frames; one value per frame."""
    rise = np.maximum(np.diff(mel, axis=0, prepend=mel[:1]), 0.0).mean(axis=1, dtype=np.float64)
    return np.asarray(np.convolve(rise, [0.25, 0.5, 0.25], mode="same"))


def _autocorrelation(envelope: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normalised, unbiased autocorrelation for lags of up to 3 s, or half of the clip; about 1 at lag 0."""
    import scipy.fft

    # A slow swell is no pulse: what moves over more than a second is taken off.
    width = min(len(envelope), round(FRAME_RATE))
    weights = np.convolve(np.ones(len(envelope)), np.ones(width), mode="same")
    centred = envelope - np.convolve(envelope, np.ones(width), mode="same") / weights
    count = len(centred)
    spectrum = scipy.fft.rfft(centred, scipy.fft.next_fast_len(2 * count, real=True))
    raw = scipy.fft.irfft(spectrum.real**2 + spectrum.imag**2)[: max(2, min(count // 2, round(3.0 * FRAME_RATE)))]
    # The floor keeps the rounding noise of a held tone from counting as a perfect rhythm.
    unbiased = raw / (raw[0] + count * ONSET_FLOOR**2) * count / (count - np.arange(len(raw)))
    return np.asarray(np.clip(unbiased, -1.0, 1.0))


def _peaks(correlation: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Lags, in frames, of the local maxima at tappable periods."""
    inner = correlation[1:-1]
    lags = np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:])) + 1
    low, high = (seconds * FRAME_RATE for seconds in BEAT_RANGE)
    return np.asarray(lags[(lags >= low) & (lags <= high)])


def _pulse(correlation: npt.NDArray[np.float64]) -> float:
    lags = _peaks(correlation)
    return float(correlation[lags].max()) if len(lags) else 0.0


def _tempo(correlation: npt.NDArray[np.float64]) -> tuple[float, float]:
    lags = _peaks(correlation)
    if not len(lags):
        return 0.0, 0.0
    # A parabola through the peak and its neighbours: one frame is 3 BPM at 120.
    left, peak, right = (correlation[lags + shift] for shift in (-1, 0, 1))
    curvature = left - 2.0 * peak + right
    shift = np.where(curvature < 0.0, 0.5 * (left - right) / np.where(curvature < 0.0, curvature, 1.0), 0.0)
    tempi = 60.0 * FRAME_RATE / (lags + np.clip(shift, -0.5, 0.5))
    strengths = np.maximum(peak, 0.0) * preference(tempi)
    best = int(strengths.argmax())
    return float(tempi[best]), float(strengths[best])


def _read_at(correlation: npt.NDArray[np.float64], periods: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Autocorrelation at periods in seconds; 0 where the clip is too short to know."""
    return np.asarray(np.interp(periods * FRAME_RATE, np.arange(len(correlation)), correlation, right=0.0))


def _density(envelope: npt.NDArray[np.float64], seconds: float) -> float:
    """Count local maxima that stand out of the fifth of a second around them by a fixed step."""
    width = min(len(envelope), round(0.2 * FRAME_RATE))
    weights = np.convolve(np.ones(len(envelope)), np.ones(width), mode="same")
    around = np.convolve(envelope, np.ones(width), mode="same") / weights
    inner = envelope[1:-1]
    onset = (inner > envelope[:-2]) & (inner >= envelope[2:]) & (inner > around[1:-1] + 0.01)
    return float(np.count_nonzero(onset) / seconds)


def _share_db(spectrum: npt.NDArray[np.float64], weights: npt.NDArray[Any]) -> float:
    share = float((spectrum * weights).sum() / max(float(spectrum.sum()), 1e-20))
    return float(10.0 * np.log10(max(share, 1e-6)))


@lru_cache(maxsize=1)
def _chroma_matrix() -> Floats:
    """Each bin from 80 Hz to 2 kHz goes to the two nearest pitch classes by its distance, (12, bins)."""
    frequencies = np.fft.rfftfreq(TONAL_FRAME, 1.0 / RATE)
    matrix = np.zeros((12, len(frequencies)))
    inside = np.flatnonzero((frequencies >= 80.0) & (frequencies <= 2000.0))
    pitch = 69.0 + 12.0 * np.log2(frequencies[inside] / 440.0)
    lower = np.floor(pitch)
    matrix[(lower % 12).astype(int), inside] = 1.0 - (pitch - lower)
    matrix[((lower + 1) % 12).astype(int), inside] = pitch - lower
    return np.asarray(matrix, dtype=np.float32)


def _chroma(power: Floats) -> npt.NDArray[np.float64]:
    """Pitch classes from C, the mean of frames that each sum to 1: loud drums do not outvote quiet chords."""
    magnitude = np.sqrt(power)
    # Keeping spectral peaks only takes noise and the skirts of the window out of the count.
    peaks = np.zeros_like(magnitude)
    inner = magnitude[:, 1:-1]
    kept = (inner > magnitude[:, :-2]) & (inner >= magnitude[:, 2:])
    peaks[:, 1:-1] = np.where(kept, inner, 0.0)
    frames = (peaks @ _chroma_matrix().T).astype(np.float64)
    sums = frames.sum(axis=1, keepdims=True)
    sounding = sums[:, 0] > 1e-6
    if not sounding.any():
        return np.full(12, 1.0 / 12.0)
    mean = (frames[sounding] / sums[sounding]).mean(axis=0)
    return np.asarray(mean / mean.sum())


def _mode(chroma: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return (minor minus major, best) correlation with the twelve turns of the two profiles."""
    if chroma.std() < 1e-9:
        return 0.0, 0.0
    best = []
    for profile in (_MAJOR, _MINOR):
        turned = np.stack([np.roll(profile, tonic) for tonic in range(12)])
        best.append(max(float(np.corrcoef(chroma, row)[0, 1]) for row in turned))
    return best[1] - best[0], max(best)
