"""Refuse songs that no model can learn from, before a number that is none spreads through everything."""

from __future__ import annotations

import math
from collections.abc import Sequence

from optimizer.errors import UsageError
from optimizer.samplers.observation import Observation


def require_scores(songs: Sequence[Observation], what: str) -> None:
    """Refuse songs whose score is not a finite number.

    Parameters
    ----------
    songs : sequence of Observation
    what : str
        What they are to the caller, such as ``"prior"``.

    Raises
    ------
    UsageError
        Naming the first such song.
    """
    for position, song in enumerate(songs):
        # Not by its type: NumPy's numbers are numbers too.
        if not (hasattr(song.value, "__float__") and math.isfinite(song.value)):
            raise UsageError(
                f"{what}[{position}] has the score {song.value!r} (trial {song.number}): it must be a finite number.",
                next_step="Leave out songs that were not scored.",
            )
