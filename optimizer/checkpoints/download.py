"""Fetch a model into the Hugging Face cache: resumable, with progress, verified against the Hub's own hashes."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from optimizer.checkpoints.files import matches, verify
from optimizer.checkpoints.find import Checkpoint, run_line
from optimizer.checkpoints.fingerprint import sha256_of
from optimizer.errors import CheckpointError, MissingPrerequisite, OptimizeError, StorageFull, UsageError

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""

RESUMED = 8 << 20
"""Files above this many bytes are fetched so that a stopped download goes on inside them."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def download(
    repo: str,
    revision: str | None = None,
    *,
    files: Sequence[str] = ("*",),
    progress: Progress | None = None,
    mend: str | None = None,
    endpoint: str | None = None,
) -> Checkpoint:
    """Fetch a model into the Hugging Face cache, going on where an earlier attempt stopped, and verify it.

    Parameters
    ----------
    repo : str
        Hub id.
    revision : str, optional
        Commit, tag or branch; the commit it resolves to is in the result.
    files : sequence of str
        Patterns of the files that are wanted.
    progress : callable, optional
        Called with (bytes on disk, bytes in all) several times a second, then once at the end.
    mend : str, optional
        The command that repeats the attempt, named in the errors.
    endpoint : str, optional
        Another Hub than the configured one.

    Raises
    ------
    CheckpointError
        If the model is gated, absent, or what arrived does not match the Hub's own sizes and hashes.
    MissingPrerequisite
        If the Hub cannot be reached.
    StorageFull
        If the disk has too little room.
    """
    from huggingface_hub import HfApi, constants, snapshot_download

    try:
        info = HfApi(endpoint=endpoint).model_info(repo, revision=revision, files_metadata=True)
        wanted = {entry.rfilename: entry for entry in info.siblings or () if matches(entry.rfilename, tuple(files))}
        total = sum(entry.size or 0 for entry in wanted.values())
        store = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
        _require_room(store, total)
        with _no_bars(), _Watch(store / "blobs", total, progress):
            for name, entry in wanted.items():
                if entry.lfs is not None and (entry.size or 0) > RESUMED:
                    _fetch_large(repo, name, entry, str(info.sha), store / "blobs", endpoint)
            folder = Path(snapshot_download(repo, revision=info.sha, allow_patterns=list(files), endpoint=endpoint))
    except OptimizeError:
        raise
    except Exception as error:
        raise _explained(error, repo, revision, mend) from error
    for name, entry in wanted.items():
        problem = _mismatch(folder / name, entry)
        if problem:
            # A file of the right size but the wrong hash would be kept for ever; without it the next try fetches it.
            (folder / name).resolve().unlink(missing_ok=True)
            (folder / name).unlink(missing_ok=True)
            raise CheckpointError(
                f"{repo}: {name} {problem}; the file was removed", next_step=run_line(mend, "fetches it again")
            )
    problems = verify(folder)
    if problems:
        raise CheckpointError(f"{repo} arrived damaged: {'; '.join(problems[:4])}", next_step=run_line(mend))
    if progress is not None:
        progress(total, total)
    return Checkpoint(repo, folder, str(info.sha))


def _fetch_large(repo: str, name: str, entry: Any, commit: str, blobs: Path, endpoint: str | None) -> None:
    """Fetch one large file into the cache's own place for it, so that the client finds it there.

    The client of today throws the part that arrived away when it is stopped, which for a file of gigabytes is no way
    to go on; the half-fetched file has the name that earlier clients used, and go on from as well.
    """
    from huggingface_hub import hf_hub_url, utils
    from huggingface_hub.file_download import http_get

    tools: Any = utils

    blob = blobs / entry.lfs.sha256
    if blob.exists():
        return
    blobs.mkdir(parents=True, exist_ok=True)
    partial = blob.with_name(f"{blob.name}.incomplete")
    with partial.open("ab") as file:
        if file.tell() > entry.size:
            file.truncate(0)
        if file.tell() < entry.size:
            http_get(
                hf_hub_url(repo, name, revision=commit, endpoint=endpoint),
                file,
                resume_size=file.tell(),
                headers=tools.build_hf_headers(),
                expected_size=entry.size,
            )
    partial.replace(blob)


def _require_room(store: Path, total: int) -> None:
    blobs = store / "blobs"
    have = sum(file.stat().st_size for file in blobs.iterdir()) if blobs.is_dir() else 0
    place = store
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    need = total - have
    if need > free:
        raise StorageFull(
            f"the model needs {need / 1e9:.1f} GB more in {store.parent}, where {free / 1e9:.1f} GB are free",
            next_step="Free some space, or set HF_HOME to a folder on a larger disk, then run the same command again.",
        )


def _mismatch(path: Path, entry: Any) -> str | None:
    if not path.is_file():
        return "did not arrive"
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        return f"has {size} bytes where the Hub has {entry.size}"
    expected = entry.lfs.sha256 if entry.lfs is not None else None
    if expected and _SHA256.fullmatch(expected):
        found = sha256_of(path)
        if found != expected:
            return f"has SHA-256 {found[:12]}... where the Hub has {expected[:12]}..."
    return None


def _explained(error: Exception, repo: str, revision: str | None, mend: str | None) -> OptimizeError:
    from huggingface_hub import errors

    page = f"https://huggingface.co/{repo}"
    at = f" at revision {revision}" if revision else ""
    again = mend or "the same command again"
    # A gated repository is also "not found" to the client's class tree, so it is asked for first.
    if isinstance(error, errors.GatedRepoError):
        return CheckpointError(
            f"{repo} is gated: its owners ask you to accept their terms first",
            next_step=f"Accept them on {page}, log in with: hf auth login, then run: {again}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return CheckpointError(
            f"{repo} has no revision {revision!r}", next_step=f"They are listed on {page}/commits/main"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return CheckpointError(
            f"{repo}{at} is not on the Hub, or is private", next_step=f"See {page}; a private one needs: hf auth login"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"the disk filled up while {repo} was fetched; what arrived is kept",
            next_step=run_line(mend, "goes on where it stopped, once there is room"),
        )
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"{repo!r} is not a Hub id: {error}")
    reason = (str(error).splitlines() or ["no message"])[0]
    return MissingPrerequisite(
        f"{repo}{at} could not be fetched: {type(error).__name__}: {reason}",
        next_step=f"Check the network and HF_HUB_OFFLINE, then run: {again} (what arrived is kept, not fetched twice)",
    )


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the client from drawing progress bars of its own."""
    from huggingface_hub import utils

    bars: Any = utils
    if bars.are_progress_bars_disabled():
        yield
        return
    bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()


class _Watch:
    """Report how much of a download is on disk, from the blobs' sizes, so that no client internals are needed."""

    def __init__(self, blobs: Path, total: int, progress: Progress | None) -> None:
        self._blobs, self._total, self._progress = blobs, total, progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> None:
        if self._progress is not None:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _poll(self) -> None:
        assert self._progress is not None
        while not self._stop.wait(0.2):
            try:
                done = sum(file.stat().st_size for file in self._blobs.iterdir())
            except OSError:
                # A file can be renamed between listing and stat; the next look sees it.
                continue
            self._progress(min(done, self._total), self._total)
