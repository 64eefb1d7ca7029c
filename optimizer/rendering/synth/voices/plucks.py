"""Plucked and struck strings and bars, each partial a damped sine of its own: in tune at every pitch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import (
    band_pass,
    end_softly,
    fall,
    hold,
    low_pass,
    peak,
    shape,
    spread,
    to_peak,
)
from optimizer.rendering.synth.voices.signals import Wave, bank, frames, hertz, noise


@dataclass(frozen=True, slots=True)
class _String:
    """A plucked string.

    Attributes
    ----------
    decay : float
        Seconds until its fundamental has fallen to 1/e, at C4.
    damping : float
        How much faster each higher partial dies.
    slope : float
        Partial k starts at ``k ** -slope``.
    place : float
        Where it is plucked, as a part of its length: partials with a node there are missing.
    stiffness : float
        Inharmonicity coefficient B.
    pick : float
        Level of the plectrum's noise.
    body : float
        Hz of the body's main resonance.
    late : float
        Seconds over which the upper partials arrive: the buzz of a flat bridge (sitar, tanpura).
    """

    decay: float
    damping: float
    slope: float
    place: float
    stiffness: float = 5e-5
    pick: float = 0.1
    body: float = 220.0
    late: float = 0.0


_STRINGS = {
    "nylon": _String(0.55, 0.22, 1.30, 0.21, 3e-5, 0.10, 190.0),
    "steel": _String(0.80, 0.13, 1.05, 0.17, 6e-5, 0.16, 210.0),
    "mandolin": _String(0.30, 0.12, 0.95, 0.15, 6e-5, 0.25, 420.0),
    "banjo": _String(0.22, 0.10, 0.85, 0.11, 6e-5, 0.30, 650.0),
    "tumbi": _String(0.20, 0.06, 0.55, 0.09, 4e-5, 0.35, 1_100.0),
    "guzheng": _String(0.75, 0.15, 1.00, 0.12, 4e-5, 0.22, 300.0),
    "pipa": _String(0.28, 0.12, 0.80, 0.11, 5e-5, 0.30, 520.0),
    "sitar": _String(0.85, 0.05, 0.55, 0.13, 2e-5, 0.20, 380.0, 0.10),
    "tanpura": _String(1.60, 0.04, 0.60, 0.50, 1e-5, 0.04, 260.0, 0.35),
    "harp": _String(0.90, 0.25, 1.40, 0.30, 2e-5, 0.05, 250.0),
    "clean": _String(0.75, 0.16, 1.15, 0.23, 4e-5, 0.08, 700.0),
    "muted": _String(0.09, 0.25, 1.05, 0.18, 4e-5, 0.30, 240.0),
    "santur": _String(0.60, 0.10, 0.75, 0.14, 7e-5, 0.40, 800.0),
}


def _string(kind: _String, cue: Cue) -> Wave:
    hz = hertz(cue.pitch)
    # Short strings lose their energy faster: decay falls with the square root of pitch.
    decay = kind.decay * (261.6 / hz) ** 0.5
    n = frames(min(cue.seconds + 0.12, 6.0 * decay))
    count = int(min(40.0, 14_000.0 / hz)) + 1
    k = np.arange(1, count + 1)
    partials = hz * k * np.sqrt(1.0 + kind.stiffness * k * k) / np.sqrt(1.0 + kind.stiffness)
    levels = k ** -(kind.slope + 0.5 * (0.5 - cue.bright)) * np.abs(np.sin(np.pi * kind.place * k))
    decays = decay / (1.0 + kind.damping * (k - 1) * (1.3 - 0.6 * cue.bright))
    out = bank(n, partials, levels, decays, cue.rng.uniform(-0.4, 0.4, count))
    if kind.late:
        # The bridge feeds the upper partials only after the string has swung for a while.
        buzz = bank(n, partials[2:], levels[2:] * 1.6, decays[2:], cue.rng.uniform(-3.0, 3.0, max(0, count - 2)))
        out += buzz * (1.0 - fall(n, kind.late))
    top = float(np.max(np.abs(out)))
    short = min(n, frames(0.04))
    scratch = shape(noise(short, cue.rng), band_pass(kind.body * 3.0, 0.6), low_pass(9_000.0)) * fall(short, 0.007)
    out[:short] += np.float32(kind.pick * top) * scratch
    out = shape(out, peak(kind.body, 1.6, 1.4), peak(kind.body * 2.3, 1.3, 2.0))
    return to_peak(out * hold(n, cue.seconds, 0.0012, 60.0, 1.0, 0.05))


def _bar(ratios: tuple[float, ...], levels: tuple[float, ...], decay: float, knock: float, cue: Cue) -> Wave:
    """Struck bar or tine, from its mode ratios."""
    hz = hertz(cue.pitch)
    length = decay * (523.0 / hz) ** 0.4
    n = frames(min(5.0 * length, cue.seconds + 0.8))
    modes = np.array(ratios)
    out = bank(n, hz * modes, levels, length / modes**0.7)
    short = min(n, frames(0.02))
    out[:short] += np.float32(knock) * shape(noise(short, cue.rng), band_pass(2_500.0, 0.8)) * fall(short, 0.003)
    return to_peak(out)


def _synth(decay: float, slope: float, detune: float, cue: Cue) -> Wave:
    """Saw through a closing filter, as a bank whose upper partials die first; two detuned sides [shape=(2, n)]."""
    hz = hertz(cue.pitch)
    n = frames(min(cue.seconds + 0.25, 6.0 * decay))
    count = int(min(32.0, 15_000.0 / hz)) + 1
    k = np.arange(1, count + 1)
    decays = decay / (1.0 + (0.30 - 0.22 * cue.bright) * (k - 1))
    sides = []
    for cents in (-detune, detune):
        phases = cue.rng.uniform(-1.0, 1.0, count)
        sides.append(bank(n, hz * k * 2.0 ** (cents / 1200.0), k**-slope, decays, phases))
    return end_softly(to_peak(spread(sides[0], sides[1], 0.7) * hold(n, cue.seconds, 0.002, 60.0, 1.0, 0.08)))


VOICES: dict[str, Voice] = {
    **{name: partial(_string, kind) for name, kind in _STRINGS.items()},
    "marimba": partial(_bar, (1.0, 4.0, 10.0), (1.0, 0.25, 0.08), 0.16, 0.15),
    "kalimba": partial(_bar, (1.0, 2.0, 6.0), (1.0, 0.15, 0.12), 0.30, 0.25),
    "bell": partial(_bar, (1.0, 2.0, 3.0, 4.2, 6.0), (1.0, 0.6, 0.35, 0.2, 0.15), 0.60, 0.05),
    "glass": partial(_bar, (1.0, 2.0, 4.0), (1.0, 0.3, 0.2), 0.45, 0.02),
    "pluck": partial(_synth, 0.22, 0.95, 6.0),
    "pluck-soft": partial(_synth, 0.20, 1.5, 5.0),
    "pluck-long": partial(_synth, 0.50, 1.0, 7.0),
}
