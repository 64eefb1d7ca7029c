"""A corpus becomes ``embeddings.npy`` with its table: each song is heard once, whatever happens meanwhile."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.audio import duration
from optimizer.errors import BadAudio, MissingPrerequisite, NoSongs, UsageError, did_you_mean
from optimizer.runs import write_atomic
from optimizer.scoring.acoustic_ear import AcousticEar, describe_acoustic_ear
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.ear import Embedding, MertEar, Unheard, describe_ear
from optimizer.scoring.memory import StoredEar
from optimizer.training.corpus import Corpus
from optimizer.training.data import BEGUN, INFO, STORE, TABLE, VECTORS
from optimizer.training.folder import make_folder
from optimizer.training.sounds import Sound, sounds

if TYPE_CHECKING:
    import pandas

ACOUSTIC = "acoustic"
FAILURES = "failures.csv"
SHORTEST = 0.5
"""Seconds: a song of less is a broken file; not one beat of it can be heard."""

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
    UsageError
        If its name is nearly that of one that is, and nothing else is called so.
    """
    given = {key: value for key, value in options.items() if value is not None}
    layers, spread = given.pop("layers", None) or [-1], bool(given.pop("spread", False))
    if encoder not in (None, ACOUSTIC, "mert"):
        given["encoder"] = encoder
    if encoder != ACOUSTIC:
        try:
            ear = describe_ear({**given, "jobs": jobs}, layers=layers, spread=spread)
        except MissingPrerequisite as error:
            named = encoder is not None and encoder != "mert" and not Path(encoder).exists()
            if named and (meant := did_you_mean(str(encoder), LICENCES)):
                message = f"encoder {encoder!r} must be acoustic, mert, or a folder or Hub id of MERT.{meant}"
                raise UsageError(message) from error
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
        ``embedding.json``: the space, ``count``, ``failed``, ``heard`` (how many gave an embedding now, the
        others being remembered), ``kind``.

    Raises
    ------
    UsageError
        If the folder cannot be written, holds another space, or files of these names that no embedding wrote.
    NoSongs
        If not one song could be heard.
    StorageFull
        If the disk is full; what was heard is kept.
    """
    make_folder(out)
    refuse_foreign(out)
    _refuse_other_space(out, space)
    if corpus.store is not None:
        # Elsewhere the store itself says that an embedding was begun here.
        write_atomic(out / BEGUN, b"")
    total = len(corpus.table)
    names = corpus.table["id"].astype(str).tolist() if total else []
    paths = corpus.table["path"].astype(str).tolist() if total else []
    failures = [(key, "", reason) for key, reason in corpus.skipped.items()]
    vectors: list[np.ndarray] = []
    kept: list[tuple[int, str]] = []
    pace, count = _Pace(total), 0
    # A study remembers what its own scorer heard; there its songs are kept, and found.
    with EmbeddingStore(corpus.store or out / STORE) as store:
        for sound, heard, fresh in _hear(corpus, out, space, store, pace):
            paths[sound.row] = sound.name or paths[sound.row]
            reason = None
            if isinstance(heard, Unheard):
                # The table of failures has a column for the path; and packed audio lies elsewhere but for a moment.
                path = paths[sound.row]
                reason = heard.reason.removeprefix(str(sound.path)).lstrip(": ").replace(str(sound.path), path)
                failures.append((names[sound.row], path, reason))
            else:
                kept.append((sound.row, sound.digest))
                vectors.append(np.atleast_2d(heard)[0])
                count += fresh
            left = pace.after(fresh)
            if on_progress is not None:
                on_progress(pace.done, total, left, None if reason is None else f"{paths[sound.row]}: {reason}")
    _write_failures(out / FAILURES, failures)
    if not vectors:
        tried = total + len(corpus.skipped)
        raise NoSongs(
            f"not one of {tried} songs could be heard; the first: {failures[0][2]}",
            next_step=f"Every reason is in {out / FAILURES}.",
        )
    table = corpus.table.iloc[[row for row, _ in kept]].reset_index(drop=True)
    table["path"] = [paths[row] for row, _ in kept]
    table["sha256"] = [digest for _, digest in kept]
    content = io.BytesIO()
    np.save(content, np.stack(vectors).astype(np.float32))
    info = {**space.info, "kind": corpus.kind, "count": len(vectors), "failed": len(failures), **corpus.extra}
    if notes := [*corpus.extra.get("notes", []), *_shared_ids(table)]:
        info["notes"] = notes
    # Read back, a folder without this file is unfinished: old vectors never meet a new table.
    if not _same(out / VECTORS, content.getvalue()):
        (out / INFO).unlink(missing_ok=True)
    write_atomic(out / VECTORS, content.getvalue())
    write_atomic(out / TABLE, table.to_csv(index=False).encode())
    write_atomic(out / INFO, (json.dumps(info, indent=1, ensure_ascii=False) + "\n").encode())
    (out / BEGUN).unlink(missing_ok=True)
    # What a kill while writing left; the folder may be somebody's, so no other names.
    for name in (VECTORS, TABLE, FAILURES, INFO, BEGUN):
        for left_over in out.glob(f".{name}.*.tmp"):
            left_over.unlink(missing_ok=True)
    return {**info, "heard": count}


def _shared_ids(table: pandas.DataFrame) -> list[str]:
    """Say which ids are those of several songs: what names a song by its id may mean another."""
    counts = table["id"].value_counts(sort=False)
    shared = counts[counts > 1]
    if not len(shared):
        return []
    several = "1 id is that" if len(shared) == 1 else f"{len(shared)} ids are those"
    line = f"{several} of several songs ({shared.sum()} of {len(table)}), the first of them {shared.index[0]}"
    return [f"{line}: what names a song by its id alone (a_id of --pairs, --tracks) does not tell them apart."]


class _Pace:
    """Time that is left, from how long the songs took that were really listened to, broken ones too."""

    def __init__(self, total: int) -> None:
        self.done = self.tried = 0
        self.known = 0
        """Songs still to come of which it is known that they need no hearing."""
        self._total = total
        self._started = time.monotonic()

    def after(self, fresh: bool) -> float:
        """Count a song; return the seconds left."""
        self.done += 1
        self.tried += fresh
        self.known -= not fresh and self.known > 0
        if not self.tried:
            return 0.0
        return (time.monotonic() - self._started) / self.tried * (self._total - self.done - self.known)


def _hear(
    corpus: Corpus, out: Path, space: Space, store: EmbeddingStore, pace: _Pace
) -> Iterator[tuple[Sound, Embedding, bool]]:
    """Yield every row's audio with its embedding, and whether it was listened to now."""
    key = str(space.info["key"])
    ear = StoredEar(space.ear, key, store)
    seen: set[str] = set()
    for chunk in sounds(corpus, out, store):
        files = [sound for sound in chunk if sound.digest]
        seen.update(store.get_many([sound.digest for sound in files], key))
        # Without its file a song can only be remembered.
        unheard = {s.row: "its audio is not here" if s.path == Path() else _short(s.path) for s in files
                   if s.digest not in seen}  # fmt: skip
        files = [sound for sound in files if not unheard.get(sound.row)]
        pace.known = len(chunk) - len({sound.digest for sound in files} - seen)
        stream = ear.stream([(sound.path, sound.digest) for sound in files])
        listened = {sound.row for sound in files}
        for sound in chunk:
            if sound.row not in listened:
                yield sound, Unheard(sound.reason or unheard[sound.row]), False
                continue
            heard = next(stream)
            yield sound, heard, sound.digest not in seen
            seen.add(sound.digest)


