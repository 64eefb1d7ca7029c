"""Preference: train and judge a head on which of two songs people chose, write its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.training.baselines import nearest_id, song_ids
from optimizer.training.bradley_terry import Sides, accuracy, fit, gap
from optimizer.training.card import AGAIN, dropped, figure_text, judged_by, leak_text, table
from optimizer.training.data import Data
from optimizer.training.folder import WORK, finish, make_folder, space_of
from optimizer.training.folds import divide, folds_by, title
from optimizer.training.head import MEMBERS, Model, OnEpoch
from optimizer.training.metrics import ROUNDS, Figure, bootstrap, calibration, difference, widened
from optimizer.training.network import Checkpoints
from optimizer.training.pairs import Pairs
from optimizer.training.parallel import side_by_side
from optimizer.training.seen import write_split
from optimizer.training.split import Split, grouped_split, random_split, split_by
from optimizer.training.witnesses import demand, witnesses


def train_pairwise(
    data: Data,
    pairs: Pairs,
    out: Path,
    *,
    group: str | None = None,
    recipe: str = "robust",
    seed: int = 0,
    folds: int = 1,
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
    folds : int
        Parts that judge in turn; see `optimizer.training.folds.divide`. The head that is written is the first one's.
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
    demand(found, group, folds)
    groups = found.names
    n = len(pairs.a)
    splits = {
        "random": divide(
            folds, n, lambda: random_split(n, seed), lambda: folds_by(np.arange(n), folds, seed, "random")
        ),
        "grouped": [
            _apart(pairs, one, len(groups))
            for one in divide(
                folds, len(set(groups.tolist())), lambda: grouped_split(groups, seed),
                lambda: folds_by(groups, folds, seed),
            )
        ],
    }  # fmt: skip
    for one in splits["grouped"]:
        sizes = [len(rows) for rows in one.parts]
        if min(sizes) < 5:
            raise UsageError(
                f"{n} pairs leave {sizes} for training, validation and test when no song is in two parts; 5 in each "
                "are needed.",
                next_step="Collect more votes, or name a coarser --group." if folds == 1 else "Ask for fewer --folds.",
            )
    make_folder(out)
    checkpoints = Checkpoints(out / WORK)
    places = {title(kind, number, len(parts)): parts[number] for kind, parts in splits.items()
              for number in range(len(parts))}  # fmt: skip

    def train(place: str, tell: OnEpoch) -> tuple[Model, Model]:
        learn, check = (_sides(pairs, rows) for rows in (places[place].train, places[place].validation))
        model = fit(
            recipe, data.vectors, learn, check, seed=seed, checkpoints=checkpoints, members=members, on_epoch=tell
        )
        return model, fit("ridge", data.vectors, learn, check)

    trained = side_by_side(list(places), train, on_epoch)
    document: dict[str, Any] = {}
    figures: dict[str, dict[str, Figure]] = {}
    for kind, parts in splits.items():
        blind = [_deaf(data, groups, _sides(pairs, one.train), _sides(pairs, one.test)) for one in parts]
        deaf = {key: np.concatenate([one[key] for one in blind]) for key in blind[0]}
        hearing: dict[str, list[np.ndarray]] = {"model": [], "ridge": []}
        for number, split in enumerate(parts):
            for key, model in zip(hearing, trained[title(kind, number, len(parts))], strict=True):
                hearing[key].append(gap(model.raw(data.vectors), _sides(pairs, split.test)))
        said = {key: np.concatenate(differences) for key, differences in hearing.items()} | deaf
        a, _, share = _sides(pairs, np.concatenate([one.test for one in parts]))
        figures[kind], rival = _figures(said, list(deaf), share, groups[a], seed, rounds)
        decided = share != 0.5
        document[kind] = {
            "pairs": [len(rows) for rows in parts[0].parts],
            "folds": len(parts),
            "accuracy": {key: figure.to_list() for key, figure in figures[kind].items()},
            "no_audio": rival,
            "calibration": calibration(1 / (1 + np.exp(-said["model"][decided])), share[decided]),
            "training": dict(trained[title(kind, 0, len(parts))][0].note),
        }
    model = trained[title("grouped", 0, len(splits["grouped"]))][0]
    kept = figures["grouped"]
    leak = difference(figures["random"]["model"], kept["model"])
    used = np.union1d(pairs.a, pairs.b)
    card = {
        "verdict": _verdict(kept, document["grouped"]["no_audio"], folds),
        "task": "pairwise",
        "name": name,
        "recipe": recipe,
        "seed": seed,
        "group": group,
        "pairs": len(pairs.a),
        "ties": int((pairs.share == 0.5).sum()),
        "lost": pairs.lost,
        "broken": data.broken,
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
    write_split(out, data, [np.union1d(pairs.a[rows], pairs.b[rows]) for rows in splits["grouped"][0].parts])
    finish(out, config, model.tensors(), card, _markdown(card))
    return card


def _apart(pairs: Pairs, songs: Split, count: int) -> Split:
    """Return the pairs whose two songs are in the same part."""
    part = np.zeros(count, dtype=int)
    part[songs.validation], part[songs.test] = 1, 2
    same = np.where(part[pairs.a] == part[pairs.b], part[pairs.a], -1)
    return split_by(same, "grouped")


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

    found = bootstrap(tell, groups, seed=seed, rounds=rounds)
    decided = share != 0.5
    # Who prefers neither song of any pair is half right, whatever the pairs.
    even = [key for key, difference in said.items() if (difference[decided] == 0).all()]
    return widened(found, [len(set(groups[decided].tolist()))], rival, even), rival


def _verdict(figures: Mapping[str, Figure], rival: str, folds: int) -> str:
    gain = figures["gain"]
    word = "beats" if gain.low > 0 else "is NOT SHOWN to beat" if gain.value > 0 else "does NOT beat"
    return (
        f"The audio model {word} the no-audio baseline where no song is in two parts: accuracy {figures['model']} "
        f"against {figures[rival].value:.3f} of `{rival}`, gain {gain}."
    ) + (AGAIN if gain.low <= 0 < gain.value and folds == 1 else "")


def _markdown(card: Mapping[str, Any]) -> str:
    lines = [card["verdict"], "", f"# {card['name']}", ""]
    licence = card["encoder"]["licence"] or "not known"
    lines += [
        f"{card['pairs']} pairs, {card['ties']} of them ties, {card['lost']} left out for want of an embedding; recipe "
        f"`{card['recipe']}`, seed {card['seed']}. Encoder {card['encoder']['encoder']}, licence: {licence}."
        + dropped(card),
        "",
        judged_by(card["splits"], card["group"]),
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
