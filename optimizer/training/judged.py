"""What a scorer says of songs that are embedded already: its heads judge the vectors, and nothing is heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.scoring import ScorerSpec, emotion, parse
from optimizer.scoring.ears import full_name, open_ear
from optimizer.scoring.heads import open_head, read_config
from optimizer.scoring.listener import Listener
from optimizer.scoring.spec import LISTENER, PANEL
from optimizer.training.data import Data

Judge = Callable[[np.ndarray], np.ndarray]
"""From embeddings [shape=(n, d)] to scores [shape=(n,)], 0 to 10."""


def by_heads(scorer: str | None, data: Data, options: Mapping[str, Any]) -> tuple[Judge, list[Path]] | None:
    """Return what judges the vectors of `data` where every term is a trained head on their encoder, else None.

    The encoder itself need not be on this machine. A head judges any window of its encoder, so the window of the data
    is taken; where `options` ask for another, or for another precision, songs have to be heard.

    Parameters
    ----------
    scorer : str, optional
        See `optimizer.scoring.parse`.
    data : Data
    options : mapping
        ``window``, ``dtype`` and ``head``; None counts as not given.

    Returns
    -------
    (judge, list of Path) or None
        The judge, and the heads' folders.

    Raises
    ------
    UsageError
        If the scorer's text is not legal.
    CheckpointError
        If a folder is no trained head.
    """
    asked = options.get("window")
    if scorer is None or options.get("head") or options.get("dtype") or asked not in (None, data.info.get("window")):
        return None
    judges, weights, folders = [], [], []
    for term in parse(scorer):
        folder = Path(term.name).expanduser().absolute()
        if term.kind != "folder" or (folder / emotion.CONFIG).is_file():
            return None
        config = read_config(folder)
        if _space(config) != _space(data.info):
            return None
        head = open_head(folder, {"class": term.argument})
        if head.width != data.vectors.shape[1]:
            return None
        judges.append(head)
        weights.append(term.weight)
        folders.append(folder)

    def judge(vectors: np.ndarray) -> np.ndarray:
        rows = [[head.judge(vector)[0] for head in judges] for vector in vectors]
        return np.average(np.array(rows, dtype=float).reshape(-1, len(judges)), axis=1, weights=weights)

    return judge, folders


def by_spec(spec: ScorerSpec, data: Data) -> Judge | None:
    """Return what judges the vectors of `data` where every judge of a scorer listens in their very space, else None.

    Raises
    ------
    CheckpointError
        If a head does not fit.
    """
    terms = _terms(spec)
    if not data.info.get("key") or any(
        term["target"] != LISTENER or term["encoder"] != data.info["key"] for term in terms
    ):
        return None
    listeners, weights = [], [float(term.get("weight", 1.0)) for term in terms]
    for term in terms:
        listener = Listener()
        # The ear is there to be handed over; it is not opened.
        listener.load(dict(term["config"]), open_ear(term["config"]["ear"]))
        listeners.append(listener)

    def judge(vectors: np.ndarray) -> np.ndarray:
        columns = [[float(one["value"]) for one in listener.judge(list(vectors))] for listener in listeners]
        return np.average(np.array(columns, dtype=float), axis=0, weights=weights)

    return judge


def folders_of(spec: ScorerSpec) -> list[Path]:
    """Return the folders of a scorer's trained heads, an emotion's two among them."""
    found: list[Path] = []
    for term in _terms(spec):
        if term["target"] == LISTENER and (folder := Path(str(term["config"]["head"]))).is_dir():
            # The two of an emotion are trained on the same songs; one tells.
            found.append(folder / "valence" if (folder / emotion.CONFIG).is_file() else folder)
    return found


def _terms(spec: ScorerSpec) -> Sequence[Mapping[str, Any]]:
    if spec.target == PANEL:
        return list(spec.config["terms"])
    return [{"target": spec.target, "encoder": spec.encoder, "config": spec.config}]


def _space(info: Mapping[str, Any]) -> tuple[Any, ...]:
    return full_name(str(info.get("encoder"))), tuple(info.get("layers") or [-1]), bool(info.get("spread", False))
