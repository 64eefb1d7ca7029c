"""The whole error tree: each class carries its exit code, each message the value, the legal form and the next step.

::

    OptimizeError (1)
    ├── UsageError (2)
    │   ├── SpaceError               a search space file that cannot be used
    │   ├── RecipeError              a recipe field outside its range
    │   ├── IncompatibleResume       the run was started with other settings
    │   ├── RunLocked                another process is writing this run
    │   └── StudyNotFound            no such run
    ├── MissingPrerequisite (3)      a package, model or mechanism is not there
    │   ├── SandboxUnavailable       the asked confinement cannot be had
    │   └── CheckpointError          a model's files are absent, gated, truncated or of another shape
    ├── TargetNotReached (4)         too many trials failed
    │   └── NoSongs (5)              not one song
    ├── StorageFull (4)              the disk filled up; what was finished is kept
    ├── Interrupted (130)            stopped by the user
    └── AttemptFailed (1)            one attempt at one song; the loop records it and goes on
        ├── RenderFailed             the engine crashed, hung, broke a limit or the protocol
        ├── BadAudio                 what it wrote is not a usable clip
        └── ScoreFailed              the listener could not judge the clip
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class OptimizeError(Exception):
    """Base of every error the program raises on purpose.

    Parameters
    ----------
    message : str
        The value, and the legal form.
    next_step : str, optional
        What the user can do about it, usually a command.
    """

    exit_code = 1

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        # By default pickle calls the class with the message alone, and a pool of processes dies of `reason` missing.
        return (type(self).__new__, (type(self), *self.args), self.__dict__)

    def __str__(self) -> str:
        return self.message if self.next_step is None else f"{self.message}\n{self.next_step}"


class UsageError(OptimizeError):
    """The command line, a file or a value is not usable as given."""

    exit_code = 2


class SpaceError(UsageError):
    """A search space file is not usable; names file, key, value and the legal form."""


class RecipeError(UsageError):
    """A recipe field lies outside its range."""


class IncompatibleResume(UsageError):
    """A run is continued with settings other than those it was started with."""


class RunLocked(UsageError):
    """Another process writes to the run, or to the folder of a result."""


class StudyNotFound(UsageError):
    """There is no run of that name."""


class MissingPrerequisite(OptimizeError):
    """A package, a model or a mechanism of the system is not there."""

    exit_code = 3


class SandboxUnavailable(MissingPrerequisite):
    """The confinement that was asked for cannot be had on this machine."""


class CheckpointError(MissingPrerequisite):
    """A model's files are absent, gated, half-downloaded, or do not fit the architecture."""


class TargetNotReached(OptimizeError):
    """Too many trials failed to reach the number of songs that was asked for."""

    exit_code = 4


class NoSongs(TargetNotReached):
    """Not a single song came out."""

    exit_code = 5


class StorageFull(OptimizeError):
    """The disk is full; every finished song is kept and the run can be continued."""

    exit_code = 4


class Interrupted(OptimizeError):
    """The user stopped the run."""

    exit_code = 130


class AttemptFailed(OptimizeError):
    """One attempt at one song failed; never the end of a run.

    Parameters
    ----------
    reason : str
        A short stable word for tables and tests: ``crash``, ``hang``, ``protocol``, ``memory``,
        ``processes``, ``file-size``, ``silence``, ``nan``, ``duration``, ``sample-rate``,
        ``unreadable``, ``clipped``, ``engine``, ``scorer``.
    """

    def __init__(self, message: str, *, reason: str, next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.reason = reason


class RenderFailed(AttemptFailed):
    """The engine crashed, hung, broke a limit or the protocol."""


class BadAudio(AttemptFailed):
    """The file is not a usable clip."""


class ScoreFailed(AttemptFailed):
    """The listener could not judge the clip."""


def did_you_mean(value: str, legal: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest legal word, or an empty string."""
    close = difflib.get_close_matches(value, list(legal), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
