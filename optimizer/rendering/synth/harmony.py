"""Chords: progressions that leave no doubt about the key, their colours and their voicings.

Every progression begins on the tonic and most minor ones hold a major dominant, because a loop such as
vi IV I V belongs to two keys at once, and a listener (or an estimator) may hear either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from optimizer.music import Mode

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "major-five": (0, 2, 4, 7, 9),
    "minor-five": (0, 3, 5, 7, 10),
}

PROGRESSIONS: dict[str, dict[Mode, tuple[str, ...]]] = {
    "anthem": {
        "minor": ("i bVI iv V", "i iv bVI V", "i bVII bVI V", "i i bVI_V i"),
        "major": ("I V vi IV", "I IV I V", "I vi IV V", "I iii IV V"),
    },
    "deep": {
        "minor": ("i i iv i", "i iv i v", "i bVI i iv", "i i bVI V"),
        "major": ("I ii I IV", "I vi ii V", "I I IV V", "I IV I ii"),
    },
    "dark": {
        "minor": ("i i i i", "i i bVI i", "i bII i V", "i i iv V"),
        "major": ("I I IV I", "I I ii V", "I I V I", "I IV I V"),
    },
    "folk": {
        "minor": ("i iv i V", "i bVII i V", "i i iv V", "i bVI iv V"),
        "major": ("I IV I V", "I I IV V", "I V IV I", "I vi IV V", "I IV V I"),
    },
    "raga": {
        "minor": ("i i iv i", "i bVII i i", "i iv V i", "i i bVII i"),
        "major": ("I I IV I", "I IV V I", "I I V I", "I IV I V"),
    },
    "ballad": {
        "minor": ("i bVI iv V", "i iv V i", "i bVII bVI V", "i iv i V"),
        "major": ("I V vi IV", "I iii IV V", "I vi ii V", "I V IV V"),
    },
    "latin": {
        "minor": ("i iv V i", "i V i V", "i bVI V i", "i bVII bVI V", "i iv i V"),
        "major": ("I IV V I", "I vi ii V", "I V I V", "I ii V I"),
    },
    "soul": {
        "minor": ("i iv i V", "i bVI iv V", "i v iv V", "i iv bVI_V i"),
        "major": ("I vi ii V", "I iii IV V", "I IV ii V", "I I7 IV iv"),
    },
    "rock": {
        "minor": ("i bVI bVII i", "i i iv V", "i bVII iv i", "i bVI iv V", "i bVII i V"),
        "major": ("I IV V I", "I IV I V", "I V IV I", "I vi IV V", "I I IV V"),
    },
    "hop": {
        "minor": ("i i iv i", "i bVI i V", "i iv i V", "i i bVI V"),
        "major": ("I IV I V", "I I ii V", "I vi ii V", "I iii IV I"),
    },
}
"""By feeling and mode; bars are separated by spaces, two chords within a bar by ``_``."""

_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_MAJOR_STEPS = SCALES["major"]
_SYMBOL = re.compile(r"(b?)([iv]+|[IV]+)(7?)")


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord above a song's tonic.

    Attributes
    ----------
    root : int
        Semitones above the tonic, 0 to 11.
    tones : tuple of int
        Semitones above the root, from 0 up.
    """

    root: int
    tones: tuple[int, ...]

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes above the tonic, root first."""
        return tuple((self.root + tone) % 12 for tone in self.tones)


def read_chord(symbol: str, mode: Mode, colour: int) -> Chord:
    """Build a chord from a Roman numeral.

    Parameters
    ----------
    symbol : str
        Such as ``i``, ``bVI``, ``V7``; degrees count from the major scale in both modes.
    mode : {"major", "minor"}
    colour : int
        2: no third but on the tonic (power chords with a root third); 3: triads; 4: sevenths; 5: ninths. Sevenths
        and ninths are the scale's own.
    """
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        raise ValueError(f"chord {symbol!r} is not a Roman numeral such as 'i', 'bVI' or 'V7'")
    flat, numeral, seventh = match.groups()
    root = (_MAJOR_STEPS[_NUMERALS.index(numeral.upper())] - (1 if flat else 0)) % 12
    tones = [0, 4 if numeral.isupper() else 3, 7]
    if symbol == "vii" or (symbol == "ii" and mode == "minor"):
        tones[2] = 6
    own = SCALES[mode]
    if seventh:
        tones.append(10)
    elif colour >= 4 and root != 0:
        # On the tonic a seventh would lean towards the relative key; a ninth colours it without doing so.
        tones.append(10 if (root + 10) % 12 in own else 11)
    if colour >= 5 and (root + 2) % 12 in own:
        tones.append(14)
    return Chord(root, tuple(tones))


def read_progression(text: str, mode: Mode, colour: int) -> tuple[tuple[Chord, ...], ...]:
    """Read a progression as bars of one or more chords."""
    return tuple(tuple(read_chord(symbol, mode, colour) for symbol in bar.split("_")) for bar in text.split())


def voice(chord: Chord, tonic: int, centre: int, before: tuple[int, ...], notes: int) -> tuple[int, ...]:
    """Place a chord near `centre`, moving as little as possible from the chord before.

    Parameters
    ----------
    tonic : int
        Pitch class of the key.
    centre : int
        MIDI pitch around which the chord lies.
    before : tuple of int
        The last voicing; empty at the start.
    notes : int
        How many to keep: root and third first, then colours, the fifth last.

    Returns
    -------
    tuple of int
        MIDI pitches, ascending.
    """
    kept = list(chord.tones)
    order = [0, 1, *range(3, len(kept)), 2]
    classes = [(tonic + chord.root + kept[i]) % 12 for i in order[:notes]]
    target = sum(before) / len(before) if before else float(centre)
    target = 0.5 * target + 0.5 * centre
    best: tuple[float, tuple[int, ...]] | None = None
    for turn in range(len(classes)):
        low = classes[turn]
        bottom = low + 12 * round((target - 5.0 - low) / 12.0)
        pitches = sorted(bottom + (pitch_class - low) % 12 for pitch_class in classes)
        middle = sum(pitches) / len(pitches)
        moved = sum(min(abs(pitch - old) for old in before) for pitch in pitches) if before else 0.0
        cost = moved + 0.6 * abs(middle - centre)
        if best is None or cost < best[0]:
            best = (cost, tuple(pitches))
    assert best is not None
    return best[1]


def near(pitch_class: int, centre: int) -> int:
    """The MIDI pitch of a class that lies nearest to `centre`."""
    return centre + (pitch_class - centre + 6) % 12 - 6
