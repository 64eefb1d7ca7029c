"""The best N songs that are worth having together: ranked honestly, no song twice, diverse if asked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.errors import UsageError, did_you_mean
from optimizer.song import Record, Song

Vectors = npt.NDArray[np.float64]
Embeddings = Mapping[int, npt.NDArray[Any]] | Mapping[tuple[str, int], npt.NDArray[Any]]
"""By trial number, or by (study, trial number) where songs of several studies are chosen from."""

RANKINGS = ("score", "expected", "shrunken")
"""What songs can be ranked by, named as the columns of every table."""

DUPLICATE_RATIO = 0.1
"""Two songs are near-duplicates when they are closer than this share of the usual distance between two recipes.

Measured by ``benchmarks/duplicates.py`` on the embedded engine and scorer: a song encoded again lies within 0.001 of
that distance, takes of one recipe at 0.01 to 0.37, and no two of 40 recipes in ten genres came closer than 0.11.
"""

FEW = 10
"""With fewer recipes than this the usual distance is not known, and only `SAME` counts."""

SAME = 0.9999
"""Cosine of embeddings as the encoder gives them from which two songs are one song, in any encoder."""

_PAIRS = 2000
"""Songs from which the usual distance is taken, spread evenly over the run; all pairs of them are compared."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A song that ranked high enough and was passed over.

    Attributes
    ----------
    song : Song
    reason : {"take", "duplicate", "style", "key"}
        Another take of a chosen recipe, a near-duplicate of a chosen song, or over a cap.
    of : Song or None
        The chosen song it repeats.
    """

    song: Song
    reason: str
    of: Song | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """How different songs are from each other.

    Attributes
    ----------
    vendi : float or None
        Effective number of different songs, from 1 (all alike) to their number; None without embeddings.
    distance : float or None
        Mean cosine distance of all pairs, 0 to 2; None without embeddings or with a single song.
    """

    vendi: float | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen songs, and what choosing them instead of the plain top N costs and gives.

    Attributes
    ----------
    songs : tuple of Song
        In the order they were chosen.
    plain : tuple of Song
        As many songs by rank alone, repeats and all.
    by : {"score", "expected", "shrunken"}
    spread, plain_spread : Spread
        Of the chosen songs, and of the plain ones.
    price : float
        Mean rank value of `plain` minus that of `songs`, in points; what the rules and the diversity cost.
    left_out : tuple of LeftOut
        Songs that would have been chosen but for a rule.
    threshold : float or None
        Cosine of standardised embeddings above which two songs counted as near-duplicates; None where there are no
        embeddings, or too few songs to tell.
    """

    songs: tuple[Song, ...]
    plain: tuple[Song, ...]
    by: str
    spread: Spread
    plain_spread: Spread
    price: float
    left_out: tuple[LeftOut, ...] = ()
    threshold: float | None = None

    def notes(self) -> dict[str, Any]:
        """Return what is worth keeping beside an export, JSON types."""
        return {
            "by": self.by,
            "vendi": self.spread.vendi,
            "vendi_plain": self.plain_spread.vendi,
            "mean_distance": self.spread.distance,
            "mean_distance_plain": self.plain_spread.distance,
            "price": self.price,
            "duplicate_threshold": self.threshold,
            "left_out": [
                {"study": out.song.study, "trial": out.song.number, "reason": out.reason} for out in self.left_out
            ],
        }


def pool(records: Sequence[Record]) -> tuple[Song, ...]:
    """Put the songs of several runs together.

    Raises
    ------
    UsageError
        If two runs do not have the same objective, naming what differs, or have the same name.
    """
    first = records[0]
    for other in records[1:]:
        differences = list(_differences(first.identity.get("scorer", {}), other.identity.get("scorer", {})))
        if differences:
            shown = "\n".join(f"  {name}: {first.name} has {a}, {other.name} has {b}" for name, a, b in differences)
            raise UsageError(
                f"studies {first.name!r} and {other.name!r} were not scored alike, so their scores cannot be compared:"
                f"\n{shown}",
                next_step="Choose from each by itself, or score one again: `optimize rescore`.",
            )
    names = [record.name for record in records]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"study {name!r} is named {names.count(name)} times; name each study once.")
    return tuple(song for record in records for song in record.songs)


