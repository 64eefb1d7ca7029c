"""What every exporter is given, and how exporters are found."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from optimizer.errors import UsageError, did_you_mean
from optimizer.music import parse_key
from optimizer.song import Song

GROUP = "optimizer.exporters"
"""Entry point group; each entry names a function that is an `Exporter`."""

BUILTIN: Mapping[str, str] = {
    "m3u8": "optimizer.export.m3u8:write",
    "xspf": "optimizer.export.xspf:write",
    "jspf": "optimizer.export.jspf:write",
    "rekordbox": "optimizer.export.rekordbox:write",
    "csv": "optimizer.export.table:write_csv",
    "json": "optimizer.export.table:write_json",
    "hf-dataset": "optimizer.export.hf_dataset:write",
}
"""Our own exporters; they are found even where the distribution's metadata is not installed."""


@dataclass(frozen=True, slots=True)
class Track:
    """A song on its way out.

    Attributes
    ----------
    song : Song
    title, artist, album : str
        For people; one line, cleaned.
    file : str or None
        Path relative to the export folder, with ``/``; None when no audio is exported.
    seconds : float
        Length of the exported audio.
    engine, revision : str
        What rendered it.
    position : int
        In the playlist, from 1.
    sample_rate : int
        Hz; 0 when no audio is exported.
    size : int
        Bytes of the exported file.
    sha256 : str
        Of the exported file's bytes.
    gain_db : float or None
        Applied on the way out; None when the samples were not touched.
    loudness : float or None
        LUFS after the gain.
    peak : float or None
        dBTP after the gain.
    first_beat : float or None
        Seconds, estimated from the audio.
    clip : Song or None
        The song of the search, where `song` is a longer render of the same recipe.
    clip_file : str or None
        Where that clip lies in the export folder.
    """

    song: Song
    title: str
    artist: str
    album: str
    file: str | None
    seconds: float
    engine: str = "unknown"
    revision: str = "unknown"
    position: int = 1
    sample_rate: int = 0
    size: int = 0
    sha256: str = ""
    gain_db: float | None = None
    loudness: float | None = None
    peak: float | None = None
    first_beat: float | None = None
    clip: Song | None = None
    clip_file: str | None = None

    @property
    def short_key(self) -> str:
        """The key as DJ programs and ID3 write it: ``"Ebm"``, ``"F#"``."""
        key = parse_key(self.song.recipe.key)
        return str(key).split()[0] + ("m" if key.mode == "minor" else "")

    @property
    def camelot(self) -> str:
        """The key's place on the Camelot wheel."""
        return parse_key(self.song.recipe.key).camelot


@dataclass(frozen=True, slots=True)
class Playlist:
    """Songs in order, with what is known of all of them.

    Attributes
    ----------
    title : str
    tracks : tuple of Track
    home : Path
        Absolute path where the folder will be when it is finished; while it is written, it lies elsewhere.
    creator : str
    studies : mapping
        Frozen identity of each study by name.
    notes : mapping
        JSON types: how the songs were chosen (``selection``) and ordered (``order``).
    licence : str or None
        Identifier for a data set's card; None while nobody has chosen one.
    """

    title: str
    tracks: tuple[Track, ...]
    home: Path
    creator: str = "banger-optimizer"
    studies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    licence: str | None = None


class Exporter(Protocol):
    """Writes one format into a folder that already holds the audio."""

    def __call__(self, playlist: Playlist, folder: Path) -> Path:
        """Write the format's files and return the main one.

        Parameters
        ----------
        playlist : Playlist
            `Track.file` is relative to `folder`.
        folder : Path
            Where to write; not where the folder will end up, see `Playlist.home`.

        Returns
        -------
        Path
            Below `folder`.
        """


def registered() -> dict[str, str]:
    """Return every format's name with the ``module:function`` that writes it."""
    # Ours win: a plug-in adds formats, it does not change what one of ours means.
    return {entry.name: entry.value for entry in entry_points(group=GROUP)} | dict(BUILTIN)


def parse_formats(text: str) -> tuple[str, ...]:
    """Read ``--format``: names joined by commas, each once, in the order given.

    Raises
    ------
    UsageError
        If a name is unknown or there is none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    known = registered()
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no export format {name!r}.{did_you_mean(name, known)}",
                next_step=f"Formats: {', '.join(sorted(known))}; several are joined by commas.",
            )
    if not names:
        raise UsageError(f"no export format in {text!r}.", next_step=f"Formats: {', '.join(sorted(known))}.")
    return names


def exporter(name: str) -> Exporter:
    """Import the exporter of a registered format.

    Raises
    ------
    UsageError
        If there is none of that name, or it cannot be imported.
    """
    (name,) = parse_formats(name)
    target = registered()[name]
    module, _, attribute = target.partition(":")
    try:
        found: Exporter = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"export format {name!r} ({target}) cannot be imported: {error}", next_step="Mend or remove that plug-in."
        ) from error
    return found


def by_study(songs: Sequence[Song]) -> dict[str, list[Song]]:
    """Return songs grouped by study, in the order given."""
    groups: dict[str, list[Song]] = {}
    for song in songs:
        groups.setdefault(song.study, []).append(song)
    return groups
