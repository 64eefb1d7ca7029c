"""Find a model on this machine, in a folder or in the Hugging Face cache; never touches the network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optimizer.checkpoints.files import files_of, verify
from optimizer.checkpoints.fingerprint import weights_hash
from optimizer.errors import CheckpointError, MissingPrerequisite

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's files on this machine.

    Attributes
    ----------
    name : str
        The Hub id, or the folder's own name for a local one (never a machine path: it goes into a run's identity).
    folder : Path
        Where the files are.
    commit : str or None
        The Hub commit they were taken from; None for a local folder.
    """

    name: str
    folder: Path
    commit: str | None = None

    @property
    def revision(self) -> str:
        """The commit of a Hub snapshot, or ``sha256:`` and 16 digits of a local folder's content."""
        return self.commit or f"sha256:{weights_hash(self.folder)[:16]}"

    @property
    def read_paths(self) -> tuple[Path, ...]:
        """What a sandboxed reader must see: the folder, and where its links lead (the cache keeps files elsewhere)."""
        folder = self.folder.resolve()
        paths = {self.folder.absolute(): None, folder: None}
        for file in files_of(self.folder):
            target = file.resolve()
            if not target.is_relative_to(folder):
                paths[target.parent] = None
        return tuple(paths)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in files_of(self.folder))


def is_hub_id(name: str) -> bool:
    """Tell whether `name` is written like ``owner/model`` and is not a folder here."""
    return bool(_HUB_ID.fullmatch(name)) and not Path(name).expanduser().exists()


def local_or_snapshot(
    name: str,
    revision: str | None = None,
    *,
    files: Sequence[str] = (),
    mend: str | None = None,
) -> Checkpoint:
    """Find a model on this machine and check its files; never touches the network.

    Parameters
    ----------
    name : str
        A folder, or a Hub id ``owner/model``; ``owner/model@revision`` names the revision too.
    revision : str, optional
        Commit, tag or branch of a Hub id.
    files : sequence of str
        Patterns of which each must match a file, such as ``"vae/*.safetensors"``.
    mend : str, optional
        The command that fetches the model, named in the errors.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If the files are absent, half-downloaded, truncated or not weights at all.
    """
    if not is_hub_id(name.partition("@")[0]) or Path(name).expanduser().exists():
        folder = Path(name).expanduser()
        if not folder.is_dir():
            what = "a file, not a folder" if folder.exists() else "not there"
            raise CheckpointError(
                f"model folder {name!r} is {what}: it must be a folder with the model's files, or owner/model",
                next_step=run_line(mend),
            )
        checkpoint = Checkpoint(folder.resolve().name, folder.absolute())
    else:
        hub_id, _, pinned = name.partition("@")
        checkpoint = _cached(hub_id, pinned or revision, mend)
    problems = verify(checkpoint.folder, files)
    if problems:
        # The first few lines name the cause; hundreds of missing shards help nobody.
        shown = "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if len(problems) > 4 else "")
        raise CheckpointError(
            f"model {name!r} is not complete in {checkpoint.folder}: {shown}", next_step=run_line(mend)
        )
    return checkpoint


def _cached(repo: str, revision: str | None, mend: str | None) -> Checkpoint:
    """Look a snapshot up in the Hugging Face cache: ``refs/`` names commits, ``snapshots/`` has a folder for each."""
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise MissingPrerequisite(
            "the package huggingface_hub is not installed", next_step="Run: pip install huggingface_hub"
        ) from error
    cache = Path(constants.HF_HUB_CACHE)
    store = cache / f"models--{repo.replace('/', '--')}"
    commit = revision or "main"
    reference = store / "refs" / commit
    if reference.is_file():
        commit = reference.read_text(encoding="utf-8").strip()
    elif revision is None:
        # A download pinned to a commit leaves no reference behind; a single snapshot is unambiguous all the same.
        held = sorted(folder.name for folder in (store / "snapshots").glob("*"))
        if len(held) > 1:
            raise CheckpointError(
                f"the cache holds {len(held)} revisions of {repo}: {', '.join(held)}",
                next_step=f"Name one: {repo}@{held[0]}",
            )
        commit = held[0] if held else commit
    folder = store / "snapshots" / commit
    if not folder.is_dir():
        wanted = f"{repo} at {revision}" if revision else repo
        half = list((store / "blobs").glob("*.incomplete"))
        state = f"only half-downloaded ({len(half)} file(s) unfinished)" if half else "not on this machine"
        raise CheckpointError(f"model {wanted} is {state}; looked in {cache}", next_step=run_line(mend))
    return Checkpoint(repo, folder, commit)


def run_line(mend: str | None, why: str = "") -> str | None:
    """Phrase the command that mends a missing model, as the errors show it."""
    return None if mend is None else f"Run: {mend}" + (f" ({why})" if why else "")
