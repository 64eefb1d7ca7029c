"""The order of a song: which bar belongs to which section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = {"i": 0.45, "v": 0.55, "b": 0.65, "c": 0.9, "k": 0.4, "o": 0.5}
"""Sections and how bright they are: intro, verse, build, chorus (or drop), break, outro."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a song.

    Attributes
    ----------
    section : str
        A key of `LEVELS`.
    place, size : int
        Its number within the section, from 0, and how many bars the section has.
    turn : int
        How many sections of this kind went before.
    """

    section: str
    place: int
    size: int
    turn: int

    @property
    def first(self) -> bool:
        """Whether a section begins here."""
        return self.place == 0

    @property
    def last(self) -> bool:
        """Whether the section ends here."""
        return self.place == self.size - 1


def plan(bars: int, energy: float, rng: np.random.Generator) -> list[Bar]:
    """Lay out a song of `bars` bars.

    A listener hears the first half minute, so even a long song reaches its chorus within it, and a short one is
    all chorus.

    Parameters
    ----------
    bars : int
        1 or more.
    energy : float
        0 to 1: lively songs get to the point earlier.
    rng : numpy.random.Generator
    """
    hurry = energy + float(rng.uniform(-0.15, 0.15))
    if bars <= 5:
        sections = [("c", bars)]
    elif bars <= 9:
        sections = [("v", 2), ("c", bars - 2)]
    elif bars <= 26:
        sections = _short(bars, hurry, rng)
    else:
        sections = _long(bars, hurry, rng)
    out: list[Bar] = []
    turns: dict[str, int] = {}
    for name, size in sections:
        out += [Bar(name, place, size, turns.get(name, 0)) for place in range(size)]
        turns[name] = turns.get(name, 0) + 1
    return out[:bars]


def _short(bars: int, hurry: float, rng: np.random.Generator) -> list[tuple[str, int]]:
    if hurry > 0.75:
        opening = [[("v", 2), ("b", 2)], [("i", 2), ("b", 2)], [("c", 4), ("b", 2)]][int(rng.integers(3))]
    elif hurry > 0.4:
        opening = [[("i", 2), ("v", 4)], [("v", 4), ("b", 2)], [("c", 4), ("v", 4)]][int(rng.integers(3))]
    else:
        opening = [[("i", 2), ("v", 4)], [("v", 4)], [("i", 1), ("v", 4), ("b", 1)]][int(rng.integers(3))]
    while sum(size for _, size in opening) > bars - 4:
        opening = opening[1:]
    return [*opening, ("c", bars - sum(size for _, size in opening))]


def _long(bars: int, hurry: float, rng: np.random.Generator) -> list[tuple[str, int]]:
    verse = 8 if hurry < 0.7 and bars > 40 else 4
    sections: list[tuple[str, int]] = [("i", 2), ("v", verse), ("b", 2)]
    left = bars - 4 - verse
    while left > 0:
        chorus = min(8, left)
        sections.append(("c", chorus))
        left -= chorus
        for name, size in (("k" if rng.random() < 0.5 else "v", 4), ("v", verse), ("b", 2)):
            # What comes after a chorus is only begun where another chorus still fits behind it.
            if left >= size + 6:
                sections.append((name, size))
                left -= size
    return sections
