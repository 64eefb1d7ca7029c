"""What a regression learns: a column of numbers, or one of FMA's labels."""

from __future__ import annotations

import numpy as np

from optimizer.errors import UsageError
from optimizer.training import labels
from optimizer.training.data import Data


def labelled(data: Data, target: str) -> tuple[Data, np.ndarray]:
    """Return the songs that have a label, and their labels.

    Raises
    ------
    UsageError
        If the column is not there, holds no numbers, or too few, or all the same.
    """
    y = labels_of(data, target)
    good = np.isfinite(y)
    if not good.all():
        data, y = data.select(np.flatnonzero(good)), y[good]
    if len(y) < 10 or y.std() == 0:
        alike = f"all {y[0]:g}" if len(set(y.tolist())) == 1 else f"of {len(set(y.tolist()))} values"
        raise UsageError(
            f"column {target!r} gives {len(y)} labels of {len(good)} songs{f', {alike}' if len(y) else ''}; "
            "10 that are not all the same are the least, and hundreds are needed to learn anything.",
            next_step="Name another column with --target, or embed more songs that have a number there.",
        )
    return data, y


def labels_of(data: Data, target: str) -> np.ndarray:
    """Return a numeric column, or one of FMA's labels: ``banger`` (log play count, 0 to 10), ``genre-rank``.

    Raises
    ------
    UsageError
        If the column holds no numbers.
    """
    made = target not in data.table.columns
    if target == "banger" and made:
        return labels.published(_numbers(data, "listens"))
    if target == "genre-rank" and made:
        return labels.within_group_rank(_numbers(data, "listens"), data.column("genre"))
    return _numbers(data, target)


def _numbers(data: Data, column: str) -> np.ndarray:
    try:
        return data.column(column).astype(float)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"column {column!r} holds no numbers: {error}.", next_step="For classes: --task classification."
        ) from error
