"""The whole export: a folder that holds everything it speaks of, there at once and complete, or not at all."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optimizer import __version__, audio
from optimizer.errors import UsageError, did_you_mean
from optimizer.export.beats import first_beat
from optimizer.export.names import clean, file_stem
from optimizer.export.order import Ordering, arrange
from optimizer.export.playlist import Playlist, Track, exporter, parse_formats
from optimizer.export.tags import tags_of, write_tags
from optimizer.export.titles import titles
from optimizer.runs import storage_error, sync_folder, write_atomic
from optimizer.song import Record, Song

AUDIO = ("flac", "mp3", "wav", "copy", "none")
MARKER = "recipes.json"
GENERATOR = "banger-optimizer"
LOUDNESS_RANGE = (-60.0, 0.0)
PEAK_RANGE = (-20.0, 0.0)

SongKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """How songs leave.

    Attributes
    ----------
    formats : tuple of str
        Names of registered exporters.
    order : {"score", "dj", "file"}
    audio : {"flac", "mp3", "wav", "copy", "none"}
        ``copy`` leaves every byte of the master as it is: no gain and no tags. ``none`` writes playlists only of
        what needs no audio, for songs whose audio is not here.
    loudness : float or None
        LUFS that every song is brought to; None leaves the level alone.
    true_peak : float
        dBTP that no song exceeds.
    title : str or None
        Of the playlist; by default the studies' names and the number of songs.
    artist : str or None
        By default the engine that rendered the song.
    licence : str or None
        For a data set's card, an identifier the Hub knows; None while it is not settled.

    Raises
    ------
    UsageError
        If a value is not legal.
    """

    formats: tuple[str, ...] = ("m3u8",)
    order: str = "score"
    audio: str = "flac"
    loudness: float | None = -14.0
    true_peak: float = -1.0
    title: str | None = None
    artist: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "formats", parse_formats(",".join(self.formats)))
        if self.audio not in AUDIO:
            raise UsageError(f"audio {self.audio!r} is not one of {', '.join(AUDIO)}.{did_you_mean(self.audio, AUDIO)}")
        for name, value, (low, high) in (
            ("loudness", self.loudness, LOUDNESS_RANGE),
            ("true peak", self.true_peak, PEAK_RANGE),
        ):
            # NaN fails the comparison, so it is refused here too.
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} {value:g} is not usable: it must be {low:g} to {high:g} dB.")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : Path
    files : tuple of Path
        Each format's main file, in the order of the formats, then ``recipes.json``.
    tracks : tuple of Track
    ordering : Ordering
    replaced : bool
        Whether an earlier export was there.
    """

    folder: Path
    files: tuple[Path, ...]
    tracks: tuple[Track, ...]
    ordering: Ordering
    replaced: bool


