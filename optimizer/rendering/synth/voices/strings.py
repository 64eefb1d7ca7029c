"""Bowed strings and double reeds: section, fiddle, erhu, sarangi, shehnai."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import band_pass, high_pass, hold, low_pass, peak, shape, to_power
from optimizer.rendering.synth.voices.signals import Wave, frames, hertz, noise, saw, vibrato


def _section(attack: float, release: float, cut: float, cue: Cue) -> Wave:
    """Four players with vibratos of their own, two to a side [shape=(2, n)]."""
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 3.0 * release)
    sides = np.zeros((2, n), dtype=np.float32)
    for player in range(4):
        cents = float(cue.rng.uniform(-7.0, 7.0))
        speed = float(cue.rng.uniform(4.6, 6.0))
        track = vibrato(n, hz * 2.0 ** (cents / 1200.0), 8.0, speed, 0.3)
        sides[player % 2] += saw(n, track, float(cue.rng.uniform()))
    body = (low_pass(cut * 2.0 ** (1.6 * (cue.bright - 0.5))), peak(480.0, 1.5), peak(2_600.0, 1.3), high_pass(140.0))
    return to_power(shape(sides, *body) * hold(n, cue.seconds, attack, 0.6, 0.85, release))


def _solo(body: float, nasal: float, cents: float, scoop: float, cut: float, attack: float, cue: Cue) -> Wave:
    """One bowed or blown voice that slides into its notes."""
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.15)
    tone = saw(n, vibrato(n, hz, cents, 5.7, 0.28, scoop), float(cue.rng.uniform()))
    rosin = shape(noise(n, cue.rng), band_pass(3_500.0, 0.6))
    tone += np.float32(0.04) * rosin
    filters = (
        low_pass(cut * (0.7 + 0.6 * cue.bright)),
        peak(body, 2.2, 1.5),
        peak(nasal, 2.4, 1.6),
        high_pass(min(hz * 0.7, 220.0)),
    )
    return to_power(shape(tone, *filters) * hold(n, cue.seconds, attack, 0.5, 0.85, 0.05))


VOICES: dict[str, Voice] = {
    "strings": partial(_section, 0.10, 0.16, 3_800.0),
    "strings-short": partial(_section, 0.018, 0.07, 4_500.0),
    "strings-low": partial(_section, 0.07, 0.14, 1_900.0),
    "fiddle": partial(_solo, 520.0, 2_700.0, 16.0, -50.0, 6_000.0, 0.030),
    "erhu": partial(_solo, 640.0, 1_300.0, 26.0, -140.0, 4_200.0, 0.045),
    "sarangi": partial(_solo, 450.0, 1_800.0, 22.0, -160.0, 4_800.0, 0.050),
    "shehnai": partial(_solo, 1_200.0, 2_900.0, 18.0, -90.0, 8_000.0, 0.020),
    "cello": partial(_solo, 260.0, 1_100.0, 14.0, -30.0, 2_800.0, 0.060),
}
