"""Keyboards: piano, electric piano, organ, harmonium and accordion, clavinet."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.shaping import band_pass, fall, hold, low_pass, shape, spread, to_peak, to_power
from optimizer.rendering.synth.voices.signals import (
    Wave,
    bank,
    clock,
    frames,
    glide_phase,
    hertz,
    noise,
    pulse,
    series,
    vibrato,
)


def _piano(hardness: float, cue: Cue) -> Wave:
    """Stiff strings in detuned pairs: a fast first decay, then a slow one; keys spread from left to right."""
    hz = hertz(cue.pitch)
    decay = 1.1 * (261.6 / hz) ** 0.6
    n = frames(min(cue.seconds + 0.25, 5.0 * decay))
    count = int(min(24.0, 10_000.0 / hz)) + 1
    k = np.arange(1, count + 1)
    stiffness = 1.5e-4 * (hz / 261.6) ** 1.2
    partials = hz * k * np.sqrt(1.0 + stiffness * k * k) / np.sqrt(1.0 + stiffness)
    tilt = 1.55 - 0.5 * hardness - 0.4 * cue.bright
    levels = k**-tilt * np.abs(np.sin(np.pi * 0.125 * k)) ** 0.5
    decays = decay / (1.0 + 0.16 * (k - 1))
    phases = cue.rng.uniform(-0.5, 0.5, count)
    first = bank(n, partials, levels, decays * 0.45, phases)
    second = bank(n, partials * 2.0 ** (0.9 / 1200.0), levels * 0.55, decays, phases)
    short = min(n, frames(0.05))
    top = float(np.max(np.abs(first)))
    thump = shape(noise(short, cue.rng), band_pass(320.0, 0.7), low_pass(3_000.0)) * fall(short, 0.012)
    first[:short] += np.float32(0.25 * top) * thump
    side = np.float32(np.clip((cue.pitch - 62.0) / 48.0, -0.35, 0.35))
    both = np.stack([(1.0 - side) * first + second, (1.0 + side) * first + second])
    return to_peak(both * hold(n, cue.seconds, 0.0015, 60.0, 1.0, 0.09))


def _electric(tine: float, cue: Cue) -> Wave:
    """Tine and tone bar with an auto-pan [shape=(2, n)]."""
    hz = hertz(cue.pitch)
    decay = 1.0 * (261.6 / hz) ** 0.4
    n = frames(min(cue.seconds + 0.3, 5.0 * decay))
    bark = 0.2 + 0.5 * cue.bright
    out = bank(
        n,
        [hz, 2.0 * hz, 3.0 * hz, 4.0 * hz, 7.0 * hz, 12.0 * hz],
        [1.0, 0.55 * bark, 0.22 * bark, 0.12 * bark, 0.22 * tine, 0.12 * tine],
        [decay, decay * 0.6, decay * 0.45, decay * 0.3, 0.10, 0.05],
    )
    t = clock(n)
    sway = (0.22 * np.sin(2.0 * np.pi * 4.6 * t)).astype(np.float32)
    out *= hold(n, cue.seconds, 0.0025, 60.0, 1.0, 0.10)
    return to_peak(np.stack([out * (1.0 + sway), out * (1.0 - sway)]))


def _organ(drawbars: tuple[float, ...], cue: Cue) -> Wave:
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.08)
    track = vibrato(n, hz, 7.0, 6.2, 0.3)
    tone = series(glide_phase(track), drawbars)
    envelope = hold(n, cue.seconds, 0.006, 1.0, 1.0, 0.02)
    envelope[: frames(0.01)] *= np.float32(1.2)
    t = clock(n)
    turn = (0.18 * np.sin(2.0 * np.pi * 6.2 * t)).astype(np.float32)
    return to_power(np.stack([tone * (1.0 + turn), tone * (1.0 - turn)]) * envelope)


def _reed(detune: float, width: float, cue: Cue) -> Wave:
    """Two free reeds a little apart: harmonium, accordion [shape=(2, n)]."""
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.12)
    cut = low_pass(1_800.0 + 3_500.0 * cue.bright, 0.8)
    left = pulse(n, hz * 2.0 ** (-detune / 1200.0), width, float(cue.rng.uniform()))
    right = pulse(n, hz * 2.0 ** (detune / 1200.0), width, float(cue.rng.uniform()))
    envelope = hold(n, cue.seconds, 0.035, 1.0, 1.0, 0.04)
    return to_power(shape(spread(left, right, 0.6), cut) * envelope)


def _clavinet(cue: Cue) -> Wave:
    hz = hertz(cue.pitch)
    n = frames(cue.seconds + 0.06)
    count = int(min(36.0, 11_000.0 / hz)) + 1
    k = np.arange(1, count + 1)
    levels = k**-0.8 * np.abs(np.sin(np.pi * 0.27 * k))
    out = bank(n, hz * k, levels, 0.45 / (1.0 + 0.09 * k), cue.rng.uniform(-1.0, 1.0, count))
    out = shape(out, band_pass(1_100.0 + 1_200.0 * cue.bright, 0.5))
    return to_peak(out * hold(n, cue.seconds, 0.001, 60.0, 1.0, 0.02))


VOICES: dict[str, Voice] = {
    "piano": partial(_piano, 0.6),
    "piano-soft": partial(_piano, 0.0),
    "epiano": partial(_electric, 0.8),
    "epiano-soft": partial(_electric, 0.25),
    "organ": partial(_organ, (0.8, 1.0, 0.7, 0.5, 0.0, 0.3, 0.0, 0.25)),
    "organ-house": partial(_organ, (1.0, 0.6, 0.35, 0.0, 0.0, 0.2)),
    "harmonium": partial(_reed, 3.0, 0.28),
    "accordion": partial(_reed, 8.0, 0.36),
    "clavinet": _clavinet,
}
