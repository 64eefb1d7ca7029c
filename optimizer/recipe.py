"""One song's full specification: everything a render needs, frozen, with a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from optimizer.errors import RecipeError, did_you_mean
from optimizer.music import canonical_key

LANGUAGE_NAMES: dict[str, str] = {
    "ar": "Arabic",
    "az": "Azerbaijani",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "la": "Latin",
    "lt": "Lithuanian",
    "ms": "Malay",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sa": "Sanskrit",
    "sk": "Slovak",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "yue": "Cantonese",
    "zh": "Chinese",
    "unknown": "instrumental",
}
"""English names of the vocal language codes ACE-Step 1.5 was trained with; ``unknown`` is for instrumentals."""

LANGUAGES: tuple[str, ...] = tuple(LANGUAGE_NAMES)

TIME_SIGNATURES: tuple[str, ...] = ("2", "3", "4", "6")
"""Beats in a bar as ACE-Step writes them: 2/4, 3/4, 4/4 and 6/8."""

BPM_RANGE = (30, 300)
SEED_RANGE = (0, 2**31 - 1)
DURATION_RANGE = (0.2, 600.0)
CAPTION_LIMIT = 512
LYRICS_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that one render needs.

    Attributes
    ----------
    genre, style : str
        Ids from the search space, for example ``"bhangra"`` and ``"dhol-party"``.
    caption : str
        What the engine is told about the sound, 1 to 512 characters.
    bpm : int
        Beats (quarter notes) per minute, 30 to 300.
    key : str
        One of `optimizer.music.KEYS`; other spellings are made canonical.
    language : str
        One of `LANGUAGES`.
    lyrics : str
        With section tags, up to 4096 characters; ``"[Instrumental]"`` for instrumentals.
    seed : int
        0 to 2**31 - 1.
    duration : float
        Seconds, 0.2 to 600 (what an engine can do may be narrower).
    time_signature : str
        One of `TIME_SIGNATURES`.

    Raises
    ------
    RecipeError
        If a field lies outside its range.
    """

    genre: str
    style: str
    caption: str
    bpm: int
    key: str
    language: str
    lyrics: str
    seed: int
    duration: float = 30.0
    time_signature: str = "4"

    def __post_init__(self) -> None:
        for name in ("genre", "style", "caption", "lyrics", "key", "language", "time_signature"):
            _require(_is_text(getattr(self, name)), name, getattr(self, name), "text that UTF-8 can hold")
        for name in ("genre", "style"):
            _require(bool(getattr(self, name).strip()), name, getattr(self, name), "a name that is not empty")
        fits = bool(self.caption.strip()) and len(self.caption) <= CAPTION_LIMIT
        _require(fits, "caption", self.caption, f"1 to {CAPTION_LIMIT} characters")
        _require(len(self.lyrics) <= LYRICS_LIMIT, "lyrics", self.lyrics, f"at most {LYRICS_LIMIT} characters")
        whole = isinstance(self.bpm, int) and not isinstance(self.bpm, bool)
        low, high = BPM_RANGE
        _require(whole and low <= self.bpm <= high, "bpm", self.bpm, f"a whole number from {low} to {high}")
        legal = "a code such as pa, hi, en, or unknown"
        _require(self.language in LANGUAGES, "language", self.language, legal, LANGUAGES)
        low, high = SEED_RANGE
        whole = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        _require(whole and low <= self.seed <= high, "seed", self.seed, f"a whole number from {low} to {high}")
        shortest, longest = DURATION_RANGE
        legal = f"{shortest:g} to {longest:g} seconds"
        number = isinstance(self.duration, (int, float)) and not isinstance(self.duration, bool)
        # NaN fails the comparison, so it is refused here too.
        _require(number and shortest <= self.duration <= longest, "duration", self.duration, legal)
        _require(self.time_signature in TIME_SIGNATURES, "time_signature", self.time_signature, "2, 3, 4 or 6")
        object.__setattr__(self, "key", canonical_key(self.key))
        object.__setattr__(self, "duration", float(self.duration))

    @property
    def combo(self) -> tuple[str, str, int, str, str]:
        """What two takes of one recipe share: genre, style, BPM, key and language."""
        return (self.genre, self.style, self.bpm, self.key, self.language)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits; equal recipes have equal digests."""
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types, the keys being the field names."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Build a recipe from `to_dict`'s result.

        Raises
        ------
        RecipeError
            If a field is unknown, missing or out of range.
        """
        names = [field.name for field in fields(cls)]
        for name in values:
            if name not in names:
                raise RecipeError(f"{name!r} is not a recipe field.{did_you_mean(name, names)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise RecipeError(f"recipe {dict(values)!r} is not complete: {error}") from error


def _is_text(value: object) -> bool:
    # A lone surrogate, legal in JSON and in str, would make the digest fail.
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _require(holds: bool, name: str, value: object, legal: str, choices: tuple[str, ...] = ()) -> None:
    if holds:
        return
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    hint = did_you_mean(str(value), choices) if choices else ""
    raise RecipeError(f"{name} {shown} is not usable: it must be {legal}.{hint}")
