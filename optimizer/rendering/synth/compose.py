"""From a recipe to a written song."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from optimizer.music import parse_key
from optimizer.rendering.synth.captions import read_caption
from optimizer.rendering.synth.drums import Kit
from optimizer.rendering.synth.form import LEVELS, Bar, plan
from optimizer.rendering.synth.harmony import PROGRESSIONS, SCALES, read_progression
from optimizer.rendering.synth.melody import phrase
from optimizer.rendering.synth.parts import Player, ending, singer
from optimizer.rendering.synth.rhythm import STEPS
from optimizer.rendering.synth.sheet import Sheet
from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.styles import choose
from optimizer.rendering.synth.voices import RATE
from optimizer.rendering.synth.words import lines_of


def compose(recipe: Mapping[str, Any]) -> Sheet:
    """Write the song of a recipe.

    The tune depends on genre, style, caption, language, lyrics and seed; tempo, key, metre and duration change how
    it is played, not what it is, so that a longer render is the same song.

    Parameters
    ----------
    recipe : mapping
        Recipe's fields.
    """
    style, mood = read_caption(choose(recipe), str(recipe["caption"]))
    name = tuple(str(recipe[part]) for part in ("genre", "style", "caption", "seed"))
    words = (*name, str(recipe["language"]), str(recipe["lyrics"]))
    key = parse_key(str(recipe["key"]))
    chance = stream("song", *name)
    bpm = float(recipe["bpm"])
    duration = float(recipe["duration"])
    lively = style.energy + 0.35 * math.log2(bpm / style.bpm) + float(chance.uniform(-0.06, 0.06))
    sheet = Sheet(
        style=style,
        key=key,
        metre=str(recipe["time_signature"]),
        beat=60.0 / bpm,
        length=max(1, round(duration * RATE)),
        energy=min(1.0, max(0.0, lively)),
        mood=mood,
        scale=SCALES[f"{key.mode}-five" if style.five else key.mode],
        name=name,
        lines=lines_of(str(recipe["lyrics"]), str(recipe["language"])) if style.singer else [],
    )
    _write_harmony(sheet, chance)
    _write_tunes(sheet, words)
    bar_seconds = STEPS[sheet.metre] * 0.25 * sheet.beat
    whole = duration / bar_seconds
    count = max(1, math.ceil(whole - 1e-6))
    # A last bar that is cut short becomes the final chord, with the bar before it if there is hardly any of it.
    ringing = count > 2 and count - whole > 0.1
    if ringing and count - whole > 0.65:
        count -= 1
    bars = plan(count, sheet.energy, stream("form", *name))
    _write_bars(sheet, bars, words, ringing)
    return sheet


def _write_harmony(sheet: Sheet, chance: np.random.Generator) -> None:
    """Choose a progression for the choruses and one for the rest."""
    texts = PROGRESSIONS[sheet.style.feel][sheet.key.mode]
    order = [int(i) for i in chance.permutation(len(texts))]
    first, second = (read_progression(texts[i], sheet.key.mode, sheet.style.colour) for i in order[:2])
    if chance.random() < 0.4:
        second = first
    sheet.harmony = {section: second if section in "vbk" else first for section in LEVELS}


def _write_tunes(sheet: Sheet, words: tuple[str, ...]) -> None:
    """Compose the leading instrument's phrases, and the singer's if there are words."""
    style = sheet.style
    feel = next((part.rhythms[0] for part in style.parts if part.role == "lead"), "even")
    tune, song = stream("tune", *words), stream("sung", *words)
    for section in LEVELS:
        loop = sheet.harmony[section]
        sheet.tunes[section] = phrase(tune, loop, sheet.scale, feel, sheet.metre)
        if sheet.lines:
            span = 3 if style.song == "talk" else 5
            sheet.songs[section] = phrase(song, loop, sheet.scale, style.song, sheet.metre, span)


def _write_bars(sheet: Sheet, bars: list[Bar], words: tuple[str, ...], ringing: bool) -> None:
    """Write all parts bar by bar; with `ringing`, the last one is a held chord."""
    chance = stream("parts", *sheet.name)
    kit = Kit(sheet, chance)
    parts = [part for part in sheet.style.parts if chance.random() < part.chance]
    parts = [replace(part, gain=part.gain + float(chance.uniform(-1.0, 1.0))) for part in parts]
    players = []
    for number, part in enumerate(parts):
        # Licks follow the words too, so that they matter even in a style without a tune.
        named = words if part.role == "riff" else sheet.name
        players.append(Player(part, sheet, stream("part", number, *named)))
    if sheet.lines:
        players.append(singer(sheet, stream("singer", *words)))
    for number, bar in enumerate(bars):
        if ringing and number == len(bars) - 1:
            kit.crash(number)
            ending(players, number, bar)
            continue
        following = bars[number + 1] if number + 1 < len(bars) else None
        kit.bar(number, bar, following)
        for player in players:
            player.bar(number, bar)
