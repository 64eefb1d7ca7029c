"""The written song: notes in time, each with its sound and its place in the mix."""

from __future__ import annotations

from dataclasses import dataclass, field

from optimizer.rendering.synth.voices import Sound


@dataclass(frozen=True, slots=True)
class Note:
    """One note.

    Attributes
    ----------
    start : int
        Sample at which it begins.
    sound : Sound
    gain : float
        Linear.
    pan : float
        -1 to 1.
    room : float
        Send to the reverb, linear.
    bus : int
        0 drums, 1 what the kick pushes down, 2 what stands in front.
    """

    start: int
    sound: Sound
    gain: float
    pan: float
    room: float
    bus: int


@dataclass(slots=True)
class Score:
    """A song ready to be played.

    Attributes
    ----------
    length : int
        Samples.
    notes : list of Note
    kicks : list of int
        Samples at which the bass drum strikes.
    """

    length: int
    notes: list[Note] = field(default_factory=list)
    kicks: list[int] = field(default_factory=list)
