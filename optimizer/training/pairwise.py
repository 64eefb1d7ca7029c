"""Preference: read which of two songs people chose, train and judge a head on it, write its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.baselines import nearest_id
from optimizer.training.bradley_terry import Sides, accuracy, fit, gap
from optimizer.training.card import dropped, figure_text, leak_text, table
from optimizer.training.classify import song_ids
from optimizer.training.corpus import read_frame
from optimizer.training.data import Data
from optimizer.training.folder import WORK, finish, make_folder, space_of
from optimizer.training.head import MEMBERS, Model, OnEpoch
from optimizer.training.metrics import ROUNDS, Figure, bootstrap, calibration, difference
from optimizer.training.network import Checkpoints
from optimizer.training.seen import write_split
from optimizer.training.split import grouped_split, random_split
from optimizer.training.witnesses import witnesses

WINNERS = {"a": 1.0, "left": 1.0, "b": 0.0, "right": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Choices between songs of a data folder.

    Attributes
    ----------
    a, b : int array [shape=(n,)]
        Row numbers.
    share : float array [shape=(n,)]
        1 where a was chosen, 0 where b, 0.5 for a tie.
    lost : int
        Pairs of which a song has no embedding.
    rows : int array [shape=(n,)]
        Which lines of the file these are.
    """

    a: np.ndarray
    b: np.ndarray
    share: np.ndarray
    lost: int = 0
    rows: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))


def read_pairs(path: Path, data: Data, winner: str = "winner") -> Pairs:
    """Read choices and find their songs.

    Parameters
    ----------
    path : Path
        CSV with the choice (a, b or tie) and, for each of a and b, ``a_sha256``, or ``a_path`` (relative to the
        file), or ``a_study`` and ``a_number``, or ``a_id``; as ``optimize votes --pairs`` writes it.
    data : Data
    winner : str
        Column of the choice.

    Raises
    ------
    UsageError
        If the columns or a winner are not legal, or no pair is left.
    """
    frame = read_frame(path)
    if winner not in frame.columns:
        raise UsageError(f"{path} has no column {winner}; it has {', '.join(map(str, frame.columns))}.")
    said = frame[winner].astype(str).str.strip().str.lower()
    if unknown := set(said) - set(WINNERS):
        raise UsageError(f"{path}: winner {sorted(unknown)[0]!r} must be a, b or tie.")
    sides = [_rows(frame, side, path, data) for side in "ab"]
    good = (sides[0] >= 0) & (sides[1] >= 0)
    if not good.any():
        raise UsageError(
            f"not one of the {len(frame)} pairs of {path} has both songs in {data.folder}.",
            next_step="Embed the songs first: optimize embed CORPUS --out DIR",
        )
    share = said.map(WINNERS).to_numpy(dtype=float)
    return Pairs(sides[0][good], sides[1][good], share[good], int((~good).sum()), np.flatnonzero(good))


def _rows(frame: Any, side: str, path: Path, data: Data) -> np.ndarray:
    table_ = data.table
    ways: list[tuple[list[str], Any]] = []
    if f"{side}_sha256" in frame and "sha256" in table_:
        ways.append((table_["sha256"].astype(str).tolist(), frame[f"{side}_sha256"].astype(str)))
    if f"{side}_path" in frame and "path" in table_:
        full = [str((path.parent / str(p)).absolute()) for p in frame[f"{side}_path"]]
        ways.append((table_["path"].astype(str).tolist(), full))
    if f"{side}_study" in frame and {"study", "number"} <= set(table_.columns):
        known = [f"{s}/{n}" for s, n in zip(table_["study"], table_["number"], strict=True)]
        ways.append((known, [f"{s}/{n}" for s, n in zip(frame[f"{side}_study"], frame[f"{side}_number"], strict=True)]))
    if f"{side}_id" in frame:
        ways.append((table_["id"].astype(str).tolist(), frame[f"{side}_id"].astype(str)))
    if not ways:
        raise UsageError(f"{path} names its songs by none of {side}_sha256, {side}_path, {side}_id, {side}_study.")
    rows = np.full(len(frame), -1)
    for known, wanted in ways:
        place = {name: row for row, name in enumerate(known)}
        found = np.array([place.get(name, -1) for name in wanted])
        rows = np.where(rows < 0, found, rows)
    return rows


