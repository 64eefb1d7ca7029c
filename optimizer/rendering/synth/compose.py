"""From a style and a recipe to a score: what every instrument plays in every bar."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optimizer.music import Key, parse_key
from optimizer.rendering.synth import parts as play
from optimizer.rendering.synth.drums import beat, fill
from optimizer.rendering.synth.form import LEVELS, Bar, plan
from optimizer.rendering.synth.harmony import PROGRESSIONS, SCALES, Chord, read_progression
from optimizer.rendering.synth.melody import Tone, phrase
from optimizer.rendering.synth.rhythm import STEPS
from optimizer.rendering.synth.score import Note, Score
from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.styles.style import Lane, Part, Style
from optimizer.rendering.synth.voices import RATE, Sound
from optimizer.rendering.synth.words import Syllable, lines_of


@dataclass(slots=True)
class Sheet:
    """All that is fixed for a song before the first bar is written.

    Attributes
    ----------
    style : Style
    key : Key
    metre : str
    beat : float
        Seconds of a quarter note.
    energy : float
        0 to 1: the style's, moved by the tempo and a little by the seed.
    scale : tuple of int
    harmony : dict
        Bars of chords by section.
    tunes : dict
        Phrases by section.
    score : Score
    """

    style: Style
    key: Key
    metre: str
    beat: float
    energy: float
    scale: tuple[int, ...]
    name: tuple[object, ...]
    harmony: dict[str, tuple[tuple[Chord, ...], ...]] = field(default_factory=dict)
    tunes: dict[str, list[Tone]] = field(default_factory=dict)
    lines: list[list[Syllable]] = field(default_factory=list)
    score: Score = field(default_factory=lambda: Score(0))

    @property
    def tonic(self) -> int:
        """Pitch class of the key."""
        return self.key.pitch_class

    @property
    def steps(self) -> int:
        """Sixteenths in a bar."""
        return STEPS[self.metre]

    def chords(self, bar: Bar) -> tuple[Chord, ...]:
        """The chords of one bar."""
        loop = self.harmony[bar.section]
        return loop[bar.place % len(loop)]

    def bright(self, bar: Bar, offset: float = 0.0) -> float:
        """Brightness of a bar's notes, in sixths so that the cache finds them again."""
        level = LEVELS[bar.section] + (0.25 * bar.place / bar.size if bar.section == "b" else 0.0)
        value = 0.5 * level + 0.7 * self.energy - 0.15 + offset
        return round(6.0 * min(1.0, max(0.0, value))) / 6.0

    def at(self, number: int, step: float) -> int:
        """Sample of a sixteenth in bar `number`, swung."""
        whole = math.floor(step)
        late = self.style.swing if whole % 2 else 0.0
        return round((number * self.steps + step + late) * 0.25 * self.beat * RATE)

    def seconds(self, steps: float) -> float:
        """Duration of some sixteenths, on a grid of a millisecond so that the cache finds it again."""
        return max(0.03, round(steps * 0.25 * self.beat, 3))

    def add(
        self,
        start: int,
        voice: str,
        pitch: float,
        seconds: float,
        bright: float,
        gain: float,
        part: Part | Lane,
        bus: int,
        variant: int = 0,
        syllable: str = "",
    ) -> None:
        """Write one note, unless it lies behind the end."""
        if 0 <= start < self.score.length:
            sound: Sound = (voice, float(pitch), seconds, bright, variant, syllable)
            level = gain * 10.0 ** (part.gain / 20.0)
            self.score.notes.append(Note(start, sound, level, part.pan, part.room, bus))


def compose(recipe: dict[str, Any], style: Style) -> Score:
    """Write the song of a recipe.

    The tune depends on genre, style, caption, language, lyrics and seed; the tempo, the key, the metre and the
    duration change how it is played, not what it is, so that a longer render is the same song.
    """
    name = tuple(str(recipe[part]) for part in ("genre", "style", "caption", "seed"))
    words = (*name, str(recipe["language"]), str(recipe["lyrics"]))
    key = parse_key(recipe["key"])
    chance = stream("song", *name)
    bpm = float(recipe["bpm"])
    lively = style.energy + 0.35 * math.log2(bpm / style.bpm) + float(chance.uniform(-0.06, 0.06))
    scale = SCALES[f"{key.mode}-five" if style.five else key.mode]
    metre = str(recipe["time_signature"])
    sheet = Sheet(style, key, metre, 60.0 / bpm, min(1.0, max(0.0, lively)), scale, name)
    sheet.score.length = max(1, round(float(recipe["duration"]) * RATE))
    sheet.lines = lines_of(str(recipe["lyrics"]), str(recipe["language"])) if style.singer else []
    _write_harmony(sheet, chance)
    tune = stream("tune", *words)
    for section in LEVELS:
        feel = style.song if sheet.lines else _lead_feel(style)
        loop = sheet.harmony[section]
        sheet.tunes[section] = phrase(tune, loop, _tune_scale(sheet), feel, metre, 4 if feel == "talk" else 5)
    bar_length = sheet.steps * 0.25 * sheet.beat
    count = max(1, math.ceil(float(recipe["duration"]) / bar_length - 1e-6))
    bars = plan(count, sheet.energy, stream("form", *name))
    ringing = count > 2 and count * bar_length - float(recipe["duration"]) > 0.3 * bar_length
    _play(sheet, bars, words, ringing)
    return sheet.score


def _lead_feel(style: Style) -> str:
    return next((part.rhythms[0] for part in style.parts if part.role == "lead"), "even")


def _tune_scale(sheet: Sheet) -> tuple[int, ...]:
    return sheet.scale


def _write_harmony(sheet: Sheet, chance: np.random.Generator) -> None:
    """Choose a progression for the choruses and one for the rest."""
    texts = PROGRESSIONS[sheet.style.feel][sheet.key.mode]
    order = [int(i) for i in chance.permutation(len(texts))]
    loops = [read_progression(texts[i], sheet.key.mode, sheet.style.colour) for i in order]
    second = loops[1] if chance.random() < 0.6 else loops[0]
    sheet.harmony = {section: loops[0] for section in "ico"} | {section: second for section in "vbk"}


def _play(sheet: Sheet, bars: list[Bar], words: tuple[object, ...], ringing: bool) -> None:
    """Write all parts, bar by bar; with `ringing`, the last, unfinished bar is one held chord."""
    style = sheet.style
    chance = stream("parts", *sheet.name)
    present = [lane for lane in style.lanes if chance.random() < lane.chance + 0.5 * (sheet.energy - 0.5) * (lane.chance < 1)]
    drawn = [int(chance.integers(len(lane.patterns))) for lane in present]
    parts = [part for part in style.parts if chance.random() < part.chance]
    if sheet.lines:
        # Where somebody sings, the instrument that had the tune answers instead.
        parts = [part for part in parts if part.role != "lead" or part.chance == 1.0]
    players = [play.Player(part, sheet, stream("part", number, part.voice, *sheet.name)) for number, part in enumerate(parts)]
    if sheet.lines:
        players.append(play.singer(sheet, stream("singer", *words)))
    for number, bar in enumerate(bars):
        if ringing and number == len(bars) - 1:
            play.ending(sheet, players, number, bar)
            continue
        beat(sheet, present, drawn, number, bar)
        if bar.last and number < len(bars) - 1 or bar.place % 8 == 7:
            fill(sheet, number, bar, stream("fill", number, *sheet.name))
        for player in players:
            player.bar(number, bar)
