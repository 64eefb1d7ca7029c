"""In which order the songs play: by score, by trial, or as a DJ would mix them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.errors import UsageError, did_you_mean
from optimizer.music import camelot_distance, tempo_distance
from optimizer.song import Song

Matrix = npt.NDArray[np.float64]
Path = npt.NDArray[np.intp]

ORDERS = ("score", "dj", "file")

PITCH_FADER = math.log2(1.06)
"""Octaves that a turntable's pitch fader reaches; a tempo step of this size costs as much as one bad key step."""

PEAK = 0.75
"""Where in the set the energy is highest."""

CLOSING = 0.5
"""Energy at the end of the set."""

ARC_WEIGHT = 1.0

EXACT = 13
"""Up to this many songs the best order is found for certain: 2**13 * 13 states, about 0.2 s."""

TEMPERATURE = 0.6
"""By how much worse an order may be that the search goes on from, with a chance of 1 in e."""

LARGE = 60
"""Above this many songs the search starts from fewer places."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """Songs in playing order, with what the order costs.

    Attributes
    ----------
    songs : tuple of Song
    by : {"score", "dj", "file"}
    cost : float
        `mix_cost` of this order; 0 is a perfect mix.
    score_cost : float
        `mix_cost` of the same songs by falling score.
    optimal : bool
        Whether no order costs less (known only for `EXACT` songs or fewer).
    """

    songs: tuple[Song, ...]
    by: str
    cost: float
    score_cost: float
    optimal: bool = False


def arrange(songs: Sequence[Song], by: str = "score") -> Ordering:
    """Put songs in order.

    Parameters
    ----------
    songs : sequence of Song
    by : {"score", "dj", "file"}
        By falling score; as a DJ set (see `mix_cost`); or by study and trial number.

    Raises
    ------
    UsageError
        For another word.
    """
    if by not in ORDERS:
        raise UsageError(f"order {by!r} is not one of {', '.join(ORDERS)}.{did_you_mean(by, ORDERS)}")
    ranked = sorted(songs, key=lambda song: (-song.value, song.study, song.number))
    score_cost = mix_cost(ranked)
    if by == "score":
        return Ordering(tuple(ranked), by, score_cost, score_cost)
    if by == "file":
        filed = sorted(songs, key=lambda song: (song.study, song.number))
        return Ordering(tuple(filed), by, mix_cost(filed), score_cost)
    mixed = [ranked[index] for index in solve(*cost_matrices(ranked))]
    return Ordering(tuple(mixed), by, mix_cost(mixed), score_cost, optimal=len(mixed) <= EXACT)


def mix_cost(songs: Sequence[Song]) -> float:
    """Add up what a listener would stumble over.

    Each transition costs its key step (0 for the same key, 0.25 for a neighbour on the Camelot wheel, one less than
    the steps beyond) and its tempo step in pitch faders of 6 % (half and double time are the same tempo). Each song
    costs how far its energy lies from the arc, which rises from 0 to 1 at three quarters of the set and falls to 0.5.

    Returns
    -------
    float
        0 or more; not normalised by the number of songs.
    """
    transitions, positions = cost_matrices(songs)
    return path_cost(np.arange(len(songs)), transitions, positions)


def cost_matrices(songs: Sequence[Song]) -> tuple[Matrix, Matrix]:
    """Return what each transition and each place costs.

    Returns
    -------
    transitions : float array [shape=(n, n)]
        Symmetric, zero on the diagonal.
    positions : float array [shape=(n, n)]
        Row: song; column: place in the set.
    """
    count = len(songs)
    transitions = np.zeros((count, count))
    for a, b in itertools.combinations(range(count), 2):
        transitions[a, b] = transitions[b, a] = _transition(songs[a], songs[b])
    places = np.arange(count) / max(count - 1, 1)
    arc = np.where(places <= PEAK, places / PEAK, 1.0 - (1.0 - CLOSING) * (places - PEAK) / (1.0 - PEAK))
    return transitions, ARC_WEIGHT * np.abs(_energy(songs)[:, None] - arc[None, :])


def path_cost(path: Sequence[int] | Path, transitions: Matrix, positions: Matrix) -> float:
    """Return what an order costs."""
    order = np.asarray(path, dtype=np.intp)
    between = transitions[order[:-1], order[1:]].sum()
    return float(between + positions[order, np.arange(len(order))].sum())


def solve(transitions: Matrix, positions: Matrix) -> list[int]:
    """Find a cheap order: the best one for up to `EXACT` songs, else by local search from several starts.

    Deterministic. 200 songs take about four seconds of CPU.
    """
    if len(transitions) <= EXACT:
        return solve_exactly(transitions, positions)
    return search(transitions, positions)


def solve_exactly(transitions: Matrix, positions: Matrix) -> list[int]:
    """Find the best order by dynamic programming over the sets of songs already played.

    References
    ----------
    .. [1] Held and Karp, "A Dynamic Programming Approach to Sequencing Problems", J. SIAM 10(1), 1962.
    """
    count = len(transitions)
    if count == 0:
        return []
    # best[played, last]: the cheapest way to have played that set, ending with that song. How many songs are in the
    # set tells the place, so the arc's cost fits into the recursion.
    best = np.full((1 << count, count), np.inf)
    before = np.zeros((1 << count, count), dtype=np.intp)
    for song in range(count):
        best[1 << song, song] = positions[song, 0]
    for played in range(1, 1 << count):
        place = played.bit_count()
        for song in range(count):
            if played >> song & 1:
                continue
            costs = best[played] + transitions[:, song]
            last = int(np.argmin(costs))
            cost = costs[last] + positions[song, place]
            following = played | 1 << song
            if cost < best[following, song]:
                best[following, song] = cost
                before[following, song] = last
    played = (1 << count) - 1
    path = [int(np.argmin(best[played]))]
    while len(path) < count:
        last = path[-1]
        path.append(int(before[played, last]))
        played ^= 1 << last
    return path[::-1]


def search(transitions: Matrix, positions: Matrix, *, rounds: int | None = None) -> list[int]:
    """Search for a cheap order: greedy starts, 2-opt and Or-opt, then kicks that exchange two stretches.

    Parameters
    ----------
    rounds : int, optional
        Kicks; fewer for large sets, each of which takes longer.

    References
    ----------
    .. [1] Or, "Traveling Salesman-Type Combinatorial Problems", 1976 (moving stretches of one to three).
    .. [2] Lourenço, Martin and Stützle, "Iterated Local Search", 2003.
    """
    count = len(transitions)
    if count < 4:
        return solve_exactly(transitions, positions)
    descend = _Descent(transitions, positions)
    # Ties in the greedy starts go to the lower index, so the same songs always give the same set.
    firsts = np.argsort(positions[:, 0], kind="stable")[: 8 if count <= LARGE else 3]
    starts = [_greedy(int(first), transitions, positions) for first in firsts]
    path, cost = min((descend(start) for start in starts), key=lambda found: found[1])
    best, best_cost = path, cost
    generator = np.random.default_rng(0)
    for _ in range(rounds if rounds is not None else min(200, 4000 // count)):
        one, two, three = np.sort(generator.choice(np.arange(1, count), size=3, replace=False))
        found, found_cost = descend(np.concatenate((path[:one], path[two:three], path[one:two], path[three:])))
        # Now and then a worse order is gone on from, or the search would stay in one valley.
        if found_cost < cost or generator.random() < math.exp((cost - found_cost) / TEMPERATURE):
            path, cost = found, found_cost
        if cost < best_cost - 1e-9:
            best, best_cost = path, cost
    return [int(song) for song in best]


class _Descent:
    """Steepest descent over all reversals and all moves of stretches of one to three songs.

    The cost of every move is computed at once from running sums, so that one step costs O(n^2) in numpy.
    """

    def __init__(self, transitions: Matrix, positions: Matrix) -> None:
        count = len(transitions)
        self._positions = positions
        # One song of no cost before the first and after the last spares the special cases at both ends.
        self._padded = np.zeros((count + 1, count + 1))
        self._padded[:count, :count] = transitions
        self._transitions = transitions
        # Every (first, last) of a stretch, by the least distance between the two.
        self._pairs = {apart: np.triu_indices(count, apart) for apart in (1, 2, 3)}

    def __call__(self, path: Path) -> tuple[Path, float]:
        path = np.array(path, dtype=np.intp)
        mirrored = self._positions[:, ::-1]
        while True:
            moves = [self._best_reversal(path)]
            for length in (1, 2, 3):
                moves.append(self._best_move(path, self._positions, length))
                # A stretch that moves towards the front is one that moves towards the back in the mirror.
                gain, moved = self._best_move(path[::-1], mirrored, length)
                moves.append((gain, lambda moved=moved: moved()[::-1]))  # type: ignore[misc]
            gain, moved = min(moves, key=lambda move: move[0])
            if gain > -1e-9:
                return path, path_cost(path, self._transitions, self._positions)
            path = moved()

    def _best_reversal(self, path: Path) -> tuple[float, Callable[[], Path]]:
        count = len(path)
        outside = np.concatenate(([count], path, [count]))
        before, after = outside[:-2], outside[2:]
        d = self._padded
        here = self._positions[path]
        # diagonal[a + 1, b]: sum of here[a - k, b + k] over k >= 0, down to the edge.
        diagonal = np.zeros((count + 1, count + 1))
        for a in range(count):
            diagonal[a + 1, :count] = here[a] + diagonal[a, 1:]
        standing = np.concatenate(([0.0], np.cumsum(np.diagonal(here))))
        i, j = self._pairs[1]
        delta = (
            d[before[i], path[j]]
            - d[before[i], path[i]]
            + d[path[i], after[j]]
            - d[path[j], after[j]]
            + diagonal[j + 1, i]
            - diagonal[i, j + 1]
            - (standing[j + 1] - standing[i])
        )
        best = int(np.argmin(delta))
        first, last = int(i[best]), int(j[best])

        def reversed_path() -> Path:
            return np.concatenate((path[:first], path[first : last + 1][::-1], path[last + 1 :]))

        return float(delta[best]), reversed_path

    def _best_move(self, path: Path, positions: Matrix, length: int) -> tuple[float, Callable[[], Path]]:
        count = len(path)
        if count <= length:
            return 0.0, lambda: path
        outside = np.concatenate(([count], path, [count]))
        before, after = outside[:-2], outside[2:]
        d = self._padded
        here = positions[path]
        standing = np.diagonal(here)
        shifted = np.zeros(count)
        shifted[length:] = np.diagonal(here, -length)
        running = np.concatenate(([0.0], np.cumsum(shifted - standing)))
        # The stretch i .. e moves behind j; what lay between moves `length` places to the front.
        i, j = self._pairs[length]
        e = i + length - 1
        common = (
            d[before[i], path[e + 1]]
            - d[before[i], path[i]]
            - d[path[e], path[e + 1]]
            - d[path[j], after[j]]
            + running[j + 1]
            - running[e + 1]
            - sum(standing[i + k] for k in range(length))
        )
        first = j - length + 1
        straight = d[path[j], path[i]] + d[path[e], after[j]] + sum(here[i + k, first + k] for k in range(length))
        turned = d[path[j], path[e]] + d[path[i], after[j]] + sum(here[i + k, j - k] for k in range(length))
        delta = common + np.minimum(straight, turned)
        best = int(np.argmin(delta))
        start, stop, end = int(i[best]), int(e[best]) + 1, int(j[best]) + 1
        backwards = bool(turned[best] < straight[best])

        def moved_path() -> Path:
            stretch = path[start:stop][::-1] if backwards else path[start:stop]
            return np.concatenate((path[:start], path[stop:end], stretch, path[end:]))

        return float(delta[best]), moved_path


def _greedy(first: int, transitions: Matrix, positions: Matrix) -> Path:
    path, left = [first], set(range(len(transitions))) - {first}
    while left:
        place = len(path)
        song = min(sorted(left), key=lambda s: transitions[path[-1], s] + positions[s, place])
        path.append(song)
        left.remove(song)
    return np.array(path, dtype=np.intp)


def _transition(first: Song, second: Song) -> float:
    steps = camelot_distance(first.recipe.key, second.recipe.key)
    key = 0.25 * steps if steps <= 1 else steps - 1.0
    return key + tempo_distance(first.recipe.bpm, second.recipe.bpm) / PITCH_FADER


def _energy(songs: Sequence[Song]) -> Matrix:
    """Energy of each song within the set, 0 to 1: the mean of its ranks by tempo and by score."""
    tempo = np.array([song.recipe.bpm for song in songs], dtype=np.float64)
    value = np.array([song.value for song in songs], dtype=np.float64)
    return (_rank(tempo) + _rank(value)) / 2.0


def _rank(values: Matrix) -> Matrix:
    """Ranks from 0 to 1, equal values sharing their mean rank."""
    below = (values[None, :] < values[:, None]).sum(axis=1)
    same = (values[None, :] == values[:, None]).sum(axis=1)
    ranks: Matrix = (below + (same - 1) / 2.0) / max(len(values) - 1, 1)
    return ranks
