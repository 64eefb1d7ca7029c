"""The report card: what a head can do, beside what those can do that hear nothing; its first line is the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.training.metrics import difference

FEW_GROUPS = 10
"""Fewer groups than these in a test part, and intervals that draw them are too narrow to be taken at their word."""

AGAIN = " Every song would judge with --folds 5."
"""Said where one test part leaves a gain in doubt."""

FLAT = 0.05
"""Predictions whose deviation is a smaller share of the labels' hardly differ; a slope on them is noise."""


def verdict(outcomes: Mapping[str, Any]) -> str:
    """Say in one line whether hearing the song helps."""
    kind = "grouped" if "grouped" in outcomes else "random"
    outcome = outcomes[kind]
    gain, rival = outcome.gain, outcome.rival
    figures = outcome.figures["model"]
    where = f"under the {kind} split (Spearman {figures['spearman']} against "
    where += f"{outcome.figures[rival]['spearman']} of `{rival}`)"
    if gain.value <= 0:
        line = f"The audio model does NOT beat the no-audio baseline {where}."
    elif gain.low > 0:
        line = f"The audio model beats the no-audio baseline {where}: the gain is {gain}."
    else:
        line = f"The audio model is NOT SHOWN to beat the no-audio baseline {where}: the gain is {gain}."
    if "within genre" in figures:
        line += f" Within genre its Spearman is {figures['within genre']}."
    if kind == "random":
        line += " No group was named: what a random split leaks is not known."
    elif outcome.test_groups < FEW_GROUPS:
        line += f" Groups in the test part: {outcome.test_groups}, too few for intervals to be trusted."
    return line + (AGAIN if gain.low <= 0 < gain.value and len(outcome.splits) == 1 else "")


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
        first = outcome.splits[0]
        splits[kind] = {
            "songs": [len(part) for part in first.parts],
            "folds": len(outcome.splits),
            "test_groups": outcome.test_groups,
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
        leak = difference(*(outcomes[kind].figures["model"]["spearman"] for kind in ("random", "grouped")))
    encoder = {word: info.get(word) for word in ("encoder", "window", "layers", "licence")}
    known = {"leak": None if leak is None else leak.value, "leak_interval": None if leak is None else leak.to_list()}
    return {"verdict": verdict(outcomes), **about, "encoder": encoder, "splits": splits, **known}


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
        f"Encoder {card['encoder']['encoder']} ({card['width']} numbers), licence: {licence}." + dropped(card),
        "",
        judged_by(card["splits"], card["group"]),
    ]
    splits = card["splits"]
    titles = [f"{kind} split ({' / '.join(map(str, split['songs']))} songs)" for kind, split in splits.items()]
    if any(split["folds"] > 1 for split in splits.values()):
        lines[-1] += " Rank correlations are means of the parts' own."
    head = {"spearman": "Spearman", "mae": "Mean absolute error", "within genre": "Spearman within genre"}
    for word in next(iter(next(iter(splits.values()))["figures"].values())):
        names = list(dict.fromkeys(name for split in splits.values() for name in split["figures"]))
        rows = [
            [name, *(figure_text(split["figures"].get(name, {}).get(word, [None] * 3)) for split in splits.values())]
            for name in names
        ]
        lines += ["", f"## {head[word]}", "", *table(["", *titles], rows)]
    if card["leak"] is not None:
        lines += ["", _leak(card)]
    for kind, split in splits.items():
        lines += ["", f"## Calibration, {kind} split", "", _slope(split["calibration"]), ""]
        lines += table(
            ["predicted", "true", "songs"],
            [[f"{row['predicted']:.2f}", f"{row['true']:.2f}", row["n"]] for row in split["calibration"]["bins"]],
        )
        lines += ["", f"![Residuals, {kind} split](residuals-{kind}.svg)"]
    lines += emotion_lines(card.get("emotion"))
    return "\n".join(lines) + "\n"


def judged_by(splits: Mapping[str, Any], over: str | None) -> str:
    """Say what the figures are of, and what their intervals draw."""
    most = max(split["folds"] for split in splits.values())
    line = "Figures are of the test part; "
    if most > 1:
        line = f"{most} parts judge in turn, each of them a model that learnt from the others (the first is written); "
    return line + "brackets hold the 95 % bootstrap interval over " + (f"values of `{over}`." if over else "songs.")


def broken(count: int) -> str:
    """Say how many songs have an embedding that nothing can be told by."""
    which = "song is left out: its embedding is" if count == 1 else "songs are left out: their embeddings are"
    return f"{count} {which} not numbers (nan or infinite)."


def dropped(card: Mapping[str, Any]) -> str:
    """Say which songs were left out or filed otherwise than the table has them; empty where none were."""
    lines = []
    if card.get("broken"):
        lines.append(broken(card["broken"]))
    if card.get("unlabelled"):
        lines.append(f"{card['unlabelled']} songs without a label are left out.")
    if card.get("ungrouped"):
        lines.append(f"{card['ungrouped']} songs without a `{card['group']}` are each a group of their own.")
    if card.get("without_genre"):
        lines.append(f"{card['without_genre']} songs without a `{card['genre']}` are in none.")
    if card.get("copies"):
        line = f"{card['copies']} songs are copies of others, byte for byte, in audio or embedding, and lie on the same"
        but = " but in the random split" if "grouped" in card["splits"] else ""
        lines.append(f"{line} side as those{but}.")
    return "".join(f" {line}" for line in lines)


def leak_text(shows: str, than: str, interval: Sequence[float | None], cause: str, easier: str) -> str:
    """Say what a random split shows beyond a harder one, and why only where chance does not do as much."""
    value, low, high = interval
    how = "differs from" if value is None else f"{abs(value):.3f} {'above' if value >= 0 else 'below'}"
    line = f"{shows} {how} {than} ({figure_text(interval)}): "
    if low is not None and low > 0:
        return line + cause
    return line + (easier if high is not None and high < 0 else "no more than chance may do.")


