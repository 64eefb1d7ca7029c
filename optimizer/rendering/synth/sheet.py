"""What is fixed for a song before its first bar is written, and the page on which its notes are written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from optimizer.music import Key
from optimizer.rendering.synth.form import LEVELS, Bar
from optimizer.rendering.synth.harmony import Chord
from optimizer.rendering.synth.melody import Tone
from optimizer.rendering.synth.rhythm import STEPS
from optimizer.rendering.synth.styles.style import Lane, Part, Style
from optimizer.rendering.synth.voices import RATE, Sound
from optimizer.rendering.synth.words import Syllable


@dataclass(frozen=True, slots=True)
class Note:
    """One note in its place in the mix.

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
class Sheet:
    """A song being written.

    Attributes
    ----------
    style : Style
    key : Key
    metre : str
        Time signature, a key of `rhythm.STEPS`.
    beat : float
        Seconds of a quarter note.
    length : int
        Samples of the song.
    energy : float
        0 to 1: the style's, moved by the tempo and a little by the seed.
    mood : float
        Added to the brightness of every note, about -0.2 to 0.2.
    scale : tuple of int
        Of the tunes, semitones above the tonic.
    name : tuple of str
        What the song's random streams are named after.
    harmony : dict
        Bars of chords by section.
    tunes, songs : dict
        Phrases of the leading instrument and of the singer, by section.
    lines : list of list of Syllable
        What is sung; empty for an instrumental.
    notes : list of Note
    kicks : list of int
        Samples at which the bass drum strikes.
    """

    style: Style
    key: Key
    metre: str
    beat: float
    length: int
    energy: float
    mood: float
    scale: tuple[int, ...]
    name: tuple[str, ...]
    harmony: dict[str, tuple[tuple[Chord, ...], ...]] = field(default_factory=dict)
    tunes: dict[str, list[Tone]] = field(default_factory=dict)
    songs: dict[str, list[Tone]] = field(default_factory=dict)
    lines: list[list[Syllable]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    kicks: list[int] = field(default_factory=list)

    @property
    def tonic(self) -> int:
        """Pitch class of the key."""
        return self.key.pitch_class

    @property
    def steps(self) -> int:
        """Sixteenths in a bar."""
        return STEPS[self.metre]

    def chords(self, bar: Bar, ahead: int = 0) -> tuple[Chord, ...]:
        """The chords of a bar, or of one `ahead` of it."""
        loop = self.harmony[bar.section]
        return loop[(bar.place + ahead) % len(loop)]

    def chord(self, bar: Bar, step: float) -> Chord:
        """The chord that sounds at a sixteenth of a bar."""
        chords = self.chords(bar)
        return chords[min(len(chords) - 1, int(step * len(chords) / self.steps))]

    def bright(self, bar: Bar) -> float:
        """Brightness of a bar's notes, in sixths so that the cache finds them again."""
        level = LEVELS[bar.section] + (0.25 * bar.place / bar.size if bar.section == "b" else 0.0)
        value = 0.5 * level + 0.7 * self.energy - 0.15 + self.mood
        return round(6.0 * min(1.0, max(0.0, value))) / 6.0

    def at(self, number: int, step: float) -> int:
        """Sample of a sixteenth in bar `number`, swung."""
        late = self.style.swing if math.floor(step) % 2 else 0.0
        return round((number * self.steps + step + late) * 0.25 * self.beat * RATE)

    def seconds(self, steps: float) -> float:
        """Duration of some sixteenths, on a grid of a millisecond so that the cache finds it again."""
        return max(0.03, round(steps * 0.25 * self.beat, 3))

    def add(
        self,
        start: int,
        sound: Sound,
        gain: float,
        part: Part | Lane,
        bus: int,
        pan: float | None = None,
    ) -> None:
        """Write one note as a part plays it, unless it lies behind the end.

        Parameters
        ----------
        start : int
            Sample.
        sound : Sound
        gain : float
            Linear, on top of the part's own.
        part : Part or Lane
        bus : int
        pan : float, optional
            Instead of the part's own.
        """
        if 0 <= start < self.length:
            level = gain * 10.0 ** (part.gain / 20.0)
            self.notes.append(Note(start, sound, level, part.pan if pan is None else pan, part.room, bus))
