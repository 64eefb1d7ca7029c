"""Drums: lanes of patterns, bent to the metre, and fills that lead on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optimizer.rendering.synth.form import Bar
from optimizer.rendering.synth.rhythm import COMPOUND, WALTZ, bar_of
from optimizer.rendering.synth.styles.style import Lane

if TYPE_CHECKING:
    from optimizer.rendering.synth.compose import Sheet

_VARIANTS = 3
"""Takes of each drum that alternate, so that fast hats do not sound like a machine gun."""


def beat(sheet: Sheet, lanes: list[Lane], drawn: list[int], number: int, bar: Bar) -> None:
    """Write one bar of drums.

    Parameters
    ----------
    sheet : Sheet
    lanes : list of Lane
        Those the song has.
    drawn : list of int
        Which of its patterns each plays.
    number : int
        Of the bar within the song.
    bar : Bar
    """
    for lane, choice in zip(lanes, drawn, strict=True):
        if bar.section not in lane.when:
            continue
        pattern = lane.patterns[choice]
        if lane.metre and pattern[:16:4] != "XXXX":
            pattern = {"3": WALTZ, "6": COMPOUND}.get(sheet.metre, {}).get(lane.metre, pattern)
        level = 0.75 + 0.25 * sheet.energy
        for stroke in bar_of(pattern, bar.place, sheet.metre):
            start = sheet.at(number, stroke.step)
            if lane.voice.startswith("kick") and start < sheet.score.length:
                sheet.score.kicks.append(start)
            swell = 0.35 + 0.65 * (bar.place + stroke.step / sheet.steps) / bar.size if lane.when == "b" else 1.0
            sheet.add(
                start,
                lane.voice,
                36.0 + sheet.tonic,
                0.1,
                sheet.bright(bar),
                stroke.force * level * swell,
                lane,
                0,
                (number * sheet.steps + stroke.step) % _VARIANTS,
            )
    if bar.first and bar.section in "co" and sheet.energy > 0.3:
        crash = Lane("crash", (), -13.0 + 4.0 * sheet.energy, 0.2, room=0.15)
        sheet.add(sheet.at(number, 0), "crash", 36.0, 0.1, 0.5, 1.0, crash, 0)


def fill(sheet: Sheet, number: int, bar: Bar, rng: np.random.Generator) -> None:
    """Write a run of strokes over the end of a bar, growing towards the next."""
    voices = sheet.style.fill
    if not voices:
        return
    length = 8 if sheet.energy > 0.6 and rng.random() < 0.4 else 4
    first = sheet.steps - length
    for step in range(length):
        if step % 2 and rng.random() > 0.35 + 0.5 * sheet.energy:
            continue
        voice = voices[min(len(voices) - 1, int(step * len(voices) / length))]
        force = (0.45 + 0.45 * step / length) * float(rng.uniform(0.85, 1.0))
        lane = Lane(voice, (), -7.0, float(rng.uniform(-0.3, 0.3)), room=0.12)
        sheet.add(sheet.at(number, first + step), voice, 36.0 + sheet.tonic, 0.1, sheet.bright(bar), force, lane, 0)
