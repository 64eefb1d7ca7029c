"""The data set's card: what is in it, how the scores are spread, and what must be settled before anyone uses it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.export.names import clean
from optimizer.export.playlist import Playlist
from optimizer.music import parse_key

Row = Mapping[str, Any]


def card(playlist: Playlist, rows: Sequence[Row]) -> str:
    """Write the card in Markdown, with the YAML head that the Hub reads.

    Parameters
    ----------
    playlist : Playlist
    rows : sequence of mapping
        Lines of the metadata, at least one.
    """
    title = clean(playlist.title)
    return "\n".join(
        [
            _head(title, playlist, rows),
            f"# {_text(title)}",
            "",
            f"{_count(len(rows))} made by a machine from text, each with the recipe it was made from and a score that "
            "another machine gave it. Every song can be rendered again from its line in `metadata.jsonl`.",
            "",
            *_chosen(playlist),
            "## Columns",
            "",
            *_table(("column", "what it is"), [(f"`{name}`", text) for name, text in _COLUMNS]),
            "",
            "## Statistics",
            "",
            "Scores lie between 0 and 10. The interval is Student's 95 % interval of the mean; where there is one "
            "song, there is none. A difference between groups whose intervals overlap widely may be chance.",
            "",
            *_statistics("genre", rows, lambda row: row["genre"]),
            *_statistics("style", rows, lambda row: f"{row['genre']} / {row['style']}"),
            *_statistics("BPM", rows, lambda row: row["bpm"]),
            *_statistics("mode", rows, lambda row: parse_key(row["key"]).mode),
            *_statistics("key", rows, lambda row: row["key"]),
            *_statistics("language", rows, lambda row: row["language"]),
            *_distribution([row["score"] for row in rows]),
            "## How it was made",
            "",
            *_table(
                ("engine", "model revision", "scorer", "songs"),
                [
                    (*map(_text, key), str(count))
                    for key, count in _counts([(r["engine"], r["model_revision"], r["scorer"]) for r in rows])
                ],
            ),
            "",
            "The scores are a scorer's, not listeners'. The best of many noisy scores is too high by construction; "
            "`shrunken`, where it is given, is the estimate with that taken off.",
            "",
            *_licence(playlist, rows),
        ]
    )


_COLUMNS = (
    ("file_name", "the audio, relative to this folder (column `audio` once loaded)"),
    ("title", "a name made from the recipe"),
    ("genre, style", "ids of the search space"),
    ("caption", "what the engine was told about the sound"),
    ("bpm, key, time_signature", "what it was asked for; not measured from the audio"),
    ("language, lyrics", "what it was asked to sing; `unknown` for instrumentals"),
    ("seed, seconds", "the seed asked for, and the length of the audio"),
    ("score", "the objective of the search, 0 to 10"),
    ("part_...", "the scorer's parts"),
    ("expected, shrunken", "what another take would score, and this song's own worth, as estimated by the search"),
    ("scorer, engine, model_revision", "who judged and who rendered"),
    ("study, trial, phase", "the run it comes from, its number there, and why it was tried"),
    ("gain_db", "applied on export, in decibels"),
    ("recipe_digest", "SHA-256 of the whole recipe"),
)


def _head(title: str, playlist: Playlist, rows: Sequence[Row]) -> str:
    codes = sorted({row["language"] for row in rows} - {"unknown"})
    size = next(name for limit, name in _SIZES if len(rows) < limit)
    # JSON's strings and lists are YAML's too, and leave nothing to escape.
    lines = [
        "---",
        f"pretty_name: {json.dumps(title, ensure_ascii=False)}",
        f"license: {json.dumps(playlist.licence or 'other')}",
        *([] if playlist.licence else ['license_name: "not-yet-chosen"']),
        f"language: {json.dumps(codes)}",
        "task_categories:",
        "- text-to-audio",
        "- audio-classification",
        f"tags: {json.dumps(['music', 'synthetic', *sorted({row['genre'] for row in rows})], ensure_ascii=False)}",
        f"size_categories: [{json.dumps(size)}]",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path:",
        "    - data/*",
        "    - metadata.jsonl",
        "---",
        "",
    ]
    return "\n".join(lines)


_RANKED = {"expected": "expected score", "shrunken": "shrunken score"}

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (math.inf, "100K<n<1M"))


def _chosen(playlist: Playlist) -> list[str]:
    chosen = playlist.notes.get("selection")
    if not isinstance(chosen, Mapping):
        return []
    return [
        f"The songs were **chosen** for a high {_RANKED.get(str(chosen.get('by')), 'score')}, so the "
        "statistics below describe the best of a search and not what the engine gives on average.",
        "",
    ]


def _statistics(name: str, rows: Sequence[Row], group: Callable[[Row], Any]) -> list[str]:
    groups: dict[Any, list[float]] = {}
    for row in rows:
        groups.setdefault(group(row), []).append(row["score"])
    if name == "BPM":
        ordered = sorted(groups.items())
    else:
        ordered = sorted(groups.items(), key=lambda item: (-float(np.mean(item[1])), str(item[0])))
    lines = [
        (_text(str(value)), str(len(scores)), f"{np.mean(scores):.2f}", _interval(scores), f"{max(scores):.2f}")
        for value, scores in ordered
    ]
    return [f"### By {name}", "", *_table((name, "songs", "mean score", "95 % interval", "best"), lines), ""]


def _interval(scores: Sequence[float]) -> str:
    from scipy.special import stdtrit

    count = len(scores)
    if count < 2:
        return "none"
    half = float(stdtrit(count - 1, 0.975)) * float(np.std(scores, ddof=1)) / math.sqrt(count)
    mean = float(np.mean(scores))
    return f"{max(0.0, mean - half):.2f} to {min(10.0, mean + half):.2f}"


def _distribution(scores: Sequence[float]) -> list[str]:
    quantiles = np.quantile(scores, (0.0, 0.25, 0.5, 0.75, 1.0))
    names = ("least", "lower quarter", "median", "upper quarter", "greatest")
    return ["### Scores", "", *_table(names, [tuple(f"{value:.2f}" for value in quantiles)]), ""]


def _licence(playlist: Playlist, rows: Sequence[Row]) -> list[str]:
    settled = (
        f"The publisher chose `{clean(playlist.licence)}`."
        if playlist.licence
        else "**No licence has been chosen yet, so nobody but the publisher may use the songs.** Whoever publishes "
        "them sets `license` at the head of this card, after settling the points below."
    )
    scorers = sorted({str(row["scorer"]) for row in rows})
    engines = sorted({f"{row['engine']} ({row['model_revision']})" for row in rows})
    listeners = ", ".join(map(_text, scorers))
    return [
        "## Licence",
        "",
        settled,
        "",
        f"- **The audio** was rendered by {', '.join(map(_text, engines))}. What may be done with a model's output is "
        "said in that model's licence; the licence of its weights and that of its code may differ.",
        "- **Copyright** in music that a machine made is settled differently from country to country. Where no human "
        "made it, there may be no copyright to license; the text of a licence then binds nobody.",
        "- **Likeness**: nobody has checked whether a song comes close to one that exists, or a voice to a singer's.",
        f"- **The scores** were given by {listeners}. Scores from a listener that rests on MERT-v1 rest on weights "
        "under CC BY-NC 4.0, which forbids commercial use; whether that reaches numbers computed with them is open. "
        "The audio itself does not depend on it. The scorer `acoustic` uses no weights.",
        "- **Captions and lyrics** come from the search space. Those that come with banger-optimizer are under "
        "Apache-2.0, like the program; those of a user's own file are the user's.",
        "",
    ]


def _counts(values: Sequence[tuple[str, ...]]) -> list[tuple[tuple[str, ...], int]]:
    return [(value, values.count(value)) for value in sorted(set(values))]


def _count(count: int) -> str:
    return "One song" if count == 1 else f"{count} songs"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]


def _text(text: str) -> str:
    """Escape what Markdown or the page around it would take for markup."""
    escaped = clean(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_[]|#" else character for character in escaped)
