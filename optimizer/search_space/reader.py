"""Read one search space file: every mistake is named by file, key, value and legal form."""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from optimizer.errors import RecipeError, SpaceError, did_you_mean
from optimizer.music import canonical_key
from optimizer.recipe import (
    BPM_RANGE,
    CAPTION_LIMIT,
    LANGUAGE_NAMES,
    LANGUAGES,
    LYRICS_LIMIT,
    TIME_SIGNATURES,
)
from optimizer.search_space.space import Genre, Language, Range, Style, names_of

CAPTION_TOKENS = 200
"""The text encoder reads 256 tokens, the metadata's template takes about 55 of them, at the end."""

FILE_LIMIT = 1 << 20
"""Bytes; lyrics in all fifty languages fit many times over."""

INSTRUMENTAL = "[Instrumental]"
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_LIMIT = 60
_TEXT_LIMIT = 1000

_TOP = ("title", "description", "genre", "aliases", "bpm", "keys", "languages", "time_signature", "styles", "lyrics")
_STYLE = ("id", "title", "caption", "aliases")
_RANGE = ("low", "high", "step")


def read_genre(path: Path, *, default_id: str) -> Genre:
    """Read and check a search space file.

    Parameters
    ----------
    path : Path
        UTF-8 TOML of at most 1 MiB.
    default_id : str
        The genre's id where the file has no key ``genre``.

    Raises
    ------
    SpaceError
        If the file cannot be read, is not TOML, or a value is not legal.
    """
    return _File(path).genre(_parse(path), default_id)


def estimate_tokens(text: str) -> int:
    """Estimate from above how many tokens a byte-level BPE encoder makes of `text`.

    Latin words cost a token per three letters or part of it, Han characters and kana two tokens each, punctuation one
    each; letters of other scripts cost their UTF-8 bytes, which is as bad as such an encoder can do. Qwen's
    tokenizer makes seven tenths of this or less of the shipped captions.
    """
    tokens = 0
    for word in re.findall(r"[A-Za-z]+|[^\sA-Za-z]", text):
        if word.isascii():
            tokens += math.ceil(len(word) / 3)
        elif "\u3000" <= word <= "\u9fff":
            tokens += 2
        else:
            tokens += len(word.encode())
    return tokens


def _parse(path: Path) -> dict[str, Any]:
    """Read a TOML file of reasonable size."""
    try:
        if path.is_dir():
            raise SpaceError(f"{path} is a folder: a search space is one TOML file.")
        if not path.is_file():
            # Checked before opening: a named pipe would block for ever.
            raise SpaceError(
                f"{path} is not there, or is not a regular file.",
                next_step="Give the path of a TOML file; docs/search-spaces.md shows a complete one.",
            )
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        raise SpaceError(f"{str(path)!r} cannot be read: {error}") from error
    if len(content) > FILE_LIMIT:
        raise SpaceError(f"{path} is larger than {FILE_LIMIT} bytes: a search space is a short TOML file.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SpaceError(
            f"{path}: byte {content[error.start]:#04x} in line {line} is not UTF-8.",
            next_step="Save the file as UTF-8.",
        ) from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Besides TOMLDecodeError: a ValueError for integers of thousands of digits, a RecursionError for deep nesting.
        raise SpaceError(f"{path} is not valid TOML: {error}") from error


