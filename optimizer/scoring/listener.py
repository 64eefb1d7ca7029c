"""A scorer in two halves: an ear that turns a song into an embedding, and a head that judges the embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import CheckpointError
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ear import Ear, EarSpec, Embedding, Unheard
from optimizer.scoring.ears import open_ear
from optimizer.scoring.heads import Head, open_head
from optimizer.scoring.plane import KIND, PlaneHead, open_plane
from optimizer.scoring.spec import LISTENER


class Listener:
    """A `Scorer` made of an encoder and a head.

    Attributes
    ----------
    ear : Ear
        May be shared with other listeners that judge the same embedding.
    """

    ear: Ear

    def __init__(self) -> None:
        self._name = ""
        self._head: Head | PlaneHead | None = None

    def load(self, config: dict[str, Any], ear: Ear | None = None) -> dict[str, Any]:
        """Load the head and, unless one is handed over, the encoder.

        Parameters
        ----------
        config : dict
            ``name``, ``head`` (file or folder), ``target`` (see `optimizer.scoring.heads.Target`, or
            `optimizer.scoring.plane.open_plane` for a point), ``width`` and ``ear`` (of an `EarSpec`).
        ear : Ear, optional
            An encoder that is already there; it is not opened, so that what is remembered needs no encoder.

        Raises
        ------
        CheckpointError
            If a file does not fit, or the head expects an embedding of another length.
        """
        self._name = str(config["name"])
        # The head first: it is small, and a wrong one should not cost the loading of the encoder.
        self._head = _open(Path(config["head"]), config.get("target"))
        width = int(config["width"])
        if self._head.width != width:
            raise CheckpointError(
                f"head {config['head']} judges embeddings of {self._head.width} numbers; this encoder gives {width}.",
                next_step="Use the encoder the head was trained on, or another --head.",
            )
        info = {"head": self._head.describe()}
        if ear is None:
            self.ear = open_ear(config["ear"])
            info |= self.ear.open()
        else:
            self.ear = ear
        return info

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files; see `Scorer.score`."""
        return self.judge(self.listen(paths))

    def listen(self, paths: Sequence[Path]) -> list[Embedding]:
        """Return what each file sounds like, or why it could not be heard."""
        return self.ear.hear(paths)

    def judge(self, heard: Sequence[Embedding]) -> list[dict[str, Any]]:
        """Judge embeddings.

        Parameters
        ----------
        heard : sequence
            From `listen`, or from a cache.

        Returns
        -------
        list of dict
            As `Scorer.score`; the value is the head's on the mean embedding, ``curve`` its value on each window
            where there are several.
        """
        assert self._head is not None
        return [self._verdict(self._head, item) for item in heard]

    def _verdict(self, head: Head | PlaneHead, heard: Embedding) -> dict[str, Any]:
        if isinstance(heard, Unheard):
            return {"error": heard.reason}
        rows = np.atleast_2d(heard)
        value, parts = head.judge(rows[0])
        result: dict[str, Any] = {
            "value": value,
            "parts": {self._name: value, **parts},
            "embedding": [float(number) for number in rows[0]],
        }
        if len(rows) > 1:
            result["curve"] = [head.judge(row)[0] for row in rows[1:]]
        return result


def _open(path: Path, target: Mapping[str, Any] | None) -> Head | PlaneHead:
    if target and target.get("kind") == KIND:
        return open_plane(path, target)
    return open_head(path, target)


def listener_spec(
    text: str, name: str, revision: str, head: Path, ear: EarSpec, target: Mapping[str, Any] | None = None
) -> ScorerSpec:
    """Put an encoder and a head together.

    Parameters
    ----------
    text : str
        As the user wrote the term.
    name : str
        The part's name.
    revision : str
        Of the head: ``sha256:`` and 16 digits.
    head : Path
        File or folder.
    ear : EarSpec
    target : mapping, optional
        How the head's number becomes a score, or the point of a `PlaneHead`; None where the head's own file says so.
    """
    identity: dict[str, Any] = {
        "name": name,
        "revision": revision,
        "encoder": ear.encoder,
        "window": ear.window,
        **({"dtype": ear.dtype} if ear.dtype else {}),
    }
    return ScorerSpec(
        text=text,
        identity=identity,
        target=LISTENER,
        config={
            "name": name,
            "head": str(head),
            "target": dict(target) if target else None,
            "width": ear.width,
            "ear": dict(ear.config),
        },
        read_paths=tuple(dict.fromkeys([*ear.read_paths, head, head.resolve()])),
        device=ear.device.partition(":")[0],
        encoder=ear.key,
    )
