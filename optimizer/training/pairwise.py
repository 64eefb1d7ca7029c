"""Preference: which of two songs people chose, learned from pairs of embeddings (Bradley and Terry, 1952)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.runs import write_atomic
from optimizer.scoring.heads import write_head
from optimizer.training.card import figure_text, table
from optimizer.training.corpus import read_frame
from optimizer.training.data import Data
from optimizer.training.head import Model, OnEpoch, standardise, transform
from optimizer.training.metrics import Figure, bootstrap
from optimizer.training.network import Checkpoints, Recipe, fit_key, settings, train
from optimizer.training.split import grouped_split, random_split

if TYPE_CHECKING:
    import torch

LINEAR = Recipe(hidden=(), norm="none", dropout=0.0, rate=1e-2, decay=1e-2)
NETWORK = Recipe(hidden=(128, 32), norm="none", dropout=0.3, decay=1e-2)
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


def read_pairs(path: Path, data: Data) -> Pairs:
    """Read choices and find their songs.

    Parameters
    ----------
    path : Path
        CSV with ``winner`` (a, b or tie) and, for each of a and b, ``a_sha256``, or ``a_path`` (relative to the
        file), or ``a_study`` and ``a_number``, or ``a_id``; as ``optimize votes --pairs`` writes it.
    data : Data

    Raises
    ------
    UsageError
        If the columns or a winner are not legal, or no pair is left.
    """
    frame = read_frame(path)
    if "winner" not in frame.columns:
        raise UsageError(f"{path} has no column winner; it has {', '.join(map(str, frame.columns))}.")
    said = frame["winner"].astype(str).str.strip().str.lower()
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


def accuracy(difference: np.ndarray, share: np.ndarray) -> float:
    """Return how often the sign of a difference is the choice; ties of people do not count, ties of ours count half."""
    decided = share != 0.5
    if not decided.any():
        return float("nan")
    right = np.where(difference[decided] == 0, 0.5, (difference[decided] > 0) == (share[decided] > 0.5))
    return float(right.mean())


def train_pairwise(
    data: Data,
    pairs: Pairs,
    out: Path,
    *,
    group: str | None = None,
    seed: int = 0,
    name: str = "preference",
    on_epoch: OnEpoch | None = None,
    members: int = 5,
) -> dict[str, Any]:
    """Train a preference head and write its folder.

    Songs are split, by `group` if one is named, else each by itself; only pairs whose two songs lie in the same part
    are used, so that no song of a test pair was heard in training. The score is 10 / (1 + exp(-(output - median) /
    scale)), scale being the deviation of the training songs' outputs.

    Returns
    -------
    dict
        ``card.json``.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(out / ".training")
    groups = np.arange(len(data.vectors)) if group is None else data.column(group).astype(str)
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
    document: dict[str, Any] = {}
    figures: dict[str, dict[str, Figure]] = {}
    model = None
    for kind, (a, v, t) in splits.items():
        model = _fit(data, pairs, a, v, seed, checkpoints, on_epoch, members)
        linear = _fit(data, pairs, a, v, seed, checkpoints, on_epoch, 0)
        worth = _group_worth(groups, pairs, a)
        said = {
            "model": _gap(model.raw(data.vectors), pairs, t),
            "linear": _gap(linear.raw(data.vectors), pairs, t),
            "constant (always a)": np.ones(len(t)),
            "no audio: group's wins": _gap(worth, pairs, t),
        }
        share = pairs.share[t]

        def tell(rows: np.ndarray, said: Any = said, share: Any = share) -> dict[str, float]:
            found = {key: accuracy(gap[rows], share[rows]) for key, gap in said.items()}
            return {
                **found,
                "gain": found["model"] - max(found["no audio: group's wins"], found["constant (always a)"]),
            }

        figures[kind] = bootstrap(tell, groups[pairs.a[t]], seed=seed)
        document[kind] = {
            "pairs": [len(a), len(v), len(t)],
            "accuracy": {key: figure.to_list() for key, figure in figures[kind].items()},
        }
    assert model is not None
    gain = figures["grouped"]["gain"]
    word = "beats" if gain.low > 0 else "is NOT SHOWN to beat" if gain.value > 0 else "does NOT beat"
    best = max(figures["grouped"]["no audio: group's wins"].value, figures["grouped"]["constant (always a)"].value)
    card = {
        "verdict": f"The audio model {word} the no-audio baseline where no song is in two parts: accuracy "
        f"{figures['grouped']['model']} against {best:.3f}, gain {gain}.",
        "task": "pairwise",
        "name": name,
        "seed": seed,
        "group": group,
        "pairs": len(pairs.a),
        "ties": int((pairs.share == 0.5).sum()),
        "lost": pairs.lost,
        "encoder": {word: data.info.get(word) for word in ("encoder", "window", "layers", "licence")},
        "splits": document,
    }
    config = {
        "kind": "mlp",
        "name": name,
        **{word: data.info[word] for word in ("encoder", "window", "layers", "spread") if word in data.info},
        "target": dict(model.target),
        "label": "preference",
        "seed": seed,
        "licence": data.info.get("licence", "unknown: see the encoder's"),
    }
    write_atomic(out / "card.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(out / "card.md", _markdown(card).encode())
    write_head(out, config, model.tensors())
    import shutil

    shutil.rmtree(out / ".training", ignore_errors=True)
    return card


def _fit(
    data: Data,
    pairs: Pairs,
    a: np.ndarray,
    v: np.ndarray,
    seed: int,
    kept: Checkpoints,
    tell: OnEpoch | None,
    members: int,
) -> Model:
    """Train an ensemble of `members` networks with a linear one beside; 0 gives the linear one alone."""
    import torch

    songs = np.unique(np.concatenate([pairs.a[a], pairs.b[a]]))
    mean, std, project = standardise(data.vectors[songs])
    z = transform(data.vectors.astype(np.float64), mean, std, project).astype(np.float32)
    left, right = torch.from_numpy(pairs.a[a].astype(np.int64)), torch.from_numpy(pairs.b[a].astype(np.int64))
    share = torch.from_numpy(pairs.share[a].astype(np.float32))
    heard = np.concatenate([z[pairs.a[v]], z[pairs.b[v]]])
    truth = pairs.share[v]

    def loss(network: torch.nn.Module, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        gap = network(torch.cat([x[left[rows]], x[right[rows]]]))[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(gap[: len(rows)] - gap[len(rows) :], share[rows])

    def validate(predict: Any) -> float:
        out = predict(heard)[:, 0].astype(np.float64)
        gap = out[: len(truth)] - out[len(truth) :]
        return float(np.mean(np.logaddexp(0, gap) - truth * gap))

    networks = []
    for member, recipe in enumerate([LINEAR] + [NETWORK] * members):
        own = seed * 1000 + member
        key = fit_key("pairwise", settings(recipe), own, z, pairs.a[a], pairs.b[a], pairs.share[a], v)

        def said(epoch: int, epochs: int, member: int = member) -> None:
            if tell is not None:
                tell(f"pairwise {member + 1}/{members + 1}", epoch, epochs)

        done = train(z, outputs=1, rows=len(a), loss=loss, validate=validate, recipe=recipe, seed=own, key=key,
                     checkpoints=kept, on_epoch=said)  # fmt: skip
        networks.append(done.tensors)
    model = Model(tuple(networks[:1] * max(members, 1)) + tuple(networks[1:]), {}, mean, std, project)
    raw = model.raw(data.vectors[songs])
    target = {"kind": "logistic", "centre": float(np.median(raw)), "scale": max(float(raw.std()), 1e-6)}
    return Model(model.members, target, mean, std, project)


def _gap(worth: np.ndarray, pairs: Pairs, rows: np.ndarray) -> np.ndarray:
    return np.asarray(worth[pairs.a[rows]] - worth[pairs.b[rows]])


def _group_worth(groups: np.ndarray, pairs: Pairs, rows: np.ndarray) -> np.ndarray:
    """Return, for every song, the share of training pairs that its group (without one: the song itself) won."""
    wins: dict[Any, list[float]] = {}
    for a, b, share in zip(pairs.a[rows], pairs.b[rows], pairs.share[rows], strict=True):
        wins.setdefault(groups[a], []).append(share)
        wins.setdefault(groups[b], []).append(1 - share)
    return np.array([float(np.mean(wins[name])) if name in wins else 0.5 for name in groups])


def _markdown(card: dict[str, Any]) -> str:
    lines = [card["verdict"], "", f"# {card['name']}", ""]
    licence = card["encoder"]["licence"] or "not known"
    lines += [
        f"{card['pairs']} pairs, {card['ties']} of them ties, {card['lost']} left out for want of an embedding. "
        f"Encoder {card['encoder']['encoder']}, licence: {licence}."
    ]
    for kind, split in card["splits"].items():
        title = "Pairs at random" if kind == "random" else "No song in two parts"
        lines += ["", f"## {title} ({' / '.join(map(str, split['pairs']))} pairs)", ""]
        lines += table(["", "accuracy"], [[key, figure_text(figure)] for key, figure in split["accuracy"].items()])
    return "\n".join(lines) + "\n"