class _File:
    """Checks the values of one file, naming the key of what is wrong by its dotted path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, key: str, value: object, legal: str, hint: str = "") -> NoReturn:
        shown = repr(value)
        if len(shown) > 80:
            shown = f"{shown[:77]}..."
        raise SpaceError(f"{self.path}: {key} = {shown} is not usable: it must be {legal}.{hint}")

    def genre(self, raw: Mapping[str, Any], default_id: str) -> Genre:
        self.known_keys(raw, "", _TOP)
        genre_id = self.slug(raw["genre"], "genre") if "genre" in raw else default_id
        bpm, keys, languages, styles = (self.required(raw, "", key) for key in ("bpm", "keys", "languages", "styles"))
        return Genre(
            id=genre_id,
            title=self.text(raw["title"], "title") if "title" in raw else _titled(genre_id),
            styles=self.styles(styles),
            bpm=self.bpm(bpm),
            keys=self.each(keys, "keys", self.key),
            languages=self.lyrics(raw.get("lyrics", {}), self.each(languages, "languages", self.language)),
            time_signature=self.time_signature(raw["time_signature"]) if "time_signature" in raw else "4",
            description=self.text(raw["description"], "description") if "description" in raw else "",
            aliases=self.each(raw["aliases"], "aliases", self.text) if "aliases" in raw else (),
        )

    def known_keys(self, table: Mapping[str, Any], prefix: str, legal: Sequence[str]) -> None:
        for key in table:
            if key not in legal:
                raise SpaceError(
                    f"{self.path}: {prefix}{key} is not a key of a search space."
                    f"{did_you_mean(key, legal)} Legal here: {', '.join(legal)}."
                )

    def required(self, table: Mapping[str, Any], prefix: str, key: str) -> Any:
        if key not in table:
            raise SpaceError(
                f"{self.path}: {prefix}{key} is missing.",
                next_step="docs/search-spaces.md shows a complete file.",
            )
        return table[key]

    def each(self, value: object, key: str, check: Callable[[object, str], Any]) -> tuple[Any, ...]:
        """Check a list that is not empty and names nothing twice."""
        if not isinstance(value, list) or not value:
            self.fail(key, value, "a list with at least one entry")
        seen: dict[Any, int] = {}
        for index, entry in enumerate(value):
            checked = check(entry, f"{key}[{index}]")
            if checked in seen:
                self.fail(f"{key}[{index}]", entry, f"different from {key}[{seen[checked]}]")
            seen[checked] = index
        return tuple(seen)

    def text(self, value: object, key: str) -> str:
        """Check a piece of text and reduce it to one line."""
        if not isinstance(value, str) or not value.strip() or len(value) > _TEXT_LIMIT:
            self.fail(key, value, f"text of 1 to {_TEXT_LIMIT} characters")
        return " ".join(self.printable(value, key).split())

    def printable(self, value: str, key: str) -> str:
        for character in value:
            if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
                self.fail(key, value, f"free of control characters, but holds U+{ord(character):04X}")
        # The encoder normalises to NFC as well; two spellings of one text must not be two search spaces.
        return unicodedata.normalize("NFC", value)

    def slug(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not SLUG.fullmatch(value) or len(value) > _SLUG_LIMIT:
            self.fail(key, value, f"words of a-z and 0-9 joined by '-', at most {_SLUG_LIMIT} characters")
        return value

    def styles(self, value: object) -> tuple[Style, ...]:
        if not isinstance(value, list) or not value:
            self.fail("styles", value, "at least one [[styles]] table")
        styles: list[Style] = []
        owners: dict[str, str] = {}
        for index, table in enumerate(value):
            key = f"styles[{index}]"
            if not isinstance(table, dict):
                self.fail(key, table, "a [[styles]] table")
            style = self.style(table, f"{key}.")
            for name in sorted(names_of(style)):
                if name in owners:
                    self.fail(key, name, f"a name of one style only, but {owners[name]} answers to it too")
                owners[name] = key
            styles.append(style)
        return tuple(styles)

    def style(self, table: Mapping[str, Any], prefix: str) -> Style:
        self.known_keys(table, prefix, _STYLE)
        style_id = self.slug(self.required(table, prefix, "id"), f"{prefix}id")
        return Style(
            id=style_id,
            caption=self.caption(self.required(table, prefix, "caption"), f"{prefix}caption"),
            title=self.text(table["title"], f"{prefix}title") if "title" in table else _titled(style_id),
            aliases=self.each(table["aliases"], f"{prefix}aliases", self.text) if "aliases" in table else (),
        )

    def caption(self, value: object, key: str) -> str:
        caption = self.text(value, key)
        if len(caption) > CAPTION_LIMIT:
            self.fail(key, value, f"at most {CAPTION_LIMIT} characters, but has {len(caption)}")
        tokens = estimate_tokens(caption)
        if tokens > CAPTION_TOKENS:
            hint = " The encoder cuts at the end, where BPM and key stand; English words cost the fewest tokens."
            self.fail(key, value, f"at most {CAPTION_TOKENS} tokens, but may need {tokens}", hint)
        return caption

    def bpm(self, value: object) -> tuple[int, ...] | Range:
        if isinstance(value, dict):
            self.known_keys(value, "bpm.", _RANGE)
            low = self.one_bpm(self.required(value, "bpm.", "low"), "bpm.low")
            high = self.one_bpm(self.required(value, "bpm.", "high"), "bpm.high")
            step = value.get("step", 1)
            if not _whole(step) or step < 1:
                self.fail("bpm.step", step, "a whole number, 1 or more")
            if low >= high or (high - low) % step:
                self.fail("bpm.high", high, f"low ({low}) plus a whole number of steps of {step}")
            return Range(low, high, step)
        if not isinstance(value, list):
            self.fail("bpm", value, "a list such as [95, 105, 115], or { low = 90, high = 140, step = 1 }")
        return self.each(value, "bpm", self.one_bpm)

    def one_bpm(self, value: object, key: str) -> int:
        low, high = BPM_RANGE
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fail(key, value, f"a whole number from {low} to {high}")
        return value

    def key(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            self.fail(key, value, "a key such as 'Eb minor'")
        try:
            return canonical_key(value)
        except RecipeError as error:
            raise SpaceError(f"{self.path}: {key}: {error.message}", next_step=error.next_step) from error

    def language(self, value: object, key: str) -> str:
        if not isinstance(value, str) or value not in LANGUAGES:
            by_name = {name.lower(): code for code, name in LANGUAGE_NAMES.items()}
            word = str(value).strip().lower()
            code = by_name.get(word, word)
            hint = f" Did you mean {code!r}?" if code in LANGUAGES else did_you_mean(word, LANGUAGES)
            self.fail(key, value, f"one of {' '.join(LANGUAGES)}", hint)
        return value

    def lyrics(self, value: object, codes: Sequence[str]) -> tuple[Language, ...]:
        if not isinstance(value, dict):
            self.fail("lyrics", value, "a [lyrics] table with one text per language")
        for code in value:
            if code not in codes:
                hint = did_you_mean(code, codes)
                self.fail(f"lyrics.{code}", value[code], f"under a language of this file: {', '.join(codes)}", hint)
        return tuple(Language(code, self.words(value, code)) for code in codes)

    def words(self, table: Mapping[str, Any], code: str) -> str:
        key = f"lyrics.{code}"
        # An instrumental needs no words, and the engines know it by this tag.
        value = table.get(code, INSTRUMENTAL) if code == "unknown" else self.required(table, "lyrics.", code)
        if not isinstance(value, str) or not value.strip():
            self.fail(key, value, "text with section tags such as [Verse] and [Chorus]")
        lines = (" ".join(line.split()) for line in self.printable(value, key).strip().split("\n"))
        lyrics = "\n".join(lines)
        if len(lyrics) > LYRICS_LIMIT:
            self.fail(key, value, f"at most {LYRICS_LIMIT} characters, but has {len(lyrics)}")
        return lyrics

    def time_signature(self, value: object) -> str:
        if value not in TIME_SIGNATURES:
            self.fail("time_signature", value, f"one of {', '.join(map(repr, TIME_SIGNATURES))}")
        return str(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _titled(slug: str) -> str:
    return slug.replace("-", " ").capitalize()