def export(
    songs: Sequence[Song],
    target: Path,
    *,
    records: Sequence[Record],
    settings: Settings | None = None,
    full: Mapping[SongKey, Song] | None = None,
    notes: Mapping[str, Any] | None = None,
    on_song: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write songs, playlists and recipes into a folder of their own.

    The folder is built under a hidden name beside `target` and renamed when it is complete and on disk. An earlier
    export at `target` is replaced; any other folder that is not empty is left alone.

    Parameters
    ----------
    songs : sequence of Song
        The chosen ones.
    target : Path
    records : sequence of Record
        The runs they come from; titles and engines are read from them.
    settings : Settings, optional
    full : mapping of (study, number) to Song, optional
        Longer renders of some of the songs. They take the songs' places, and the clips of the search go to
        ``clips/``.
    notes : mapping, optional
        JSON types to keep in ``recipes.json``, such as ``{"selection": Selection.notes()}``.
    on_song : callable, optional
        Called with (done, total) after each song.

    Returns
    -------
    Exported

    Raises
    ------
    UsageError
        If there is nothing to export, a song's audio is missing, or `target` is not ours to replace.
    StorageFull
        If the disk is full; nothing new is left.
    """
    settings = settings or Settings()
    target = target.absolute()
    _check_songs(songs, settings, full or {})
    recover(target)
    replaced = check_target(target)
    ordering = arrange(songs, settings.order)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
        except OSError as error:
            raise storage_error(error, target) from error
        tracks = _write_audio(ordering.songs, partial, records, settings, full or {}, on_song)
        playlist = Playlist(
            title=clean(settings.title) if settings.title else _title(ordering.songs),
            tracks=tracks,
            home=target,
            studies={record.name: record.identity for record in records},
            licence=settings.licence,
            notes={**(notes or {}), "order": _order_notes(ordering)},
        )
        files = [exporter(name)(playlist, partial).relative_to(partial) for name in settings.formats]
        _write_marker(playlist, partial, settings)
        _sync_all(partial)
        _put_in_place(partial, target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(target, tuple(target / file for file in (*files, Path(MARKER))), tracks, ordering, replaced)


def check_target(target: Path) -> bool:
    """Say whether an earlier export is there to be replaced.

    Raises
    ------
    UsageError
        If something else is there, or files were added to the export.
    """
    target = target.absolute()
    if not target.name:
        raise UsageError(f"{target} cannot be an export folder.", next_step="Give a new folder with --out DIR.")
    if not os.path.lexists(target):
        return False
    elsewhere = "Give another folder with --out DIR, or remove this one first."
    if target.is_symlink() or not target.is_dir():
        raise UsageError(f"{target} is not a folder, so it is not replaced.", next_step=elsewhere)
    files = [path for path in target.rglob("*") if path.is_symlink() or not path.is_dir()]
    there = {path.relative_to(target).as_posix() for path in files}
    if not there:
        return False
    ours = _marked_files(target)
    if ours is None:
        raise UsageError(f"{target} is not empty and no export made it, so it is not replaced.", next_step=elsewhere)
    added = sorted(there - ours - {MARKER})
    if added:
        shown = ", ".join(added[:3]) + (f" and {len(added) - 3} more" if len(added) > 3 else "")
        raise UsageError(
            f"{target} holds files that no export wrote ({shown}), so it is not replaced.", next_step=elsewhere
        )
    return True


def recover(target: Path) -> None:
    """Clear up after an export that was killed: an earlier export is put back, half-made ones are removed."""
    name = re.escape(target.name)
    pattern = re.compile(rf"\.{name}\.(\d+)\.(partial|old)")
    if not target.parent.is_dir():
        return
    for path in sorted(target.parent.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None or path.is_symlink() or _alive(int(match[1])):
            continue
        if match[2] == "old" and not os.path.lexists(target):
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _check_songs(songs: Sequence[Song], settings: Settings, full: Mapping[SongKey, Song]) -> None:
    if not songs:
        raise UsageError("there is no song to export.", next_step="Make some first, or ask for another selection.")
    if settings.audio == "none":
        return
    missing = []
    for song in songs:
        for version in (song, full.get((song.study, song.number), song)):
            if version.audio is None or not version.audio.is_file():
                missing.append(f"{song.study} {song.number}")
                break
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise UsageError(
            f"the audio of {len(missing)} of {len(songs)} songs is not here: {shown}.",
            next_step="Render them again with `optimize rerender STUDY TRIAL`, or export without audio: --audio none.",
        )


def _write_audio(
    songs: Sequence[Song],
    folder: Path,
    records: Sequence[Record],
    settings: Settings,
    full: Mapping[SongKey, Song],
    on_song: Callable[[int, int], None] | None,
) -> tuple[Track, ...]:
    # Trials outside the selection count too: the names of a study's songs do not depend on which of them leave.
    names = titles([*(song for record in records for song in record.songs), *songs])
    engines = {record.name: record.identity.get("renderer", {}) for record in records}
    # What the Hub's data viewer and `datasets` look for; players do not mind.
    where = "data" if "hf-dataset" in settings.formats else "audio"
    made = []
    for position, song in enumerate(songs, start=1):
        key = (song.study, song.number)
        # An imported song says itself what rendered it.
        own = {name: song.info[name] for name in ("engine", "revision") if name in song.info}
        engine = {**engines.get(song.study, {}), **own}
        name = str(engine.get("engine", engine.get("name", "unknown")))
        version = full.get(key, song)
        made.append(
            Track(
                song=version,
                title=names[key],
                artist=clean(settings.artist or name) or "unknown",
                album=clean(song.study) or "unknown",
                file=None,
                seconds=version.recipe.duration,
                engine=clean(name) or "unknown",
                revision=clean(str(engine.get("revision", "unknown"))) or "unknown",
                position=position,
                clip=song if key in full else None,
            )
        )
    if settings.audio == "none":
        return tuple(made)
    (folder / where).mkdir()
    if full:
        (folder / "clips").mkdir()
    digits = len(str(len(songs)))

    def write(track: Track) -> Track:
        stem = f"{track.position:0{max(digits, 2)}d} - {file_stem(track.title)}"
        if track.clip is not None:
            clip = _one_file(track.clip, folder, f"clips/{stem}", track, settings, len(songs))
            track = replace(track, clip_file=clip.file)
        return _one_file(track.song, folder, f"{where}/{stem}", track, settings, len(songs))

    done: list[Track] = []
    # libsndfile and numpy let go of the interpreter, so threads keep all cores at work.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for track in pool.map(write, made):
            done.append(track)
            if on_song is not None:
                on_song(len(done), len(made))
    return tuple(done)


def _one_file(song: Song, folder: Path, stem: str, track: Track, settings: Settings, total: int) -> Track:
    """Write one song's audio and return the track with what is then known of the file."""
    assert song.audio is not None
    ending = song.audio.suffix.lower() if settings.audio == "copy" else f".{settings.audio}"
    file = f"{stem}{ending}"
    path = folder / file
    wants_grid = "rekordbox" in settings.formats
    gain = loudness = peak = None
    if settings.audio == "copy" or (settings.loudness is None and ending == song.audio.suffix.lower()):
        shutil.copyfile(song.audio, path)
        probe = audio.probe(path)
        rate, seconds = probe.rate, probe.frames / probe.rate
        sound = audio.read(path) if wants_grid else None
    else:
        sound = audio.read(song.audio)
        samples, rate, seconds = sound.samples, sound.rate, sound.seconds
        if settings.loudness is not None:
            samples, gain = audio.normalise_loudness(samples, rate, settings.loudness, settings.true_peak)
            loudness, peak = _level(audio.loudness(samples, rate)), _level(audio.true_peak(samples, rate))
            gain = round(gain, 3)
        audio.write(path, samples, rate)
        if ending == ".mp3":
            rate = audio.probe(path).rate
    track = replace(
        track,
        file=file,
        seconds=seconds,
        sample_rate=rate,
        gain_db=gain,
        loudness=loudness,
        peak=peak,
        first_beat=first_beat(sound.samples, sound.rate, song.recipe.bpm) if sound is not None and wants_grid else None,
    )
    if settings.audio != "copy":
        write_tags(path, tags_of(replace(track, song=song), total=total))
    return replace(track, size=path.stat().st_size, sha256=audio.sha256_file(path))


def _write_marker(playlist: Playlist, folder: Path, settings: Settings) -> None:
    """Write ``recipes.json``: all that is needed to make the songs again, and the proof that the folder is ours."""
    document = {
        "generator": GENERATOR,
        "version": __version__,
        "title": playlist.title,
        "settings": {
            "audio": settings.audio,
            "loudness": settings.loudness if settings.audio not in ("copy", "none") else None,
            "true_peak": settings.true_peak,
        },
        **playlist.notes,
        "studies": {name: _identity(identity) for name, identity in playlist.studies.items()},
        "songs": [_entry(track) for track in playlist.tracks],
        "files": sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()),
    }
    text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
    write_atomic(folder / MARKER, (text + "\n").encode())


