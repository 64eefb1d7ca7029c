"""The parent's side of rendering: a warm worker, the gates, a FLAC master, and one more try where that can help."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from optimizer import audio
from optimizer.errors import AttemptFailed, BadAudio, OptimizeError, RenderFailed, StorageFull
from optimizer.recipe import Recipe
from optimizer.rendering.base import Clip, EngineSpec
from optimizer.sandbox import tree
from optimizer.sandbox.mechanism import Mechanism, select
from optimizer.sandbox.policy import Limits
from optimizer.workers import Launch, Worker, python_launch

ROOM = 1 << 20
"""Bytes free below which a failed write is the disk's fault."""

CHECK_DEADLINE = 300.0


class Renderer:
    """Renders recipes one after the other in a confined child, and checks what comes out.

    Used by one thread at a time, though `cancel`, `kill` and `close` may come from any.

    Parameters
    ----------
    spec : EngineSpec
    scratch : Path
        An empty folder of this renderer's own, on a disk with room for a few songs.
    sandbox : str or Mechanism
        See `optimizer.sandbox.select`.
    log : Path, optional
        Where the child's output goes.
    recycle : int, optional
        Songs after which the child is replaced; None never does.
    keep_loaded : bool
        False starts a fresh child for every song.
    hidden : tuple of Path
        What the child must not read although it lies beneath a folder that it may read.

    Raises
    ------
    UsageError, SandboxUnavailable
        If the sandbox cannot be had.
    """

    def __init__(
        self,
        spec: EngineSpec,
        scratch: Path,
        *,
        sandbox: str | Mechanism = "auto",
        log: Path | None = None,
        recycle: int | None = None,
        keep_loaded: bool = True,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        self.spec = spec
        # The child writes to `box`; what it wrote is moved to `inbox` before anyone looks at it.
        self._box, self._inbox = scratch / "box", scratch / "inbox"
        for folder in (self._box, self._inbox):
            folder.mkdir(exist_ok=True)
        self._launch = _launch(spec, self._box, select(sandbox) if isinstance(sandbox, str) else sandbox, log, hidden)
        self._recycle = 1 if not keep_loaded else recycle
        self._worker: Worker | None = None
        self._songs = 0
        self._requests = 0
        self._loaded_once = False
        self._killed = False

    @property
    def info(self) -> dict[str, Any]:
        """What the engine's ``load`` returned; empty before `start`."""
        return {} if self._worker is None else self._worker.info

    @property
    def confined(self) -> dict[str, Any]:
        """What is in force around the child; empty before `start`."""
        return {} if self._worker is None else self._worker.confined

    @property
    def pid(self) -> int | None:
        """Process id of the child's supervisor, None while there is none."""
        return None if self._worker is None else self._worker.pid

    def start(self) -> dict[str, Any]:
        """Have a loaded child ready; return what its ``load`` said.

        Raises
        ------
        UsageError, MissingPrerequisite
            If the engine cannot be loaded at all: the run should end.
        RenderFailed
            If it could be before and now cannot.
        """
        if self._killed:
            raise self._cancelled()
        if self._worker is not None and self._worker.alive:
            return self._worker.info
        self._drop()
        with contextlib.suppress(FileNotFoundError):
            tree.clear(self._box)
        worker = self._worker = Worker(self._launch)
        self._songs = 0
        try:
            info = worker.start()
        except AttemptFailed:
            self._drop()
            raise
        except OptimizeError as error:
            self._drop()
            if self._killed:
                raise self._cancelled() from None
            if not self._loaded_once:
                raise
            raise RenderFailed(error.message, reason="crash", next_step=error.next_step) from error
        self._loaded_once = True
        return info

    def check(self, recipes: Sequence[Recipe]) -> list[str]:
        """Ask the engine what it cannot take of these recipes; loads it first.

        Raises
        ------
        UsageError, MissingPrerequisite
            As `start` does.
        RenderFailed
            If the child fails over the question.
        """
        self.start()
        assert self._worker is not None
        asked = {"recipes": [recipe.to_dict() for recipe in recipes]}
        problems = self._worker.call("check", asked, deadline=CHECK_DEADLINE)
        if not isinstance(problems, list):
            raise RenderFailed(f"{self._launch.name} answered check with {problems!r:.80}.", reason="protocol")
        return [str(problem) for problem in problems]

    def render(
        self,
        recipe: Recipe,
        out: Path,
        *,
        plan: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Clip:
        """Render one recipe to a checked master.

        A child that crashes is replaced and asked once more; so is one that failed in another way after earlier
        songs, since what it kept of them may be to blame.

        Parameters
        ----------
        recipe : Recipe
        out : Path
            Where the FLAC goes; replaced at once, never half-written.
        plan : str, optional
            Audio codes of an earlier render to replay.
        on_progress : callable, optional
            Told (step, steps).

        Returns
        -------
        Clip
            ``info`` holds what the engine returned, ``attempts``, and the ``sandbox`` it was confined by.

        Raises
        ------
        RenderFailed, BadAudio
            With an attribute ``attempts``.
        StorageFull
            If there is no room for the song.
        UsageError, MissingPrerequisite
            As `start` does.
        """
        attempts = 0
        while True:
            attempts += 1
            used = self._songs > 0 and self._worker is not None
            try:
                clip = self._attempt(recipe, out, plan, on_progress)
            except AttemptFailed as failure:
                self._drop()
                again = failure.reason == "crash" or used
                if attempts == 1 and again and failure.reason != "cancelled" and not self._killed:
                    continue
                failure.attempts = attempts  # type: ignore[attr-defined]
                raise
            self._songs += 1
            info = {**clip.info, "attempts": attempts, "sandbox": self.confined.get("mechanism")}
            # Only the engine can see what it holds on an accelerator; the supervisor bounds resident memory alone.
            if clip.info.get("recycle") or (self._recycle is not None and self._songs >= self._recycle):
                self._drop()
            return Clip(clip.path, clip.sha256, clip.sample_rate, clip.duration, info)

    def cancel(self, grace: float = 5.0) -> None:
        """Ask the song in flight to stop, and end the child if it has not within `grace` seconds."""
        worker = self._worker
        if worker is not None:
            worker.cancel(grace)

    def kill(self) -> None:
        """End the child at once, for good; a render in flight raises RenderFailed (``cancelled``)."""
        self._killed = True
        worker = self._worker
        if worker is not None:
            worker.kill()

    def close(self) -> None:
        """End the child; nothing of it is left."""
        self._drop()

    def _attempt(
        self, recipe: Recipe, out: Path, plan: str | None, on_progress: Callable[[int, int], None] | None
    ) -> Clip:
        self.start()
        worker = self._worker
        assert worker is not None
        self._requests += 1
        folder = self._box / f"request-{self._requests}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
        except FileExistsError:
            raise RenderFailed(f"{self._launch.name} sits on its next folder.", reason="protocol") from None
        except OSError as error:
            raise _storage(error, folder) from error
        # Held open: whatever the child puts in the folder's place, we look into the one we made.
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            asked = recipe.to_dict() | ({"plan": plan} if plan else {})
            info = worker.call(
                "render",
                {"recipe": asked, "out": str(folder / "song.wav")},
                deadline=self.spec.deadline,
                on_progress=on_progress,
            )
            if not isinstance(info, dict):
                raise RenderFailed(f"{self._launch.name} answered render with {info!r:.80}.", reason="protocol")
            return self._accept(place, recipe, out, info)
        except AttemptFailed as failure:
            # Asked while the folder still holds what filled the disk.
            self._require_room(failure)
            raise
        finally:
            os.close(place)
            shutil.rmtree(folder, ignore_errors=True)

    def _accept(self, place: int, recipe: Recipe, out: Path, info: dict[str, Any]) -> Clip:
        """Take the child's file away from it, check it, and store it as a master."""
        taken = self._inbox / "song"
        rate = self.info.get("sample_rate")
        try:
            try:
                # Moved, not opened: no link is followed, and the child cannot reach the inbox.
                os.rename("song.wav", taken, src_dir_fd=place)
                kind = os.lstat(taken)
            except FileNotFoundError:
                raise BadAudio(f"{self._launch.name} wrote no file.", reason="unreadable") from None
            if not stat.S_ISREG(kind.st_mode):
                raise BadAudio(f"{self._launch.name} wrote no regular file.", reason="unreadable")
            if kind.st_size > self._launch.policy.limits.file_size:
                raise BadAudio(f"{self._launch.name} wrote {kind.st_size} bytes.", reason="file-size")
            sound = audio.check(
                taken,
                expected_duration=recipe.duration,
                expected_rate=rate if isinstance(rate, int) else None,
                follow_links=False,
            )
            audio.write_flac(out, sound.samples, sound.rate)
            return Clip(out, audio.sha256_file(out), sound.rate, sound.seconds, info)
        except BadAudio as error:
            # The file's own place says nothing to the user; the recipe's does.
            error.message = error.message.replace(str(taken), self._launch.name)
            error.args = (error.message,)
            raise
        except OSError as error:
            raise _storage(error, out) from error
        finally:
            with contextlib.suppress(OSError):
                if taken.is_dir() and not taken.is_symlink():
                    shutil.rmtree(taken, ignore_errors=True)
                else:
                    taken.unlink()

    def _require_room(self, failure: AttemptFailed) -> None:
        """Blame the disk, not the engine, where there is no room left to write to."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._inbox).free < ROOM:
                raise StorageFull(
                    f"the disk of {self._inbox.parent} is full: {failure.message}",
                    next_step="Free some space, or point TMPDIR to a larger disk; then give the same command again.",
                )

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _cancelled(self) -> RenderFailed:
        return RenderFailed(f"{self._launch.name} was stopped on request.", reason="cancelled")


def _launch(spec: EngineSpec, box: Path, mechanism: Mechanism, log: Path | None, hidden: tuple[Path, ...]) -> Launch:
    return python_launch(
        f"renderer {spec.name!r}",
        spec.target,
        box,
        mechanism,
        config=spec.config,
        read_paths=spec.read_paths,
        hidden=hidden,
        device=spec.device,
        python=spec.python,
        environment=spec.environment,
        limits=Limits(memory=spec.memory_limit),
        log=log,
        load_deadline=spec.load_deadline,
    )


def _storage(error: OSError, path: Path) -> OptimizeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"no room to write {path}: {error.strerror}.",
            next_step="Free some space and give the same command again: every finished song is kept.",
        )
    return StorageFull(
        f"{path} cannot be written: {error.strerror}.", next_step="Mend the folder and give the same command again."
    )
