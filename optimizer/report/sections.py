"""The report's sections as HTML: each comparison in a sentence, a plot, and a table of the same numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from optimizer.report import plots
from optimizer.report.analysis import Analysis, Group
from optimizer.report.intervals import Interval
from optimizer.report.plots import spell


def figure(title: str, note: str, svg: str, rows: Sequence[Sequence[str]] = (), head: Sequence[str] = ()) -> str:
    """A plot with its heading, what it says, and its numbers in a table that opens on demand."""
    return (
        f"<figure><figcaption><h3>{escape(title)}</h3><p>{escape(note)}</p></figcaption>{svg}"
        f"{numbers(title, head, rows)}</figure>"
    )


def numbers(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that is folded away."""
    if not rows:
        return ""
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>"
        + f'<th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        '<details><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(title)}: numbers"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></details>"
    )


def sections(found: Analysis) -> Iterator[tuple[str, str, str]]:
    """Yield (anchor, heading, HTML) of each part of the analysis."""
    yield "search", "The search", "".join(_search(found))
    yield "parameters", "What the parameters do", "".join(_parameters(found))
    yield "scores", "Scores", "".join(_scores(found))
    if found.heats:
        yield "maps", "BPM and key, style by style", _maps(found)
    if found.stages:
        yield "time", "Time", _time(found)


def _search(found: Analysis) -> Iterator[str]:
    counts: dict[str, int] = {}
    for song in found.songs:
        counts[song.phase] = counts.get(song.phase, 0) + 1
    said = ", ".join(f"{count} {phase}" for phase, count in counts.items())
    for study in dict.fromkeys(song.study for song in found.songs):
        own = [song for song in found.songs if song.study == study]
        named = f": {study}" if len(own) < len(found.songs) else ""
        yield figure(
            f"Score over trials{named}",
            f"Squares are the random sweep, dots the refined search ({said})."
            if not named
            else "Squares are the random sweep, dots the refined search.",
            plots.trials([song.number for song in own], [song.value for song in own], [song.phase for song in own]),
        )
    yield _refinement(found)
    yield _hits(found)


def _refinement(found: Analysis) -> str:
    title = "Optimisation impact: refine against this study's own sweep"
    gained = found.refinement
    if gained.mean is None:
        return (
            f"<figure><figcaption><h3>{escape(title)}</h3><p>Not to be said: it takes two songs of the sweep and two "
            "refined ones in the same genre.</p></figcaption></figure>"
        )
    one = gained.mean
    where = f", within {_genres(one.strata)}" if found.several else ""
    verdict = (
        "The interval excludes zero." if one.interval.excludes(0) else "The interval includes zero: no gain shown."
    )
    rows = [("mean score", one.interval)]
    if gained.best is not None:
        rows.append(("best 5, same budget", gained.best))
    note = (
        f"A refined song scores {one.interval.value:+.2f} points against the sweep's mean{where} "
        f"({one.n_first} refined, {one.n_second} swept). {verdict} The sweep has chosen its recipes at random in the "
        "same genre; other genres' means are no baseline."
    )
    table = [
        ["mean score", _ends(one.interval), f"{one.n_first} against {one.n_second}"],
        *([["mean of the best 5, same budget", _ends(gained.best), str(gained.best.n)]] if gained.best else []),
        *(
            [f"songs at {threshold:g} or more", f"{_percent(refined)} against {_percent(swept)}: "
             f"{100 * gap.value:+.0f} [{100 * (gap.low or 0):+.0f}, {100 * (gap.high or 0):+.0f}] points", str(gap.n)]
            for threshold, swept, refined, gap in gained.hits
        ),
    ]  # fmt: skip
    svg = plots.dots(title, rows, axis="points above the sweep", line=0.0)
    return figure(title, note, svg, table, ["refined minus swept", "difference [95 %]", "songs"])


def _hits(found: Analysis) -> str:
    rows = [(f"{rate.threshold:g}: {rate.label}", rate.share) for rate in found.hits]
    note = f"Share of songs that reach a score, with Wilson intervals. The first row is all {len(found.songs)} songs."
    table = [
        [f"{rate.label}, {rate.threshold:g} or more", _percent(rate.share), str(rate.share.n)] for rate in found.hits
    ]
    svg = plots.dots("Hit rates", rows, axis="share of songs", percent=True)
    return figure("Hit rates at 3.5 and 4.0", note, svg, table, ["songs", "share [95 %]", "n"])


