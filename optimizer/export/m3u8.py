"""The playlist every player reads: extended M3U in UTF-8, with paths relative to itself."""

from __future__ import annotations

from pathlib import Path

from optimizer.export.names import clean
from optimizer.export.playlist import Playlist
from optimizer.runs import write_atomic


def write(playlist: Playlist, folder: Path) -> Path:
    """Write ``playlist.m3u8``.

    No byte order mark: most players would take it for a part of the first line. Tempo and key stand behind the
    title, where players and DJ programs show them.
    """
    lines = ["#EXTM3U", f"#PLAYLIST:{clean(playlist.title)}"]
    for track in playlist.tracks:
        if track.file is None:
            continue
        recipe = track.song.recipe
        shown = f"{track.artist} - {track.title} [{recipe.bpm} BPM, {recipe.key}]"
        lines += [f"#EXTINF:{round(track.seconds)},{clean(shown)}", f"#EXTALB:{clean(track.album)}", track.file]
    path = folder / "playlist.m3u8"
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    return path
