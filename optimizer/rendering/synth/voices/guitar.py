"""Electric guitars: a string, a distorting stage, a cabinet; chords are distorted as a whole, as in an amplifier."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import fall, high_pass, hold, low_pass, peak, saturate, shape, to_power
from optimizer.rendering.synth.voices.signals import (
    Wave,
    bank,
    frames,
    hertz,
    noise,
    saw,
    vibrato,
)


def _strings(n: int, pitches: tuple[float, ...], decay: float, rng: np.random.Generator) -> Wave:
    out = np.zeros(n, dtype=np.float32)
    for pitch in pitches:
        hz = hertz(pitch)
        count = int(min(18.0, 5_000.0 / hz)) + 1
        k = np.arange(1, count + 1)
        levels = k**-1.05 * np.abs(np.sin(np.pi * 0.19 * k))
        out += bank(n, hz * k, levels, decay / (1.0 + 0.10 * (k - 1)), rng.uniform(-0.8, 0.8, count))
    short = min(n, frames(0.02))
    out[:short] += np.float32(0.2) * noise(short, rng) * fall(short, 0.004)
    return out


def _power(intervals: tuple[float, ...], drive: float, decay: float, muted: bool, cue: Cue) -> Wave:
    """Chord through one distortion, two takes left and right [shape=(2, n)]."""
    seconds = min(cue.seconds, 0.09) if muted else cue.seconds
    n = frames(seconds + 0.07)
    sides = []
    for cents in (-0.03, 0.03):
        pitches = tuple(cue.pitch + interval + cents for interval in intervals)
        dry = shape(_strings(n, pitches, decay, cue.rng), high_pass(90.0))
        level = np.float32(1.0 / max(1e-6, float(np.max(np.abs(dry)))))
        hot = saturate(dry * level + np.float32(0.06), drive * (0.7 + 0.6 * cue.bright))
        cut = 1_600.0 if muted else 3_800.0 + 1_400.0 * cue.bright
        sides.append(
            shape(hot, high_pass(85.0), peak(130.0, 1.4), peak(2_300.0, 1.6), low_pass(cut), low_pass(5_500.0))
        )
    return to_power(np.stack(sides) * hold(n, seconds, 0.002, 60.0, 1.0, 0.018))


def _lead(drive: float, cue: Cue) -> Wave:
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.10)
    tone = saw(n, vibrato(n, hz, 20.0, 5.6, 0.4, -70.0), 0.2)
    tone = saturate(shape(tone, low_pass(2_600.0)), drive)
    out = shape(tone, high_pass(200.0), peak(1_600.0, 1.5), low_pass(4_200.0 + 1_500.0 * cue.bright))
    return to_power(out * hold(n, cue.seconds, 0.004, 1.2, 0.8, 0.05))


VOICES: dict[str, Voice] = {
    "guitar-power": partial(_power, (0.0, 7.0, 12.0), 9.0, 1.6, False),
    "guitar-octave": partial(_power, (0.0, 12.0), 5.0, 1.2, False),
    "guitar-crunch": partial(_power, (0.0,), 2.6, 0.9, False),
    "guitar-mute": partial(_power, (0.0, 7.0), 7.0, 0.25, True),
    "guitar-lead": partial(_lead, 4.0),
    "guitar-fuzz": partial(_lead, 9.0),
}