def worth(song: Song, by: str = "score") -> float:
    """Return the number a song is ranked by.

    Parameters
    ----------
    song : Song
    by : {"score", "expected", "shrunken"}
        The score as it was heard; what a new take of its recipe is expected to score; or the estimate of the song's own
        worth. The best of N noisy scores is too high by construction, the other two are not.

    Raises
    ------
    UsageError
        If the song has no such estimate.
    """
    value = {"score": song.value, "expected": song.expected, "shrunken": song.shrunken}[by]
    if value is None:
        raise UsageError(
            f"song {song.number} of {song.study!r} has no estimate beside its score.",
            next_step="Rank by the score itself: --by score.",
        )
    return value


def place(song: Song, by: str = "score") -> tuple[float | str, ...]:
    """Return what songs are sorted by, best first.

    Takes of one recipe are expected to score the same, so an estimate alone does not tell them apart: then the song's
    own estimate decides, then its score. Songs that are equal in all stand in the order of study and trial.
    """
    own = song.value if song.shrunken is None else song.shrunken
    ties = () if by == "score" else (-own, -song.value)
    return (-worth(song, by), *ties, song.study, song.number)


def best(
    songs: Iterable[Song],
    *,
    top: int,
    by: str = "score",
    diversity: float = 0.0,
    max_per_style: int | None = None,
    max_per_key: int | None = None,
    embeddings: Embeddings | None = None,
    duplicate_threshold: float | None = None,
) -> Selection:
    """Choose songs by rank, never two takes of one recipe nor two that sound the same.

    With `diversity` above 0 each next song is the one with the greatest ``(1 - diversity) * rank value - diversity *
    similarity to the nearest chosen song`` (maximal marginal relevance [1]_), both scaled to 0..1. Similarities are
    cosines of embeddings standardised over the songs given: raw embeddings of music encoders all point one way.

    Parameters
    ----------
    songs : iterable of Song
        All to choose from.
    top : int
        How many; fewer are returned where the rules leave no more.
    by : {"score", "expected", "shrunken"}
        See `worth`.
    diversity : float
        0 (rank only) to 1 (difference only; the first song is still the best).
    max_per_style, max_per_key : int, optional
        At most so many songs of one style (of one genre), of one key.
    embeddings : mapping, optional
        By trial number or (study, trial number), float arrays [shape=(d,)]. A song without one is compared by recipe
        and file hash only.
    duplicate_threshold : float, optional
        Cosine of standardised embeddings above which two songs count as one; by default from `duplicate_cosine`.

    Returns
    -------
    Selection
        The same songs give the same selection whatever their order; see `place` for ties.

    Raises
    ------
    UsageError
        If a value is not legal, or diversity is asked for and there are no embeddings.

    References
    ----------
    .. [1] Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
       Summaries", SIGIR 1998.
    """
    _check(top, by, diversity, max_per_style, max_per_key, duplicate_threshold)
    ranked = sorted(songs, key=lambda song: place(song, by))
    plain = tuple(ranked[:top])
    found = _lookup(ranked, embeddings)
    if diversity > 0 and ranked and not found:
        raise UsageError(
            f"diversity {diversity:g} needs embeddings, and these songs have none.",
            next_step="Leave --diversity out, or take a scorer that gives embeddings, such as acoustic or banger.",
        )
    places = {song: row for row, song in enumerate(found)}
    raw = np.array(list(found.values()), dtype=np.float64) if found else np.zeros((0, 1))
    unit, compared = _unit(raw), _unit(standardise(raw))
    threshold = duplicate_threshold if found else None
    if found and threshold is None:
        threshold = duplicate_cosine(compared, [ranked[index].recipe.combo for index in found])

    values = np.array([worth(song, by) for song in ranked])
    relevance = _scaled(values)
    # How near the nearest chosen song is; a song without an embedding counts as neither like nor unlike the others.
    nearness = np.full(len(ranked), 0.5)
    first = True
    chosen: list[int] = []
    left_out: list[LeftOut] = []
    candidates = list(range(len(ranked)))
    while candidates and len(chosen) < top:
        gains = (1.0 - diversity) * relevance[candidates] - diversity * nearness[candidates]
        # argmax takes the first of equals, and candidates stand in rank order.
        pick = candidates.pop(0 if first else int(np.argmax(gains)))
        out = _objection(pick, chosen, ranked, max_per_style, max_per_key)
        if out is None and pick in places:
            out = _duplicate(
                pick, [index for index in chosen if index in places], ranked, places, unit, compared, threshold
            )
        if out is not None:
            left_out.append(out)
            continue
        chosen.append(pick)
        if pick in places and compared.size:
            near = (1.0 + compared @ compared[places[pick]]) / 2.0
            at = np.array(list(found))
            nearness[at] = near if first else np.maximum(nearness[at], near)
        first = False

    picked = tuple(ranked[index] for index in chosen)
    return Selection(
        songs=picked,
        plain=plain,
        by=by,
        spread=_spread([compared[places[index]] for index in chosen if index in places]),
        plain_spread=_spread([compared[places[index]] for index in range(len(plain)) if index in places]),
        price=float(values[: len(plain)].mean() - values[chosen].mean()) if picked else 0.0,
        left_out=tuple(left_out),
        threshold=threshold,
    )


