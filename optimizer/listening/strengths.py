"""What votes say: Bradley-Terry strengths of songs with intervals, and how often each judge agrees with the ears."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.listening.votes import Vote
from optimizer.song import Song

PRIOR = 1.5
"""Standard deviation of strengths (logits) before any vote: keeps a song that won every pair at a finite strength."""

Z = 1.959964
"""Two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How a song fared.

    Attributes
    ----------
    song : tuple of (study, trial number)
    strength, low, high : float
        Logits above the mean of the songs; a song at +1 beats one at 0 in 73 % of pairs.
    won, tied, lost : int
    """

    song: tuple[str, int]
    strength: float
    low: float
    high: float
    won: int
    tied: int
    lost: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often a judge prefers the song that the listener preferred.

    Attributes
    ----------
    name : str
        ``score``, ``shrunken`` or a part.
    agreed, votes : int
        Votes without a tie, by the listener or in the judge's numbers.
    share, low, high : float
        With Wilson's 95 % interval; 0.5 is chance. Votes on one song depend on each other, so it is a little too short.
    """

    name: str
    agreed: int
    votes: int
    share: float
    low: float
    high: float


def strengths(votes: Sequence[Vote]) -> tuple[Strength, ...]:
    """Fit a Bradley-Terry model, a tie being half a win for each, and return the songs, strongest first.

    Maximum a posteriori under a normal prior (`PRIOR`) by Newton's method [1]_; intervals from the inverse of the
    penalised Fisher information, of each strength's distance from the mean of all.

    References
    ----------
    .. [1] Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32, 2004.
    """
    names = sorted({side.song for vote in votes for side in (vote.left, vote.right)})
    place = {name: index for index, name in enumerate(names)}
    n = len(names)
    if not n:
        return ()
    wins = np.zeros((n, n))
    record = np.zeros((n, 3), dtype=int)
    for vote in votes:
        left, right = place[vote.left.song], place[vote.right.song]
        points = {"left": 1.0, "right": 0.0, "tie": 0.5}[vote.choice]
        wins[left, right] += points
        wins[right, left] += 1 - points
        record[left, {"left": 0, "tie": 1, "right": 2}[vote.choice]] += 1
        record[right, {"left": 2, "tie": 1, "right": 0}[vote.choice]] += 1
    fitted, covariance = _fit(wins)
    centre = np.eye(n) - 1 / n
    fitted = centre @ fitted
    deviation = np.sqrt(np.diag(centre @ covariance @ centre))
    found = [
        Strength(
            name,
            float(fitted[index]),
            float(fitted[index] - Z * deviation[index]),
            float(fitted[index] + Z * deviation[index]),
            int(record[index, 0]),
            int(record[index, 1]),
            int(record[index, 2]),
        )
        for index, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: (-one.strength, one.song)))


def _fit(wins: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    met = wins + wins.T
    strength: npt.NDArray[np.float64] = np.zeros(len(wins))
    information: npt.NDArray[np.float64] = np.eye(len(wins))
    for _ in range(100):
        expected = 1 / (1 + np.exp(-(strength[:, None] - strength[None, :])))
        slope = wins.sum(axis=1) - (met * expected).sum(axis=1) - strength / PRIOR**2
        weight = met * expected * (1 - expected)
        information = np.diag(weight.sum(axis=1) + 1 / PRIOR**2) - weight
        step = np.linalg.solve(information, slope)
        # The penalised likelihood is concave; a bounded step keeps Newton from jumping past a far optimum.
        strength = strength + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    covariance: npt.NDArray[np.float64] = np.asarray(np.linalg.inv(information), dtype=np.float64)
    return strength, covariance


def agreement(votes: Sequence[Vote], songs: Mapping[tuple[str, int], Song]) -> tuple[Agreement, ...]:
    """Compare the votes with the score, its shrunken estimate and every part of it, best agreement first.

    Parameters
    ----------
    votes : sequence of Vote
    songs : mapping of (study, trial number) to Song
        Votes on songs that are not there are left out.
    """
    counts: dict[str, list[int]] = {}
    for vote in votes:
        left, right = songs.get(vote.left.song), songs.get(vote.right.song)
        if left is None or right is None or vote.choice == "tie":
            continue
        other = _numbers(right)
        for name, value in _numbers(left).items():
            if name in other and value != other[name] and math.isfinite(value - other[name]):
                entry = counts.setdefault(name, [0, 0])
                entry[0] += (value > other[name]) == (vote.choice == "left")
                entry[1] += 1
    found = [Agreement(name, agreed, n, agreed / n, *_wilson(agreed, n)) for name, (agreed, n) in counts.items()]
    return tuple(sorted(found, key=lambda one: -one.share))


def _numbers(song: Song) -> dict[str, float]:
    own = {"score": song.value}
    if song.shrunken is not None:
        own["shrunken"] = song.shrunken
    return {**{name: float(value) for name, value in song.parts.items()}, **own}


def _wilson(hits: int, n: int) -> tuple[float, float]:
    p, z = hits / n, Z
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
