"""The report card: what a head can do, beside what those can do that hear nothing; its first line is the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def verdict(outcomes: Mapping[str, Any]) -> str:
    """Say in one line whether hearing the song helps."""
    kind = "grouped" if "grouped" in outcomes else "random"
    outcome = outcomes[kind]
    gain, rival = outcome.gain, outcome.rival
    where = f"under the {kind} split (Spearman {outcome.figures['model']['spearman']} against "
    where += f"{outcome.figures[rival]['spearman']} of `{rival}`)"
    if gain.value <= 0:
        line = f"The audio model does NOT beat the no-audio baseline {where}."
    elif gain.low <= 0:
        line = f"The audio model is NOT SHOWN to beat the no-audio baseline {where}: the gain is {gain}."
    else:
        line = f"The audio model beats the no-audio baseline {where}: the gain is {gain}."
    if kind == "random":
        line += " No group was named: what a random split leaks is not known."
    return line


def document(about: Mapping[str, Any], info: Mapping[str, Any], outcomes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card as JSON types.

    Parameters
    ----------
    about : mapping
        Task, target, recipe, seed and so on.
    info : mapping
        ``embedding.json``.
    outcomes : mapping of str to Outcome
    """
    splits = {}
    for kind, outcome in outcomes.items():
        splits[kind] = {
            "songs": [len(outcome.split.train), len(outcome.split.validation), len(outcome.split.test)],
            "figures": {
                name: {word: figure.to_list() for word, figure in figures.items()}
                for name, figures in outcome.figures.items()
            },
            "gain": outcome.gain.to_list(),
            "no_audio": outcome.rival,
            "calibration": dict(outcome.calibration),
            "training": dict(outcome.model.note),
        }
    leak = None
    if len(outcomes) == 2:
        figures = {kind: outcome.figures["model"]["spearman"].value for kind, outcome in outcomes.items()}
        leak = figures["random"] - figures["grouped"]
    encoder = {word: info.get(word) for word in ("encoder", "window", "layers", "licence")}
    return {"verdict": verdict(outcomes), **about, "encoder": encoder, "splits": splits, "leak": leak}


def markdown(card: Mapping[str, Any]) -> str:
    """Write a regression's card for people; its first line is the verdict."""
    licence = card["encoder"].get("licence") or "not known"
    lines = [
        str(card["verdict"]),
        "",
        f"# {card['name']}",
        "",
        f"{card['songs']} songs of `{card['data']}`, target `{card['target']}`, recipe `{card['recipe']}`, "
        f"seed {card['seed']}. "
        f"Encoder {card['encoder']['encoder']} ({card['width']} numbers), licence: {licence}.",
        "",
        "Figures are of the test part; brackets hold the 95 % bootstrap interval"
        + (f" over values of `{card['group']}`." if card["group"] else " over songs."),
    ]
    for kind, split in card["splits"].items():
        words = list(next(iter(split["figures"].values())))
        lines += ["", f"## {kind.title()} split ({' / '.join(map(str, split['songs']))} songs)", ""]
        head = {"spearman": "Spearman", "mae": "mean absolute error", "within genre": "Spearman within genre"}
        rows = [[name, *(figure_text(figures[word]) for word in words)] for name, figures in split["figures"].items()]
        lines += table(["", *(head[word] for word in words)], rows)
        slope = split["calibration"]["slope"]
        lines += ["", f"Calibration: truth rises by {slope:.2f} for each point predicted.", ""]
        lines += table(
            ["predicted", "true", "songs"],
            [[f"{row['predicted']:.2f}", f"{row['true']:.2f}", row["n"]] for row in split["calibration"]["bins"]],
        )
        lines += ["", f"![Residuals](residuals-{kind}.svg)"]
    if card["leak"] is not None:
        lines += [
            "",
            f"The random split shows a Spearman {card['leak']:+.3f} above that of the grouped one: what it gains by "
            f"having heard the same `{card['group']}` in training, which a new one cannot give.",
        ]
    lines += emotion_lines(card.get("emotion"))
    return "\n".join(lines) + "\n"


def emotion_lines(emotion: Mapping[str, Any] | None) -> list[str]:
    """Write what an emotion corpus says of its raters and systems."""
    if not emotion:
        return []
    lines = ["", "## Raters", ""]
    rows = [[axis, *(f"{one[word]:.3f}" for word in ("ceiling", "reliability", "rater_error"))]
            for axis, one in emotion["ceiling"].items()]  # fmt: skip
    lines += table(["", "highest correlation possible", "reliability", "error of one rater"], rows)
    for title in ("system", "emotion"):
        lines += ["", f"## Intended and heard, by {title}", ""]
        rows = [
            [name, one["n"], f"{one['distance']:.2f}", *(f"{x:+.2f}" for x in one["bias"])]
            for name, one in emotion["errors"][title].items()
        ]
        lines += table([title, "clips", "distance", "valence off", "arousal off"], rows)
    return lines


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Write a Markdown table."""
    out = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    return out + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def figure_text(figure: Sequence[float | None]) -> str:
    """Spell value and interval."""
    value, low, high = ("-" if number is None else f"{number:.3f}" for number in figure)
    return f"{value} [{low}, {high}]"


def residuals(prediction: np.ndarray, truth: np.ndarray, most: int = 1500) -> str:
    """Draw truth minus prediction over prediction as an SVG, at most `most` points evenly picked."""
    rows = np.linspace(0, len(truth) - 1, min(len(truth), most)).astype(int)
    x, y = prediction[rows], (truth - prediction)[rows]
    width, height, edge = 480.0, 300.0, 36.0
    low, high = float(x.min()), float(x.max())
    reach = max(float(np.abs(y).max()), 1e-9)
    px = edge + (x - low) / max(high - low, 1e-9) * (width - 2 * edge)
    py = height / 2 - y / reach * (height / 2 - edge)
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2"/>' for a, b in zip(px, py, strict=True))
    middle = height / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/><line x1="{edge}" x2="{width - edge}" '
        f'y1="{middle}" y2="{middle}" stroke="#888"/><g fill="#2563eb" fill-opacity=".35">{dots}</g>'
        f'<text x="{edge}" y="{height - 8}">{low:.2f}</text><text x="{width - edge}" y="{height - 8}" '
        f'text-anchor="end">{high:.2f} predicted</text><text x="4" y="14">residual, &#177;{reach:.2f}</text></svg>\n'
    )
