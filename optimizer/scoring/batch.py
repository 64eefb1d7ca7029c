"""Score many files, or a whole study again: what is known is looked up, the rest is heard once and remembered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.scoring import listener
from optimizer.scoring.base import Scorer, ScorerSpec
from optimizer.scoring.cache import EmbeddingStore, identity_key
from optimizer.scoring.ear import Embedding, Unheard
from optimizer.scoring.ears import open_ear
from optimizer.scoring.memory import StoredEar
from optimizer.scoring.panel import combine, named_parts
from optimizer.scoring.spec import LISTENER, PANEL, construct
from optimizer.song import Song


@dataclass(frozen=True, slots=True)
class FileScore:
    """One file's score, or the reason why there is none.

    Attributes
    ----------
    path : str
        As it was given.
    score : float or None
        0 to 10.
    parts : mapping of str to float
    error : str or None
    curve : tuple of float
        Score over time, one per window of 30 s; empty unless the window is ``all``.
    """

    path: str
    score: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    curve: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``optimize score --json`` prints: path, score, parts, error, and curve where there is one."""
        document: dict[str, Any] = {
            "path": self.path,
            "score": self.score,
            "parts": dict(self.parts),
            "error": self.error,
        }
        if self.curve:
            document["curve"] = list(self.curve)
        return document


Progress = Callable[[int, int, FileScore], None]
"""Called after every file with (files done, files in all, its score)."""