def train_pairwise(
    data: Data,
    pairs: Pairs,
    out: Path,
    *,
    group: str | None = None,
    recipe: str = "robust",
    seed: int = 0,
    name: str = "preference",
    on_epoch: OnEpoch | None = None,
    members: int = MEMBERS,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Train a preference head, judge it under both splits, and write its folder.

    Songs are split, by `group` if one is named, else each by itself; only pairs whose two songs lie in the same part
    are used, so that no song of a test pair was heard in training. That head is written; beside it the card shows one
    whose pairs were divided at random.

    Parameters
    ----------
    data : Data
    pairs : Pairs
    out : Path
    group : str, optional
        Column whose values must not lie on two sides.
    recipe : {"robust", "published", "ridge"}
        See `optimizer.training.bradley_terry.fit`.
    seed, name, on_epoch
    members, rounds : int
        Of the robust ensemble; of the bootstrap.

    Returns
    -------
    dict
        ``card.json``.

    Raises
    ------
    UsageError
        If the pairs are too few.
    """
    found = witnesses(data, group)
    groups = found.names
    by_song = grouped_split(groups, seed)
    by_pair = random_split(len(pairs.a), seed)
    part = np.zeros(len(data.vectors), dtype=int)
    part[by_song.validation], part[by_song.test] = 1, 2
    same = np.where(part[pairs.a] == part[pairs.b], part[pairs.a], -1)
    splits = {
        "random": (by_pair.train, by_pair.validation, by_pair.test),
        "grouped": tuple(np.flatnonzero(same == number) for number in range(3)),
    }
    if min(len(rows) for rows in splits["grouped"]) < 5:
        raise UsageError(
            f"{len(pairs.a)} pairs leave {[len(rows) for rows in splits['grouped']]} for training, validation and test "
            "when no song is in two parts; 5 in each are needed.",
            next_step="Collect more votes, or name a coarser --group.",
        )
    make_folder(out)
    checkpoints = Checkpoints(out / WORK)
    document: dict[str, Any] = {}
    figures: dict[str, dict[str, Figure]] = {}
    model: Model | None = None
    for kind, rows in splits.items():
        learn, check, test = (_sides(pairs, one) for one in rows)
        options: dict[str, Any] = {"seed": seed, "checkpoints": checkpoints, "members": members}
        model = fit(recipe, data.vectors, learn, check, on_epoch=on_epoch, **options)
        line = fit("ridge", data.vectors, learn, check)
        said = {"model": gap(model.raw(data.vectors), test), "ridge": gap(line.raw(data.vectors), test)}
        deaf = _deaf(data, groups, learn, test)
        figures[kind], rival = _figures({**said, **deaf}, list(deaf), test[2], groups[test[0]], seed, rounds)
        decided = test[2] != 0.5
        document[kind] = {
            "pairs": [len(one) for one in rows],
            "accuracy": {key: figure.to_list() for key, figure in figures[kind].items()},
            "no_audio": rival,
            "calibration": calibration(1 / (1 + np.exp(-said["model"][decided])), test[2][decided]),
            "training": dict(model.note),
        }
    assert model is not None
    kept = figures["grouped"]
    leak = difference(figures["random"]["model"], kept["model"])
    used = np.union1d(pairs.a, pairs.b)
    card = {
        "verdict": _verdict(kept, document["grouped"]["no_audio"]),
        "task": "pairwise",
        "name": name,
        "recipe": recipe,
        "seed": seed,
        "group": group,
        "pairs": len(pairs.a),
        "ties": int((pairs.share == 0.5).sum()),
        "lost": pairs.lost,
        "ungrouped": int(found.alone[used].sum()),
        "copies": int(found.copies[used].sum()),
        "encoder": {word: data.info.get(word) for word in ("encoder", "window", "layers", "licence")},
        "splits": document,
        "leak": leak.value,
        "leak_interval": leak.to_list(),
    }
    config = {
        "kind": "ridge" if recipe == "ridge" else "mlp", "name": name, **space_of(data), "target": dict(model.target),
        "label": "preference", "recipe": recipe, "seed": seed, "split": "grouped",
    }  # fmt: skip
    # Only songs that somebody chose between: the others taught nothing.
    write_split(out, data, [np.union1d(pairs.a[rows], pairs.b[rows]) for rows in splits["grouped"]])
    finish(out, config, model.tensors(), card, _markdown(card))
    return card


def _sides(pairs: Pairs, rows: np.ndarray) -> Sides:
    return pairs.a[rows], pairs.b[rows], pairs.share[rows]


def _deaf(data: Data, groups: np.ndarray, learn: Sides, test: Sides) -> dict[str, np.ndarray]:
    """Return differences in favour of a that those give who hear nothing."""
    said = {
        "constant (always a)": np.ones(len(test[2])),
        "no audio: group's wins": gap(_group_worth(groups, learn), test),
    }
    ids = song_ids(data)
    if ids is not None:
        seen = np.unique(np.concatenate(learn[:2]))
        wins = _group_worth(np.arange(len(ids)), learn)
        said["no audio: nearest id's wins"] = gap(nearest_id(ids[seen], wins[seen], ids), test)
    return said


def _group_worth(groups: np.ndarray, learn: Sides) -> np.ndarray:
    """Return, for every song, the share of training pairs that its group (without one: the song itself) won."""
    wins: dict[Any, list[float]] = {}
    for a, b, share in zip(*learn, strict=True):
        wins.setdefault(groups[a], []).append(share)
        wins.setdefault(groups[b], []).append(1 - share)
    return np.array([float(np.mean(wins[name])) if name in wins else 0.5 for name in groups])


def _figures(
    said: Mapping[str, np.ndarray], deaf: list[str], share: np.ndarray, groups: np.ndarray, seed: int, rounds: int
) -> tuple[dict[str, Figure], str]:
    """Return accuracies with intervals over groups, and the best predictor that hears nothing."""
    rival = max(deaf, key=lambda key: accuracy(said[key], share))

    def tell(rows: np.ndarray) -> dict[str, float]:
        found = {key: accuracy(difference[rows], share[rows]) for key, difference in said.items()}
        return {**found, "gain": found["model"] - found[rival]}

    return bootstrap(tell, groups, seed=seed, rounds=rounds), rival


def _verdict(figures: Mapping[str, Figure], rival: str) -> str:
    gain = figures["gain"]
    word = "beats" if gain.low > 0 else "is NOT SHOWN to beat" if gain.value > 0 else "does NOT beat"
    return (
        f"The audio model {word} the no-audio baseline where no song is in two parts: accuracy {figures['model']} "
        f"against {figures[rival].value:.3f} of `{rival}`, gain {gain}."
    )


def _markdown(card: Mapping[str, Any]) -> str:
    lines = [card["verdict"], "", f"# {card['name']}", ""]
    licence = card["encoder"]["licence"] or "not known"
    lines += [
        f"{card['pairs']} pairs, {card['ties']} of them ties, {card['lost']} left out for want of an embedding; recipe "
        f"`{card['recipe']}`, seed {card['seed']}. Encoder {card['encoder']['encoder']}, licence: {licence}."
        + dropped(card)
    ]
    for kind, split in card["splits"].items():
        title = "Pairs at random" if kind == "random" else "No song in two parts"
        lines += ["", f"## {title} ({' / '.join(map(str, split['pairs']))} pairs)", ""]
        lines += table(["", "accuracy"], [[key, figure_text(figure)] for key, figure in split["accuracy"].items()])
        lines += ["", "Calibration: how often a was chosen, by the probability said.", ""]
        rows = [[f"{one['predicted']:.2f}", f"{one['true']:.2f}", one["n"]] for one in split["calibration"]["bins"]]
        lines += table(["said", "true", "pairs"], rows)
    lines += [
        "",
        leak_text(
            "Pairs at random show an accuracy",
            "that where no song is in two parts",
            card["leak_interval"],
            "what the model gains by having heard the same songs in training.",
            "the pairs that the latter judges by are easier to tell.",
        ),
    ]
    return "\n".join(lines) + "\n"
