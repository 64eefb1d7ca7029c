"""Corpora: a folder, a table or a study becomes one list of audio files with their labels."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.runs import RunDirectory
from optimizer.scoring.batch import AUDIO_SUFFIXES, audio_files
from optimizer.training import labels
from optimizer.training.packed import Packed, holds_audio, list_packed

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
        One row per song: ``id``, ``path`` (absolute, or empty where a study's song is known by its ``sha256`` alone),
        and whatever labels there are.
    skipped : mapping of str to str
        Songs that are left out before anything is decoded, and why.
    packed : tuple of Packed
        Files whose rows hold audio; together they are the table's rows.
    folder : Path or None
        What a packed row's own path must not leave.
    store : Path or None
        Embeddings that are there already (a study's).
    extra : mapping
        JSON types, kept beside the embeddings (an emotion corpus's ceiling and references).
    """

    kind: str
    table: pandas.DataFrame
    skipped: dict[str, str] = field(default_factory=dict)
    packed: tuple[Packed, ...] = ()
    folder: Path | None = None
    store: Path | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def read_corpus(path: Path, *, subset: str | None = None) -> Corpus:
    """Find out what `path` is and list its songs.

    Parameters
    ----------
    path : Path
        A CSV or Parquet table of audio paths and labels; a folder with FMA's ``tracks.csv``; an audio folder as
        Hugging Face has it (``metadata.csv``, ``metadata.jsonl``, or a folder per class); Parquet files with an
        ``audio`` column, or a data set saved to disk; AImoclips; or the folder of a run of ours.
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
    if subset is not None and corpus.kind != "fma":
        raise UsageError(
            f"--subset {subset} is of FMA; {path} is {corpus.kind}, not a folder with FMA's tracks.csv.",
            next_step="Leave --subset out.",
        )
    if not len(corpus.table) and not corpus.skipped:
        raise UsageError(f"corpus {path} holds no audio.", next_step=f"Known endings: {', '.join(AUDIO_SUFFIXES)}.")
    return corpus


def read_frame(path: Path, missing: tuple[str, ...] | None = None) -> pandas.DataFrame:
    """Read a CSV, JSON-lines or Parquet table.

    Parameters
    ----------
    path : Path
    missing : tuple of str, optional
        What counts as no value in a CSV, instead of all that pandas takes for it.

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
        if missing is not None:
            return pd.read_csv(path, low_memory=False, keep_default_na=False, na_values=list(missing))
        return pd.read_csv(path, low_memory=False)
    except ImportError as error:
        from optimizer.errors import MissingPrerequisite

        raise MissingPrerequisite("reading Parquet needs pyarrow.", next_step="Run: pip install pyarrow") from error
    except (OSError, ValueError) as error:
        step = "Give a CSV, JSON-lines or Parquet table, or a folder of audio."
        raise labels.unreadable(path, error, "a table", step) from error


def with_paths(
    table: pandas.DataFrame, folder: Path, source: Path, inside: Path | None = None
) -> tuple[pandas.DataFrame, dict[str, str]]:
    """Give a table absolute paths and an ``id``.

    Parameters
    ----------
    table : DataFrame
        With a column of paths.
    folder : Path
        What relative paths are read from.
    source : Path
        Where the table is from.
    inside : Path, optional
        A folder that no path may leave: a data set from elsewhere names its own files, not the machine's.

    Returns
    -------
    table : DataFrame
        With ``id`` and ``path``.
    skipped : dict of str to str
        By id: rows without a usable path, and why.
    """
    column = next((name for name in PATH_COLUMNS if name in table.columns), None)
    if column is None:
        raise UsageError(
            f"{source} has no column with the audio's path; it has {', '.join(map(str, table.columns))}.",
            next_step=f"Call it one of {', '.join(PATH_COLUMNS)}.",
        )
    table = table.rename(columns={column: "path"}).reset_index(drop=True)
    if "id" not in table.columns:
        table.insert(0, "id", table["track_id"] if "track_id" in table.columns else range(len(table)))
    skipped: dict[str, str] = {}
    good = []
    for number, name in zip(table["id"], table["path"], strict=True):
        reason = "its row names no file" if _missing(name) else leaves(folder / str(name), inside)
        if reason:
            skipped[str(number)] = reason
        good.append(not reason)
    # Without a type an empty list would choose no columns.
    table = table[np.array(good, dtype=bool)].reset_index(drop=True)
    table["path"] = [os.path.normpath((folder / str(name)).absolute()) for name in table["path"]]
    return table, skipped


