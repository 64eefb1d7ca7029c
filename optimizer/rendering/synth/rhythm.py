"""Patterns: reading them, bending them to a metre, swinging them.

A pattern is a string of sixteenth notes: ``X`` an accent, ``x`` a stroke, ``o`` a ghost note, ``-`` the last note
held on, ``.`` silence. Sixteen characters are one bar of 4/4, thirty-two two bars. Basses use letters for what to
play: ``r`` root, ``f`` fifth, ``u`` the root an octave up, ``t`` third, ``a`` a step towards the next root.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS = {"2": 8, "3": 12, "4": 16, "6": 12}
"""Sixteenths in a bar by time signature; 6/8 is twelve of them in two groups of six."""

FORCE = {"X": 1.0, "x": 0.78, "o": 0.42}


@dataclass(frozen=True, slots=True)
class Stroke:
    """One note of a pattern.

    Attributes
    ----------
    step, length : int
        In sixteenths from the bar line.
    mark : str
        The character that stood there.
    force : float
        0 to 1.
    """

    step: int
    length: int
    mark: str
    force: float


def bar_of(pattern: str, bar: int, metre: str) -> list[Stroke]:
    """Strokes of one bar of a pattern in a metre.

    Parameters
    ----------
    pattern : str
        Of sixteen characters a bar.
    bar : int
        Number of the bar; longer patterns take turns.
    metre : str
        A key of `STEPS`. 2/4 plays the first half, 3/4 leaves the last beat out, and 6/8 takes each half of the
        pattern's bar without its last eighth, so that strong beats stay strong.
    """
    count = len(pattern) // 16
    cut = pattern[16 * (bar % count) : 16 * (bar % count) + 16]
    if metre == "2":
        cut = cut[:8]
    elif metre == "3":
        cut = cut[:12]
    elif metre == "6":
        cut = cut[:6] + cut[8:14]
    return strokes(cut)


def strokes(text: str) -> list[Stroke]:
    """Read one bar; a hold with nothing before it is silence."""
    out: list[Stroke] = []
    for step, mark in enumerate(text):
        if mark in ".-":
            continue
        length = 1
        while step + length < len(text) and text[step + length] == "-":
            length += 1
        out.append(Stroke(step, length, mark, FORCE.get(mark, 0.85)))
    return out


def beat_time(step: float, swing: float) -> float:
    """Position of a sixteenth in beats; `swing` delays every other one by that part of a sixteenth."""
    whole = int(step)
    late = swing * 0.25 if whole % 2 else 0.0
    return 0.25 * step + late


WALTZ = {"kick": "X...............", "snare": "....x...x.......", "hat": "x.x.x.x.x.x....."}
"""What 3/4 plays instead of a backbeat, by lane."""

COMPOUND = {"kick": "X.......x.......", "snare": "........X.......", "hat": "X.x.x...X.x.x..."}
"""What 6/8 plays, written as halves of eight that lose their last two."""
