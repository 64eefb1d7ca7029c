"""A voice that sings vowels: harmonics weighted by formants, with simple consonants; words are not intelligible.

References
----------
.. [1] Peterson, Barney: "Control methods used in a study of the vowels", JASA 24(2), 1952 (formant frequencies).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import band_pass, fall, high_pass, hold, low_pass, shape, spread, to_power
from optimizer.rendering.synth.voices.signals import Wave, clock, frames, glide_phase, hertz, noise, saw, vibrato

_FORMANTS: dict[str, tuple[float, float, float]] = {
    "a": (800.0, 1_250.0, 2_700.0),
    "e": (520.0, 1_950.0, 2_650.0),
    "i": (320.0, 2_450.0, 3_100.0),
    "o": (500.0, 880.0, 2_600.0),
    "u": (350.0, 750.0, 2_500.0),
    "y": (320.0, 1_850.0, 2_500.0),
    "ö": (460.0, 1_500.0, 2_450.0),
    "ə": (570.0, 1_350.0, 2_600.0),
    "æ": (720.0, 1_750.0, 2_600.0),
}
"""First three formants in Hz between a low and a high voice."""

_WIDTHS = (90.0, 120.0, 180.0)
_LEVELS = (1.0, 0.55, 0.28)


def _weights(
    vowel: str, hz: float, count: int, tract: float, tilt: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Amplitude of each harmonic of `hz` under a vowel's formants [shape=(count,)]."""
    f = hz * np.arange(1, count + 1)
    total = np.zeros(count)
    for centre, width, level in zip(_FORMANTS[vowel], _WIDTHS, _LEVELS, strict=True):
        # A formant that lies under the fundamental would silence the note; singers tune it up instead.
        centre = max(centre * tract, hz * 1.02) if level == 1.0 else centre * tract
        total += level / np.sqrt(1.0 + ((f - centre) / (width + 0.04 * centre)) ** 2)
    singer = 0.22 / (1.0 + ((f - 3_200.0 * tract) / 500.0) ** 2)
    return np.asarray((total + singer) * np.arange(1, count + 1) ** -tilt)


def _syllable(cue: Cue) -> tuple[str, str, str]:
    parts = cue.syllable.split("|")
    consonant, start, end = parts if len(parts) == 3 else ("", "a", "a")
    return consonant, start if start in _FORMANTS else "a", end if end in _FORMANTS else "a"


def _sing(tract: float, tilt: float, cents: float, scoop: float, air: float, cue: Cue) -> Wave:
    """One syllable: consonant, vowel, glide into the closing vowel."""
    consonant, start, end = _syllable(cue)
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.10)
    count = int(max(4.0, min(30.0, 6_000.0 / hz)))
    drift = vibrato(n, hz, cents, 5.5, 0.45, scoop)
    turn = np.exp(1j * glide_phase(drift)).astype(np.complex64)
    first = _weights(start, hz, count, tract, tilt).astype(np.float32)
    second = _weights(end, hz, count, tract, tilt).astype(np.float32)
    t = clock(n)
    late = np.clip((t - 0.45 * cue.seconds) / max(0.05, 0.35 * cue.seconds), 0.0, 1.0).astype(np.float32)
    out = np.zeros(n, dtype=np.float32)
    power = turn.copy()
    for k in range(count):
        if start == end:
            out += first[k] * power.imag
        else:
            out += (first[k] + (second[k] - first[k]) * late) * power.imag
        power *= turn
    out /= np.float32(max(1e-6, float(np.sqrt(np.sum(np.square(first, dtype=np.float64)) / 2.0))))
    breath = shape(noise(n, cue.rng), band_pass(_FORMANTS[start][1] * tract, 0.8), high_pass(900.0))
    out += np.float32(air) * breath
    out *= hold(n, cue.seconds, 0.05 if consonant == "n" else 0.022, 1.2, 0.85, 0.035)
    _consonant(out, consonant, cue)
    return to_power(out)


