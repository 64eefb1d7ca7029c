"""What a song is worth once luck is taken off, where the run's own sampler has no model that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optimizer.song import Song

OWN_SHARE = 0.5
"""Share of a song's deviation from its style's expected score that is kept as its own, as the study's model does."""

PRIOR_RATIO = 0.35
"""Deviation between styles over deviation between songs of a style, where the run is too small to show its own.

From the 200 published songs of the original experiment: 0.42 by restricted likelihood, 0.35 with BPM and key in.
"""


def shrink(songs: Sequence[Song]) -> npt.NDArray[np.float64]:
    """Return an estimate of each song's own worth: its model's where there is one, else empirical Bayes.

    Scores of one genre are taken for genre mean + style effect + deviation. The style's mean is drawn towards the
    genre's by ``n t / (n t + 1)``, t being the ratio of the two variances (method of moments, no smaller than zero;
    `PRIOR_RATIO` squared with fewer than 20 songs), and half of what the song deviates from that is kept
    (`OWN_SHARE`): nothing in the scores says how much of it is the judge's error.

    Returns
    -------
    float array [shape=(n,)]
    """
    estimates = np.array([np.nan if song.shrunken is None else song.shrunken for song in songs])
    values = np.array([song.value for song in songs])
    missing = np.isnan(estimates)
    genres = [song.recipe.genre for song in songs]
    for genre in {genres[index] for index in np.flatnonzero(missing)}:
        rows = np.array([index for index, name in enumerate(genres) if name == genre])
        expected = _expected(values[rows], [songs[row].recipe.style for row in rows])
        kept = expected + OWN_SHARE * (values[rows] - expected)
        estimates[rows] = np.where(missing[rows], kept, estimates[rows])
    return estimates


def _expected(values: npt.NDArray[np.float64], styles: Sequence[str]) -> npt.NDArray[np.float64]:
    names = sorted(set(styles))
    places = np.array([names.index(style) for style in styles])
    counts = np.bincount(places).astype(np.float64)
    means = np.bincount(places, weights=values) / counts
    # The plain mean of the songs, not of the styles: a search that dwells on one style would be judged by the others.
    middle = float(values.mean())
    n, levels = len(values), len(names)
    spare = n - levels
    ratio = PRIOR_RATIO**2
    if n >= 20 and levels > 1 and spare > 0:
        noise = float(((values - means[places]) ** 2).sum()) / spare
        between = float((counts * (means - middle) ** 2).sum()) / (levels - 1)
        size = (n - float((counts**2).sum()) / n) / (levels - 1)
        ratio = max(0.0, (between - noise) / size) / noise if noise > 0 else 1e9
    keep = counts * ratio / (counts * ratio + 1)
    found: npt.NDArray[np.float64] = (middle + keep * (means - middle))[places]
    return found
