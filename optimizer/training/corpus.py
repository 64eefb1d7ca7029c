"""Corpora: a folder, a table or a study becomes one list of audio files with their labels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.errors import UsageError
from optimizer.runs import RunDirectory
from optimizer.scoring.batch import AUDIO_SUFFIXES, audio_files
from optimizer.training import labels

if TYPE_CHECKING:
    import pandas

PATH_COLUMNS = ("path", "file_name", "file", "audio", "filepath", "audio_path", "filename")
EMOTION_FILES = ("clips_metadata.csv", "ratings_metadata.csv", "emotion_intents_metadata.csv")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Audio with labels.

    Attributes
    ----------
    kind : {"fma", "table", "audiofolder", "parquet", "study", "emotion"}
    table : DataFrame
        One row per song: ``id``, ``path`` (absolute), and whatever labels there are.
    skipped : mapping of str to str
        Songs that are left out before anything is decoded, and why.
    sound : mapping of str to bytes
        By path: audio that lies in a Parquet file instead of a file of its own.
    store : Path or None
        Embeddings that are there already (a study's).
    extra : mapping
        JSON types, kept beside the embeddings (an emotion corpus's ceiling and references).
    """

    kind: str
    table: pandas.DataFrame
    skipped: dict[str, str] = field(default_factory=dict)
    sound: dict[str, bytes] = field(default_factory=dict)
    store: Path | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def read_corpus(path: Path, *, subset: str | None = None) -> Corpus:
    """Find out what `path` is and list its songs.

    Parameters
    ----------
    path : Path
        A CSV or Parquet table of audio paths and labels; a folder with FMA's ``tracks.csv``; an audio folder as
        Hugging Face has it (``metadata.csv``, ``metadata.jsonl``, or a folder per class); Parquet files with an
        ``audio`` column; AImoclips; or the folder of a run of ours.
    subset : str, optional
        Of FMA.

    Raises
    ------
    UsageError
        If it is none of these, or holds no audio.
    """
    if path.is_file():
        corpus = _table(path)
    elif not path.is_dir():
        raise UsageError(f"corpus {path} is not there.", next_step="Name a folder, a CSV or Parquet file, or a run.")
    elif RunDirectory(path).exists():
        corpus = _study(path)
    elif all((path / name).is_file() for name in EMOTION_FILES):
        from optimizer.training.emotion import read_emotion_corpus

        corpus = read_emotion_corpus(path)
    elif tracks := next((p for p in (path / "tracks.csv", path / "fma_metadata" / "tracks.csv") if p.is_file()), None):
        corpus = _fma(path, tracks, subset)
    else:
        corpus = _folder(path)
    if not len(corpus.table) and not corpus.skipped:
        raise UsageError(f"corpus {path} holds no audio.", next_step=f"Known endings: {', '.join(AUDIO_SUFFIXES)}.")
    return corpus


