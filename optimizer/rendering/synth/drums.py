"""Drums: lanes of patterns bent to the metre, fills, and the sweeps that lead into a chorus."""

from __future__ import annotations

import numpy as np

from optimizer.rendering.synth.form import Bar
from optimizer.rendering.synth.rhythm import COMPOUND, WALTZ, Stroke, bar_of
from optimizer.rendering.synth.sheet import Sheet
from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.styles.style import Lane

_VARIANTS = 3
"""Takes of each drum that alternate, so that fast hats do not sound like a machine gun."""


class Kit:
    """A song's drums.

    Parameters
    ----------
    sheet : Sheet
    chance : numpy.random.Generator
        Decides which of the style's lanes the song has, and their patterns.
    """

    def __init__(self, sheet: Sheet, chance: np.random.Generator) -> None:
        self.sheet = sheet
        # Lively songs have more of the drums that a style may or may not have.
        extra = 0.5 * (sheet.energy - 0.5)
        self.lanes = [
            lane for lane in sheet.style.lanes if chance.random() < lane.chance + (extra if lane.chance < 1.0 else 0.0)
        ]
        self.patterns = [lane.patterns[int(chance.integers(len(lane.patterns)))] for lane in self.lanes]
        self.others = [
            pattern if lane.voice.startswith("kick") else lane.patterns[int(chance.integers(len(lane.patterns)))]
            for lane, pattern in zip(self.lanes, self.patterns, strict=True)
        ]
        self.sweeps = any(lane.when == "b" for lane in sheet.style.lanes)

    def bar(self, number: int, bar: Bar, following: Bar | None) -> None:
        """Write one bar.

        Parameters
        ----------
        number : int
            Of the bar within the song.
        bar : Bar
        following : Bar or None
            The next one; None at the end.
        """
        sheet = self.sheet
        lift = bar.section == "b" and bar.last and following is not None
        for index, lane in enumerate(self.lanes):
            if bar.section not in lane.when:
                continue
            for stroke in self._strokes(index, bar):
                # The breath before a drop: everything but the roll stops for half a beat.
                if not (lift and stroke.step >= sheet.steps - 2 and lane.when != "b"):
                    self._strike(lane, number, bar, stroke)
        if bar.first and bar.section == "c":
            self.crash(number)
        if following is not None and (bar.last or bar.place % 8 == 7):
            self._fill(number, bar)
        if self.sweeps and bar.section == "b" and bar.first:
            self._sweep(number, bar)

    def crash(self, number: int) -> None:
        """Mark the beginning of a bar with a cymbal, in songs that are not soft."""
        sheet = self.sheet
        if sheet.energy > 0.42 and self.lanes:
            lane = Lane("crash", (), -15.0 + 4.0 * sheet.energy, 0.2, room=0.15)
            sheet.add(sheet.at(number, 0), ("crash", 36.0, 0.1, 0.5, 0, ""), 1.0, lane, 0)

    def _strokes(self, index: int, bar: Bar) -> list[Stroke]:
        lane = self.lanes[index]
        pattern = self.others[index] if bar.section == "c" and bar.place % 8 >= 4 else self.patterns[index]
        if self.sheet.metre == "6":
            pattern = COMPOUND.get(lane.metre, pattern)
        elif self.sheet.metre == "3" and pattern[:16:4] != "XXXX":
            # Four on the floor is three on the floor; what has a backbeat becomes a waltz.
            pattern = WALTZ.get(lane.metre, pattern)
        return bar_of(pattern, bar.place, self.sheet.metre)

    def _strike(self, lane: Lane, number: int, bar: Bar, stroke: Stroke) -> None:
        sheet = self.sheet
        start = sheet.at(number, stroke.step)
        if lane.voice.startswith("kick") and start < sheet.length:
            sheet.kicks.append(start)
        swell = 0.5 + 0.5 * (bar.place + stroke.step / sheet.steps) / bar.size if lane.when == "b" else 1.0
        level = stroke.force * swell * (0.7 + 0.3 * sheet.energy)
        variant = (number * sheet.steps + stroke.step) % _VARIANTS if stroke.length == 1 else number
        seconds = 0.1 if stroke.length == 1 else sheet.seconds(stroke.length)
        sound = (lane.voice, 36.0 + sheet.tonic, seconds, sheet.bright(bar), variant, "")
        sheet.add(start, sound, level, lane, 0)

    def _fill(self, number: int, bar: Bar) -> None:
        """Write a run of strokes over the end of a bar, growing towards the next."""
        sheet = self.sheet
        voices = sheet.style.fill
        if not voices:
            return
        rng = stream("fill", number, *sheet.name)
        length = 8 if sheet.energy > 0.6 and rng.random() < 0.4 and sheet.steps > 8 else 4
        for step in range(length):
            rest, force, pan = (float(x) for x in rng.uniform((0.0, 0.85, -0.3), (1.0, 1.0, 0.3)))
            if step % 2 and rest > 0.35 + 0.5 * sheet.energy:
                continue
            voice = voices[step * len(voices) // length]
            lane = Lane(voice, (), -7.0, room=0.12)
            sound = (voice, 36.0 + sheet.tonic, 0.1, sheet.bright(bar), step % _VARIANTS, "")
            start = sheet.at(number, sheet.steps - length + step)
            sheet.add(start, sound, force * (0.45 + 0.45 * step / length), lane, 0, pan)

    def _sweep(self, number: int, bar: Bar) -> None:
        """Noise rising through a build, and the hit and the falling noise where the chorus begins."""
        sheet = self.sheet
        length = sheet.seconds(sheet.steps * bar.size)
        rise = Lane("riser", (), -7.0, room=0.1)
        sheet.add(sheet.at(number, 0), ("riser", 36.0, length, 0.5, 0, ""), 1.0, rise, 0)
        drop = sheet.at(number + bar.size, 0)
        low = Lane("impact", (), -9.0, room=0.1)
        sheet.add(drop, ("impact", 24.0 + sheet.tonic, 0.1, 0.5, 0, ""), 1.0, low, 0)
        down = Lane("downlifter", (), -15.0, room=0.1)
        sheet.add(drop, ("downlifter", 36.0, sheet.seconds(sheet.steps), 0.5, 0, ""), 1.0, down, 0)
