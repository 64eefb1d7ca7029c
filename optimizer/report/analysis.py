"""What a study's songs show, as numbers with n and interval; every comparison stays within one genre."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optimizer.errors import UsageError
from optimizer.music import KEYS, parse_key
from optimizer.recipe import LANGUAGE_NAMES, Recipe
from optimizer.report import intervals
from optimizer.report.intervals import Difference, Interval, Share
from optimizer.report.shrinkage import shrink
from optimizer.selection import pool
from optimizer.song import Record, Song

THRESHOLDS = (3.5, 4.0)
"""Scores that the original experiment counted hits at."""

FACTORS = ("style", "BPM", "key", "mode", "language")
BPM_LIMIT = 10
"""Distinct tempi beyond which they are put into bins."""


@dataclass(frozen=True, slots=True)
class Group:
    """Songs that share a level of one factor.

    Attributes
    ----------
    label : str
    mean : Interval
        Of their scores; where there are several genres, of scores brought to the same mean in each genre.
    detail : str
        What a label stands for: a style's caption, a language's name.
    """

    label: str
    mean: Interval
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HitRate:
    """Share of songs at or above a score."""

    label: str
    threshold: float
    share: Interval


@dataclass(frozen=True, slots=True)
class Refinement:
    """What the search gained over its own random sweep.

    Attributes
    ----------
    mean : Difference or None
        Refined songs' mean minus the sweep's, genre by genre; None without two songs of each in any genre.
    best : Interval or None
        Mean of the best five songs, refine minus sweep, both drawn at one size; only in runs of one genre.
    hits : tuple of (threshold, sweep, refine, difference)
        Shares in the genres that were compared; the difference is refine minus sweep.
    """

    mean: Difference | None
    best: Interval | None
    hits: tuple[tuple[float, Interval, Interval, Interval], ...]


@dataclass(frozen=True, slots=True)
class Contrast:
    """How much more often one level is found in the best quarter of songs than in the worst.

    Attributes
    ----------
    factor, label : str
    top, bottom : int
        Songs of that level in each quarter.
    difference : Interval
        Of the two shares.
    """

    factor: str
    label: str
    top: int
    bottom: int
    difference: Interval


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the score in the best and the worst quarter of songs; a part of the score is no cause of it."""

    name: str
    top: Interval
    bottom: Interval


@dataclass(frozen=True, slots=True)
class Stage:
    """Seconds per song that one stage took: median, 10th and 90th percentile, and all songs together."""

    name: str
    median: float
    low: float
    high: float
    total: float
    n: int