def _short(path: Path) -> str:
    """Return why a file is too short to be music, empty if it is not or cannot be told."""
    # Half a second of eight channels of floating-point numbers is less than this, and few files need a look.
    try:
        if path.stat().st_size > 1_000_000:
            return ""
        seconds = duration(path)
    except (OSError, BadAudio):
        # Whoever listens says what is the matter.
        return ""
    return f"lasts {seconds:.2f} s; {SHORTEST:g} s are the least" if seconds < SHORTEST else ""


def _same(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds somebody's own files under the names that an embedding writes.

    Whole, an embedding is known by its ``embedding.json``; begun, by its store, which is there before anything else.

    Raises
    ------
    UsageError
    """
    if any((out / name).exists() for name in (INFO, STORE, BEGUN)):
        return
    for name in (TABLE, FAILURES, VECTORS):
        if (out / name).exists():
            raise UsageError(
                f"{out} holds a {name} that no embedding wrote (there is no {INFO} with it); it would be overwritten.",
                next_step=f"Name another folder with --out, or move {name} away.",
            )


def _refuse_other_space(out: Path, space: Space) -> None:
    path = out / INFO
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["key"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is damaged: {error}.",
                next_step="Remove it and run the same command again, or name another --out.",
            ) from error
        if before != space.info["key"]:
            raise UsageError(
                f"{out} holds embeddings of {before}; now it would be {space.info['key']}.",
                next_step="Name another folder with --out, or the same encoder and window.",
            )


def _write_failures(path: Path, failures: Sequence[tuple[str, str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "path", "reason"))
    writer.writerows(failures)
    write_atomic(path, text.getvalue().encode())
