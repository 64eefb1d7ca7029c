"""Lyrics as a singer of vowels needs them: lines of syllables, coloured by the language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from optimizer.rendering.synth.spelling import VOWELS, spell
from optimizer.rendering.synth.streams import unit


@dataclass(frozen=True, slots=True)
class Syllable:
    """What is left of a syllable.

    Attributes
    ----------
    consonant : str
        ``s`` hiss, ``t`` stop, ``n`` hum, ``r`` roll, or nothing.
    vowel, close : str
        Vowel and the one it glides to, of `spelling.VOWELS`.
    """

    consonant: str
    vowel: str
    close: str

    @property
    def code(self) -> str:
        """The form in which voices read it."""
        return f"{self.consonant}|{self.vowel}|{self.close}"


_TAG = re.compile(r"\[[^\]]*\]")
_CLASSES = {**dict.fromkeys("szcxj", "s"), **dict.fromkeys("ptkbdgqfvh", "t"), **dict.fromkeys("mnlw", "n"), "r": "r"}
_CLOSES = {"a": "i", "e": "i", "o": "u", "æ": "i", "ə": "u"}

_SHIFTS: dict[str, dict[str, str]] = {
    "en": {"a": "æ", "o": "ə", "u": "ə"},
    "fr": {"u": "y", "e": "ö"},
    "de": {"e": "ə", "y": "ö"},
    "pa": {"e": "ə", "o": "a"},
    "hi": {"y": "ə", "u": "o"},
    "zh": {"e": "ə", "o": "u"},
    "yue": {"e": "ö", "u": "y"},
    "pt": {"a": "ə", "e": "i"},
    "ru": {"o": "a", "y": "ə"},
    "ja": {"u": "y"},
    "ko": {"e": "æ", "y": "ə"},
    "es": {"y": "i"},
}
"""What a language makes of plain vowels."""

_GLIDES = {"en": 0.45, "pt": 0.3, "zh": 0.35, "yue": 0.4, "vi": 0.4, "th": 0.3, "pa": 0.2, "hi": 0.12, "es": 0.06}
"""How many of a language's vowels glide into another."""


def lines_of(lyrics: str, language: str) -> list[list[Syllable]]:
    """Read lyrics into sung lines.

    Parameters
    ----------
    lyrics : str
        With section tags in brackets, which are not sung.
    language : str
        A code of `optimizer.recipe.LANGUAGES`; ``unknown`` sings nothing.

    Returns
    -------
    list of list of Syllable
        Empty for an instrumental.
    """
    if language == "unknown":
        return []
    lines = (_syllables(line, language) for line in _TAG.sub("\n", lyrics).splitlines())
    return [line for line in lines if line]


def _syllables(line: str, language: str) -> list[Syllable]:
    out: list[Syllable] = []
    consonant = ""
    for letter in spell(line):
        if letter in VOWELS:
            out.append(_colour(consonant, letter, language, len(out)))
            consonant = ""
        else:
            consonant = _CLASSES.get(letter, consonant)
    return out


def _colour(consonant: str, vowel: str, language: str, place: int) -> Syllable:
    shifts = _SHIFTS.get(language)
    if shifts is None:
        # A language without a table of its own still differs from the others in one vowel.
        shifts = {VOWELS[int(unit(language, "from") * 5)]: VOWELS[int(unit(language, "to") * len(VOWELS))]}
    vowel = shifts.get(vowel, vowel)
    if unit(language, "glide", place, vowel) < _GLIDES.get(language, 0.1 + 0.2 * unit(language)):
        return Syllable(consonant, vowel, _CLOSES.get(vowel, "ə"))
    return Syllable(consonant, vowel, vowel)
