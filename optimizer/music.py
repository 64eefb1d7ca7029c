"""Musical facts the search needs: the 24 keys, the Camelot wheel, and tempo relations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from optimizer.errors import RecipeError, did_you_mean

Mode = Literal["major", "minor"]

TONICS: tuple[str, ...] = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""Canonical spelling of each pitch class, C = 0; the spelling ACE-Step's own examples use most."""

KEYS: tuple[str, ...] = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS)
"""The 24 canonical keys; enharmonic doubles would split one musical fact over two categories."""

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}


@dataclass(frozen=True, slots=True)
class Key:
    """A musical key.

    Attributes
    ----------
    pitch_class : int
        Tonic, 0 (C) to 11 (B).
    mode : {"major", "minor"}
    """

    pitch_class: int
    mode: Mode

    def __str__(self) -> str:
        return f"{TONICS[self.pitch_class]} {self.mode}"

    @property
    def camelot(self) -> str:
        """Code on the Camelot wheel, such as ``"8B"`` for C major and ``"8A"`` for A minor."""
        relative_major = self.pitch_class if self.mode == "major" else self.pitch_class + 3
        return f"{(7 * relative_major + 7) % 12 + 1}{'B' if self.mode == 'major' else 'A'}"


def parse_key(text: str) -> Key:
    """Read a key written as tonic and mode, in any enharmonic spelling.

    Parameters
    ----------
    text : str
        For example ``"Eb minor"``, ``"D# minor"`` or ``"F♯ major"``; case of the mode is free.

    Raises
    ------
    RecipeError
        If the text is not a tonic A to G with an optional accidental and a mode.
    """
    words = text.split()
    if len(words) == 2:
        tonic, mode = words[0], words[1].lower()
        natural, accidental = tonic[:1].upper(), tonic[1:]
        if natural in _NATURALS and accidental in _ACCIDENTALS and mode in ("major", "minor"):
            pitch_class = (_NATURALS[natural] + _ACCIDENTALS[accidental]) % 12
            return Key(pitch_class, "major" if mode == "major" else "minor")
    raise RecipeError(
        f"key {text!r} is not a key.{did_you_mean(text, KEYS)}",
        next_step="Write a tonic and a mode, such as 'Eb minor' or 'F# major'.",
    )


def canonical_key(text: str) -> str:
    """Return the canonical spelling of a key: ``"D# minor"`` becomes ``"Eb minor"``."""
    return str(parse_key(text))


def camelot_distance(first: str, second: str) -> int:
    """Count steps between two keys on the Camelot wheel.

    One step is one hour with the same letter, or the same hour with the other letter
    (relative major and minor). 0 and 1 mix harmonically.

    Returns
    -------
    int
        0 to 7.
    """
    a, b = parse_key(first).camelot, parse_key(second).camelot
    hours = abs(int(a[:-1]) - int(b[:-1])) % 12
    return min(hours, 12 - hours) + (a[-1] != b[-1])


def tempo_distance(first: float, second: float) -> float:
    """Distance between two tempi in octaves, half and double time counted as equal.

    Parameters
    ----------
    first, second : float
        Beats per minute, above zero.

    Returns
    -------
    float
        0 (same or an octave apart) to 0.5 octaves.
    """
    octaves = math.log2(first / second)
    return abs(octaves - round(octaves))
