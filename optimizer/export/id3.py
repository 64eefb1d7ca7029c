"""ID3v2.4: frames, the tag around them, and where it stands in MP3 and WAV files."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_UTF8 = b"\x03"
_LIMIT = 1 << 28


def text_frame(name: str, text: str) -> bytes:
    """Make a text frame such as TIT2."""
    return _frame(name, _UTF8 + text.encode())


def user_frame(description: str, text: str) -> bytes:
    """Make a TXXX frame: a text under a name of our own."""
    return _frame("TXXX", _UTF8 + description.encode() + b"\0" + text.encode())


def comment_frame(name: str, language: str, text: str) -> bytes:
    """Make a COMM or USLT frame, without a description; `language` is an ISO 639-2 code."""
    return _frame(name, _UTF8 + language.encode("ascii") + b"\0" + text.encode())


def tag(frames: Sequence[bytes]) -> bytes:
    """Put frames into a tag."""
    body = b"".join(frames)
    return b"ID3\x04\x00\x00" + syncsafe(len(body)) + body


def syncsafe(number: int) -> bytes:
    """Write a length as four bytes of seven bits, so that it never looks like the start of an MPEG frame.

    Raises
    ------
    ValueError
        From 2**28 on.
    """
    if not 0 <= number < _LIMIT:
        raise ValueError(f"a tag of {number} bytes is more than ID3 can hold ({_LIMIT - 1})")
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def before_mp3(content: bytes, new: bytes) -> bytes:
    """Return an MP3 file with this tag in front, instead of any ID3 tags it has.

    Raises
    ------
    ValueError
        If there is no MPEG frame where the audio should start.
    """
    start = 0
    while content[start : start + 3] == b"ID3":
        size = _unsyncsafe(content[start + 6 : start + 10])
        footer = 10 if content[start + 5] & 0x10 else 0
        start += 10 + size + footer
    # An old tag may be followed by padding that its size does not count.
    while content[start : start + 1] == b"\0":
        start += 1
    if len(content) < start + 2 or content[start] != 0xFF or content[start + 1] & 0xE0 != 0xE0:
        raise ValueError("no MPEG audio is found in it")
    end = len(content) - 128 if content[-128:-125] == b"TAG" else len(content)
    return new + content[start:end]


def inside_wav(content: bytes, new: bytes) -> bytes:
    """Return a WAV file with this tag as its last chunk, instead of any it has.

    Raises
    ------
    ValueError
        If it is not a RIFF WAVE file.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError("it is not a RIFF WAVE file")
    chunks = []
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        end = min(at + 8 + size, len(content))
        if content[at : at + 4].lower() != b"id3 ":
            chunks.append(content[at:end] + b"\0" * ((end - at) % 2))
        at = end + (end - at) % 2
    chunks.append(b"id3 " + struct.pack("<I", len(new)) + new + b"\0" * (len(new) % 2))
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _frame(name: str, body: bytes) -> bytes:
    return name.encode("ascii") + syncsafe(len(body)) + b"\0\0" + body


def _unsyncsafe(data: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=False))
