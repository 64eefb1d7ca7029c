"""Synthesizer pads, stacks, stabs and leads."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import (
    fall,
    high_pass,
    hold,
    low_pass,
    peak,
    saturate,
    shape,
    spread,
    to_power,
)
from optimizer.rendering.synth.voices.signals import (
    Wave,
    clock,
    frames,
    glide_phase,
    hertz,
    noise,
    pulse,
    saw,
    series,
    vibrato,
)


def _stack(n: int, hz: float, voices: int, detune: float, rng: np.random.Generator) -> Wave:
    """Detuned saws dealt alternately to the left and the right [shape=(2, n)]."""
    sides = np.zeros((2, n), dtype=np.float32)
    for k, place in enumerate(np.linspace(-1.0, 1.0, voices)):
        # Squaring the spacing keeps the inner voices near the pitch, as in the first supersaw synthesizers.
        cents = detune * float(np.sign(place) * place * place)
        sides[k % 2] += saw(n, hz * 2.0 ** (cents / 1200.0), float(rng.uniform()))
    return spread(sides[0], sides[1], 0.8)


def _pad(
    voices: int, detune: float, cut: float, attack: float, release: float, sustain: float, pluck: float, cue: Cue
) -> Wave:
    """Stack under a low-pass; `pluck` above 0 lets the filter fall from open at the attack."""
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 2.5 * release)
    source = _stack(n, hz, voices, detune, cue.rng)
    top = cut * 2.0 ** (2.4 * (cue.bright - 0.5))
    cut_low = high_pass(min(hz * 0.8, 180.0))
    out = shape(source, low_pass(top, 0.8), cut_low)
    if pluck:
        blend = fall(n, pluck)
        out = out * (1.0 - blend) + shape(source, low_pass(top * 5.0, 0.8), cut_low) * blend
    return to_power(out * hold(n, cue.seconds, attack, 0.5, sustain, release))


def _wobble(cue: Cue) -> Wave:
    """Future-bass stack: level and filter pumped three times a beat's worth of the note."""
    n = frames(cue.seconds + 0.1)
    hz = hertz(cue.pitch)
    source = _stack(n, hz, 7, 16.0, cue.rng)
    t = clock(n)
    speed = max(1.0, round(cue.seconds * 6.0)) / max(cue.seconds, 0.05)
    lfo = (0.5 - 0.5 * np.cos(2.0 * np.pi * speed * t)).astype(np.float32)
    dark = shape(source, low_pass(700.0, 1.0), high_pass(150.0))
    light = shape(source, low_pass(5_000.0 + 6_000.0 * cue.bright, 0.8), high_pass(200.0))
    return to_power((dark * (1.0 - lfo) + light * lfo) * hold(n, cue.seconds, 0.004, 1.0, 0.9, 0.04))


def _lead(kind: str, detune: float, glide: float, cue: Cue) -> Wave:
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.16)
    track = vibrato(n, hz, 9.0, 5.4, 0.35, glide)
    if kind == "saw":
        left = saw(n, track * 2.0 ** (-detune / 1200.0), float(cue.rng.uniform()))
        right = saw(n, track * 2.0 ** (detune / 1200.0), float(cue.rng.uniform()))
        left += saw(n, track, float(cue.rng.uniform()))
    elif kind == "square":
        left = pulse(n, hz * 2.0 ** (-detune / 1200.0), 0.5, float(cue.rng.uniform()))
        right = pulse(n, hz * 2.0 ** (detune / 1200.0), 0.42, float(cue.rng.uniform()))
    else:
        tone = series(glide_phase(track), (1.0, 0.25, 0.30, 0.10, 0.08))
        left, right = tone, tone
    out = shape(spread(left, right, 0.5), low_pass(2_200.0 * 2.0 ** (2.2 * cue.bright), 0.9), high_pass(160.0))
    return to_power(out * hold(n, cue.seconds, 0.006, 0.5, 0.75, 0.06))


def _brass(attack: float, cue: Cue) -> Wave:
    """Saws whose filter opens with the breath; short notes are stabs."""
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.12)
    source = saw(n, hz * 2.0 ** (-5.0 / 1200.0), 0.1) + saw(n, hz * 2.0 ** (5.0 / 1200.0), 0.6)
    t = clock(n)
    opening = np.minimum(1.0, t / attack).astype(np.float32)
    opening *= np.float32(0.6) + np.float32(0.4) * fall(n, 0.15)
    dark = shape(source, low_pass(700.0), high_pass(120.0))
    light = shape(source, low_pass(2_600.0 + 3_000.0 * cue.bright), peak(1_500.0, 1.5), high_pass(120.0))
    return to_power((dark * (1.0 - opening) + light * opening) * hold(n, cue.seconds, attack, 0.4, 0.85, 0.05))


def _breath(breath: float, cents: float, cut: float, scoop: float, cue: Cue) -> Wave:
    """Flutes and whistles: few harmonics, a growing vibrato, and air."""
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.14)
    tone = series(glide_phase(vibrato(n, hz, cents, 5.2, 0.4, scoop)), (1.0, 0.30, 0.16, 0.06, 0.03))
    air = shape(noise(n, cue.rng), low_pass(hz * 2.5, 3.0), high_pass(hz * 0.8))
    out = shape(tone + np.float32(breath) * air, low_pass(cut * (0.7 + 0.6 * cue.bright)))
    return to_power(out * hold(n, cue.seconds, 0.045, 1.0, 0.85, 0.06))


def _impact(cue: Cue) -> Wave:
    """A deep hit under the first beat of a big section, on the tonic."""
    n = frames(1.8)
    hz = hertz(24.0 + (cue.pitch - 24.0) % 12.0 + 12.0)
    body = saturate(series(glide_phase(np.full(n, hz)), (1.0, 0.2)) * fall(n, 0.5), 1.5)
    rumble = shape(noise(n, cue.rng), low_pass(300.0)) * fall(n, 0.35)
    return to_power(body + np.float32(0.5) * rumble)


VOICES: dict[str, Voice] = {
    "supersaw": partial(_pad, 7, 17.0, 5_200.0, 0.006, 0.10, 0.85, 0.0),
    "super-stab": partial(_pad, 7, 15.0, 2_400.0, 0.004, 0.08, 0.30, 0.10),
    "pad": partial(_pad, 4, 9.0, 1_500.0, 0.12, 0.35, 0.9, 0.0),
    "pad-dark": partial(_pad, 4, 8.0, 700.0, 0.20, 0.40, 0.95, 0.0),
    "pad-bright": partial(_pad, 5, 11.0, 3_600.0, 0.06, 0.30, 0.9, 0.0),
    "stab-deep": partial(_pad, 3, 7.0, 1_100.0, 0.004, 0.12, 0.25, 0.06),
    "wobble": _wobble,
    "lead-saw": partial(_lead, "saw", 8.0, -30.0),
    "lead-square": partial(_lead, "square", 5.0, 0.0),
    "lead-soft": partial(_lead, "soft", 0.0, -60.0),
    "brass": partial(_brass, 0.03),
    "brass-slow": partial(_brass, 0.09),
    "flute": partial(_breath, 0.25, 14.0, 6_000.0, -40.0),
    "bansuri": partial(_breath, 0.35, 22.0, 4_500.0, -120.0),
    "whistle": partial(_breath, 0.10, 10.0, 7_000.0, -50.0),
    "impact": _impact,
}
