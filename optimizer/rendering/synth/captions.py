"""What a caption adds to a style: instruments that it names, and words about light, space and force."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from optimizer.rendering.synth.styles.style import Lane, Part, Style

_EXTRAS: dict[str, Part | Lane] = {
    "tumbi": Part("tumbi", "riff", ("x.xx.xx.x.xx.xx.", "x.x..xx.x.x..xx."), 74, -11.0, 0.35, "ivc", front=True),
    "dhol": Lane("dhol-stick", ("X.xxX.xxX.xxX.xx",), -9.0, 0.3, "bc"),
    "tabla": Lane("tabla-na", ("x.xxx.x.x.xxx.x.",), -11.0, 0.3, "ivc"),
    "violin": Part("fiddle", "counter", (), 72, -15.0, -0.3, "ic", room=0.35),
    "fiddle": Part("fiddle", "counter", (), 72, -15.0, -0.3, "ic", room=0.35),
    "strings": Part("strings", "counter", (), 67, -16.0, 0.1, "cko", room=0.4),
    "cello": Part("cello", "counter", (), 52, -16.0, 0.2, "vc", room=0.35),
    "piano": Part("piano", "chords", ("x-------x-------",), 62, -15.0, -0.2, "ivc", room=0.25),
    "organ": Part("organ", "pad", (), 60, -20.0, 0.3, "bc"),
    "accordion": Part("accordion", "counter", (), 70, -17.0, -0.3, "ic"),
    "harmonica": Part("accordion", "counter", (), 72, -17.0, 0.3, "ic"),
    "harmonium": Part("harmonium", "pad", (), 60, -20.0, -0.2, "ivc"),
    "flute": Part("flute", "counter", (), 76, -16.0, 0.3, "ic", room=0.35),
    "bansuri": Part("bansuri", "counter", (), 74, -16.0, 0.3, "ic", room=0.4),
    "trumpet": Part("brass-slow", "counter", (), 68, -16.0, 0.25, "c", room=0.3),
    "saxophone": Part("brass-slow", "counter", (), 63, -16.0, 0.25, "c", room=0.3),
    "brass": Part("brass", "chords", ("x.....x.x.......",), 64, -16.0, 0.15, "bc"),
    "horn": Part("brass", "chords", ("x...........xx..",), 64, -16.0, 0.15, "bc"),
    "marimba": Part("marimba", "arp", ("x..x..x.x..x..x.",), 72, -14.0, -0.35, "ivc"),
    "steel-drum": Part("kalimba", "arp", ("x..x..x.x..x..x.",), 72, -14.0, -0.35, "ivc"),
    "bell": Part("bell", "counter", (), 76, -18.0, 0.35, "ck", room=0.45),
    "sitar": Part("sitar", "counter", (), 67, -16.0, -0.3, "ic", room=0.3),
    "guzheng": Part("guzheng", "arp", ("..x.x.x...x.x.x.",), 72, -15.0, 0.35, "vc", room=0.35),
    "erhu": Part("erhu", "counter", (), 69, -17.0, -0.25, "ic", room=0.4),
    "banjo": Part("banjo", "arp", ("x.xxx.xxx.xxx.xx",), 67, -16.0, 0.4, "vc"),
    "mandolin": Part("mandolin", "arp", ("x.x.x.x.x.x.x.x.",), 74, -17.0, 0.4, "vc"),
    "ukulele": Part("nylon", "strum", ("x.x..xx.x.x..xx.",), 69, -17.0, 0.4, "vc"),
    "harp": Part("harp", "arp", ("x.x.x.x.x.x.x.x.",), 72, -14.0, 0.3, "ivk", room=0.35),
    "choir": Part("choir", "counter", (), 65, -17.0, 0.0, "ck", room=0.5),
    "saw": Part("supersaw", "pad", (), 64, -21.0, 0.0, "c", room=0.3),
    "arpeggio": Part("pluck", "arp", ("xxxxxxxxxxxxxxxx",), 74, -17.0, 0.3, "bc", room=0.3, echo=0.3),
    "acid": Part("bass-acid", "arp", ("x.xx.xx.x.xx.xx.",), 48, -16.0, 0.1, "c", room=0.1),
    "congas": Lane("conga-open", ("......xx......xx",), -11.0, -0.35, "vc"),
    "conga": Lane("conga-open", ("......xx......xx",), -11.0, -0.35, "vc"),
    "bongo": Lane("bongo-high", ("x.xxx.x.x.xxx.x.",), -14.0, 0.4, "vc"),
    "cowbell": Lane("cowbell", ("x...x...x...x...",), -17.0, 0.4, "c"),
    "shaker": Lane("shaker", ("xoxoxoxoxoxoxoxo",), -20.0, 0.35, "ivc"),
    "tambourine": Lane("tambourine", ("....x.......x...",), -17.0, 0.4, "c"),
    "claps": Lane("clap", ("....x.......x...",), -11.0, -0.1, "c"),
    "vinyl": Lane("crackle", ("x---------------",), -20.0, 0.0, "ivbcko"),
}
"""What a named instrument plays where the style does not have it anyway."""

_LIMIT = 3
"""Most instruments a caption can add; more would crowd the mix."""

_NOT = ("no", "without", "electric", "on", "steel")
"""Words after which an instrument's name means none of it, or another: electric piano, fingers on strings."""

