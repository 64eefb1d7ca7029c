"""Basses: sub, 808, fingered, picked, slapped, house and reese."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import (
    band_pass,
    fall,
    high_pass,
    hold,
    low_pass,
    saturate,
    shape,
    to_power,
)
from optimizer.rendering.synth.voices.signals import Wave, bank, clock, frames, glide_phase, hertz, noise, saw, series


def _sub(harmonics: tuple[float, ...], cue: Cue) -> Wave:
    n = frames(cue.seconds + 0.06)
    hz = hertz(cue.pitch)
    out = series(glide_phase(np.full(n, hz)), harmonics)
    return to_power(out * hold(n, cue.seconds, 0.006, 1.5, 0.8, 0.025))


def _eight(drive: float, cue: Cue) -> Wave:
    """The long tuned kick of trap: a short drop onto the note, then saturation that small speakers can hear."""
    n = frames(cue.seconds + 0.10)
    t = clock(n)
    hz = hertz(cue.pitch)
    turns = hz * (t + 1.6 * 0.014 * (1.0 - np.exp(-t / 0.014)))
    out = np.sin(2.0 * np.pi * turns).astype(np.float32) * fall(n, 0.9)
    out = saturate(out + np.float32(0.08) * np.square(out), drive + 1.5 * cue.bright)
    return to_power(shape(out, low_pass(2_800.0)) * hold(n, cue.seconds, 0.002, 60.0, 1.0, 0.04), 0.3)


def _string(decay: float, slope: float, place: float, pick: float, cue: Cue) -> Wave:
    n = frames(cue.seconds + 0.08)
    hz = hertz(cue.pitch)
    count = int(min(28.0, 5_000.0 / hz)) + 1
    k = np.arange(1, count + 1)
    levels = k ** -(slope - 0.5 * cue.bright) * np.abs(np.sin(np.pi * place * k))
    levels[0] = max(levels[0], 0.5)
    out = bank(n, hz * k, levels, decay / (1.0 + 0.20 * (k - 1)), cue.rng.uniform(-0.6, 0.6, count))
    short = min(n, frames(0.03))
    out[:short] += np.float32(pick) * shape(noise(short, cue.rng), band_pass(1_800.0, 0.7)) * fall(short, 0.005)
    return to_power(out * hold(n, cue.seconds, 0.003, 60.0, 1.0, 0.03))


def _saw_bass(cut: float, resonance: float, depth: float, voices: int, cue: Cue) -> Wave:
    """Saws under a filter that closes after the attack, over a sine sub in the middle."""
    n = frames(cue.seconds + 0.05)
    hz = hertz(cue.pitch)
    source = np.zeros(n, dtype=np.float32)
    for cents in np.linspace(-11.0, 11.0, voices) if voices > 1 else (0.0,):
        source += saw(n, hz * 2.0 ** (float(cents) / 1200.0), float(cue.rng.uniform()))
    top = cut * (0.6 + 1.2 * cue.bright)
    closed = shape(source, low_pass(top, resonance))
    opened = shape(source, low_pass(top * depth, resonance))
    blend = fall(n, 0.09)
    out = closed * (1.0 - blend) + opened * blend
    sub = series(glide_phase(np.full(n, hz)), (1.0,))
    out = shape(out, high_pass(90.0)) / np.float32(voices**0.5) + np.float32(0.9) * sub
    return to_power(out * hold(n, cue.seconds, 0.004, 0.4, 0.75, 0.02))


VOICES: dict[str, Voice] = {
    "sub": partial(_sub, (1.0, 0.12, 0.05)),
    "bass-round": partial(_sub, (1.0, 0.42, 0.18, 0.08)),
    "808": partial(_eight, 1.8),
    "808-hard": partial(_eight, 4.0),
    "bass-finger": partial(_string, 0.55, 1.35, 0.23, 0.05),
    "bass-pick": partial(_string, 0.60, 0.95, 0.15, 0.30),
    "bass-slap": partial(_string, 0.40, 0.75, 0.11, 0.70),
    "bass-upright": partial(_string, 0.32, 1.60, 0.30, 0.12),
    "bass-house": partial(_saw_bass, 420.0, 1.4, 3.0, 1),
    "bass-drive": partial(_saw_bass, 650.0, 1.1, 3.5, 2),
    "bass-reese": partial(_saw_bass, 700.0, 0.8, 1.3, 3),
    "bass-acid": partial(_saw_bass, 500.0, 5.0, 5.0, 1),
}
