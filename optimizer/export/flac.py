"""Vorbis comments in FLAC files: the metadata blocks are rewritten, the audio frames are copied as they are."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_COMMENT, _PADDING = 4, 1
_LAST = 0x80
_BLOCK_LIMIT = 1 << 24


def with_comments(content: bytes, comments: Sequence[tuple[str, str]]) -> bytes:
    """Return a FLAC file with these comments instead of those it has; padding is dropped, other blocks stay.

    Parameters
    ----------
    content : bytes
        The file.
    comments : sequence of (name, value)
        Names in capitals, without ``=``.

    Raises
    ------
    ValueError
        If it is not a FLAC file, or the comments are more than a block can hold.
    """
    if content[:4] != b"fLaC":
        raise ValueError("it is not a FLAC file")
    blocks: list[tuple[int, bytes]] = []
    vendor = b"banger-optimizer"
    at, last = 4, False
    while not last:
        header = content[at : at + 4]
        if len(header) < 4:
            raise ValueError("its metadata is cut short")
        last, kind, size = bool(header[0] & _LAST), header[0] & ~_LAST, int.from_bytes(header[1:], "big")
        body = content[at + 4 : at + 4 + size]
        if len(body) < size:
            raise ValueError("its metadata is cut short")
        at += 4 + size
        if kind == _COMMENT:
            vendor = _vendor(body)
        elif kind != _PADDING:
            blocks.append((kind, body))
    # STREAMINFO must come first; players look for the comments right behind it.
    blocks.insert(1, (_COMMENT, _comment_block(vendor, comments)))
    written = b"".join(
        bytes([kind | (_LAST if index == len(blocks) - 1 else 0)]) + len(body).to_bytes(3, "big") + body
        for index, (kind, body) in enumerate(blocks)
    )
    return b"fLaC" + written + content[at:]


def _vendor(body: bytes) -> bytes:
    # Who encoded the audio is a fact about the audio, and is kept.
    (size,) = struct.unpack_from("<I", body.ljust(4, b"\0"))
    return body[4 : 4 + size]


def _comment_block(vendor: bytes, comments: Sequence[tuple[str, str]]) -> bytes:
    block = struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(comments))
    for name, value in comments:
        entry = f"{name}={value}".encode()
        block += struct.pack("<I", len(entry)) + entry
    if len(block) >= _BLOCK_LIMIT:
        raise ValueError(f"{len(block)} bytes of tags are more than a FLAC block holds")
    return block
