"""Hats, cymbals, shakers, and the noise that leads into a new section."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import band_pass, fall, high_pass, low_pass, peak, shape, to_peak
from optimizer.rendering.synth.voices.signals import Wave, bank, clock, frames, noise

# Ratios of a well-known drum machine's six oscillators, moved up until no pitch is left in them.
_METAL = np.array([1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523])


def _metal(n: int, base: float, decay: float, rng: np.random.Generator) -> Wave:
    ratios = np.concatenate([_METAL, _METAL * 1.87])
    return bank(n, base * ratios, np.full(len(ratios), 0.3), np.full(len(ratios), decay), rng.uniform(0, 6.28, 12))


def _hat(length: float, decay: float, cut: float, ring: float, cue: Cue) -> Wave:
    n = frames(length)
    hiss = shape(noise(n, cue.rng), high_pass(cut), high_pass(cut), peak(9_500.0, 1.0 + cue.bright))
    metal = shape(_metal(n, 5_200.0, decay, cue.rng), high_pass(cut))
    return to_peak(hiss * fall(n, decay) + np.float32(ring) * metal)


def _cymbal(length: float, decay: float, base: float, ring: float, stick: float, cue: Cue) -> Wave:
    n = frames(length)
    wash = shape(noise(n, cue.rng), high_pass(3_200.0), low_pass(13_000.0)) * (fall(n, decay) + fall(n, decay / 6.0))
    bell = _metal(n, base, decay * 0.8, cue.rng)
    tick = shape(noise(n, cue.rng), high_pass(6_000.0)) * fall(n, 0.006)
    return to_peak(wash + np.float32(ring) * bell + np.float32(stick) * tick)


def _shaker(attack: float, decay: float, centre: float, cue: Cue) -> Wave:
    n = frames(attack + decay * 5.0)
    t = clock(n)
    swell = np.where(t < attack, (t / attack) ** 2, np.exp(-np.maximum(t - attack, 0.0) / decay))
    return to_peak(shape(noise(n, cue.rng), band_pass(centre, 0.9), high_pass(4_000.0)) * swell.astype(np.float32))


def _tambourine(cue: Cue) -> Wave:
    n = frames(0.22)
    jingles = np.zeros(n, dtype=np.float32)
    for start in cue.rng.uniform(0.0, 0.03, 5):
        at = frames(float(start))
        rest = n - at
        jingles[at:] += bank(rest, cue.rng.uniform(6_000, 12_000, 4), np.full(4, 0.25), np.full(4, 0.045))
    return to_peak(jingles + shape(noise(n, cue.rng), high_pass(7_000.0)) * fall(n, 0.035))


def _riser(falling: bool, cue: Cue) -> Wave:
    """Noise that opens (or closes) over the note: a cross-fade through four bands [shape=(2, n)]."""
    n = frames(cue.seconds)
    place = np.linspace(0.0, 3.0, n)
    swell = np.linspace(0.0, 1.0, n) ** 2
    if falling:
        place, swell = place[::-1], swell[::-1]
    sides = []
    for _ in range(2):
        source = noise(n, cue.rng)
        out = np.zeros(n, dtype=np.float32)
        for k, centre in enumerate((700.0, 1_800.0, 4_200.0, 9_000.0)):
            weight = np.maximum(0.0, 1.0 - np.abs(place - k))
            out += shape(source, band_pass(centre, 1.0)) * weight.astype(np.float32)
        sides.append(out * swell.astype(np.float32))
    return to_peak(np.stack(sides))


def _crackle(cue: Cue) -> Wave:
    """The dust of a record: rare clicks over a faint hiss."""
    n = frames(cue.seconds)
    dust = np.zeros(n, dtype=np.float32)
    places = cue.rng.integers(0, n, max(1, round(14.0 * cue.seconds)))
    dust[places] = cue.rng.uniform(-1.0, 1.0, len(places)).astype(np.float32)
    clicks = to_peak(shape(dust, band_pass(3_000.0, 0.5)))
    return clicks + np.float32(0.012) * shape(noise(n, cue.rng), low_pass(6_000.0))


VOICES: dict[str, Voice] = {
    "hat": partial(_hat, 0.09, 0.022, 7_000.0, 0.12),
    "hat-tight": partial(_hat, 0.06, 0.012, 8_500.0, 0.08),
    "hat-live": partial(_hat, 0.12, 0.030, 6_000.0, 0.22),
    "hat-open": partial(_hat, 0.40, 0.11, 6_500.0, 0.16),
    "hat-half": partial(_hat, 0.28, 0.075, 6_000.0, 0.22),
    "ride": partial(_cymbal, 0.8, 0.22, 3_900.0, 0.5, 0.9),
    "crash": partial(_cymbal, 2.2, 0.55, 3_400.0, 0.2, 0.2),
    "splash": partial(_cymbal, 0.9, 0.20, 4_300.0, 0.2, 0.2),
    "shaker": partial(_shaker, 0.030, 0.030, 7_500.0),
    "maraca": partial(_shaker, 0.012, 0.018, 9_000.0),
    "guiro": partial(_shaker, 0.090, 0.020, 5_200.0),
    "tambourine": _tambourine,
    "crackle": _crackle,
    "riser": partial(_riser, False),
    "downlifter": partial(_riser, True),
}
