"""Text that leaves the program: cleaned for tags and playlists, and made into file names that every system takes."""

from __future__ import annotations

import re
import unicodedata

NAME_BYTES = 120
"""Of a file name's stem in UTF-8: file systems take 255, some players and archives far less."""

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners are letters' business in Indic scripts and Persian; all other format characters go."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*%#]')
"""Forbidden on Windows, a separator somewhere, or read as an escape or a comment by some player."""

_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789¹²³")}


def clean(text: str) -> str:
    """Make text one line of what XML 1.0, ID3 and a playlist can hold.

    Control and format characters, lone surrogates and code points that are no characters are dropped, white space
    is folded to single spaces, and the rest is composed (NFC).
    """
    return " ".join(_kept(unicodedata.normalize("NFC", text), "\t\n\r").split())


def clean_lines(text: str) -> str:
    """Do the same, keeping line breaks."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_kept(line, "\t").rstrip() for line in lines)


def file_stem(text: str, *, fallback: str = "song") -> str:
    """Make a file name without its ending: the same on Linux, macOS and Windows, and never a path.

    Letters of every script stay. What is forbidden somewhere becomes a space, leading and trailing dots and spaces
    go, device names of Windows get an underscore, and the length is at most `NAME_BYTES` bytes.
    """
    name = " ".join(_FORBIDDEN.sub(" ", clean(text)).split()).strip(". ")
    name = name.encode()[:NAME_BYTES].decode(errors="ignore").strip(". ")
    if not name:
        return fallback
    return f"_{name}" if name.split(".")[0].strip().lower() in _DEVICES else name


def _kept(text: str, spaces: str) -> str:
    return "".join(" " if character in spaces else character for character in text if _printable(character, spaces))


def _printable(character: str, spaces: str) -> bool:
    if character in spaces or character in _JOINERS:
        return True
    # Cc control, Cf format (bidirectional overrides among them), Cs lone surrogate, Cn unassigned or no character.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn")