def _identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    # The command line's options hold paths of this machine, which are nobody's business elsewhere.
    return {name: identity[name] for name in ("program", "space", "renderer", "scorer", "search") if name in identity}


def _entry(track: Track) -> dict[str, Any]:
    song = track.song
    entry: dict[str, Any] = {
        "file": track.file,
        "title": track.title,
        "artist": track.artist,
        "study": song.study,
        "trial": song.number,
        "phase": song.phase,
        "recipe": song.recipe.to_dict(),
        "digest": song.recipe.digest,
        "score": song.value,
        "expected": song.expected,
        "shrunken": song.shrunken,
        "parts": dict(song.parts),
        "engine": track.engine,
        "model_revision": track.revision,
        "seconds": round(track.seconds, 3),
        "gain_db": track.gain_db,
        "loudness_lufs": track.loudness,
        "true_peak_dbtp": track.peak,
        "sha256": track.sha256,
        "master_sha256": song.sha256,
        "command": f"optimize rerender {song.study} {song.number}",
    }
    if track.clip is not None:
        clip = track.clip
        entry["clip"] = {
            "file": track.clip_file,
            "seconds": clip.recipe.duration,
            "score": clip.value,
            "master_sha256": clip.sha256,
        }
        entry["score_change"] = round(song.value - clip.value, 6)
    return entry


def _order_notes(ordering: Ordering) -> dict[str, Any]:
    return {
        "by": ordering.by,
        "mix_cost": round(ordering.cost, 6),
        "mix_cost_by_score": round(ordering.score_cost, 6),
        "optimal": ordering.optimal,
    }


def _marked_files(folder: Path) -> set[str] | None:
    try:
        document = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return set(document["files"]) if document["generator"] == GENERATOR else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _put_in_place(partial: Path, target: Path) -> None:
    if not target.is_dir() or not any(target.iterdir()):
        # A rename onto an empty folder takes its place.
        partial.rename(target)
        sync_folder(target.parent)
        return
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    target.rename(old)
    try:
        partial.rename(target)
    except BaseException:
        old.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync_all(folder: Path) -> None:
    """Bring everything to disk before the folder gets its name; copies were not synced one by one."""
    for path in [folder, *folder.rglob("*")]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _level(value: float) -> float | None:
    """Decibels for JSON, which has no infinity; silence has no level."""
    return round(value, 2) if math.isfinite(value) else None


def _title(songs: Sequence[Song]) -> str:
    studies = ", ".join(dict.fromkeys(clean(song.study) for song in songs))
    return f"{studies}: {len(songs)} {'song' if len(songs) == 1 else 'songs'}"
