"""What a voice is told about one note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.rendering.synth.voices.signals import Wave


@dataclass(frozen=True, slots=True)
class Cue:
    """One note for one voice.

    Attributes
    ----------
    pitch : float
        MIDI pitch. Drums get the song's tonic in some octave and tune themselves to it.
    seconds : float
        Until the note is let go; what rings on comes on top.
    bright : float
        0 (dull) to 1 (brilliant).
    rng : numpy.random.Generator
        Named by the voice and the note, so that equal notes are equal waves.
    syllable : str
        For singers: consonant class, vowel and closing vowel, as `words.Syllable.code` writes them.
    """

    pitch: float
    seconds: float
    bright: float
    rng: np.random.Generator
    syllable: str = ""


Voice = Callable[[Cue], Wave]
"""A wave of shape (n,) or (2, n), louder the same for every pitch."""


def fold_pitch(pitch: float, low: float) -> float:
    """The same pitch class in the octave that begins at `low`."""
    return low + (pitch - low) % 12.0