def duplicate_cosine(unit: Vectors, groups: Sequence[Hashable]) -> float | None:
    """Find the cosine above which two songs of this run are one song to its encoder.

    Encoders differ in how close unlike songs come, so no fixed cosine serves them all. The usual distance between
    songs of different recipes is the yardstick: `DUPLICATE_RATIO` of it.

    Parameters
    ----------
    unit : float array [shape=(n, d)]
        Standardised embeddings (`standardise`), rows of length 1.
    groups : sequence of n hashables
        Equal for takes of one recipe, which do not count as different.

    Returns
    -------
    float or None
        Below 1; None where there are too few recipes to tell.
    """
    step = max(1, len(unit) // _PAIRS)
    names = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    if len(names) < FEW:
        return None
    labels = np.array([names[group] for group in groups], dtype=np.intp)[::step]
    seen = unit[::step]
    rows, columns = np.triu_indices(len(seen), 1)
    different = labels[rows] != labels[columns]
    distances = 1.0 - (seen @ seen.T)[rows, columns][different]
    return 1.0 - DUPLICATE_RATIO * float(np.median(distances))


def standardise(vectors: Vectors) -> Vectors:
    """Centre each coordinate over the songs and scale it to unit deviation; constant coordinates become 0."""
    if len(vectors) < 2:
        return vectors
    deviation = vectors.std(axis=0)
    # A coordinate that only rounds differently would be blown up to noise.
    constant = deviation <= 1e-9 * np.maximum(np.abs(vectors).max(axis=0), 1e-300)
    scaled: Vectors = np.where(constant, 0.0, (vectors - vectors.mean(axis=0)) / np.where(constant, 1.0, deviation))
    return scaled


def vendi(unit: Vectors) -> float:
    """Return the effective number of different songs: the exponential of the kernel's entropy.

    Parameters
    ----------
    unit : float array [shape=(n, d)]
        Rows of length 1, n at least 1.

    Returns
    -------
    float
        1 (all alike) to n (all orthogonal).

    References
    ----------
    .. [1] Friedman and Dieng, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", TMLR 2023.
    """
    weights = np.linalg.eigvalsh(unit @ unit.T / len(unit))
    weights = weights[weights > 1e-12]
    return float(np.exp(-(weights * np.log(weights)).sum()))


def mean_distance(unit: Vectors) -> float:
    """Return the mean cosine distance over all pairs of rows of length 1, at least two."""
    rows, columns = np.triu_indices(len(unit), 1)
    return float(np.mean(1.0 - (unit @ unit.T)[rows, columns]))


def _objection(
    index: int,
    chosen: Sequence[int],
    ranked: Sequence[Song],
    max_per_style: int | None,
    max_per_key: int | None,
) -> LeftOut | None:
    """Say which rule about recipes and files forbids a song beside those chosen."""
    song = ranked[index]
    for other in (ranked[earlier] for earlier in chosen):
        if other.recipe.combo == song.recipe.combo:
            return LeftOut(song, "take", other)
        if song.sha256 and other.sha256 == song.sha256:
            return LeftOut(song, "duplicate", other)
    style = (song.recipe.genre, song.recipe.style)
    alike = sum((ranked[other].recipe.genre, ranked[other].recipe.style) == style for other in chosen)
    if max_per_style is not None and alike >= max_per_style:
        return LeftOut(song, "style")
    if max_per_key is not None and sum(ranked[other].recipe.key == song.recipe.key for other in chosen) >= max_per_key:
        return LeftOut(song, "key")
    return None


def _duplicate(
    index: int,
    heard: Sequence[int],
    ranked: Sequence[Song],
    places: Mapping[int, int],
    unit: Vectors,
    compared: Vectors,
    threshold: float | None,
) -> LeftOut | None:
    """Say whether a song sounds like one of those chosen."""
    if not heard:
        return None
    rows, row = [places[other] for other in heard], places[index]
    for vectors, limit in ((unit, SAME), (compared, threshold)):
        if limit is not None:
            cosines = vectors[rows] @ vectors[row]
            if cosines.max() > limit:
                return LeftOut(ranked[index], "duplicate", ranked[heard[int(np.argmax(cosines))]])
    return None


def _lookup(ranked: Sequence[Song], embeddings: Embeddings | None) -> dict[int, npt.NDArray[Any]]:
    """Return embeddings by place in the ranking."""
    given: Mapping[Any, npt.NDArray[Any]] = embeddings or {}
    by_number = not any(isinstance(key, tuple) for key in given)
    if by_number and given and len({song.study for song in ranked}) > 1:
        raise UsageError("embeddings by trial number are ambiguous for several studies; key them by (study, number).")
    found = {}
    for index, song in enumerate(ranked):
        vector = given.get(song.number if by_number else (song.study, song.number))
        if vector is not None:
            found[index] = np.asarray(vector).reshape(-1)
    sizes = sorted({len(vector) for vector in found.values()})
    if len(sizes) > 1:
        raise UsageError(
            f"embeddings of {' and '.join(map(str, sizes))} numbers cannot be compared.",
            next_step="Choose from songs that one encoder has heard.",
        )
    return found


def _unit(vectors: Vectors) -> Vectors:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    # What has no direction (a song at the very mean) gets one that is its own, or all such songs would be unlike.
    return np.where(length > 0, vectors / np.where(length > 0, length, 1.0), 1.0 / np.sqrt(max(vectors.shape[1], 1)))


def _scaled(values: Vectors) -> Vectors:
    low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
    return (values - low) / (high - low) if high > low else np.ones(len(values))


def _spread(rows: Sequence[Vectors]) -> Spread:
    if not rows:
        return Spread(None, None)
    unit = np.array(rows)
    return Spread(vendi(unit), mean_distance(unit) if len(unit) > 1 else None)


def _check(
    top: int,
    by: str,
    diversity: float,
    max_per_style: int | None,
    max_per_key: int | None,
    duplicate_threshold: float | None,
) -> None:
    for name, count in (("--top", top), ("--max-per-style", max_per_style), ("--max-per-key", max_per_key)):
        if count is not None and count < 1:
            raise UsageError(f"{name} {count} is not usable: it must be a whole number of 1 or more.")
    if by not in RANKINGS:
        raise UsageError(f"--by {by!r} is not one of {', '.join(RANKINGS)}.{did_you_mean(by, RANKINGS)}")
    # NaN fails the comparisons, so it is refused here too.
    if not 0.0 <= diversity <= 1.0:
        raise UsageError(f"--diversity {diversity:g} is not usable: it must be a number from 0 to 1.")
    if duplicate_threshold is not None and not -1.0 <= duplicate_threshold <= 1.0:
        raise UsageError(f"duplicate threshold {duplicate_threshold:g} is not usable: it must be a cosine, -1 to 1.")


def _differences(first: Any, second: Any, name: str = "scorer") -> Iterable[tuple[str, Any, Any]]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in sorted({*first, *second}):
            yield from _differences(first.get(key), second.get(key), f"{name}.{key}")
    elif first != second:
        yield name, first, second
