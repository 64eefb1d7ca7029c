"""Embeddings with their table, as ``optimize embed`` writes them and as others publish them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.scoring import mert_files
from optimizer.scoring.ears import full_name
from optimizer.scoring.heads import A_NAME, is_name
from optimizer.training import labels

if TYPE_CHECKING:
    import pandas

VECTORS, TABLE, INFO, PUBLISHED = "embeddings.npy", "table.csv", "embedding.json", "metadata.json"
STORE = "embeddings.db"
"""What an embedding in progress has heard."""

BEGUN = ".embedding"
"""Says that an embedding is in progress where its store lies elsewhere: a run's."""

UNKNOWN_ENCODER = "unknown"
EMBEDDING_COLUMNS = ("embedding", "embeddings", "vector")


@dataclass(frozen=True, slots=True)
class Data:
    """What a trainer works on.

    Attributes
    ----------
    vectors : float32 array [shape=(n, d)]
    table : DataFrame
        One row per vector: ``id``, ``path``, labels.
    info : mapping
        ``encoder``, ``window``, ``layers``, ``key``, ``licence``; what ``embedding.json`` holds.
    folder : Path
    broken : int
        Songs that were left out, their embeddings not being numbers.
    """

    vectors: np.ndarray
    table: pandas.DataFrame
    info: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    broken: int = 0

    def select(self, rows: np.ndarray) -> Data:
        """Return the rows an index names."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return Data(self.vectors[rows], table, self.info, self.folder, self.broken)

    def column(self, name: str) -> np.ndarray:
        """Return a column's values.

        Raises
        ------
        UsageError
            If there is no such column.
        """
        from optimizer.errors import did_you_mean

        if name not in self.table.columns:
            names = [str(column) for column in self.table.columns]
            raise UsageError(
                f"the table of {self.folder} has no column {name!r}; it has {', '.join(names)}."
                f"{did_you_mean(name, names)}",
                next_step=f"FMA's tracks.csv has it: add --tracks tracks.csv to join {name!r} by id."
                if name in labels.COLUMNS
                else "Name one of them, or add the column to the table.",
            )
        return np.asarray(self.table[name].to_numpy())

    def groups(self, name: str) -> np.ndarray:
        """Return a column's values as names of groups; a row without one is a group of its own.

        Raises
        ------
        UsageError
            If there is no such column.
        """
        names = self.column(name).astype(object)
        unknown = np.array([value is None or value != value for value in names], dtype=bool)
        alone = np.array([f"row {row} without a {name}" for row in range(len(names))], dtype=object)
        return np.where(unknown, alone, names).astype(str)


def read_data(folder: Path, tracks: Path | None = None) -> Data:
    """Read embeddings with their table.

    Parameters
    ----------
    folder : Path
        With ``embeddings.npy`` and ``table.csv`` (or ``table.parquet``), or the published ``metadata.json``; or with
        Parquet files that have a column ``embedding``.
    tracks : Path, optional
        FMA's ``tracks.csv``: its columns (artist, album, genre, listens) are joined by id.

    Raises
    ------
    UsageError
        If they are not there or do not fit one another.
    """
    from optimizer.training.corpus import read_frame

    path = folder / VECTORS
    if (folder / "run.toml").is_file():
        raise UsageError(
            f"{folder} is a run, not embeddings.",
            next_step=f"First: optimize embed {folder} --out DIR; then --data DIR.",
        )
    if any((folder / name).is_file() for name in (STORE, BEGUN)) and not (folder / INFO).is_file():
        raise UsageError(
            f"{folder} is an embedding in progress: it has no {INFO} yet.",
            next_step=f"Finish it with the same command as before: optimize embed CORPUS --out {folder}",
        )
    packed = [] if path.is_file() else sorted(folder.rglob("*.parquet"))
    info: dict[str, Any] = {}
    table_path = next((folder / n for n in (TABLE, "table.parquet") if (folder / n).is_file()), None)
    if packed:
        vectors, table = _columns(packed)
    else:
        try:
            vectors = np.load(path, allow_pickle=False)
            if not isinstance(vectors, np.ndarray):
                raise ValueError("it is an archive, not one array")
        except (OSError, ValueError, EOFError, MemoryError) as error:
            raise UsageError(
                f"{path} cannot be read: {error}", next_step="Make it with: optimize embed CORPUS --out DIR"
            ) from error
        if table_path is not None:
            whole = (folder / INFO).is_file()
            # Only what is empty is missing: a genre may be called None, and a user's NA was left empty when written.
            table = read_frame(table_path, missing=("",) if whole else None)
            if whole:
                info = _read_json(folder / INFO, "Run the same optimize embed command again.")
        elif (folder / PUBLISHED).is_file():
            table, info = _published(folder / PUBLISHED)
        else:
            raise UsageError(
                f"{folder} has neither {TABLE} nor {PUBLISHED} beside {VECTORS}.",
                next_step="Make it with: optimize embed CORPUS --out DIR",
            )
    if vectors.ndim != 2 or len(vectors) != len(table):
        raise UsageError(
            f"{path} has shape {vectors.shape}; its table has {len(table)} rows.",
            next_step="They must be rows of one table: [shape=(rows, width)], in the table's order.",
        )
    if vectors.dtype.kind not in "fiu" or not vectors.size:
        raise UsageError(
            f"{path} holds {vectors.dtype} of shape {vectors.shape}; it must hold numbers, a row for each song.",
            next_step="Make it with: optimize embed CORPUS --out DIR",
        )
    if "id" not in table.columns:
        table.insert(0, "id", table["track_id"] if "track_id" in table.columns else range(len(table)))
    if tracks is not None:
        table = _join(table, tracks, folder)
    good = np.isfinite(vectors).all(axis=1)
    broken = int((~good).sum())
    if info.get("kind") == "fma" or tracks is not None or table_path is None:
        good &= ~table["id"].isin(labels.KNOWN_BAD).to_numpy()
    info["encoder"] = full_name(str(info.get("encoder") or UNKNOWN_ENCODER))
    if not is_name(info["encoder"]):
        raise UsageError(f"{folder}: encoder {info['encoder']!r:.200} must be {A_NAME}.", next_step="Mend its name.")
    data = Data(np.asarray(vectors, dtype=np.float32), table, info, folder, broken)
    return data if good.all() else data.select(np.flatnonzero(good))


def _columns(files: list[Path]) -> tuple[np.ndarray, pandas.DataFrame]:
    """Read Parquet files whose rows hold an embedding as a list of numbers, as others publish them."""
    import pandas as pd

    from optimizer.training.corpus import read_frame

    table = pd.concat([read_frame(file) for file in files], ignore_index=True)
    name = next((word for word in EMBEDDING_COLUMNS if word in table.columns), None)
    if name is None:
        raise UsageError(
            f"{files[0]} has no column with embeddings; it has {', '.join(map(str, table.columns))}.",
            next_step=f"Call it {EMBEDDING_COLUMNS[0]}; for audio, first: optimize embed CORPUS --out DIR",
        )
    try:
        vectors = np.stack([np.asarray(row, dtype=np.float32) for row in table[name]])
    except (TypeError, ValueError) as error:
        raise UsageError(f"{files[0]}: column {name!r} must hold lists of numbers, all as long: {error}.") from error
    return vectors, table.drop(columns=name)


def _join(table: pandas.DataFrame, tracks: Path, folder: Path) -> pandas.DataFrame:
    """Add what FMA's table knows and ours does not, by track number."""
    import pandas as pd

    joined = labels.read_tracks(tracks).set_index("id")
    numbers = pd.to_numeric(table["id"], errors="coerce")
    known = numbers.isin(joined.index)
    if not known.any():
        raise UsageError(
            f"not one of the {len(table)} ids of {folder} is a track of {tracks}; the first is {table['id'].iloc[0]}.",
            next_step="--tracks is for embeddings of FMA, whose ids are its track numbers.",
        )
    new = [column for column in joined.columns if column not in table.columns]
    return table.join(joined[new].reindex(numbers).reset_index(drop=True))


def _read_json(path: Path, next_step: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__}, not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", next_step=next_step) from error
    return found


def _published(path: Path) -> tuple[pandas.DataFrame, dict[str, Any]]:
    import pandas as pd

    from optimizer.training.embed import LICENCES

    raw = _read_json(path, "Take it as it was published, or write table.csv with a row per embedding.")
    try:
        table = pd.DataFrame(raw["labels"])
        table.insert(0, "id", [int(number) for number in raw["track_ids"]])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is not the published layout (track_ids, labels): {error}") from error
    # The published corpus says the model's name alone; the clips were FMA's own, cut from the middle of songs.
    info: dict[str, Any] = {"encoder": full_name(str(raw.get("model") or UNKNOWN_ENCODER)), "window": "middle"}
    info |= {"layers": [-1], "spread": False, "kind": "fma"}
    if info["encoder"] == mert_files.PINNED:
        info |= {"key": f"{mert_files.PINNED}/middle/float32", "licence": LICENCES["mert"]}
    return table, info