_MOODS = {
    **dict.fromkeys(("bright", "sparkling", "glossy", "shimmering", "crisp", "sunny", "airy", "brilliant"), 0.05),
    **dict.fromkeys(("dark", "warm", "mellow", "dusty", "hazy", "lo-fi", "muffled", "soft", "brooding"), -0.05),
}
_SPACES = {
    **dict.fromkeys(("spacious", "reverberant", "cavernous", "huge", "cinematic", "wide", "arena", "ambient"), 1.15),
    **dict.fromkeys(("dry", "close", "intimate", "bedroom", "tight"), 0.85),
}
_FORCES = {
    **dict.fromkeys(("loud", "distorted", "pounding", "hard-hitting", "aggressive", "heavy", "hard-limited"), 0.5),
    **dict.fromkeys(("gentle", "tender", "quiet", "natural", "delicate"), -0.5),
}


def words_of(text: str) -> list[str]:
    """Words of a caption in order, lower case; hyphenated ones also by their parts."""
    found: list[str] = []
    for word in re.findall(r"[a-z0-9&]+(?:-[a-z0-9&]+)*", text.lower()):
        found.append(word)
        if "-" in word:
            found += word.split("-")
    return found


def read_caption(style: Style, caption: str) -> tuple[Style, float]:
    """Let a caption colour a style.

    Parameters
    ----------
    style : Style
    caption : str

    Returns
    -------
    Style
        With the instruments that the caption names first and the style lacks, in the space that it speaks of.
    float
        What its words add to the brightness, -0.15 to 0.15.
    """
    words = words_of(caption)
    have = {voice for part in style.parts for voice in part.voice.split("|")} | {lane.voice for lane in style.lanes}
    extras: list[Part | Lane] = []
    for before, word in pairwise(["", *words]):
        if before in _NOT:
            continue
        extra = _EXTRAS.get(word) or _EXTRAS.get(word.removesuffix("s"))
        if extra is not None and extra.voice not in have and len(extras) < _LIMIT:
            extras.append(extra)
            have.add(extra.voice)
    wet = style.wet
    for word in words:
        wet *= _SPACES.get(word, 1.0)
    drive = style.drive + sum(_FORCES.get(word, 0.0) for word in words)
    mood = sum(_MOODS.get(word, 0.0) for word in words)
    coloured = replace(
        style,
        lanes=(*style.lanes, *(extra for extra in extras if isinstance(extra, Lane))),
        parts=(*style.parts, *(extra for extra in extras if isinstance(extra, Part))),
        wet=min(0.8, max(0.15, wet)),
        drive=min(4.0, max(0.0, drive)),
    )
    return coloured, min(0.15, max(-0.15, mood))
