"""A classifier's report card: its verdict, the confusion matrix, and whether its probabilities come true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optimizer.training.card import dropped, figure_text, leak_text, table
from optimizer.training.metrics import Figure

BINS = 5


def confusion(truth: np.ndarray, guess: np.ndarray, count: int) -> np.ndarray:
    """Return how often each true class (row) was taken for each class (column)."""
    matrix = np.zeros((count, count), dtype=int)
    np.add.at(matrix, (truth, guess), 1)
    return matrix


def reliability(probability: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return how often the class that was called most likely was right, by how sure it was said.

    ``error`` is the expected calibration error (Guo et al. 2017), the mean distance of the two over bins of equal
    number.
    """
    sure, right = probability.max(axis=1), probability.argmax(axis=1) == truth
    parts = [part for part in np.array_split(np.argsort(sure, kind="stable"), BINS) if len(part)]
    bins = [{"predicted": float(sure[p].mean()), "true": float(right[p].mean()), "n": len(p)} for p in parts]
    return {"error": sum(abs(one["predicted"] - one["true"]) * one["n"] for one in bins) / len(truth), "bins": bins}


def verdict(kind: str, rival: str, figures: Mapping[str, Figure]) -> str:
    gain = figures["gain"]
    word = "beats" if gain.low > 0 else "is NOT SHOWN to beat" if gain.value > 0 else "does NOT beat"
    line = (
        f"The audio model {word} the no-audio baseline under the {kind} split: balanced accuracy {figures['model']} "
        f"against {figures[rival].value:.3f} of `{rival}`, gain {gain}."
    )
    return line + (" No group was named: what a random split leaks is not known." if kind == "random" else "")


def markdown(card: Mapping[str, Any]) -> str:
    lines = [card["verdict"], "", f"# {card['name']}", ""]
    lines += [
        f"{card['songs']} songs in {len(card['classes'])} classes (`{card['target']}`), {card['unlabelled']} without a "
        f"label left out; recipe `{card['recipe']}`, seed {card['seed']}. Encoder {card['encoder']['encoder']}, "
        f"licence: {card['encoder']['licence'] or 'not known'}." + dropped({**card, "unlabelled": 0}),
        "",
        "Figures are of the test part; brackets hold the 95 % bootstrap interval"
        + (f" over values of `{card['interval_over']}`." if card["interval_over"] else " over songs."),
    ]
    for kind, split in card["splits"].items():
        lines += ["", f"## {kind.title()} split ({' / '.join(map(str, split['songs']))} songs)", ""]
        if kind == "given":
            lines += [f"As the data set's own column `part` has it, divided by {card['given_by'] or 'its maker'}.", ""]
        rows = [[key, figure_text(figure), figure_text(split["accuracy"][key])]
                for key, figure in split["balanced accuracy"].items()]  # fmt: skip
        lines += table(["", "balanced accuracy", "accuracy"], rows)
        lines += ["", "Rows are the true classes, columns what they were taken for.", ""]
        rows = [[name, *row] for name, row in zip(card["classes"], split["confusion"], strict=True)]
        lines += table(["", *card["classes"]], rows)
        calibration = split["calibration"]
        lines += ["", f"Calibration: probabilities are {calibration['error']:.3f} off on the mean.", ""]
        rows = [[f"{one['predicted']:.2f}", f"{one['true']:.2f}", one["n"]] for one in calibration["bins"]]
        lines += table(["said", "true", "songs"], rows)
    if card["leak_interval"] is not None:
        kind = list(card["splits"])[-1]
        shared = card["group"] if kind == "grouped" else card["given_by"]
        origin = f"the same `{shared}`" if shared else "songs of the same origin"
        line = leak_text(
            "The random split shows a balanced accuracy", f"that of the {kind} one", card["leak_interval"],
            f"what the model gains by having heard {origin} in training.",
            f"the songs that the {kind} split judges by are easier to tell.",
        )  # fmt: skip
        lines += ["", line]
    return "\n".join(lines) + "\n"