def _missing(name: Any) -> bool:
    return name is None or name != name or not str(name).strip()


def leaves(path: Path, folder: Path | None) -> str:
    """Return why a path must not be read, empty if it may: it leaves the folder of the data set that names it."""
    if folder is None or Path(os.path.normpath(path.absolute())).is_relative_to(os.path.normpath(folder.absolute())):
        return ""
    return f"{path}: lies outside of the data set's folder; a CSV table of your own may name it"


def _table(path: Path) -> Corpus:
    if path.suffix == ".parquet" and holds_audio(path):
        return _packed([path], path.parent)
    table, skipped = with_paths(read_frame(path), path.parent, path)
    if not len(table) and not skipped:
        raise UsageError(f"{path} has no rows, only the names of columns.", next_step="Write a row for each song.")
    return Corpus("table", table, skipped)


def _fma(folder: Path, tracks: Path, subset: str | None) -> Corpus:
    table = labels.read_tracks(tracks, subset)
    files = {int(path.stem): path for path in audio_files([folder]) if re.fullmatch("[0-9]+", path.stem)}
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
            return _audiofolder(folder, found)
    # What `datasets` computed on the way lies beside a saved data set under such names.
    packed = [p for p in sorted([*folder.rglob("*.parquet"), *folder.rglob("*.arrow")])
              if not p.name.startswith(("cache-", "tmp"))]  # fmt: skip
    if packed:
        if not any(holds_audio(path) for path in packed):
            return _audiofolder(folder, [path for path in packed if path.suffix == ".parquet"] or packed)
        return _packed(packed, folder)
    # A link to nothing, or a pipe, is no song; whoever put it there is told so.
    strange = (p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and not (p.is_file() or p.is_dir()))
    files = sorted([*audio_files([folder]), *strange])
    # Hugging Face's rule: without metadata the folder a file lies in is its label.
    rows = [
        {"id": number, "path": str(path.absolute()), "label": "" if path.parent == folder else path.parent.name}
        for number, path in enumerate(files)
    ]
    return Corpus("audiofolder", pd.DataFrame(rows, columns=["id", "path", "label"]))


def _audiofolder(folder: Path, tables: list[Path]) -> Corpus:
    import pandas as pd

    parts: list[pd.DataFrame] = []
    skipped: dict[str, str] = {}
    several = len(tables) > 1
    for path in tables:
        table, left_out = with_paths(read_frame(path), path.parent, path, folder)
        parts.append(table)
        # Each table numbers its rows from 0.
        name = f"{path.relative_to(folder)}:" if several else ""
        skipped |= {f"{name}{number}": reason for number, reason in left_out.items()}
    whole = pd.concat(parts, ignore_index=True)
    whole["id"] = range(len(whole)) if whole["id"].duplicated().any() else whole["id"]
    return Corpus("audiofolder", whole, skipped)


def _packed(files: list[Path], folder: Path) -> Corpus:
    table, packed = list_packed(files)
    return Corpus("parquet", table, packed=packed, folder=folder)


def _study(folder: Path) -> Corpus:
    import pandas as pd

    from optimizer.study import read_record

    run = RunDirectory(folder)
    storage = run.read_identity().get("options", {}).get("storage")
    record = read_record(run, storage=storage, estimates=False)
    rows, skipped = [], {}
    for song in record.songs:
        if song.audio is None and not song.sha256:
            skipped[str(song.number)] = "its audio is not here"
            continue
        recipe = song.recipe
        rows.append(
            {
                "id": song.number,
                "study": song.study,
                "number": song.number,
                # Without its audio a song may still be remembered by the run's store.
                "path": "" if song.audio is None else str(song.audio),
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