@dataclass(frozen=True, slots=True)
class Heat:
    """Mean scores of one style over BPM and key.

    Attributes
    ----------
    title : str
    columns, rows : tuple of str
        BPMs and keys.
    cells : mapping of (row, column) to Interval
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: Mapping[tuple[int, int], Interval]


@dataclass(frozen=True, slots=True)
class Reference:
    """The songs beside a corpus of other scores.

    Attributes
    ----------
    name : str
    values : tuple of float
    above : Interval
        Probability that one of the songs scores above one of the corpus; 0.5 is no difference.
    """

    name: str
    values: tuple[float, ...]
    above: Interval


@dataclass(frozen=True, slots=True)
class Analysis:
    """All numbers of a report.

    Attributes
    ----------
    songs : tuple of Song
    shrunken : tuple of float
        For each song its estimated worth once luck is taken off.
    genres : tuple of str
    overall : Interval
    by : mapping of factor to groups
        ``genre`` and `FACTORS`; a factor with one level only is left out.
    hits : tuple of HitRate
    refinement : Refinement
    minor : Difference or None
        Minor minus major, within the genres that have both.
    bpm_slope : Interval or None
        Score points per doubling of the tempo, within genres.
    shares : mapping of factor to Share
        Of the variance within genres; ``genre`` itself of all variance.
    takes : Interval or None
        Standard deviation between takes of one recipe.
    contrasts : tuple of Contrast
        Largest difference first.
    parts : tuple of Part
    stages : tuple of Stage
    heats : tuple of Heat
    reference : Reference or None
    failures : mapping of reason to number
    """

    songs: tuple[Song, ...]
    shrunken: tuple[float, ...]
    genres: tuple[str, ...]
    overall: Interval
    by: Mapping[str, tuple[Group, ...]]
    hits: tuple[HitRate, ...]
    refinement: Refinement
    minor: Difference | None
    bpm_slope: Interval | None
    shares: Mapping[str, Share]
    takes: Interval | None
    contrasts: tuple[Contrast, ...]
    parts: tuple[Part, ...]
    stages: tuple[Stage, ...]
    heats: tuple[Heat, ...]
    reference: Reference | None
    failures: Mapping[str, int]

    @property
    def several(self) -> bool:
        """Whether there are songs of more than one genre."""
        return len(self.genres) > 1

    @property
    def best(self) -> Song:
        """The song with the highest score."""
        return max(self.songs, key=lambda song: (song.value, -song.number))


def analyse(records: Sequence[Record], *, reference: Path | None = None) -> Analysis:
    """Compute the numbers of a report.

    Parameters
    ----------
    records : sequence of Record
        Runs with the same objective.
    reference : Path, optional
        CSV of other songs' scores; see `read_reference`.

    Raises
    ------
    UsageError
        If there is no song, if the runs were scored differently, or for an unusable reference file.
    """
    songs = pool(records)
    if not songs:
        empty = ", ".join(record.name for record in records)
        raise UsageError(f"{empty}: there are no songs yet.", next_step="Run some: optimize --genre NAME --trials 30")
    values = np.array([song.value for song in songs])
    genres = [song.recipe.genre for song in songs]
    names = tuple(sorted(set(genres)))
    within = intervals.centred(values, genres)
    # One genre: the scores as they are. Several: what is left once the genres' means are taken off.
    level = within + values.mean()
    by = {factor: _groups(songs, level, factor) for factor in FACTORS}
    by["genre"] = _groups(songs, values, "genre")
    corpus = None if reference is None else read_reference(reference)
    return Analysis(
        songs=songs,
        shrunken=tuple(float(value) for value in shrink(songs)),
        genres=names,
        overall=intervals.mean(values),
        by={factor: groups for factor, groups in by.items() if len(groups) > 1},
        hits=_hits(songs, names),
        refinement=_refinement(songs),
        minor=intervals.difference(_split(songs, _mode, "minor"), _split(songs, _mode, "major")),
        bpm_slope=intervals.slope([math.log2(song.recipe.bpm) for song in songs], values, genres),
        shares=_shares(songs, values, genres),
        takes=intervals.take_spread(values, [song.recipe.combo for song in songs]),
        contrasts=_contrasts(songs, within),
        parts=_parts(songs, within),
        stages=_stages(songs),
        heats=_heats(songs),
        reference=None
        if corpus is None or reference is None
        else Reference(reference.name, corpus, intervals.superiority(values, corpus)),
        failures=Counter(failed.reason for record in records for failed in record.failed),
    )


def read_reference(path: Path) -> tuple[float, ...]:
    """Read scores of other songs from a CSV file: the column ``score`` (or ``value``), or the only column there is.

    Rows without a score are left out.

    Raises
    ------
    UsageError
        Naming file, line and legal form.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"reference file {path} cannot be read: {error}.") from error
    legal = "It must be CSV with a column 'score' of numbers from 0 to 10."
    if not rows:
        raise UsageError(f"reference file {path} is empty.", next_step=legal)
    head = [cell.strip().lower() for cell in rows[0]]
    column = next((head.index(name) for name in ("score", "value") if name in head), None)
    first = 0 if column is None else 1
    if column is None and len(rows[0]) > 1:
        raise UsageError(f"reference file {path} has the columns {', '.join(rows[0])}.", next_step=legal)
    found = []
    for line, row in enumerate(rows[first:], first + 1):
        cell = row[column or 0].strip() if len(row) > (column or 0) else ""
        if not cell:
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 10:
            raise UsageError(f"{path}, line {line}: {cell!r} is not a score.", next_step=legal)
        found.append(value)
    if not found:
        raise UsageError(f"reference file {path} holds no scores.", next_step=legal)
    return tuple(found)


