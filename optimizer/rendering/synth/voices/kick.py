"""Bass drums, tuned to the tonic: an untuned kick is the loudest wrong note of a song."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice, fold_pitch
from optimizer.rendering.synth.voices.shaping import fall, high_pass, low_pass, saturate, shape, to_peak
from optimizer.rendering.synth.voices.signals import Wave, clock, frames, hertz, noise


@dataclass(frozen=True, slots=True)
class _Build:
    """How a kick is made.

    Attributes
    ----------
    length, decay : float
        Seconds in all, and until the body has fallen to 1/e.
    sweep, speed : float
        How far above its pitch the drum starts (in multiples of it), and how fast it comes down, seconds.
    drive, click : float
        Into the saturation; level of the beater.
    top : float
        Level of a short hiss on the attack, by which dance kicks are heard on small speakers.
    low : float
        Lowest MIDI pitch of its octave.
    """

    length: float
    decay: float
    sweep: float
    speed: float
    drive: float
    click: float
    top: float = 0.0
    low: float = 29.0


_BUILDS = {
    "house": _Build(0.36, 0.13, 3.2, 0.022, 1.8, 0.40, 0.50),
    "club": _Build(0.42, 0.16, 5.0, 0.016, 3.0, 0.50, 0.50),
    "techno": _Build(0.40, 0.15, 4.0, 0.018, 2.4, 0.35, 0.50),
    "live": _Build(0.30, 0.085, 1.8, 0.014, 1.3, 0.55),
    "boom": _Build(0.34, 0.12, 2.2, 0.020, 2.2, 0.40),
    "soft": _Build(0.30, 0.11, 1.2, 0.018, 1.0, 0.10),
    "trap": _Build(0.28, 0.10, 4.2, 0.014, 2.6, 0.45),
    "stomp": _Build(0.32, 0.10, 0.9, 0.020, 1.1, 0.16, 0.0, 31.0),
}


def _kick(build: _Build, cue: Cue) -> Wave:
    n = frames(build.length)
    t = clock(n)
    hz = hertz(fold_pitch(cue.pitch, build.low))
    turns = hz * (t + build.sweep * build.speed * (1.0 - np.exp(-t / build.speed)))
    body = np.sin(2.0 * np.pi * turns).astype(np.float32) * fall(n, build.decay)
    body = saturate(body, build.drive)
    short = frames(0.06)
    beater = shape(noise(short, cue.rng), high_pass(900.0), low_pass(6_000.0 + 6_000.0 * cue.bright))
    body[:short] += np.float32(build.click * 0.25) * beater * fall(short, 0.007)
    if build.top:
        longer = frames(0.08)
        hiss = shape(noise(longer, cue.rng), high_pass(3_000.0), low_pass(12_000.0))
        body[:longer] += np.float32(build.top * 0.25) * hiss * fall(longer, 0.015)
    return to_peak(body)


VOICES: dict[str, Voice] = {f"kick-{name}": partial(_kick, build) for name, build in _BUILDS.items()}
