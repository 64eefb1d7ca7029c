"""A rekordbox collection in XML: what DJ programs import, with tempo, key and a beat grid.

References
----------
.. [1] AlphaTheta, "XML format list" for developers of rekordbox, version 1.0.0.
"""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote

from optimizer import __version__
from optimizer.export.names import clean
from optimizer.export.playlist import Playlist, Track
from optimizer.runs import write_atomic

_KINDS = {".flac": "FLAC File", ".mp3": "MP3 File", ".wav": "WAV File"}
_METRES = {"2": "2/4", "3": "3/4", "4": "4/4", "6": "6/8"}


def write(playlist: Playlist, folder: Path) -> Path:
    """Write ``rekordbox.xml``.

    The format wants absolute locations, so this one file goes stale when the folder is moved; they are those of
    `Playlist.home`. Songs without audio are left out, since a DJ program could not open them.
    """
    tracks = [track for track in playlist.tracks if track.file is not None]
    root = ElementTree.Element("DJ_PLAYLISTS", {"Version": "1.0.0"})
    ElementTree.SubElement(root, "PRODUCT", {"Name": "banger-optimizer", "Version": __version__, "Company": ""})
    collection = ElementTree.SubElement(root, "COLLECTION", {"Entries": str(len(tracks))})
    for number, track in enumerate(tracks, start=1):
        recipe = track.song.recipe
        element = ElementTree.SubElement(collection, "TRACK", _attributes(number, track, playlist.home))
        grid = {
            "Inizio": f"{track.first_beat or 0.0:.3f}",
            "Bpm": f"{recipe.bpm:.2f}",
            "Metro": _METRES[recipe.time_signature],
            "Battito": "1",
        }
        ElementTree.SubElement(element, "TEMPO", grid)
    ends = ElementTree.SubElement(root, "PLAYLISTS")
    top = ElementTree.SubElement(ends, "NODE", {"Type": "0", "Name": "ROOT", "Count": "1"})
    name = {"Name": clean(playlist.title), "Type": "1", "KeyType": "0", "Entries": str(len(tracks))}
    node = ElementTree.SubElement(top, "NODE", name)
    for number in range(1, len(tracks) + 1):
        ElementTree.SubElement(node, "TRACK", {"Key": str(number)})
    ElementTree.indent(root)
    path = folder / "rekordbox.xml"
    write_atomic(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    return path


def location(path: Path) -> str:
    """Write an absolute path as rekordbox does."""
    text = path.as_posix()
    return "file://localhost" + quote(text if text.startswith("/") else f"/{text}", safe="/:")


def _attributes(number: int, track: Track, home: Path) -> dict[str, str]:
    song = track.song
    assert track.file is not None
    values = {
        "TrackID": str(number),
        "Name": track.title,
        "Artist": track.artist,
        "Album": track.album,
        "Genre": song.recipe.genre,
        "Kind": _KINDS.get(Path(track.file).suffix, "Unknown Format"),
        "Size": str(track.size),
        "TotalTime": str(round(track.seconds)),
        "TrackNumber": str(track.position),
        "AverageBpm": f"{song.recipe.bpm:.2f}",
        "SampleRate": str(track.sample_rate),
        "Comments": f"{track.camelot}, score {song.value:.2f}, {song.recipe.caption}",
        "PlayCount": "0",
        # Stars are steps of 51; ten points are five stars.
        "Rating": str(51 * round(song.value / 2)),
        "Location": location(home / track.file),
        "Tonality": track.short_key,
    }
    if song.finished is not None:
        values["DateAdded"] = time.strftime("%Y-%m-%d", time.gmtime(song.finished))
    return {name: clean(value) for name, value in values.items()}
