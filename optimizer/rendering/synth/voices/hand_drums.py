"""Drums of skin and wood: dhol, dholak, tabla, congas, bongos, timbales, cajon, blocks and bells, all tuned."""

from __future__ import annotations

from functools import partial

import numpy as np

from optimizer.rendering.synth.voices.cue import Cue, Voice, fold_pitch
from optimizer.rendering.synth.voices.shaping import band_pass, fall, high_pass, low_pass, saturate, shape, to_peak
from optimizer.rendering.synth.voices.signals import Wave, bank, clock, frames, hertz, noise


def _bass_skin(low: float, decay: float, bend: float, time: float, slap: float, drive: float, cue: Cue) -> Wave:
    """Deep head; `bend` is how far the pitch starts above (or below, as a pressed tabla) its end, `time` how long."""
    n = frames(decay * 5.0)
    t = clock(n)
    hz = hertz(fold_pitch(cue.pitch, low))
    turns = hz * (t + bend * time * (1.0 - np.exp(-t / time)))
    head = np.sin(2.0 * np.pi * turns) + 0.35 * np.sin(4.0 * np.pi * turns) * np.exp(-t / (decay * 0.4))
    body = saturate(head.astype(np.float32) * fall(n, decay), drive)
    stick = shape(noise(n, cue.rng), band_pass(900.0 + 900.0 * cue.bright, 0.8)) * fall(n, 0.010)
    return to_peak(body + np.float32(slap) * stick)


def _skin(
    low: float, ratios: tuple[float, ...], decay: float, slap: float, centre: float, offset: float, cue: Cue
) -> Wave:
    """Small head: a few modes over a tuned fundamental, and the hand or stick; `offset` semitones from the tonic."""
    n = frames(max(0.08, decay * 5.0))
    hz = hertz(fold_pitch(cue.pitch + offset, low))
    count = len(ratios)
    modes = bank(
        n,
        hz * np.array(ratios),
        0.75 ** np.arange(count),
        decay / (1.0 + 0.45 * np.arange(count)),
    )
    hand = shape(noise(n, cue.rng), band_pass(centre, 0.9), high_pass(600.0)) * fall(n, 0.006 + 0.004 * cue.bright)
    return to_peak(modes + np.float32(slap) * hand)


def _stick(low: float, decay: float, body: float, cue: Cue) -> Wave:
    """The thin cane on a dhol's treble head: mostly crack, with a short tuned ring."""
    n = frames(0.16)
    hz = hertz(fold_pitch(cue.pitch, low))
    ring = bank(n, [hz, 2.0 * hz, 3.0 * hz, 4.0 * hz], [1.0, 0.9, 0.6, 0.4], [decay, decay * 0.7, 0.02, 0.014])
    source = noise(n, cue.rng)
    crack = shape(source, band_pass(3_200.0, 0.7), high_pass(1_200.0)) * fall(n, 0.016)
    crack += np.float32(0.4) * shape(source, high_pass(6_000.0), low_pass(14_000.0)) * fall(n, 0.03)
    return to_peak(np.float32(body) * ring + np.float32(0.6 + 0.3 * cue.bright) * crack)


def _wood(low: float, ratio: float, decay: float, cue: Cue) -> Wave:
    n = frames(decay * 7.0)
    hz = hertz(fold_pitch(cue.pitch, low))
    return to_peak(bank(n, [hz, ratio * hz], [1.0, 0.45], [decay, decay * 0.5]))


def _cowbell(cue: Cue) -> Wave:
    n = frames(0.30)
    hz = hertz(fold_pitch(cue.pitch, 73.0))
    # A real bell's second tone lies near 1.48; 1.5 keeps it in the key.
    tones = bank(n, [hz, 1.5 * hz, 3.0 * hz, 4.5 * hz], [1.0, 0.8, 0.35, 0.25], [0.07, 0.06, 0.03, 0.02])
    return to_peak(shape(tones, high_pass(400.0)))


_HARMONIC = (1.0, 2.0, 3.0, 4.0, 5.0)
_HEAD = (1.0, 1.5, 2.0, 3.0)

VOICES: dict[str, Voice] = {
    "dhol-bass": partial(_bass_skin, 36.0, 0.14, 0.45, 0.03, 0.5, 2.0),
    "dhol-stick": partial(_stick, 62.0, 0.035, 0.8),
    "dhol-edge": partial(_stick, 69.0, 0.025, 0.5),
    "dholak-bass": partial(_bass_skin, 41.0, 0.12, -0.25, 0.05, 0.3, 1.4),
    "dholak-slap": partial(_skin, 60.0, _HEAD, 0.04, 0.9, 2_400.0, 0.0),
    "tabla-ge": partial(_bass_skin, 38.0, 0.17, -0.30, 0.07, 0.12, 1.2),
    "tabla-na": partial(_skin, 62.0, _HARMONIC, 0.10, 0.35, 3_500.0, 0.0),
    "tabla-tin": partial(_skin, 62.0, (1.0, 2.0), 0.16, 0.12, 2_500.0, 0.0),
    "tabla-te": partial(_skin, 62.0, (1.0, 3.0), 0.012, 1.0, 1_800.0, 0.0),
    "conga-open": partial(_skin, 53.0, _HEAD, 0.11, 0.25, 1_500.0, 0.0),
    "conga-high": partial(_skin, 58.0, _HEAD, 0.09, 0.25, 1_700.0, 7.0),
    "conga-slap": partial(_skin, 58.0, (1.0, 2.0, 3.0), 0.02, 1.2, 2_600.0, 7.0),
    "bongo-high": partial(_skin, 67.0, _HEAD, 0.045, 0.5, 3_000.0, 7.0),
    "bongo-low": partial(_skin, 60.0, _HEAD, 0.06, 0.45, 2_200.0, 0.0),
    "timbale": partial(_skin, 67.0, (1.0, 2.0, 3.0, 4.0), 0.08, 0.8, 4_200.0, 0.0),
    "cajon-bass": partial(_bass_skin, 38.0, 0.07, 0.3, 0.02, 0.25, 1.2),
    "cajon-slap": partial(_skin, 55.0, _HEAD, 0.03, 1.1, 2_600.0, 0.0),
    "udu": partial(_bass_skin, 43.0, 0.10, -0.4, 0.06, 0.1, 1.0),
    "clave": partial(_wood, 91.0, 2.0, 0.022),
    "block": partial(_wood, 79.0, 2.0, 0.018),
    "cowbell": _cowbell,
}
