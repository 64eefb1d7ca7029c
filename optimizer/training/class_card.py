"""A classifier's report card: its verdict, the confusion matrix, and whether its probabilities come true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optimizer.training.card import AGAIN, FEW_GROUPS, dropped, figure_text, judged_by, leak_text, table
from optimizer.training.metrics import Figure, bootstrap, widened
from optimizer.training.softmax import balanced_accuracy

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


def verdict(kind: str, rival: str, figures: Mapping[str, Figure], folds: int, groups: int | None = None) -> str:
    """Say in one line whether hearing the song helps; `groups` judge, where songs are not each a witness."""
    gain = figures["gain"]
    word = "beats" if gain.low > 0 else "is NOT SHOWN to beat" if gain.value > 0 else "does NOT beat"
    line = (
        f"The audio model {word} the no-audio baseline under the {kind} split: balanced accuracy {figures['model']} "
        f"against {figures[rival].value:.3f} of `{rival}`, gain {gain}."
    )
    if kind == "random":
        line += " No group was named: what a random split leaks is not known."
    elif groups is not None and groups < FEW_GROUPS:
        line += f" Groups in the test part: {groups}, too few for intervals to be trusted."
    return line + (AGAIN if gain.low <= 0 < gain.value and folds == 1 and kind != "given" else "")


def markdown(card: Mapping[str, Any]) -> str:
    lines = [card["verdict"], "", f"# {card['name']}", ""]
    lines += [
        f"{card['songs']} songs in {len(card['classes'])} classes (`{card['target']}`), {card['unlabelled']} without a "
        f"label left out; recipe `{card['recipe']}`, seed {card['seed']}. Encoder {card['encoder']['encoder']}, "
        f"licence: {card['encoder']['licence'] or 'not known'}." + dropped({**card, "unlabelled": 0}),
        "",
        judged_by(card["splits"], card["interval_over"]),
    ]
    for kind, split in card["splits"].items():
        lines += ["", f"## {kind.title()} split ({' / '.join(map(str, split['songs']))} songs)", ""]
        if kind == "given":
            line = f"As the data set's own column `part` has it, divided by {card['given_by'] or 'its maker'}."
            if left_out := split["copies_left_out"]:
                line += f" {left_out} songs of its training part are left out: copies of test songs."
            lines += [line, ""]
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


def accuracies(
    said: Mapping[str, np.ndarray], deaf: list[str], truth: np.ndarray, groups: np.ndarray, seed: int, rounds: int
) -> tuple[str, dict[str, dict[str, Figure]]]:
    """Return the best predictor that hears nothing, and accuracies with intervals over groups.

    Where a predictor is as good in every resample, as one is that was always right, its interval is the exact one of
    as many groups (see `optimizer.training.metrics.exact`), and the gain's follows from the two that it is between.
    Balanced accuracy counts the groups of each class; one that has several is shared among them. What never says but
    one class has a balanced accuracy that needs no songs to be known.

    Parameters
    ----------
    said : mapping of str to int array [shape=(n,)]
        Classes by predictor; ``model`` is among them.
    deaf : list of str
        Predictors that hear nothing; without one there is no gain.
    truth, groups : arrays [shape=(n,)]
    seed, rounds : int
        Of the bootstrap.
    """
    measures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "accuracy": lambda guess, true: float((guess == true).mean()),
        "balanced accuracy": balanced_accuracy,
    }
    rival = max(deaf, key=lambda name: balanced_accuracy(said[name], truth)) if deaf else ""

    def tell(rows: np.ndarray) -> dict[str, float]:
        found = {f"{word}/{key}": measure(guess[rows], truth[rows]) for word, measure in measures.items()
                 for key, guess in said.items()}  # fmt: skip
        if rival:
            found |= {f"{word}/gain": found[f"{word}/model"] - found[f"{word}/{rival}"] for word in measures}
        return found

    out: dict[str, dict[str, Figure]] = {word: {} for word in measures}
    for key, figure in bootstrap(tell, groups, seed=seed, rounds=rounds).items():
        word, _, name = key.partition("/")
        out[word][name] = figure
    names, code = np.unique(groups.astype(str), return_inverse=True)
    holds = np.zeros((len(names), int(truth.max()) + 1))
    holds[code, truth] = 1
    by_class = (holds / holds.sum(axis=1, keepdims=True)).sum(axis=0)
    witnesses = {"accuracy": [float(len(names))], "balanced accuracy": by_class[by_class > 0].tolist()}
    known = [key for key, guess in said.items() if (guess == guess[0]).all()] if (by_class > 0).sum() > 1 else []
    return rival, {
        word: widened(one, witnesses[word], rival, known if word == "balanced accuracy" else ())
        for word, one in out.items()
    }
