"""Lyrics as a singer of vowels needs them: lines of syllables, from any script, coloured by the language."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from optimizer.rendering.synth.streams import unit


@dataclass(frozen=True, slots=True)
class Syllable:
    """What is left of a syllable.

    Attributes
    ----------
    consonant : str
        ``s`` hiss, ``t`` stop, ``n`` hum, ``r`` roll, or nothing.
    vowel, close : str
        Vowel and the one it glides to.
    """

    consonant: str
    vowel: str
    close: str

    @property
    def code(self) -> str:
        """The form in which voices read it."""
        return f"{self.consonant}|{self.vowel}|{self.close}"


_TAG = re.compile(r"\[[^\]]*\]|\([^)]*\)")
_NAMED = re.compile(
    r"(?:LETTER|SIGN|SYLLABLE|JUNGSEONG|CHARACTER|VOWEL SIGN|SARA)\s+(?:SMALL |CAPITAL |AI |SARA )?([A-Z]+)$"
)
_CLASSES = {**dict.fromkeys("szcxj", "s"), **dict.fromkeys("ptkbdgqfvh", "t"), **dict.fromkeys("mnlw", "n"), "r": "r"}
_VOWELS = "aeiouyöəæ"

# Languages colour vowels: what an open "a" becomes, and how readily vowels glide.
_SHIFTS: dict[str, dict[str, str]] = {
    "en": {"a": "æ", "o": "ə", "u": "ə"},
    "fr": {"u": "y", "e": "ö"},
    "de": {"e": "ə", "y": "ö"},
    "pa": {"e": "ə", "o": "a"},
    "hi": {"e": "e", "o": "o", "y": "ə"},
    "zh": {"e": "ə", "y": "y", "o": "u"},
    "yue": {"e": "ö", "u": "y"},
    "pt": {"a": "ə", "e": "i"},
    "ru": {"o": "a", "y": "ə"},
    "ja": {"u": "y"},
    "ko": {"e": "æ", "y": "ə"},
    "es": {},
}
_GLIDES = {
    "en": 0.45,
    "pt": 0.3,
    "zh": 0.35,
    "yue": 0.4,
    "vi": 0.4,
    "th": 0.3,
    "pa": 0.2,
    "hi": 0.12,
    "es": 0.06,
    "ja": 0.0,
}


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
    out = []
    for line in _TAG.sub("\n", lyrics).splitlines():
        syllables = _syllables(line, language)
        if syllables:
            out.append(syllables)
    return out


def _syllables(line: str, language: str) -> list[Syllable]:
    out: list[Syllable] = []
    consonant = ""
    for sound in _sounds(line):
        if sound in _VOWELS:
            out.append(_colour(consonant, sound, language, len(out)))
            consonant = ""
        else:
            consonant = _CLASSES.get(sound, consonant)
    return out


def _colour(consonant: str, vowel: str, language: str, place: int) -> Syllable:
    shifts = _SHIFTS.get(language)
    if shifts is None:
        # A language without a table of its own still differs from the others in one vowel.
        shifts = {_VOWELS[int(unit(language, "from") * 5)]: _VOWELS[int(unit(language, "to") * len(_VOWELS))]}
    vowel = shifts.get(vowel, vowel)
    if unit(language, "glide", place, vowel) < _GLIDES.get(language, 0.1 + 0.2 * unit(language)):
        return Syllable(consonant, vowel, {"a": "i", "e": "i", "o": "u", "æ": "i", "ə": "u"}.get(vowel, "ə"))
    return Syllable(consonant, vowel, vowel)


def _sounds(line: str) -> list[str]:
    """Spell a line in plain letters, one consonant or vowel each; two vowels in a row count once."""
    out: list[str] = []
    for character in unicodedata.normalize("NFD", line.lower()):
        if "VIRAMA" in unicodedata.name(character, "") and out:
            out.pop()
            continue
        for letter in _romanise(character):
            if letter in _VOWELS and out and out[-1] in _VOWELS:
                out[-1] = letter
            else:
                out.append(letter)
        if character.isspace():
            out.append(" ")
    return out


def _romanise(character: str) -> str:
    """Plain letters for one character, from its Unicode name."""
    if "a" <= character <= "z":
        return character
    if "一" <= character <= "鿿" or "㐀" <= character <= "䶿":
        # A Han character is one syllable; its sound is not in its name, so any fixed choice will do.
        return "stnr"[int(unit(character, "onset") * 4)] + "aeiou"[int(unit(character) * 5)]
    if not character.isalpha() and unicodedata.category(character) not in ("Mc", "Mn"):
        return ""
    match = _NAMED.search(unicodedata.name(character, ""))
    if match is None:
        return ""
    name = match.group(1).lower()
    if "VOWEL SIGN" in unicodedata.name(character):
        return name[0] if name[0] in _VOWELS else "a"
    return name[:3] if any(letter in _VOWELS for letter in name[:3]) else name[:1] + "a"
