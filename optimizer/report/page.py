"""The report: one HTML file that works from a disk, without a network, with players for the songs beside it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from optimizer.errors import BadAudio, UsageError
from optimizer.report.analysis import Analysis, analyse
from optimizer.report.intervals import mean
from optimizer.report.plots import spell
from optimizer.report.sections import sections
from optimizer.report.waveform import outlines
from optimizer.runs import write_atomic
from optimizer.song import Record, Song

CARDS = 5
CURVE_POINTS = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """How the page is made.

    Attributes
    ----------
    reference : Path or None
        CSV of other songs' scores.
    embed : int
        So many of the best songs are put into the page as MP3; with 0 the page plays the files beside it.
    runs_dir : str or None
        For the commands shown, where the runs are not in ``runs``.
    """

    reference: Path | None = None
    embed: int = 0
    runs_dir: str | None = None


def write_report(records: Sequence[Record], out: Path, settings: Settings | None = None) -> Analysis:
    """Analyse runs and write the page, whole or not at all.

    Parameters
    ----------
    records : sequence of Record
        Runs with the same objective.
    out : Path
        The HTML file; its folder must exist.
    settings : Settings, optional

    Returns
    -------
    Analysis
        The numbers on the page.

    Raises
    ------
    UsageError
        If there are no songs, the runs cannot be compared, or `out` cannot be written.
    """
    settings = settings or Settings()
    if out.is_dir():
        raise UsageError(f"{out} is a folder.", next_step="Name a file, such as --out report.html.")
    if not out.parent.is_dir():
        raise UsageError(
            f"{out.parent} is not a folder.", next_step=f"Make it: mkdir -p {shlex.quote(str(out.parent))}"
        )
    found = analyse(records, reference=settings.reference)
    write_atomic(out, render(records, found, out, settings).encode("utf-8"))
    return found


def render(records: Sequence[Record], found: Analysis, out: Path, settings: Settings) -> str:
    """Return the page as text."""
    style, script = template("page.css"), template("page.js")
    order = sorted(
        range(len(found.songs)),
        key=lambda row: (-found.songs[row].value, found.songs[row].study, found.songs[row].number),
    )
    audio = _audio(found, order, out, settings)
    names = ", ".join(record.name for record in records)
    data = _data(records, found, audio, outlines(records), settings)
    parts = list(sections(found))
    embedded = "".join(
        f'<script type="text/plain" id="audio-{row}">{source.removeprefix(_MP3)}</script>'
        for row, source in audio.items()
        if source.startswith(_MP3)
    )
    menu = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in parts)
    body = "".join(
        f'<section id="{anchor}" aria-labelledby="h-{anchor}"><h2 id="h-{anchor}">{escape(heading)}</h2>'
        f'<div class="plots">{content}</div></section>'
        for anchor, heading, content in parts
    )
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<title>{escape(names)}: {len(found.songs)} songs</title><style>{style}</style></head><body>",
            '<a class="skip" href="#songs">Skip to the songs</a>',
            f"<header><h1>{escape(names)}</h1>{_summary(records, found)}",
            f'<nav aria-label="Sections"><a href="#best">Best</a><a href="#songs">Songs</a>{menu}</nav></header><main>',
            _best(found, order, audio),
            template("songs.html"),
            body,
            _about(records, found),
            "</main>",
            template("player.html"),
            f'<script type="application/json" id="data">{_json(data)}</script>{embedded}',
            f"<script>{script}</script></body></html>\n",
        )
    )


_MP3 = "data:audio/mpeg;base64,"


def template(name: str) -> str:
    """Read a packaged part of the page."""
    return files("optimizer.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    # Named by hash: whatever slips into a caption cannot run, and nothing is fetched from elsewhere.
    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; style-src 'sha256-{digest(style)}'; "
        "media-src 'self' file: data: blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _json(data: Any) -> str:
    # "</script" and "<!--" would end the block.
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _audio(found: Analysis, order: Sequence[int], out: Path, settings: Settings) -> dict[int, str]:
    """Return the source of each song's player, by row; songs without a file are left out."""
    sources: dict[int, str] = {}
    for row in order if not settings.embed else order[: settings.embed]:
        path = found.songs[row].audio
        if path is None or not path.is_file():
            continue
        if settings.embed:
            sources[row] = _mp3(path)
        else:
            relative = os.path.relpath(path.absolute(), out.absolute().parent)
            sources[row] = quote(Path(relative).as_posix())
    return {row: source for row, source in sources.items() if source}