def _parameters(found: Analysis) -> Iterator[str]:
    adjusted = " Each genre's mean is taken off first, so that genres cannot pose as effects." if found.several else ""
    titles = {
        "genre": (
            "Genres, ranked",
            "Mean score of each genre. Genres differ in more than quality: the judge has tastes.",
        ),
        "style": ("Caption styles", f"Mean score of each style's caption.{adjusted}"),
        "key": ("Keys", f"Mean score by key.{adjusted}"),
        "language": ("Languages", f"Mean score by vocal language.{adjusted}"),
    }
    yield _importance(found)
    for factor, (title, note) in titles.items():
        if factor in found.by:
            yield _groups(title, note, found.by[factor], found.overall.value)
    yield _mode(found)
    if "BPM" in found.by:
        yield _tempo(found, adjusted)


def _groups(title: str, note: str, groups: Sequence[Group], overall: float) -> str:
    rows = [(group.label, group.mean) for group in groups]
    detailed = any(group.detail for group in groups)
    table = [
        [group.label, _ends(group.mean), str(group.mean.n), *([group.detail] if detailed else [])] for group in groups
    ]
    head = ["level", "mean [95 %]", "n", *(["stands for"] if detailed else [])]
    note += " The dashed line is the mean of all songs; an empty dot has no interval."
    return figure(title, note, plots.dots(title, rows, line=overall), table, head)


def _importance(found: Analysis) -> str:
    if not found.shares:
        return ""
    rows = [(name, share.omega) for name, share in found.shares.items()]
    table = [
        [name, _percent(share.omega), f"{100 * share.eta:.0f}%", f"{share.p:.3f}", str(share.levels)]
        for name, share in found.shares.items()
    ]
    takes = (
        f" Takes of one recipe differ with a standard deviation of {_ends(found.takes)} points "
        f"({found.takes.n} degrees of freedom): that is luck, not a parameter."
        if found.takes is not None
        else ""
    )
    note = (
        "Share of the scores' variance that each parameter explains by itself, corrected for chance (omega squared)"
        + ("; all but genre within genres." if found.several else ".")
        + " Shares overlap and do not add up, since a search that dwells on good recipes does not draw parameters "
        "independently; read it as a hint." + takes
    )
    svg = plots.dots("Parameter importance", rows, axis="share of variance", line=0.0, percent=True)
    head = ["parameter", "omega² [95 %]", "eta²", "p (F test)", "levels"]
    return figure("Parameter importance", note, svg, table, head)


def _mode(found: Analysis) -> str:
    if found.minor is None:
        return ""
    one = found.minor
    where = f"within {_genres(one.strata)} with both modes" if found.several else "in this genre"
    verdict = "" if one.interval.excludes(0) else " Zero is inside the interval: neither is shown to be better."
    note = (
        f"Minor keys score {one.interval.value:+.2f} points against major ones, {where} "
        f"({one.n_first} minor, {one.n_second} major songs).{verdict}"
    )
    groups = found.by.get("mode", ())
    table = [[group.label, _ends(group.mean), str(group.mean.n)] for group in groups]
    table.append(["minor minus major", _ends(one.interval), str(one.interval.n)])
    svg = plots.dots("Minor against major", [("minor - major", one.interval)], axis="points", line=0.0)
    return figure("Major against minor", note, svg, table, ["mode", "mean [95 %]", "n"])


def _tempo(found: Analysis, adjusted: str) -> str:
    groups = [(_middle(group.label), group.mean) for group in found.by["BPM"]]
    slope = found.bpm_slope
    fit: list[tuple[float, float]] = []
    note = f"Mean score by tempo.{adjusted}"
    if slope is not None:
        verdict = "" if slope.excludes(0) else " Zero is inside the interval: no trend is shown."
        note += f" Per doubling of the tempo: {_ends(slope)} points (n={slope.n}).{verdict}"
        centre = math.log2(sum(bpm * one.n for bpm, one in groups) / len(found.songs))
        first, last = min(bpm for bpm, _ in groups), max(bpm for bpm, _ in groups)
        at = [first + (last - first) * step / 12 for step in range(13)]
        fit = [(bpm, found.overall.value + slope.value * (math.log2(bpm) - centre)) for bpm in at]
    table = [[group.label, _ends(group.mean), str(group.mean.n)] for group in found.by["BPM"]]
    return figure(
        "BPM curve", note, plots.scatter("Score by BPM", groups, fit, "BPM"), table, ["BPM", "mean [95 %]", "n"]
    )


def _middle(label: str) -> float:
    ends = [float(end) for end in label.split("-")]
    return sum(ends) / len(ends)


