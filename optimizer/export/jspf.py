"""JSPF: XSPF's playlist as JSON, for pages and scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optimizer.export.names import clean
from optimizer.export.playlist import Playlist, Track
from optimizer.export.xspf import REL, fields, meta
from optimizer.runs import write_atomic

_LISTS = {"location", "identifier"}
_NUMBERS = {"trackNum", "duration"}


def write(playlist: Playlist, folder: Path) -> Path:
    """Write ``playlist.jspf``."""
    document = {
        "playlist": {
            "title": clean(playlist.title),
            "creator": clean(playlist.creator),
            "track": [_track(track) for track in playlist.tracks],
        }
    }
    path = folder / "playlist.jspf"
    write_atomic(path, (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode())
    return path


def _track(track: Track) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in fields(track):
        text = clean(value)
        values[name] = [text] if name in _LISTS else int(text) if name in _NUMBERS else text
    values["meta"] = [{REL + name: clean(value)} for name, value in meta(track)]
    return values