def _mp3(path: Path) -> str:
    import soundfile

    from optimizer.audio import read
    from optimizer.audio.encode import MP3_RATES

    try:
        sound = read(path)
    except BadAudio:
        return ""
    samples, rate = sound.samples[:, :2], sound.rate
    if rate not in MP3_RATES:
        import soxr

        samples, rate = soxr.resample(samples, rate, 48_000), 48_000
    buffer = io.BytesIO()
    soundfile.write(
        buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.4
    )
    return _MP3 + base64.b64encode(buffer.getvalue()).decode()


def _data(
    records: Sequence[Record],
    found: Analysis,
    audio: Mapping[int, str],
    lines: Mapping[tuple[str, int], str],
    settings: Settings,
) -> dict[str, Any]:
    """Return what the script needs: each distinct caption and lyric once, and a row per song."""
    captions: dict[str, int] = {}
    lyrics: dict[str, int] = {}
    names = {record.name: index for index, record in enumerate(records)}
    parts = list(dict.fromkeys(name for song in found.songs for name in song.parts))
    rows = []
    for row, song in enumerate(found.songs):
        recipe = song.recipe
        source = audio.get(row, "")
        rows.append(
            {
                "s": names[song.study],
                "n": song.number,
                "v": round(song.value, 4),
                "w": round(found.shrunken[row], 4),
                "p": song.phase,
                "g": recipe.genre,
                "t": recipe.style,
                "c": captions.setdefault(recipe.caption, len(captions)),
                "b": recipe.bpm,
                "k": recipe.key,
                "l": recipe.language,
                "y": lyrics.setdefault(recipe.lyrics, len(lyrics)),
                "e": recipe.seed,
                "d": recipe.duration,
                "m": recipe.time_signature,
                "q": [None if name not in song.parts else round(song.parts[name], 3) for name in parts],
                **({"a": "#" if source.startswith(_MP3) else source} if source else {}),
                **({"f": lines[song.study, song.number]} if (song.study, song.number) in lines else {}),
                **({"u": _curve(song)} if len(song.curve) > 1 else {}),
            }
        )
    ending = [] if settings.runs_dir is None else ["--runs-dir", settings.runs_dir]
    return {
        "studies": [record.name for record in records],
        "commands": [
            [shlex.join(["optimize", "rerender", record.folder.name]), shlex.join(ending)] for record in records
        ],
        "captions": list(captions),
        "lyrics": list(lyrics),
        "parts": parts,
        "several": found.several,
        "songs": rows,
    }


def _curve(song: Song) -> list[float]:
    step = max(1, -(-len(song.curve) // CURVE_POINTS))
    groups = [song.curve[start : start + step] for start in range(0, len(song.curve), step)]
    return [round(sum(group) / len(group), 2) for group in groups]


def _summary(records: Sequence[Record], found: Analysis) -> str:
    best = found.best
    worth = found.shrunken[found.songs.index(best)]
    spent = sum(song.timings.get("total", 0.0) for song in found.songs)
    failed = sum(found.failures.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found.failures.items()))
    facts = [
        ("Songs", str(len(found.songs)), "" if not failed else f"{failed} failed: {reasons}"),
        ("Best score", f"{best.value:.2f}", f"{worth:.2f} once luck is taken off; the best of many is lucky"),
        ("Mean", f"{found.overall.value:.2f}", spell(found.overall).partition(" ")[2]),
        ("Time", _spell_time(spent), f"{_spell_time(spent / len(found.songs))} a song" if spent else ""),
    ]
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(value)}</b> <span>{escape(more)}</span></dd></div>"
        for name, value, more in facts
    )
    runs = "".join(f"<li>{escape(_spell_run(record))}</li>" for record in records)
    return f'<dl class="tiles">{tiles}</dl><ul class="runs">{runs}</ul>'


