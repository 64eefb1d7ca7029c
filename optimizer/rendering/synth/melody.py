"""Tunes: four-bar phrases made of motifs that return, on chord tones where it counts, home at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.rendering.synth.harmony import Chord
from optimizer.rendering.synth.rhythm import bar_of

CELLS: dict[str, tuple[str, ...]] = {
    "long": ("x-------x-------", "x-----------x---", "x-------x---x---", "x-----x-x-------"),
    "even": ("x---x---x---x---", "x---x---x-x-x---", "x-x-x---x---x---", "x---x-x-x-------"),
    "push": ("x--x--x-x---x---", "x--x--x---x-x---", "x-x--x--x---x-x-", "x-----x-x--x--x-"),
    "busy": ("x-x-x-x-x---x-x-", "x-xxx-x-x-x-x---", "x-x-x-xxx-x-x---", "x-x-xxx-x-x-x-x-"),
    "talk": ("x-x-xxx-x-x-x-x-", "x-xxx-x-xxx-x-x-", "..x-xxx-x-x-xxx-", "x-x-x-xxx-xxx---"),
    "sway": ("x--x--x-x--x----", "x---x--x--x-x---", "x--x---xx---x---", "x-----x--x--x---"),
}
"""Rhythms by feeling."""

CLOSES: dict[str, tuple[str, ...]] = {
    "long": ("x-----------....", "x---x-------...."),
    "even": ("x---x---x-------", "x-x-x---x-------"),
    "push": ("x--x--x-x-------", "x--x--x---------"),
    "busy": ("x-x-x-x-x-------", "x-xxx-x-x-------"),
    "talk": ("x-x-xxx-x---....", "x-xxx-x-x---...."),
    "sway": ("x--x--x---------", "x---x--x--------"),
}
"""Rhythms of a phrase's last bar."""


@dataclass(frozen=True, slots=True)
class Tone:
    """One note of a tune.

    Attributes
    ----------
    bar, step, length : int
        Bar of the phrase, sixteenth within it, sixteenths held.
    pitch : int
        Semitones above the tonic in the tune's own octave; may be negative or above 12.
    force : float
    """

    bar: int
    step: int
    length: int
    pitch: int
    force: float


def ladder(scale: tuple[int, ...]) -> list[int]:
    """Three octaves of a scale around the tonic, in semitones."""
    return [12 * octave + step for octave in (-1, 0, 1) for step in scale]


def phrase(
    rng: np.random.Generator,
    bars: tuple[tuple[Chord, ...], ...],
    scale: tuple[int, ...],
    feel: str,
    metre: str,
    span: int = 5,
) -> list[Tone]:
    """Compose one phrase over a progression.

    The first two bars hold a motif each; the third returns to the first, the last closes on the tonic triad.

    Parameters
    ----------
    rng : numpy.random.Generator
    bars : tuple of tuple of Chord [shape=(bars,)]
    scale : tuple of int
        Semitones of one octave.
    feel : str
        A key of `CELLS`.
    metre : str
    span : int
        How many steps of the scale the tune may leave its centre.
    """
    rungs = ladder(scale)
    centre = rungs.index(0) + int(rng.integers(0, 3))
    cells = [CELLS[feel][int(i)] for i in rng.permutation(len(CELLS[feel]))[:2]]
    close = CLOSES[feel][int(rng.integers(len(CLOSES[feel])))]
    contours: dict[str, list[int]] = {}
    out: list[Tone] = []
    for number, chords in enumerate(bars):
        ending = number == len(bars) - 1
        cell = close if ending else cells[number % 2]
        beats = bar_of(cell, 0, metre)
        moves = contours.setdefault(cell, [int(m) for m in rng.choice([-2, -1, -1, 0, 1, 1, 2], len(beats))])
        rung = centre
        for index, stroke in enumerate(beats):
            chord = chords[min(len(chords) - 1, stroke.step * len(chords) // 16)]
            rung = int(np.clip(rung + moves[index], centre - span, centre + span))
            strong = stroke.step % 4 == 0 or stroke.length >= 3
            pitch = _to_chord(rungs[rung], chord) if strong else rungs[rung]
            if ending and index == len(beats) - 1:
                pitch = _home(pitch, chords[-1])
            elif number == 0 and index == 0:
                pitch = _home(pitch, chord)
            rung = min(range(len(rungs)), key=lambda i: (abs(rungs[i] - pitch), i))
            out.append(Tone(number, stroke.step, stroke.length, pitch, 1.0 if strong else 0.8))
    return out


def _to_chord(pitch: int, chord: Chord) -> int:
    """The nearest root, third or fifth of a chord."""
    return min(
        (pitch + shift for shift in (0, -1, 1, -2, 2, -3, 3) if (pitch + shift) % 12 in chord.classes[:3]),
        key=lambda candidate: abs(candidate - pitch),
        default=pitch,
    )


def _home(pitch: int, chord: Chord) -> int:
    """The tonic if the chord holds it, else the chord's root, in the nearest octave."""
    goal = 0 if 0 in chord.classes else chord.root
    return pitch + (goal - pitch + 6) % 12 - 6