def score_files(
    paths: Sequence[Path | str],
    spec: ScorerSpec,
    store: EmbeddingStore | None = None,
    *,
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> list[FileScore]:
    """Score audio files in this process.

    Parameters
    ----------
    paths : sequence of path
        Files, and folders for the audio files in them (see `audio_files`).
    spec : ScorerSpec
        From `prepare`.
    store : EmbeddingStore, optional
        Where embeddings and verdicts are kept. Each is written as soon as it is known, so that a killed process
        loses at most the file it was listening to; running again goes on. Without it nothing is kept.
    jobs : int
        Files hashed and decoded at the same time.
    on_progress : callable, optional

    Returns
    -------
    list of FileScore
        In the order of `paths`, a folder's files sorted. A broken file has a reason and stops nothing.

    Raises
    ------
    CheckpointError
        If the scorer's files do not fit.
    """
    with ExitStack() as stack:
        store = _store(store, stack)
        return _score(_files(audio_files(paths), store, jobs), spec, store, jobs, on_progress, named=False)


def rescore(
    songs: Sequence[Song],
    spec: ScorerSpec,
    store: EmbeddingStore | None = None,
    *,
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> list[FileScore]:
    """Judge a study's songs again, by another head or judge; the study itself is not touched.

    Parameters
    ----------
    songs : sequence of Song
        A song whose embedding is in the store needs neither its audio nor the encoder.
    spec, store, jobs, on_progress
        As in `score_files`.

    Returns
    -------
    list of FileScore
        In the order of `songs`. ``parts`` holds what is to be added to each song's parts: every judge's score
        under its name, its own parts under ``name.part``.
    """
    with ExitStack() as stack:
        store = _store(store, stack)
        files = [
            _File(f"{song.study}/{song.number:04d}", song.audio, song.sha256 or None, song.recipe.caption)
            for song in songs
        ]
        return _score(files, spec, store, jobs, on_progress, named=True)


AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64", ".m4a")
"""What counts as audio in a folder; a file named outright is tried whatever its name."""


def audio_files(paths: Sequence[Path | str]) -> list[Path]:
    """Return files as they are, and of each folder the audio files in it, its own folders too, sorted."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (item for item in path.rglob("*") if item.suffix.lower() in AUDIO_SUFFIXES and item.is_file())
            found += sorted(inside)
        else:
            found.append(path)
    return found


@dataclass(frozen=True, slots=True)
class _File:
    """What is judged: `audio` is its hash, or None where it could not be read."""

    name: str
    path: Path | None
    audio: str | None
    caption: str | None = None
    reason: str = ""


class _Judge:
    """One term of a scorer, loaded when the store does not know the answer."""

    def __init__(self, term: Mapping[str, Any], ears: dict[str, StoredEar], store: EmbeddingStore, jobs: int) -> None:
        self.name, self.weight = str(term["name"]), float(term["weight"])
        self.identity, self.encoder = term["identity"], str(term["encoder"])
        self.listens = term["target"] == LISTENER
        self._target, self._config = str(term["target"]), dict(term["config"])
        self._store = store
        self._scorer: Scorer | None = None
        if self.listens and self.encoder not in ears:
            ear = open_ear({**self._config["ear"], "jobs": jobs})
            ears[self.encoder] = StoredEar(ear, self.encoder, store)
        self.ear = ears.get(self.encoder)
        self.known: dict[tuple[str, str], dict[str, Any]] = {}

    def recall(self, files: Sequence[_File]) -> None:
        """Look up what the store knows of all files at once."""
        by_key: dict[str, list[str]] = {}
        for file in files:
            if file.audio is not None:
                by_key.setdefault(self._key(file), []).append(file.audio)
        for key, audios in by_key.items():
            for audio, verdict in self._store.get_verdicts(audios, key).items():
                self.known[audio, key] = verdict

    def knows(self, file: _File) -> bool:
        return file.audio is not None and (file.audio, self._key(file)) in self.known

    def judge(self, file: _File, heard: Embedding | None) -> dict[str, Any]:
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

    def _key(self, file: _File) -> str:
        captioned = self.identity.get("prompt") == "caption"
        return identity_key({**self.identity, "caption": file.caption} if captioned else self.identity)


def _score(
    files: Sequence[_File],
    spec: ScorerSpec,
    store: EmbeddingStore,
    jobs: int,
    on_progress: Progress | None,
    *,
    named: bool,
) -> list[FileScore]:
    ears: dict[str, StoredEar] = {}
    panel = spec.target == PANEL
    name = str(spec.identity.get("name", spec.text))
    alone = {"name": name, "weight": 1.0, "target": spec.target, "config": spec.config}
    terms = spec.config["terms"] if panel else [{**alone, "encoder": spec.encoder, "identity": spec.identity}]
    judges = [_Judge(term, ears, store, jobs) for term in terms]
    for judge in judges:
        judge.recall(files)
    streams = {
        key: _Stream(
            ear,
            files,
            [judge for judge in judges if judge.ear is ear],
            [judge for judge in judges if judge.encoder == key and not judge.listens],
        )
        for key, ear in ears.items()
    }
    scores: list[FileScore] = []
    for file in files:
        said: dict[str, dict[str, Any]] = {}
        for judge in sorted(judges, key=lambda judge: judge.listens):
            heard = streams[judge.encoder].of(file) if judge.listens and not judge.knows(file) else None
            said[judge.name] = judge.judge(file, heard)
        verdicts = [(judge.name, judge.weight, said[judge.name]) for judge in judges]
        result = combine(verdicts) if panel else dict(verdicts[0][2])
        if named and not panel and "error" not in result:
            result["parts"] = named_parts(name, result)
        score = FileScore(
            file.name,
            None if "error" in result else float(result["value"]),
            result.get("parts", {}),
            result.get("error"),
            tuple(result.get("curve", ())),
        )
        scores.append(score)
        if on_progress is not None:
            on_progress(len(scores), len(files), score)
    return scores


class _Stream:
    """The embeddings of all files some judge must hear, in order; the next files are decoded meanwhile.

    Files that one of `lenders` is about to judge are left to it: it puts their embeddings into the store.
    """

    def __init__(
        self, ear: StoredEar, files: Sequence[_File], judges: Sequence[_Judge], lenders: Sequence[_Judge]
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

    def of(self, file: _File) -> Embedding | None:
        if file.audio is None:
            return None
        if file.audio in self._lent and file.audio not in self._have:
            # From the store; it is heard here only where the lender gave no embedding.
            (self._have[file.audio],) = self._ear.stream([(file.path or Path(file.name), file.audio)])
        while file.audio not in self._have:
            self._have[next(self._audios)] = next(self._heard)
        return self._have[file.audio]


def _store(store: EmbeddingStore | None, stack: ExitStack) -> EmbeddingStore:
    if store is not None:
        return store
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="optimize-score-"))
    return stack.enter_context(EmbeddingStore(Path(folder) / "embeddings.db"))


def _files(paths: Sequence[Path], store: EmbeddingStore, jobs: int) -> list[_File]:
    def look(path: Path) -> _File:
        try:
            return _File(str(path), path, store.digest(path))
        except OSError as error:
            return _File(str(path), path, None, reason=f"{path} cannot be read: {error.strerror or error}.")

    if jobs <= 1 or len(paths) < 2:
        return [look(path) for path in paths]
    from joblib import Parallel, delayed

    # Hashing lets go of the interpreter, so threads are enough.
    return list(Parallel(n_jobs=jobs, prefer="threads")(delayed(look)(path) for path in paths))
