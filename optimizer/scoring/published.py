"""Published heads: where each is kept on this machine, and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from optimizer.errors import CheckpointError, MissingPrerequisite


@dataclass(frozen=True, slots=True)
class Published:
    """A head that others publish.

    Attributes
    ----------
    name : str
        The scorer, and the argument of ``optimize setup``.
    file : str
        Name of its file.
    repo : str or None
        Hub repository that holds it.
    url : str or None
        Address of the file, where it is on no Hub repository.
    licence : str
    """

    name: str
    file: str
    repo: str | None = None
    url: str | None = None
    licence: str = ""


def heads_folder() -> Path:
    """Return the folder where fetched heads are kept."""
    return platformdirs.user_data_path("banger-optimizer") / "heads"


def kept(head: Published) -> Path:
    """Return where ``optimize setup`` keeps a head."""
    return heads_folder() / head.name / head.file


def find_head(head: Published, given: object = None) -> Path:
    """Return a head's file.

    Parameters
    ----------
    head : Published
    given : path, optional
        What the user named; otherwise the user's data folder and the Hugging Face cache are looked through.

    Raises
    ------
    CheckpointError
        If it is not there.
    """
    step = f"Fetch it with: optimize setup {head.name}; or name its file: --head FILE"
    if given is not None:
        path = Path(str(given)).expanduser().absolute()
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not there"
            raise CheckpointError(f"head file {str(given)!r} of {head.name} is {what}.", next_step=step)
        return path
    if kept(head).is_file():
        return kept(head)
    cached = _cached(head)
    if cached is None:
        raise CheckpointError(f"the {head.name} head ({head.file}) is not on this machine.", next_step=step)
    return cached


def head_revision(path: Path) -> str:
    """Return ``sha256:`` and the first 16 digits of a head file's hash."""
    try:
        return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    except OSError as error:
        raise CheckpointError(f"head {path} cannot be read: {error.strerror}.") from error


def _cached(head: Published) -> Path | None:
    if head.repo is None:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise MissingPrerequisite(
            "the package huggingface_hub is not installed.", next_step="Run: pip install huggingface_hub"
        ) from error
    found = try_to_load_from_cache(head.repo, head.file)
    return Path(found) if isinstance(found, str) else None
