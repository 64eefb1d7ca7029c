"""A corpus becomes ``embeddings.npy`` with its table: each song is heard once, whatever happens meanwhile."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.runs import write_atomic
from optimizer.scoring.acoustic_ear import AcousticEar, describe_acoustic_ear
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.ear import MertEar, Unheard, describe_ear
from optimizer.scoring.memory import StoredEar
from optimizer.training.corpus import Corpus
from optimizer.training.data import INFO, TABLE, VECTORS

ACOUSTIC = "acoustic"
STORE, FAILURES = "embeddings.db", "failures.csv"
LICENCES = {ACOUSTIC: "Apache-2.0 (this program)", "mert": "CC-BY-NC-4.0 (MERT's weights): not for commercial use"}


@dataclass(frozen=True, slots=True)
class Space:
    """An embedding space.

    Attributes
    ----------
    info : mapping
        ``encoder``, ``key``, ``window``, ``layers``, ``licence``: what ``embedding.json`` says.
    ear : MertEar or AcousticEar
    """

    info: Mapping[str, Any]
    ear: Any


def open_space(encoder: str | None, options: Mapping[str, Any], *, jobs: int = 1, batch: int | None = None) -> Space:
    """Choose what listens.

    Parameters
    ----------
    encoder : str, optional
        ``acoustic``, or MERT's folder or Hub id, or ``mert`` for the pinned one; by default MERT if it is here,
        else ``acoustic``.
    options : mapping
        ``window``, ``device``, ``dtype``, ``layers``, ``spread``.
    jobs : int
    batch : int, optional
        Clips of equal length that are encoded together, nothing being padded; by default 8 on an accelerator and 1
        on a CPU, where it saves nothing.

    Raises
    ------
    MissingPrerequisite
        If the encoder asked for is not here.
    """
    given = {key: value for key, value in options.items() if value is not None}
    layers, spread = given.pop("layers", None) or [-1], bool(given.pop("spread", False))
    if encoder not in (None, ACOUSTIC, "mert"):
        given["encoder"] = encoder
    if encoder != ACOUSTIC:
        try:
            ear = describe_ear({**given, "jobs": jobs}, layers=layers, spread=spread)
        except MissingPrerequisite:
            if encoder is not None:
                raise
        else:
            together = batch or (1 if ear.device == "cpu" else 8)
            info = {
                "encoder": ear.encoder,
                "key": ear.key,
                "window": ear.window,
                "layers": list(layers),
                "spread": spread,
                "licence": LICENCES["mert"],
            }
            return Space(info, MertEar({**ear.config, "batch": together, "songs": together}))
    ear = describe_acoustic_ear(given)
    info = {"encoder": ear.encoder, "key": ear.key, "window": ear.window, "layers": [-1], "spread": False}
    return Space({**info, "licence": LICENCES[ACOUSTIC]}, AcousticEar(jobs))


Progress = Callable[[int, int, float, str | None], None]
"""Called after every song with (done, all, seconds left, why it failed or None)."""


def embed(corpus: Corpus, out: Path, space: Space, *, on_progress: Progress | None = None) -> dict[str, Any]:
    """Hear a corpus and write its embeddings; running again after a kill goes on where it was.

    Parameters
    ----------
    corpus : Corpus
    out : Path
        Gets ``embeddings.npy`` [shape=(n, d)], ``table.csv``, ``failures.csv`` and, last, ``embedding.json``.
    space : Space
    on_progress : callable, optional

    Returns
    -------
    dict
        ``embedding.json``: the space, ``count``, ``failed``, ``heard`` (how many were heard now, the others being
        remembered), ``kind``.

    Raises
    ------
    UsageError
        If not one song could be heard, or the folder holds another space.
    """
    out.mkdir(parents=True, exist_ok=True)
    _refuse_other_space(out, space)
    failures = [(key, "", reason) for key, reason in corpus.skipped.items()]
    paths = [Path(path) for path in corpus.table["path"]] if len(corpus.table) else []
    # A study remembers what its own scorer heard; there its songs are kept, and found.
    with EmbeddingStore(corpus.store or out / STORE) as store:
        files: list[tuple[int, Path, str]] = []
        for row, path in enumerate(paths):
            try:
                audio = _unpack(out, corpus, path)
                files.append((row, audio, store.digest(audio)))
            except OSError as error:
                failures.append((str(corpus.table["id"].iloc[row]), str(path), f"cannot be read: {error.strerror}"))
        key = str(space.info["key"])
        known = store.get_many([digest for _, _, digest in files], key)
        fresh = len({digest for _, _, digest in files} - set(known))
        ear = StoredEar(space.ear, key, store)
        started, heard_now = time.monotonic(), 0
        rows, vectors, digests = [], [], []
        stream = ear.stream([(path, digest) for _, path, digest in files])
        seen = set(known)
        for done, ((row, _, digest), heard) in enumerate(zip(files, stream, strict=True), 1):
            reason = None
            if isinstance(heard, Unheard):
                reason = heard.reason
                failures.append((str(corpus.table["id"].iloc[row]), str(paths[row]), reason))
            else:
                rows.append(row)
                vectors.append(np.atleast_2d(heard)[0])
                digests.append(digest)
            if digest not in seen:
                seen.add(digest)
                heard_now += 1
            if on_progress is not None:
                pace = (time.monotonic() - started) / heard_now if heard_now else 0.0
                on_progress(done, len(files), pace * (fresh - heard_now), reason)
    _write_failures(out / FAILURES, failures)
    if not vectors:
        raise UsageError(f"not one of {len(paths)} songs could be heard; see {out / FAILURES}.")
    table = corpus.table.iloc[rows].reset_index(drop=True)
    table["sha256"] = digests
    stream_ = io.BytesIO()
    np.save(stream_, np.stack(vectors).astype(np.float32))
    info = {**space.info, "kind": corpus.kind, "count": len(vectors), "failed": len(failures), **corpus.extra}
    write_atomic(out / VECTORS, stream_.getvalue())
    write_atomic(out / TABLE, table.to_csv(index=False).encode())
    write_atomic(out / INFO, (json.dumps(info, indent=1, ensure_ascii=False) + "\n").encode())
    return {**info, "heard": heard_now}


def _refuse_other_space(out: Path, space: Space) -> None:
    path = out / INFO
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8")).get("key")
        if before != space.info["key"]:
            raise UsageError(
                f"{out} holds embeddings of {before}; now it would be {space.info['key']}.",
                next_step="Name another folder with --out, or the same encoder and window.",
            )


def _unpack(out: Path, corpus: Corpus, path: Path) -> Path:
    """Give audio that lies in a Parquet file a file of its own, named after its content."""
    content = corpus.sound.get(str(path))
    if content is None:
        return path
    import hashlib

    folder = out / "audio"
    folder.mkdir(exist_ok=True)
    file = folder / hashlib.sha256(content).hexdigest()
    if not file.is_file():
        write_atomic(file, content)
    return file


def _write_failures(path: Path, failures: Sequence[tuple[str, str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "path", "reason"))
    writer.writerows(failures)
    write_atomic(path, text.getvalue().encode())