def _consonant(out: Wave, kind: str, cue: Cue) -> None:
    """Add the onset in place: s hiss, t burst, n hum, r roll."""
    n = len(out)
    if kind == "s":
        short = min(n, frames(0.07))
        hiss = shape(noise(short, cue.rng), high_pass(4_500.0), low_pass(11_000.0))
        out[:short] = out[:short] * np.linspace(0.0, 1.0, short, dtype=np.float32) + np.float32(0.5) * hiss * fall(
            short, 0.03
        )
    elif kind == "t":
        short = min(n, frames(0.03))
        out[:short] += np.float32(0.7) * shape(noise(short, cue.rng), band_pass(2_200.0, 0.6)) * fall(short, 0.006)
    elif kind == "r":
        short = min(n, frames(0.08))
        out[:short] *= (0.6 + 0.4 * np.cos(2.0 * np.pi * 25.0 * clock(short))).astype(np.float32)


def _crowd(cue: Cue) -> Wave:
    """Five people shouting one syllable, not quite together [shape=(2, n)]."""
    n = frames(cue.seconds + 0.2)
    sides = np.zeros((2, n), dtype=np.float32)
    for person in range(5):
        late = frames(float(cue.rng.uniform(0.0, 0.03)))
        tract = float(cue.rng.uniform(0.88, 1.12))
        cents = float(cue.rng.uniform(-0.25, 0.25))
        own = Cue(cue.pitch + cents + (12.0 if person == 4 else 0.0), cue.seconds, cue.bright, cue.rng, "t|o|i")
        voice = _sing(tract, 0.05, 0.0, -160.0, 0.25, own)
        length = min(len(voice), n - late)
        sides[person % 2, late : late + length] += voice[:length]
    return to_power(spread(sides[0], sides[1], 0.8))


def _choir(tract: float, cue: Cue) -> Wave:
    """Four singers on one vowel, two to a side [shape=(2, n)]."""
    _, start, _ = _syllable(cue)
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.5)
    sides = np.zeros((2, n), dtype=np.float32)
    for person in range(4):
        cents, speed, phase = (float(x) for x in cue.rng.uniform((-9.0, 4.5, 0.0), (9.0, 6.0, 1.0)))
        sides[person % 2] += saw(n, vibrato(n, hz * 2.0 ** (cents / 1200.0), 12.0, speed, 0.3), phase)
    first, second, third = (centre * tract for centre in _FORMANTS[start])

    def throat(f: npt.NDArray[Any]) -> npt.NDArray[Any]:
        mouth = band_pass(first, 5.0)(f) + 0.5 * band_pass(second, 8.0)(f) + 0.25 * band_pass(third, 9.0)(f)
        return np.asarray(mouth + 0.08 * low_pass(first)(f))

    return to_power(shape(spread(sides[0], sides[1], 0.8), throat) * hold(n, cue.seconds, 0.11, 1.0, 0.9, 0.14))


def _chop(cue: Cue) -> Wave:
    """A short cut of a sung vowel, doubled an octave up: the lead of festival tracks [shape=(2, n)]."""
    left = _sing(1.16, 0.15, 0.0, 90.0, 0.05, cue)
    right = _sing(1.22, 0.12, 0.0, 60.0, 0.05, cue)
    return to_power(spread(left, right, 0.7))


VOICES: dict[str, Voice] = {
    "singer-low": partial(_sing, 0.94, 0.35, 14.0, -60.0, 0.05),
    "singer-high": partial(_sing, 1.10, 0.30, 20.0, -60.0, 0.07),
    "singer-soft": partial(_sing, 1.06, 0.55, 12.0, -40.0, 0.16),
    "singer-raga": partial(_sing, 1.02, 0.28, 26.0, -170.0, 0.05),
    "singer-shout": partial(_sing, 0.98, 0.10, 8.0, -120.0, 0.08),
    "rapper": partial(_sing, 0.90, 0.25, 0.0, 120.0, 0.10),
    "crowd": _crowd,
    "choir": partial(_choir, 1.0),
    "chop": _chop,
}