def style_label(recipe: Recipe, several: bool) -> str:
    """Name a style, with its genre where there are several."""
    return f"{recipe.style} · {recipe.genre}" if several else recipe.style


def _mode(song: Song) -> str:
    return parse_key(song.recipe.key).mode


def _split(songs: Sequence[Song], of: Callable[[Song], str], wanted: str) -> dict[str, list[float]]:
    """Scores of the songs with one level of a factor, by genre."""
    found: dict[str, list[float]] = {}
    for song in songs:
        if of(song) == wanted:
            found.setdefault(song.recipe.genre, []).append(song.value)
    return found


def _labels(songs: Sequence[Song], factor: str) -> tuple[list[str], list[str]]:
    """Return each song's level of a factor, and the levels in their natural order."""
    several = len({song.recipe.genre for song in songs}) > 1
    recipes = [song.recipe for song in songs]
    if factor == "BPM":
        return _tempi(recipes)
    labels = {
        "genre": lambda: [recipe.genre for recipe in recipes],
        "style": lambda: [style_label(recipe, several) for recipe in recipes],
        "key": lambda: [recipe.key for recipe in recipes],
        "mode": lambda: [_mode(song) for song in songs],
        "language": lambda: [recipe.language for recipe in recipes],
    }[factor]()
    order = sorted(set(labels), key=KEYS.index if factor == "key" else None)
    return labels, order


def _tempi(recipes: Sequence[Recipe]) -> tuple[list[str], list[str]]:
    tempi = sorted({recipe.bpm for recipe in recipes})
    if len(tempi) <= BPM_LIMIT:
        return [str(recipe.bpm) for recipe in recipes], [str(bpm) for bpm in tempi]
    edges = np.unique(np.quantile([recipe.bpm for recipe in recipes], np.linspace(0, 1, 7)).round().astype(int))
    names = [
        _span(int(low), int(high if index == len(edges) - 2 else high - 1))
        for index, (low, high) in enumerate(pairwise(edges))
    ]
    places = np.clip(np.searchsorted(edges, [recipe.bpm for recipe in recipes], side="right") - 1, 0, len(names) - 1)
    return [names[place] for place in places], names


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _groups(songs: Sequence[Song], level: npt.NDArray[np.float64], factor: str) -> tuple[Group, ...]:
    labels, order = _labels(songs, factor)
    details: dict[str, str] = {}
    for song, label in zip(songs, labels, strict=True):
        if factor == "style":
            details[label] = song.recipe.caption
        elif factor == "language":
            details[label] = LANGUAGE_NAMES.get(label, "")
    values: dict[str, list[float]] = {label: [] for label in order}
    for label, value in zip(labels, level, strict=True):
        values[label].append(float(value))
    groups = [
        Group(label, intervals.mean(values[label]), details.get(label, "")) for label in order if values[label]
    ]  # fmt: skip
    if factor in ("genre", "style", "language"):
        groups.sort(key=lambda group: -group.mean.value)
    return tuple(groups)


def _hits(songs: Sequence[Song], genres: Sequence[str]) -> tuple[HitRate, ...]:
    sets: list[tuple[str, list[Song]]] = [("all songs", list(songs))]
    if len(genres) > 1:
        sets += [(genre, [song for song in songs if song.recipe.genre == genre]) for genre in genres]
    else:
        phases = sorted({song.phase for song in songs})
        sets += [(phase, [song for song in songs if song.phase == phase]) for phase in phases if len(phases) > 1]
    return tuple(
        HitRate(label, threshold, intervals.share(sum(song.value >= threshold for song in chosen), len(chosen)))
        for threshold in THRESHOLDS
        for label, chosen in sets
    )


def _refinement(songs: Sequence[Song]) -> Refinement:
    refine = _split(songs, lambda song: song.phase, "refine")
    sweep = _split(songs, lambda song: song.phase, "sweep")
    compared = intervals.difference(refine, sweep)
    best = None
    if len({song.recipe.genre for song in songs}) == 1 and refine and sweep:
        best = intervals.best_difference(*refine.values(), *sweep.values())
    hits = []
    for threshold in THRESHOLDS if compared else ():
        assert compared is not None
        a, b = ([value for name in compared.strata for value in side[name]] for side in (refine, sweep))
        high, other = sum(value >= threshold for value in a), sum(value >= threshold for value in b)
        hits.append(
            (
                threshold,
                intervals.share(other, len(b)),
                intervals.share(high, len(a)),
                intervals.share_difference(high, len(a), other, len(b)),
            )
        )
    return Refinement(compared, best, tuple(hits))


