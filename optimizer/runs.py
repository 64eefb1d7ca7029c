"""The run directory: its names, its lock, its atomic writes, and the frozen identity of a run."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optimizer.errors import IncompatibleResume, RunLocked, StorageFull, StudyNotFound, UsageError, did_you_mean

IDENTITY_FILE = "run.toml"
STUDY_FILE = "study.db"
LOCK_FILE = "run.lock"
NAMED = 10
"""Runs that are named to somebody who asked for one that is not there."""


def slug(text: str) -> str:
    """Reduce a name to [a-z0-9-], so that it can be a folder and never leave it.

    Raises
    ------
    UsageError
        If nothing is left.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-")
    if not name:
        raise UsageError(f"study name {text!r} holds none of a-z and 0-9.", next_step="Give another with --study NAME.")
    return name


class RunDirectory:
    """One run's folder.

    Parameters
    ----------
    folder : Path
        Need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @classmethod
    def named(cls, runs_dir: Path, name: str) -> RunDirectory:
        """Return the folder of a study by name, whether or not it exists.

        Raises
        ------
        UsageError
            If the name is not a slug (it could otherwise leave `runs_dir`).
        """
        if name != slug(name):
            raise UsageError(
                f"study name {name!r} is not usable: it must be of a-z, 0-9 and '-'.",
                next_step=f"Use --study {slug(name)}.",
            )
        return cls(runs_dir / name)

    @property
    def name(self) -> str:
        """The study's name; read from the identity, because a folder may be renamed."""
        identity = self.read_identity() if self.exists() else {}
        return str(identity.get("study", self.folder.name))

    @property
    def songs(self) -> Path:
        """Masters, one FLAC file per song."""
        return self.folder / "songs"

    @property
    def plans(self) -> Path:
        """Audio codes of the language model, where the engine gives them."""
        return self.folder / "plans"

    @property
    def logs(self) -> Path:
        """What the children said."""
        return self.folder / "logs"

    @property
    def database(self) -> Path:
        """The Optuna study."""
        return self.folder / STUDY_FILE

    @property
    def embeddings(self) -> Path:
        """One row per song and encoder."""
        return self.folder / "embeddings.db"

    def song(self, number: int) -> Path:
        """Path of a trial's master."""
        return self.songs / f"{number:04d}.flac"

    def plan(self, number: int) -> Path:
        """Path of a trial's plan."""
        return self.plans / f"{number:04d}.txt"

    def relative(self, path: Path) -> str:
        """Spell a path inside the run as the study stores it, so that the folder can be moved."""
        return path.absolute().relative_to(self.folder).as_posix()

    def inside(self, stored: str) -> Path:
        """Resolve a stored relative path.

        Raises
        ------
        UsageError
            If it leaves the run folder; a study file from elsewhere must not reach other files.
        """
        path = (self.folder / stored).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise UsageError(f"the study at {self.folder} names the file {stored!r}, outside its own folder.")
        return self.folder / stored

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.folder / IDENTITY_FILE).is_file()

    def create(self) -> None:
        """Make the folder and its rooms."""
        for folder in (self.songs, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error, folder) from error

    def read_identity(self) -> dict[str, Any]:
        """Read ``run.toml``.

        Raises
        ------
        UsageError
            If it is not TOML.
        """
        path = self.folder / IDENTITY_FILE
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path} is damaged: {error}.", next_step="Restore it, or start again with --study NAME."
            ) from error

    def write_identity(self, identity: Mapping[str, Any]) -> None:
        """Write ``run.toml``, once."""
        import tomli_w

        write_atomic(self.folder / IDENTITY_FILE, tomli_w.dumps(dict(identity)).encode())

    def check_identity(self, asked: Mapping[str, Any]) -> None:
        """Compare what was asked with the frozen identity.

        Parameters
        ----------
        asked : mapping
            Tables as in ``run.toml``; what is left out was not asked for and cannot differ.

        Raises
        ------
        IncompatibleResume
            Naming every field that differs, with both values.
        """
        differences = list(_differences(self.read_identity(), asked))
        if not differences:
            return
        shown = "\n".join(
            f"  {name}: the run has {_show(frozen)}, asked is {_show(value)}" for name, frozen, value in differences
        )
        raise IncompatibleResume(
            f"run {self.folder.name!r} was started with other settings:\n{shown}",
            next_step="Leave the option out to go on with the run's own value, or start another run with --study NAME.",
        )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises
        ------
        RunLocked
            If another process holds it. The lock goes with its process, however that ends.
        """
        import fcntl

        path = self.folder / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                    raise
                holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
                raise RunLocked(
                    f"run {self.folder.name!r} is being written by process {holder}.",
                    next_step=f"Wait for it, stop it (kill {holder}), or use another run with --study NAME.",
                ) from error
            os.ftruncate(descriptor, 0)
            # A full disk must not keep a run from being continued, and the number is only there to be shown.
            with contextlib.suppress(OSError):
                os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)


def find_run(runs_dir: Path, study: str) -> RunDirectory:
    """Find an existing run by name, or by the path of its folder.

    Raises
    ------
    StudyNotFound
        Naming the closest run there is.
    """
    given = Path(study)
    if os.sep in study and RunDirectory(given).exists():
        return RunDirectory(given)
    if os.sep not in study and study not in (".", "..") and RunDirectory(runs_dir / study).exists():
        return RunDirectory(runs_dir / study)
    names = [run.folder.name for run in list_runs(runs_dir)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    there = f" There are: {', '.join(names[:NAMED])}{more}." if names else ""
    raise StudyNotFound(
        f"there is no study {study!r} in {runs_dir}.{did_you_mean(study, names)}{there}",
        next_step=f"For the run in the folder {study!r} here, say {os.curdir}{os.sep}{study}."
        if os.sep not in study and RunDirectory(given).exists()
        else "List them with `optimize studies`, or say where they are with --runs-dir.",
    )


def list_runs(runs_dir: Path) -> list[RunDirectory]:
    """Return every run below a folder, by name."""
    if not runs_dir.is_dir():
        return []
    found = (RunDirectory(folder) for folder in sorted(runs_dir.iterdir()) if folder.is_dir())
    return [run for run in found if run.exists()]


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or not there, even after a power cut.

    Raises
    ------
    StorageFull
        If the disk is full; nothing of the new file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise storage_error(error, path) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError, path: Path) -> Exception:
    """Turn what the system said about a path into an error with a next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"the disk is full: {path} could not be written.",
            next_step="Free some space and run the same command again; every finished song is kept.",
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EEXIST):
        return UsageError(
            f"{path} cannot be written: {error.strerror}.",
            next_step="Give another folder with --runs-dir, or mend its permissions.",
        )
    return error


def _differences(frozen: Any, asked: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(asked, Mapping) and isinstance(frozen, Mapping):
        for key, value in asked.items():
            yield from _differences(frozen.get(key), value, f"{name}.{key}" if name else key)
    elif frozen != asked:
        yield name, frozen, asked


def _show(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 48 else f"{text[:45]}..."