def _leak(card: Mapping[str, Any]) -> str:
    """Say what the model gains by having heard the same group, and what can be had of it without hearing anything."""
    line = leak_text(
        "The random split shows a Spearman", "that of the grouped one", card["leak_interval"],
        f"what the model gains by having heard the same `{card['group']}` in training, which a new one cannot give.",
        "the songs that the grouped split judges by are easier to rank.",
    )  # fmt: skip
    deaf = card["splits"]["random"]["no_audio"]
    figures = (figure_text(card["splits"][kind]["figures"][deaf]["spearman"]) for kind in ("random", "grouped"))
    return line + " Without hearing anything `{}` reaches {} under the random split and {} under the grouped.".format(
        deaf, *figures
    )


def _slope(calibration: Mapping[str, Any]) -> str:
    if calibration["slope"] is None:
        return "Calibration: predictions do not differ."
    line = f"Calibration: truth rises by {figure_text(calibration['slope_interval'])} for each point predicted."
    if calibration["spread"] < FLAT:
        line += f" Predictions hardly differ: their deviation is {calibration['spread']:.3f} of the labels'."
    return line


def emotion_lines(emotion: Mapping[str, Any] | None) -> list[str]:
    """Write what an emotion corpus says of its raters and systems."""
    if not emotion:
        return []
    lines = ["", f"## {emotion['raters']} raters", ""]
    words = ("ceiling", "reliability", "rater_error")
    rows = [
        [axis, *("-" if one[word] is None else f"{one[word]:.3f}" for word in words)]
        for axis, one in emotion["ceiling"].items()
    ]
    lines += table(["", "highest correlation possible", "reliability", "error of one rater"], rows)
    for title in ("system", "emotion"):
        lines += ["", f"## Intended and heard, by {title}", ""]
        rows = [
            [name, one["n"], f"{one['distance']:.2f}", *(f"{x:+.2f}" for x in one["bias"])]
            for name, one in [*emotion["errors"][title].items(), ("all", emotion["errors"].get("overall"))]
            if one
        ]
        lines += table([title, "clips", "distance", "valence off", "arousal off"], rows)
    if emotion.get("notes"):
        lines += ["", "## What does not fit together in the corpus", ""] + [f"- {note}" for note in emotion["notes"]]
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
    """Draw truth minus prediction over prediction as an SVG: at most `most` songs evenly picked, and means of tenths.

    The tenths hold as many songs each; their means leave the middle line where predictions are wrong on the whole.
    """
    rows = np.linspace(0, len(truth) - 1, min(len(truth), most)).astype(int)
    error = truth - prediction
    reach = max(float(np.abs(error).max()), 1e-9)
    low, high = float(prediction.min()), float(prediction.max())
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    left, right, top, bottom = 52.0, 588.0, 34.0, 300.0

    def place(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
        across = left + 8 + (x - low) / (high - low) * (right - left - 16)
        down = (top + bottom) / 2 - y / reach * ((bottom - top) / 2 - 8)
        return list(zip(across.tolist(), down.tolist(), strict=True))

    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.2"/>' for a, b in place(prediction[rows], error[rows]))
    parts = [part for part in np.array_split(np.argsort(prediction, kind="stable"), 10) if len(part)]
    means = place(*(np.array([float(values[part].mean()) for part in parts]) for values in (prediction, error)))
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in means)
    marks = []
    for value in _ticks(-reach, reach):
        ((_, down),) = place(np.array([low]), np.array([value]))
        marks.append(
            f'<line x1="{left:g}" x2="{right:g}" y1="{down:.1f}" y2="{down:.1f}" '
            f'stroke="{"#667085" if value == 0 else "#e4e7ec"}"/>'
            f'<text x="{left - 6:g}" y="{down + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for value in _ticks(low, high):
        ((across, _),) = place(np.array([value]), np.array([0.0]))
        marks.append(
            f'<line x1="{across:.1f}" x2="{across:.1f}" y1="{bottom:g}" y2="{bottom + 4:g}" stroke="#667085"/>'
            f'<text x="{across:.1f}" y="{bottom + 17:g}" text-anchor="middle">{value:g}</text>'
        )
    middle = (left + right) / 2
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 340" font-family="sans-serif" font-size="12" '
        f'fill="#344054"><rect width="600" height="340" fill="#fff"/>{"".join(marks)}'
        f'<line x1="{left:g}" x2="{right:g}" y1="{bottom:g}" y2="{bottom:g}" stroke="#667085"/>'
        f'<g fill="#2563eb" fill-opacity=".35">{dots}</g>'
        f'<polyline points="{line}" fill="none" stroke="#b42318" stroke-width="2"/>'
        f'<text x="{left:g}" y="20">truth minus prediction</text>'
        f'<text x="{right:g}" y="20" text-anchor="end"><tspan fill="#2563eb">&#9679;</tspan> '
        f'{len(rows)} of {len(truth)} songs <tspan fill="#b42318">&#9473;</tspan> mean of each tenth</text>'
        f'<text x="{middle:g}" y="334" text-anchor="middle">prediction</text></svg>\n'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return some five round numbers from `low` to `high`."""
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(power * next(unit for unit in (1, 2, 5, 10) if unit * power >= rough * 0.999))
    first = int(np.ceil(low / step - 1e-9))
    # Sums of steps end in digits that nobody wants to read; -0 is 0.
    return [float(f"{number * step:.6g}") + 0.0 for number in range(first, int(np.floor(high / step + 1e-9)) + 1)]