def _shares(songs: Sequence[Song], values: npt.NDArray[np.float64], genres: Sequence[str]) -> dict[str, Share]:
    found: dict[str, Share] = {}
    whole = intervals.variance_share(values, genres, [""] * len(genres))
    if whole is not None:
        found["genre"] = whole
    for factor in FACTORS:
        share = intervals.variance_share(values, _labels(songs, factor)[0], genres)
        if share is not None:
            found[factor] = share
    return found


def _quarters(within: npt.NDArray[np.float64]) -> tuple[list[int], list[int]]:
    order = np.argsort(within, kind="stable")
    size = len(order) // 4
    return order[len(order) - size :].tolist(), order[:size].tolist()


def _contrasts(songs: Sequence[Song], within: npt.NDArray[np.float64]) -> tuple[Contrast, ...]:
    top, bottom = _quarters(within)
    if len(top) < 3:
        return ()
    found = []
    for factor in FACTORS:
        labels, order = _labels(songs, factor)
        # With two levels the second says the same as the first.
        for label in order[:1] if len(order) == 2 else order if len(order) > 2 else ():
            high, low = sum(labels[row] == label for row in top), sum(labels[row] == label for row in bottom)
            if high + low:
                gap = intervals.share_difference(high, len(top), low, len(bottom))
                found.append(Contrast(factor, label, high, low, gap))
    return tuple(sorted(found, key=lambda one: -abs(one.difference.value)))


def _parts(songs: Sequence[Song], within: npt.NDArray[np.float64]) -> tuple[Part, ...]:
    top, bottom = _quarters(within)
    if len(top) < 2:
        return ()
    names = dict.fromkeys(name for song in songs for name in song.parts)
    found = []
    for name in names:
        high, low = (
            [songs[row].parts[name] for row in rows if math.isfinite(songs[row].parts.get(name, math.nan))]
            for rows in (top, bottom)
        )
        if high and low:
            found.append(Part(name, intervals.mean(high), intervals.mean(low)))
    return tuple(found)


def _stages(songs: Sequence[Song]) -> tuple[Stage, ...]:
    names = dict.fromkeys(name for song in songs for name in song.timings)
    found = []
    for name in names:
        seconds = np.array([song.timings[name] for song in songs if name in song.timings], dtype=np.float64)
        low, median, high = np.quantile(seconds, [0.1, 0.5, 0.9])
        found.append(Stage(name, float(median), float(low), float(high), float(seconds.sum()), len(seconds)))
    return tuple(sorted(found, key=lambda stage: (stage.name != "total", -stage.total)))


def _heats(songs: Sequence[Song]) -> tuple[Heat, ...]:
    several = len({song.recipe.genre for song in songs}) > 1
    chosen: dict[str, list[Song]] = {}
    for song in songs:
        chosen.setdefault(style_label(song.recipe, several), []).append(song)
    found = []
    for style, members in sorted(chosen.items(), key=lambda item: (item[1][0].recipe.genre, item[0])):
        # The axes are the genre's, so that the maps of its styles can be laid side by side.
        kin = [song for song in songs if song.recipe.genre == members[0].recipe.genre]
        tempo_labels, columns = _labels(kin, "BPM")
        rows = _labels(kin, "key")[1]
        place = {(song.study, song.number): label for song, label in zip(kin, tempo_labels, strict=True)}
        values: dict[tuple[int, int], list[float]] = {}
        for song in members:
            cell = (rows.index(song.recipe.key), columns.index(place[song.study, song.number]))
            values.setdefault(cell, []).append(song.value)
        found.append(
            Heat(style, tuple(columns), tuple(rows), {cell: intervals.mean(scores) for cell, scores in values.items()})
        )
    return tuple(found)
