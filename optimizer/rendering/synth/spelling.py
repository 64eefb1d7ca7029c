"""Plain letters for any script, as far as a singer of vowels needs them: one consonant, one vowel at a time.

The sound of most letters stands in their Unicode name ("DEVANAGARI LETTER KA", "HANGUL SYLLABLE GANG"), so a table per
script is not needed; what kind of script it is decides how names are read.
"""

from __future__ import annotations

import unicodedata

from optimizer.rendering.synth.streams import unit

VOWELS = "aeiouyöəæ"
"""The vowels a singer has; the letters behind ``u`` are only reached through a language's colour."""

_ALPHABETS = {"GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN"}
_ABJADS = {"HEBREW": "VAV YOD ALEF AYIN", "ARABIC": "WAW YEH ALEF AIN"}
_TURNED = {"el": "l", "em": "m", "en": "n", "er": "r", "es": "s", "ef": "f"}


def spell(line: str) -> str:
    """Write a line in plain lower-case letters, with blanks; consonants and vowels alternate only roughly.

    Parameters
    ----------
    line : str
        Any script, also mixed.
    """
    out: list[str] = []
    for character in unicodedata.normalize("NFC", line.lower()):
        if character.isspace():
            out.append(" ")
            continue
        name = unicodedata.name(character, "")
        if "VIRAMA" in name:
            # The mark that silences a letter's own vowel.
            if out and out[-1] in VOWELS:
                out.pop()
            continue
        for letter in _letters(character, name):
            if letter in VOWELS and out and out[-1] in VOWELS:
                out[-1] = letter
            else:
                out.append(letter)
    return "".join(out)


def _letters(character: str, name: str) -> str:
    """Letters of one character."""
    words = name.partition(" WITH ")[0].split()
    if not words or not ("VOWEL SIGN" in name or character.isalpha()):
        return ""
    script, last = words[0], words[-1].lower()
    if script == "LATIN":
        return unicodedata.normalize("NFD", character)[0]
    if script == "CJK":
        # The sound of a Han character is not in its name: any fixed choice of one syllable will do.
        return "stnr"[int(unit(character, "onset") * 4)] + "aeiou"[int(unit(character) * 5)]
    if script == "HANGUL":
        return last[0] + _vowel(last) if last[0] not in VOWELS else _vowel(last)
    if script in _ALPHABETS:
        if last in ("sign", "mark"):
            return ""
        return _TURNED.get(last, last[0]) if script == "CYRILLIC" else last[0]
    if script in _ABJADS:
        names = _ABJADS[script].split()
        for place, sound in enumerate(("u", "i", "a", "a")):
            if names[place] in words:
                return sound
        return words[-1].lower()[0] + "a"
    if script == "THAI":
        sound = words[2].lower() if len(words) > 2 else last
        return _vowel(words[3].lower()) if sound == "sara" and len(words) > 3 else sound[0] + "a"
    if "VOWEL SIGN" in name or last[0] in "aeiou":
        return _vowel(last)
    return last[0] + _vowel(last)


def _vowel(sound: str) -> str:
    """The first vowel of a romanised sound, after a leading glide."""
    found = [letter for letter in sound if letter in "aeiou"]
    return found[-1] if found and sound.startswith(("y", "w")) else (found[0] if found else "a")
