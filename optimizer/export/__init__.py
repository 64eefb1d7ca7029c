"""Songs leave: playlists, tags, a self-contained folder, a data set, and the way back in."""

from __future__ import annotations

from optimizer.export.folder import Exported, Settings, export
from optimizer.export.order import Ordering, arrange
from optimizer.export.playlist import Exporter, Playlist, Track, exporter, parse_formats, registered
from optimizer.export.titles import titles

__all__ = [
    "Exported",
    "Exporter",
    "Ordering",
    "Playlist",
    "Settings",
    "Track",
    "arrange",
    "export",
    "exporter",
    "parse_formats",
    "registered",
    "titles",
]