def _spell_run(record: Record) -> str:
    renderer, scorer = record.identity.get("renderer", {}), record.identity.get("scorer", {})
    search, options = record.identity.get("search", {}), record.identity.get("options", {})
    words = [
        f"{record.name}: {len(record.songs)} songs",
        f"{renderer.get('duration', '?')} s each",
        f"engine {renderer.get('name', 'unknown')} {_short(renderer.get('revision', ''))}".rstrip(),
        f"judge {options.get('scorer') or scorer.get('name', 'unknown')} {_short(scorer.get('revision', ''))}".rstrip(),
        f"sampler {search.get('sampler', 'unknown')}",
        f"on {renderer.get('device', 'unknown device')}",
    ]
    for name in ("sandbox", "machine"):
        # The sandbox is kept song by song, since each session may choose it.
        said = {str(song.info[name]) for song in record.songs if name in song.info} or {
            str(record.identity.get(name, ""))
        }
        words += [f"{name} {' and '.join(sorted(said))}"] if said != {""} else []
    if "created" in record.identity:
        words.append(f"begun {record.identity['created']}")
    if record.running:
        words.append(f"{record.running} not finished")
    return ", ".join(words)


def _short(revision: object) -> str:
    text = str(revision)
    return text if len(text) <= 16 else text[:12]


def _spell_time(seconds: float) -> str:
    if not seconds:
        return "unknown"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _best(found: Analysis, order: Sequence[int], audio: Mapping[int, str]) -> str:
    """The best songs as cards with players of their own: they play without the script too."""
    cards = []
    for place, row in enumerate(order[:CARDS], 1):
        song = found.songs[row]
        recipe = song.recipe
        name = f"{recipe.style}, {recipe.bpm} BPM, {recipe.key}"
        source = audio.get(row, "")
        # An embedded song is in the page once; the script hands it to the card.
        where = "" if source.startswith(_MP3) else f' src="{escape(source)}"'
        label = escape(f"Song {song.number}: {name}")
        player = (
            f'<audio controls preload="none" data-row="{row}" aria-label="{label}"{where}></audio>'
            if source
            else '<p class="quiet">no audio here</p>'
        )
        cards.append(
            f'<li><h3><span class="rank">{place}</span> {escape(name)}</h3>'
            f'<p><b>{song.value:.2f}</b> <span class="quiet">score, {found.shrunken[row]:.2f} once luck is taken off; '
            f"{escape(song.study)}, trial {song.number}</span></p><p>{escape(recipe.caption)}</p>{player}</li>"
        )
    return (
        '<section id="best" aria-labelledby="h-best"><h2 id="h-best">Best songs</h2><ol class="cards">'
        + "".join(cards)
        + "</ol></section>"
    )


def _about(records: Sequence[Record], found: Analysis) -> str:
    top = sorted((song.value for song in found.songs), reverse=True)[:5]
    swept = [song.value for song in found.songs if song.phase == "sweep"]
    base = f" The sweep's own mean is {spell(mean(swept))}." if swept else ""
    text = (
        "Intervals are 95 %: Student's t for means, Welch for differences, Wilson and Newcombe for shares, Steiger for "
        "shares of variance. A refining search listens more to what went well, so means by parameter rest on songs "
        "that were not drawn evenly. Scores are a model's, not a listener's: pushing them further is not the same as "
        f"better music. The best five average {sum(top) / len(top):.2f} as heard.{base}"
    )
    version = ", ".join(sorted({str(record.identity.get("program", "")) for record in records} - {""}))
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    return (
        '<section id="about" aria-labelledby="h-about"><h2 id="h-about">How to read this</h2>'
        f'<p class="wide">{escape(text)}</p><p class="quiet">Made {made} by optimize {escape(version)}.</p></section>'
    )
