"""XSPF 1: the playlist in XML, with everything about a song that the format has a place for."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from optimizer.export.names import clean
from optimizer.export.playlist import Playlist, Track
from optimizer.runs import write_atomic

NAMESPACE = "http://xspf.org/ns/0/"

REL = "urn:banger-optimizer:"
"""Before each name of a ``meta`` element: the specification wants an absolute URI there."""


def write(playlist: Playlist, folder: Path) -> Path:
    """Write ``playlist.xspf``; elements stand in the order of the specification, which some readers insist on."""
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": NAMESPACE})
    _text(root, "title", playlist.title)
    _text(root, "creator", playlist.creator)
    tracks = ElementTree.SubElement(root, "trackList")
    for track in playlist.tracks:
        element = ElementTree.SubElement(tracks, "track")
        for name, value in fields(track):
            _text(element, name, value)
        for name, value in meta(track):
            ElementTree.SubElement(element, "meta", {"rel": REL + name}).text = clean(value)
    ElementTree.indent(root)
    path = folder / "playlist.xspf"
    write_atomic(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    return path


def fields(track: Track) -> Iterator[tuple[str, str]]:
    """Yield a track's own elements, in the order of the specification."""
    if track.file is not None:
        yield "location", location(track.file)
    if track.sha256:
        yield "identifier", f"urn:sha256:{track.sha256}"
    yield "title", track.title
    yield "creator", track.artist
    yield "annotation", track.song.recipe.caption
    yield "album", track.album
    yield "trackNum", str(track.position)
    yield "duration", str(round(track.seconds * 1000))


def meta(track: Track) -> Iterator[tuple[str, str]]:
    """Yield what the format has no element for."""
    song = track.song
    yield "bpm", str(song.recipe.bpm)
    yield "key", song.recipe.key
    yield "camelot", track.camelot
    yield "genre", song.recipe.genre
    yield "style", song.recipe.style
    yield "language", song.recipe.language
    yield "score", f"{song.value:.4f}"
    yield "seed", str(song.recipe.seed)
    yield "engine", track.engine
    yield "model-revision", track.revision
    yield "study", song.study
    yield "trial", str(song.number)


def location(file: str) -> str:
    """Write a relative path as a relative URI."""
    return quote(file, safe="/-_.~!$&'()*+,;=")


def _text(parent: ElementTree.Element, name: str, value: str) -> None:
    ElementTree.SubElement(parent, name).text = clean(value)
