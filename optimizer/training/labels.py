"""What a song is worth to a trainer: FMA's play counts as published, or its rank within its genre."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from optimizer.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas

NO_AUDIO = frozenset({99134, 108925, 133297})
"""FMA-Small tracks whose files hold no audio; the published embeddings leave them out."""

MIS_CUT = frozenset({98565, 98567, 98569})
"""FMA-Small tracks of about a second; the published embeddings hold them, a trainer should not."""

KNOWN_BAD = {
    **dict.fromkeys(NO_AUDIO, "known-bad FMA id: the file holds no audio"),
    **dict.fromkeys(MIS_CUT, "known-bad FMA id: the clip was cut to about a second"),
}

COLUMNS = {
    "listens": ("track", "listens"),
    "genre": ("track", "genre_top"),
    "artist_id": ("artist", "id"),
    "album_id": ("album", "id"),
    "date": ("track", "date_created"),
    "split": ("set", "split"),
    "subset": ("set", "subset"),
}
"""What is taken from FMA's ``tracks.csv``, and under which two headers it stands there."""

TOP = 10.0


def read_tracks(path: Path, subset: str | None = None) -> pandas.DataFrame:
    """Read FMA's ``tracks.csv``.

    Parameters
    ----------
    path : Path
        With the two header rows FMA writes.
    subset : {"small", "medium", "large"}, optional
        A subset holds the smaller ones too, as FMA's own loaders have it.

    Returns
    -------
    DataFrame
        By track id: ``id``, ``listens``, ``genre``, ``artist_id``, ``album_id``, ``date``, ``split``, ``subset``;
        columns that the file lacks are left out.

    Raises
    ------
    UsageError
        If it is no such file.
    """
    import pandas as pd

    order = ("small", "medium", "large")
    if subset is not None and subset not in order:
        raise UsageError(f"FMA subset {subset!r} must be one of {', '.join(order)}.{did_you_mean(subset, order)}")
    try:
        # Types differ between chunks of FMA's free-text columns; read at once, pandas need not guess twice.
        raw = pd.read_csv(path, index_col=0, header=[0, 1], low_memory=False)
    except (OSError, ValueError) as error:
        raise unreadable(path, error, "FMA's tracks.csv", None) from error
    if COLUMNS["listens"] not in raw.columns:
        raise UsageError(
            f"{path} is not FMA's tracks.csv: it has no column ('track', 'listens').",
            next_step="Take tracks.csv from fma_metadata.zip as it is, with its two header rows.",
        )
    table = pd.DataFrame({name: raw[column] for name, column in COLUMNS.items() if column in raw.columns})
    try:
        table.insert(0, "id", raw.index.astype("int64"))
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: its first column must hold FMA's track numbers: {error}") from error
    if subset is not None:
        if "subset" not in table:
            raise UsageError(
                f"{path} has no column ('set', 'subset'), so subset {subset!r} cannot be told.",
                next_step="Take tracks.csv from fma_metadata.zip as it is, or leave --subset out.",
            )
        table = table[table["subset"].isin(order[: order.index(subset) + 1])]
    return table


def published(listens: np.ndarray) -> np.ndarray:
    """Return ``log1p(listens)`` brought to 0 to 10 by its least and greatest value, as the published scorer was taught.

    Two songs fix the scale for all, and they are taken before any split: `within_group_rank` does neither.
    """
    logs = np.log1p(np.asarray(listens, dtype=np.float64))
    if not np.isfinite(logs).any():
        raise UsageError(f"not one of {len(logs)} songs has a play count; column listens must hold numbers from 0.")
    low, high = float(np.nanmin(logs)), float(np.nanmax(logs))
    if high <= low:
        raise UsageError(f"all {len(logs)} songs have the same play count; there is nothing to learn.")
    return np.asarray(TOP * (logs - low) / (high - low))


def within_group_rank(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return each value's mid-rank among its group, 0 to 10; a group of one gets 5, and what is no number stays none.

    FMA-Small holds the thousand most played tracks of each genre, so that the genre alone foretells the play count;
    a rank within the genre does not know it.
    """
    from scipy.stats import rankdata

    values, groups = np.asarray(values, dtype=np.float64), np.asarray(groups, dtype=object).astype(str)
    ranks = np.full(len(values), np.nan)
    for group in np.unique(groups):
        rows = (groups == group) & np.isfinite(values)
        ranks[rows] = TOP * (rankdata(values[rows]) - 0.5) / rows.sum()
    return ranks


def unreadable(path: Path, error: Exception, what: str, next_step: str | None) -> UsageError:
    """Return what is said of a table that cannot be read: that it is not there, is in another encoding, or is no table.

    Parameters
    ----------
    path : Path
    error : Exception
    what : str
        What it should be.
    next_step : str, optional
        For what is no table.
    """
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{path} is not there.", next_step="Mend its name.")
    if isinstance(error, UnicodeDecodeError):
        return UsageError(
            f"{path} is not UTF-8 text: {error.reason}.",
            next_step=f"Write it anew as UTF-8, such as: iconv -f LATIN1 -t UTF-8 {path.name} > utf8{path.suffix}",
        )
    return UsageError(f"{path} cannot be read as {what}: {error}", next_step=next_step)
