"""Snares, claps, rims and toms; their shells are tuned to the tonic or its fifth."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice, fold_pitch
from optimizer.rendering.synth.voices.shaping import band_pass, fall, high_pass, low_pass, peak, shape, to_peak
from optimizer.rendering.synth.voices.signals import Wave, bank, clock, frames, hertz, noise


def _snare(length: float, rattle: float, shell: float, cut: float, cue: Cue) -> Wave:
    """Shell and wires; `rattle` is the wires' decay in seconds, `shell` its level, `cut` their low end in Hz."""
    n = frames(length)
    hz = hertz(fold_pitch(cue.pitch, 53.0))
    t = clock(n)
    drop = 1.0 + 0.5 * np.exp(-t / 0.008)
    head = np.sin(2.0 * np.pi * np.cumsum(hz * drop) / 48_000.0).astype(np.float32) * fall(n, 0.055)
    head += np.float32(0.35) * bank(n, [2.0 * hz, 3.0 * hz], [1.0, 0.4], [0.035, 0.02])
    wires = shape(noise(n, cue.rng), high_pass(cut), peak(4_500.0, 1.8), low_pass(9_000.0 + 7_000.0 * cue.bright))
    wires *= fall(n, rattle) + np.float32(0.6) * fall(n, 0.012)
    return to_peak(np.float32(shell) * head + np.float32(0.45) * wires)


def _clap(spacing: float, tail: float, centre: float, cue: Cue) -> Wave:
    n = frames(tail * 5.0 + 0.05)
    t = clock(n)
    envelope = np.zeros(n)
    for k, level in enumerate((0.7, 0.85, 1.0)):
        late = t - k * spacing
        envelope += np.where(late >= 0.0, level * np.exp(-np.maximum(late, 0.0) / 0.0045), 0.0)
    late = t - 3.0 * spacing
    envelope += np.where(late >= 0.0, np.exp(-np.maximum(late, 0.0) / tail), 0.0)
    body = shape(noise(n, cue.rng), band_pass(centre, 1.1), high_pass(500.0))
    air = shape(noise(n, cue.rng), high_pass(3_500.0), low_pass(12_000.0))
    return to_peak((body + np.float32(0.25 + 0.3 * cue.bright) * air) * envelope.astype(np.float32))


def _rim(cue: Cue) -> Wave:
    n = frames(0.12)
    hz = hertz(fold_pitch(cue.pitch, 67.0))
    wood = bank(n, [hz, 2.0 * hz, 4.0 * hz], [1.0, 0.9, 0.5], [0.02, 0.014, 0.008])
    tick = shape(noise(n, cue.rng), high_pass(3_000.0)) * fall(n, 0.004)
    return to_peak(wood + np.float32(0.3) * tick)


def _snap(cue: Cue) -> Wave:
    n = frames(0.16)
    body = shape(noise(n, cue.rng), band_pass(2_300.0, 2.5)) * fall(n, 0.018)
    return to_peak(body + np.float32(0.15) * shape(noise(n, cue.rng), high_pass(5_000.0)) * fall(n, 0.04))


def _brush(cue: Cue) -> Wave:
    n = frames(0.3)
    t = clock(n)
    sweep = np.sin(np.pi * np.minimum(t / 0.16, 1.0)) ** 2 * 0.5 + np.exp(-t / 0.03)
    return to_peak(shape(noise(n, cue.rng), high_pass(1_800.0), low_pass(8_000.0)) * sweep.astype(np.float32))


def _tom(offset: float, cue: Cue) -> Wave:
    n = frames(0.5)
    t = clock(n)
    hz = hertz(fold_pitch(cue.pitch + offset, 41.0 + offset))
    turns = hz * (t + 0.5 * 0.03 * (1.0 - np.exp(-t / 0.03)))
    body = np.sin(2.0 * np.pi * turns).astype(np.float32) * fall(n, 0.13)
    stick = shape(noise(n, cue.rng), high_pass(1_200.0), low_pass(6_000.0)) * fall(n, 0.008)
    return to_peak(body + np.float32(0.12) * stick)


VOICES: dict[str, Voice] = {
    "snare-live": partial(_snare, 0.30, 0.085, 0.8, 900.0),
    "snare-rock": partial(_snare, 0.42, 0.13, 1.0, 700.0),
    "snare-boom": partial(_snare, 0.30, 0.07, 0.9, 1_000.0),
    "snare-trap": partial(_snare, 0.34, 0.10, 0.55, 1_600.0),
    "snare-tight": partial(_snare, 0.18, 0.045, 0.7, 1_300.0),
    "snare-roll": partial(_snare, 0.14, 0.04, 0.35, 1_800.0),
    "clap": partial(_clap, 0.010, 0.055, 1_250.0),
    "clap-big": partial(_clap, 0.012, 0.11, 1_100.0),
    "clap-dry": partial(_clap, 0.008, 0.03, 1_500.0),
    "rim": _rim,
    "snap": _snap,
    "brush": _brush,
    "tom-low": partial(_tom, 0.0),
    "tom-mid": partial(_tom, 7.0),
    "tom-high": partial(_tom, 12.0),
}
