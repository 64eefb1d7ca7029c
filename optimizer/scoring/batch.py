"""Score many files, or a whole study again: what is known is looked up, the rest is heard once and remembered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.judging import File, Judge, Stream
from optimizer.scoring.memory import StoredEar
from optimizer.scoring.panel import combine, named_parts
from optimizer.scoring.spec import PANEL
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
            File(f"{song.study}/{song.number:04d}", song.audio, song.sha256 or None, song.recipe.caption)
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


def _score(
    files: Sequence[File],
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
    judges = [Judge(term, ears, store, jobs) for term in terms]
    for judge in judges:
        judge.recall(files)
    streams = {
        key: Stream(
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


def _store(store: EmbeddingStore | None, stack: ExitStack) -> EmbeddingStore:
    if store is not None:
        return store
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="optimize-score-"))
    return stack.enter_context(EmbeddingStore(Path(folder) / "embeddings.db"))


def _files(paths: Sequence[Path], store: EmbeddingStore, jobs: int) -> list[File]:
    def look(path: Path) -> File:
        try:
            return File(str(path), path, store.digest(path))
        except OSError as error:
            return File(str(path), path, None, reason=f"{path} cannot be read: {error.strerror or error}.")

    if jobs <= 1 or len(paths) < 2:
        return [look(path) for path in paths]
    from joblib import Parallel, delayed

    # Hashing lets go of the interpreter, so threads are enough.
    return list(Parallel(n_jobs=jobs, prefer="threads")(delayed(look)(path) for path in paths))
