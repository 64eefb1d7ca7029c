"""One judge over many files: what the store knows is recalled, the rest is heard once, in order, and remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.scoring import listener
from optimizer.scoring.base import Scorer
from optimizer.scoring.cache import EmbeddingStore, identity_key
from optimizer.scoring.ear import Embedding, Unheard
from optimizer.scoring.ears import open_ear
from optimizer.scoring.memory import StoredEar
from optimizer.scoring.spec import LISTENER, construct


@dataclass(frozen=True, slots=True)
class File:
    """What is judged.

    Attributes
    ----------
    name : str
        What it is called in the result.
    path : Path or None
    audio : str or None
        SHA-256 of its bytes, None where it could not be read.
    caption : str or None
        What it was asked to be.
    reason : str
        Why it could not be read.
    """

    name: str
    path: Path | None
    audio: str | None
    caption: str | None = None
    reason: str = ""


class Judge:
    """One term of a scorer, loaded when the store does not know the answer.

    Parameters
    ----------
    term : mapping
        ``name``, ``weight``, ``identity``, ``encoder``, ``target`` and ``config``, as a panel's terms are described.
    ears : dict
        By encoder; a judge that listens adds its own if there is none yet.
    store : EmbeddingStore
    jobs : int
        Files decoded at the same time.
    """

    def __init__(self, term: Mapping[str, Any], ears: dict[str, StoredEar], store: EmbeddingStore, jobs: int) -> None:
        self.name, self.weight = str(term["name"]), float(term["weight"])
        self.identity, self.encoder = term["identity"], str(term["encoder"])
        self.listens = term["target"] == LISTENER
        self._target, self._config = str(term["target"]), dict(term["config"])
        self._store = store
        self._scorer: Scorer | None = None
        if self.listens and self.encoder not in ears:
            ear = open_ear({**self._config["ear"], "jobs": jobs}, [other.inner for other in ears.values()])
            ears[self.encoder] = StoredEar(ear, self.encoder, store)
        self.ear = ears[self.encoder] if self.listens else None
        self.known: dict[tuple[str, str], dict[str, Any]] = {}

    def recall(self, files: Sequence[File]) -> None:
        """Look up what the store knows of all files at once."""
        by_key: dict[str, list[str]] = {}
        for file in files:
            if file.audio is not None:
                by_key.setdefault(self._key(file), []).append(file.audio)
        for key, audios in by_key.items():
            for audio, verdict in self._store.get_verdicts(audios, key).items():
                self.known[audio, key] = verdict

    def knows(self, file: File) -> bool:
        """Say whether `judge` needs to hear nothing."""
        return file.audio is not None and (file.audio, self._key(file)) in self.known

    def judge(self, file: File, heard: Embedding | None) -> dict[str, Any]:
        """Return the verdict on one file, from memory if it is there, and remember it."""
        if file.audio is None:
            return {"error": file.reason or f"{file.name} has no audio here."}
        key = self._key(file)
        if (file.audio, key) in self.known:
            return self.known[file.audio, key]
        if isinstance(heard, Unheard):
            return {"error": heard.reason}
        scorer = self._open()
        if isinstance(scorer, listener.Listener) and heard is not None:
            (verdict,) = scorer.judge([heard])
        elif file.path is None:
            return {"error": f"{file.name} has no audio here."}
        elif hasattr(scorer, "score_captioned"):
            (verdict,) = scorer.score_captioned([file.path], [file.caption])
        else:
            (verdict,) = scorer.score([file.path])
        if self.encoder and not self.listens and verdict.get("embedding") is not None:
            # Heads on the same embedding need not hear the song then, now or later.
            self._store.put(file.audio, self.encoder, np.asarray(verdict["embedding"]))
        verdict = {word: value for word, value in verdict.items() if word != "embedding"}
        if "error" not in verdict:
            self._store.put_verdict(file.audio, key, verdict)
            self.known[file.audio, key] = verdict
        return verdict

    def _open(self) -> Scorer:
        if self._scorer is None:
            scorer = construct(self._target)
            if isinstance(scorer, listener.Listener):
                scorer.load(self._config, self.ear)
            else:
                scorer.load(self._config)
            self._scorer = scorer
        return self._scorer

    def _key(self, file: File) -> str:
        captioned = self.identity.get("prompt") == "caption"
        return identity_key({**self.identity, "caption": file.caption} if captioned else self.identity)


class Stream:
    """The embeddings of all files some judge must hear, in order; the next files are decoded meanwhile.

    Files that one of `lenders` is about to judge are left to it: it puts their embeddings into the store.
    """

    def __init__(
        self, ear: StoredEar, files: Sequence[File], judges: Sequence[Judge], lenders: Sequence[Judge]
    ) -> None:
        todo: dict[str, Path] = {}
        self._ear, self._lent = ear, set[str]()
        for file in files:
            if file.audio is None or all(judge.knows(file) for judge in judges):
                continue
            if all(lender.knows(file) for lender in lenders):
                todo.setdefault(file.audio, file.path or Path(file.name))
            else:
                self._lent.add(file.audio)
        self._audios = iter(list(todo))
        self._heard: Iterator[Embedding] = ear.stream([(path, audio) for audio, path in todo.items()])
        self._have: dict[str, Embedding] = {}

    def of(self, file: File) -> Embedding | None:
        """Return a file's embedding; files are asked for in the order they were given in."""
        if file.audio is None:
            return None
        if file.audio in self._lent and file.audio not in self._have:
            # From the store; it is heard here only where the lender gave no embedding.
            (self._have[file.audio],) = self._ear.stream([(file.path or Path(file.name), file.audio)])
        while file.audio not in self._have:
            self._have[next(self._audios)] = next(self._heard)
        return self._have[file.audio]