def _scores(found: Analysis) -> Iterator[str]:
    values = [song.value for song in found.songs]
    note = f"All {len(values)} songs."
    other: tuple[float, ...] = ()
    name = ""
    if found.reference is not None:
        other, name, above = found.reference.values, found.reference.name, found.reference.above
        note += (
            f" The line is the reference corpus. A song of this study scores above one of the corpus with probability "
            f"{above.value:.2f} [{above.low:.2f}, {above.high:.2f}]; 0.5 would be no difference."
        )
    ordered = sorted(values)
    points = [
        (f"{percent} %", ordered[min(len(ordered) - 1, percent * len(ordered) // 100)])
        for percent in (10, 25, 50, 75, 90)
    ]
    table = [[label, f"{value:.2f}"] for label, value in points]
    yield figure("Distribution", note, plots.histogram(values, other, name), table, ["percentile", "score"])
    yield _contrasts(found)
    yield _parts(found)


def _contrasts(found: Analysis) -> str:
    if not found.contrasts:
        return ""
    size = len(found.songs) // 4
    shown = found.contrasts[:12]
    rows = [(f"{one.factor} {one.label}", one.difference) for one in shown]
    count = len(found.contrasts)
    clear = sum(one.difference.excludes(0) for one in found.contrasts)
    note = (
        f"How much more often a level is found in the best quarter than in the worst ({size} songs each"
        + (", ranked within each genre" if found.several else "")
        + f"). {clear} of {count} intervals exclude zero; about {max(1, round(0.05 * count))} would by luck alone."
    )
    table = [
        [f"{one.factor} {one.label}", f"{one.top} of {size}", f"{one.bottom} of {size}",
         f"{100 * one.difference.value:+.0f} [{100 * (one.difference.low or 0):+.0f}, "
         f"{100 * (one.difference.high or 0):+.0f}]"]
        for one in found.contrasts
    ]  # fmt: skip
    svg = plots.dots("Top against bottom", rows, axis="difference of shares", line=0.0, percent=True)
    return figure("Top against bottom", note, svg, table, ["level", "best quarter", "worst quarter", "points [95 %]"])


def _parts(found: Analysis) -> str:
    if not found.parts:
        return ""
    rows: list[tuple[str, Interval]] = []
    for part in found.parts:
        rows += [(f"{part.name}: best", part.top), ("worst", part.bottom)]
    table = [[part.name, _ends(part.top), _ends(part.bottom)] for part in found.parts]
    note = (
        "The judge's parts in the best and the worst quarter of songs. A part of the score is no cause of it; this "
        "shows what the judge rewards."
    )
    svg = plots.dots("Parts of the score", rows, axis="mean of the part")
    return figure("Parts of the score", note, svg, table, ["part", "best quarter [95 %]", "worst quarter [95 %]"])


def _maps(found: Analysis) -> str:
    means = [one.value for heat in found.heats for one in heat.cells.values()]
    low, high = min(means), max(means)
    drawn = [
        f"<figure><figcaption><h3>{escape(heat.title)}</h3></figcaption>"
        + plots.heat(heat.title, heat.columns, heat.rows, heat.cells, low, high)
        + "</figure>"
        for heat in found.heats
    ]
    cells = [one.n for heat in found.heats for one in heat.cells.values()]
    note = (
        f"Mean score of each cell; most rest on one song or two (median {sorted(cells)[len(cells) // 2]}), so a "
        "strongly coloured cell is a song that did well rather than a recipe that does. Point at a cell for its n "
        "and interval."
    )
    return f'<p class="wide">{escape(note)}</p>' + "".join(drawn)


def _time(found: Analysis) -> str:
    rows = [
        (stage.name, Interval(stage.median, stage.low, stage.high, stage.n)) for stage in found.stages
    ]  # fmt: skip
    table = [
        [stage.name, f"{stage.median:.2f}", f"{stage.low:.2f} to {stage.high:.2f}", f"{stage.total:.0f}", str(stage.n)]
        for stage in found.stages
    ]
    note = "Seconds per song: the dot is the median, the line holds eight songs of ten."
    svg = plots.dots("Time per stage", rows, axis="seconds", line=0.0)
    return figure("Time per stage", note, svg, table, ["stage", "median s", "8 of 10", "all songs, s", "n"])


def _genres(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} genres"


def _ends(one: Interval) -> str:
    return spell(one, signed=False).rsplit(", n=", 1)[0]


def _percent(one: Interval) -> str:
    return spell(one, percent=True).rsplit(", n=", 1)[0]