def read_frame(path: Path) -> pandas.DataFrame:
    """Read a CSV, JSON-lines or Parquet table.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".jsonl":
            return pd.read_json(path, lines=True)
        return pd.read_csv(path, low_memory=False)
    except ImportError as error:
        from optimizer.errors import MissingPrerequisite

        raise MissingPrerequisite("reading Parquet needs pyarrow.", next_step="Run: pip install pyarrow") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a table: {error}") from error


def with_paths(table: pandas.DataFrame, folder: Path, source: Path) -> pandas.DataFrame:
    """Return a table whose column ``path`` is absolute, relative paths being read from `folder`, with an ``id``."""
    column = next((name for name in PATH_COLUMNS if name in table.columns), None)
    if column is None:
        raise UsageError(
            f"{source} has no column with the audio's path; it has {', '.join(map(str, table.columns))}.",
            next_step=f"Call it one of {', '.join(PATH_COLUMNS)}.",
        )
    table = table.rename(columns={column: "path"}).dropna(subset=["path"]).reset_index(drop=True)
    table["path"] = [str((folder / str(name)).absolute()) for name in table["path"]]
    if "id" not in table.columns:
        table.insert(0, "id", table["track_id"] if "track_id" in table.columns else range(len(table)))
    return table


def _table(path: Path) -> Corpus:
    table = read_frame(path)
    if path.suffix == ".parquet" and "audio" in table.columns and table["audio"].map(type).eq(dict).any():
        return _parquet([path])
    return Corpus("table", with_paths(table, path.parent, path))


def _fma(folder: Path, tracks: Path, subset: str | None) -> Corpus:
    table = labels.read_tracks(tracks, subset)
    files = {int(path.stem): path for path in audio_files([folder]) if path.stem.isdigit()}
    if subset is None:
        # Whole FMA's table over a smaller tree is the usual case: what is not there was not meant.
        table = table[table["id"].isin(files)]
    skipped = {str(number): labels.KNOWN_BAD[number] for number in table["id"] if number in labels.KNOWN_BAD}
    skipped |= {
        str(number): "its file is not there"
        for number in table["id"]
        if number not in files and str(number) not in skipped
    }
    table = table[~table["id"].astype(str).isin(skipped)].reset_index(drop=True)
    table["path"] = [str(files[int(number)].absolute()) for number in table["id"]]
    return Corpus("fma", table, skipped)


def _folder(folder: Path) -> Corpus:
    import pandas as pd

    for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet"):
        found = sorted(folder.rglob(name))
        if found:
            parts = [with_paths(read_frame(path), path.parent, path) for path in found]
            table = pd.concat(parts, ignore_index=True)
            table["id"] = range(len(table)) if table["id"].duplicated().any() else table["id"]
            return Corpus("audiofolder", table)
    parquet = sorted(folder.rglob("*.parquet"))
    if parquet:
        return _parquet(parquet)
    files = audio_files([folder])
    # Hugging Face's rule: without metadata the folder a file lies in is its label.
    rows = [
        {"id": number, "path": str(path.absolute()), "label": "" if path.parent == folder else path.parent.name}
        for number, path in enumerate(files)
    ]
    return Corpus("audiofolder", pd.DataFrame(rows, columns=["id", "path", "label"]))


def _parquet(files: list[Path]) -> Corpus:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    sound: dict[str, bytes] = {}
    for file in files:
        table = read_frame(file)
        if "audio" not in table.columns:
            raise UsageError(f"{file} has no column 'audio'; it has {', '.join(map(str, table.columns))}.")
        for number, row in enumerate(table.to_dict("records")):
            audio = row.pop("audio")
            content, inner = audio.get("bytes"), audio.get("path")
            if content is not None:
                path = f"{file.absolute()}#{number}"
                sound[path] = bytes(content)
            else:
                path = str((file.parent / str(inner)).absolute())
            rows.append({"id": len(rows), **row, "path": path})
    return Corpus("parquet", pd.DataFrame(rows), sound=sound)


def _study(folder: Path) -> Corpus:
    import pandas as pd

    from optimizer.study import read_record

    run = RunDirectory(folder)
    storage = run.read_identity().get("options", {}).get("storage")
    record = read_record(run, storage=storage, estimates=False)
    rows, skipped = [], {}
    for song in record.songs:
        if song.audio is None:
            skipped[str(song.number)] = "its audio is not here"
            continue
        recipe = song.recipe
        rows.append(
            {
                "id": song.number,
                "study": song.study,
                "number": song.number,
                "path": str(song.audio),
                "sha256": song.sha256,
                "genre": recipe.genre,
                "style": recipe.style,
                "caption": recipe.caption,
                "bpm": recipe.bpm,
                "key": recipe.key,
                "language": recipe.language,
                "score": song.value,
                "recipe": json.dumps([recipe.genre, recipe.style, recipe.bpm, recipe.key, recipe.language]),
            }
        )
    if not rows:
        raise UsageError(f"study {record.name!r} has no songs with audio yet.")
    return Corpus("study", pd.DataFrame(rows), skipped, store=run.embeddings)
