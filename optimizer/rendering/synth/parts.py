"""What each role plays in a bar: bass, chords, arpeggio, tune, riff, drone, voice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.rendering.synth.form import Bar
from optimizer.rendering.synth.harmony import Chord, near, voice
from optimizer.rendering.synth.melody import Tone
from optimizer.rendering.synth.rhythm import Stroke, bar_of
from optimizer.rendering.synth.sheet import Sheet
from optimizer.rendering.synth.styles.style import Part
from optimizer.rendering.synth.voices import RATE

_SHAPES = ((0, 1, 2, 3), (0, 2, 1, 2), (2, 1, 0, 1), (0, 1, 2, 1), (0, 2, 3, 1))
"""Orders in which an arpeggio takes a chord's notes."""


class Player:
    """One instrument through one song.

    Parameters
    ----------
    part : Part
    sheet : Sheet
    rng : numpy.random.Generator
        Its own stream.
    """

    def __init__(self, part: Part, sheet: Sheet, rng: np.random.Generator) -> None:
        voices = part.voice.split("|")
        self.part = replace(part, voice=voices[int(rng.integers(len(voices)))])
        self.sheet = sheet
        self.rng = rng
        self.last: tuple[int, ...] = ()
        self.shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
        self.centre = part.centre + (0 if part.role in ("bass", "drone", "power") else int(rng.integers(-2, 3)))
        self.rhythm = part.rhythms[int(rng.integers(len(part.rhythms)))] if part.rhythms else "x---------------"
        self.lick = _lick(rng, sheet)
        self.turn = 0

    def bar(self, number: int, bar: Bar) -> None:
        """Write one bar, if the section has this part."""
        if bar.section in self.part.when:
            getattr(self, f"_{self.part.role}")(number, bar)

    def note(
        self, number: int, step: float, pitch: float, length: float, force: float, bar: Bar, syllable: str = ""
    ) -> None:
        """Write one note as a hand plays it, never quite the same twice, and its echoes."""
        sheet, part = self.sheet, self.part
        touch, late = (float(x) for x in self.rng.uniform((0.88, 0.0), (1.0, 0.006)))
        start = sheet.at(number, step) + round(late * RATE)
        sound = (part.voice, float(pitch), sheet.seconds(length), sheet.bright(bar), 0, syllable)
        bus = 2 if part.front else 1
        sheet.add(start, sound, force * touch, part, bus)
        if part.echo:
            gap = 2 if sheet.metre == "6" else 3
            for turn, side in ((1, 0.5), (2, -0.5)):
                again = sheet.at(number, step + gap * turn)
                sheet.add(again, sound, force * part.echo**turn, part, bus, side)

    def _strokes(self, bar: Bar) -> list[Stroke]:
        return bar_of(self.rhythm, bar.place, self.sheet.metre)

    def _low(self, chord: Chord) -> int:
        """A chord's root in the octave above the part's centre."""
        return self.part.centre + (self.sheet.tonic + chord.root - self.part.centre) % 12

    def _bass(self, number: int, bar: Bar) -> None:
        sheet = self.sheet
        following = self._low(sheet.chords(bar, 1)[0])
        for stroke in self._strokes(bar):
            chord = sheet.chord(bar, stroke.step)
            root = self._low(chord)
            up = {"f": 7, "u": 12, "t": chord.tones[1]}.get(stroke.mark, 0)
            if stroke.mark == "a":
                # A whole step from the next root, from the side it comes from.
                up = following - root - (2 if following > root else -2) if following != root else 7
            self.note(number, stroke.step, root + up, stroke.length * 0.95, stroke.force, bar)

    def _power(self, number: int, bar: Bar) -> None:
        for stroke in self._strokes(bar):
            root = self._low(self.sheet.chord(bar, stroke.step))
            self.note(number, stroke.step, root, stroke.length * 0.96, stroke.force, bar)

    def _voicing(self, chord: Chord, notes: int = 4) -> tuple[int, ...]:
        self.last = voice(chord, self.sheet.tonic, self.centre, self.last, notes)
        return self.last

    def _chords(self, number: int, bar: Bar) -> None:
        for stroke in self._strokes(bar):
            for pitch in self._voicing(self.sheet.chord(bar, stroke.step)):
                self.note(number, stroke.step, pitch, stroke.length * 0.92, stroke.force, bar)

    def _strum(self, number: int, bar: Bar) -> None:
        sheet = self.sheet
        for stroke in self._strokes(bar):
            chord = self.sheet.chord(bar, stroke.step)
            low = near((sheet.tonic + chord.root) % 12, self.centre - 10)
            pitches = [low, *(p for p in self._voicing(chord) if p > low)]
            if stroke.step % 4 == 2:
                pitches = pitches[:0:-1][:3]
            spread = 0.011 / (0.25 * sheet.beat)
            for index, pitch in enumerate(pitches):
                self.note(number, stroke.step + index * spread, pitch, stroke.length, stroke.force * 0.8, bar)

    def _pad(self, number: int, bar: Bar) -> None:
        chords = self.sheet.chords(bar)
        length = self.sheet.steps / len(chords)
        for index, chord in enumerate(chords):
            for pitch in self._voicing(chord):
                self.note(number, index * length, pitch, length, 0.8, bar)

    def _arp(self, number: int, bar: Bar) -> None:
        for index, stroke in enumerate(self._strokes(bar)):
            pitches = self._voicing(self.sheet.chord(bar, stroke.step), 3)
            ladder = (*pitches, pitches[0] + 12)
            pitch = ladder[self.shape[index % 4]]
            if stroke.mark == "r":
                pitch = near((self.sheet.tonic + self.sheet.chord(bar, stroke.step).root) % 12, self.centre - 14)
            elif stroke.mark == "f":
                pitch = near((self.sheet.tonic + self.sheet.chord(bar, stroke.step).root + 7) % 12, self.centre - 10)
            self.note(number, stroke.step, pitch, stroke.length, stroke.force, bar)

    def _lead(self, number: int, bar: Bar) -> None:
        """The tune; where somebody sings, only answers in the second half of every other bar."""
        sung = bool(self.sheet.lines) and bar.section in "vc"
        for tone in self._phrase(self.sheet.tunes, bar):
            if sung and (bar.place % 2 == 0 or tone.step < self.sheet.steps // 2):
                continue
            self.note(number, tone.step, self._home() + tone.pitch, tone.length * 0.93, tone.force, bar)

    def _home(self) -> int:
        return near(self.sheet.tonic, self.centre)

    def _phrase(self, tunes: dict[str, list[Tone]], bar: Bar) -> list[Tone]:
        size = len(self.sheet.harmony[bar.section])
        return [tone for tone in tunes[bar.section] if tone.bar == bar.place % size]

    def _counter(self, number: int, bar: Bar) -> None:
        """Long notes against the tune: the chord's third, then its root."""
        chords = self.sheet.chords(bar)
        half = self.sheet.steps / 2
        chord = chords[-1]
        for index, which in enumerate((1, 0) if bar.place % 2 else (0, 1)):
            pitch = near((self.sheet.tonic + chord.classes[which]) % 12, self.centre)
            self.note(number, index * half, pitch, half * 0.95, 0.8, bar)

    def _riff(self, number: int, bar: Bar) -> None:
        home = self._home()
        for index, stroke in enumerate(self._strokes(bar)):
            pitch = self.lick[(index + (bar.place % 2) * 3) % len(self.lick)] if stroke.step else 0
            self.note(number, stroke.step, home + pitch, stroke.length, stroke.force, bar)

    def _drone(self, number: int, bar: Bar) -> None:
        home = self._home()
        for index, stroke in enumerate(self._strokes(bar)):
            self.note(number, stroke.step, home + (7, 12, 12, 0)[index % 4] - 12, stroke.length, stroke.force, bar)

    def _shout(self, number: int, bar: Bar) -> None:
        if bar.place % 2:
            for stroke in self._strokes(bar):
                self.note(number, stroke.step, self._home(), stroke.length, stroke.force, bar)

    def _sing(self, number: int, bar: Bar) -> None:
        sheet = self.sheet
        line = sheet.lines[(bar.turn * 4 + bar.place) % len(sheet.lines)]
        for tone in self._phrase(sheet.songs, bar):
            syllable = line[self.turn % len(line)]
            self.turn += 1
            self.note(number, tone.step, self._home() + tone.pitch, tone.length * 0.9, tone.force, bar, syllable.code)


def singer(sheet: Sheet, rng: np.random.Generator) -> Player:
    """The voice of a song that has words."""
    gain = -5.0 if sheet.style.song == "talk" else -6.0
    part = Part(
        sheet.style.singer, "sing", (), sheet.style.register, gain, when="vcbk", room=0.3, echo=0.16, front=True
    )
    return Player(part, sheet, rng)


def ending(players: list[Player], number: int, bar: Bar) -> None:
    """Let the tonic chord ring through the last bar and what is left of the next."""
    for player in players:
        sheet, role = player.sheet, player.part.role
        tonic = sheet.harmony["c"][0][0]
        if role in ("bass", "power"):
            player.note(
                number, 0, player.part.centre + (sheet.tonic - player.part.centre) % 12, 1.5 * sheet.steps, 0.9, bar
            )
        elif role in ("chords", "pad", "strum", "arp"):
            for pitch in voice(tonic, sheet.tonic, player.centre, player.last, 3):
                player.note(number, 0, pitch, 1.5 * sheet.steps, 0.8, bar)
        elif role in ("lead", "riff"):
            player.note(number, 0, near(sheet.tonic, player.centre), sheet.steps, 0.9, bar)
        elif role == "sing":
            code = sheet.lines[0][-1].code
            player.note(number, 0, near(sheet.tonic, player.centre), sheet.steps, 0.9, bar, code)


def _lick(rng: np.random.Generator, sheet: Sheet) -> list[int]:
    """A lick around the tonic that ignores the chords."""
    fifth = 7
    third = 4 if sheet.key.mode == "major" else 3
    pool = [0, 0, 2 if sheet.key.mode == "major" else 3, third, 5, fifth, 0, third]
    return [pool[int(i)] for i in rng.integers(len(pool), size=8)]
