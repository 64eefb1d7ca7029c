"""What went wrong with a child, in words: its end, its exceptions and its silence become our errors."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Mapping
from typing import Any

from optimizer.errors import MissingPrerequisite, OptimizeError, RenderFailed, SandboxUnavailable, UsageError
from optimizer.workers.launch import Launch

_LONGEST = 2000
"""Characters of a child's message that are passed on."""


def failed(launch: Launch, what: str, reason: str) -> RenderFailed:
    """Return the failure of one request."""
    return RenderFailed(f"{launch.name} {what}", reason=reason)


def of_end(launch: Launch, end: Mapping[str, Any], last_words: str) -> RenderFailed:
    """Explain the supervisor's last report.

    Parameters
    ----------
    launch : Launch
    end : mapping
        ``{"end": "limit", "reason", "value", "limit"}`` or ``{"end": "exit", "code"}``.
    last_words : str
        What the child wrote last.
    """
    if end["end"] == "limit":
        return failed(launch, _over(end), str(end["reason"]))
    code = int(end.get("code", 1))
    if code == 128 + signal.SIGXFSZ:
        return failed(launch, f"wrote a file of more than {launch.policy.limits.file_size} bytes.", "file-size")
    how = f"ended with status {code}"
    if code > 128:
        with contextlib.suppress(ValueError):
            how = f"was ended by {signal.Signals(code - 128).name}"
    return failed(launch, f"{how}.{last_words}", "crash")


def of_reply(launch: Launch, reply: Mapping[str, Any]) -> RenderFailed:
    """Turn an exception in the child into ours; its class may name a reason itself."""
    kind, text, number = str(reply.get("kind"))[:80], _text(reply), reply.get("errno")
    reason = reply.get("reason")
    if not isinstance(reason, str) or not reason:
        reason = "engine"
        if number == errno.EFBIG:
            reason = "file-size"
        elif (number == errno.EAGAIN and kind == "BlockingIOError") or "can't start new thread" in text:
            reason = "processes"
        elif kind == "MemoryError" or "OutOfMemory" in kind:
            reason = "memory"
    return failed(launch, f"raised {kind}: {text}", reason[:40])


def of_loading(launch: Launch, reply: Mapping[str, Any]) -> OptimizeError:
    """Say why the class could not be found, imported or loaded: what the user can mend, or what is missing."""
    name, kind, text, next_step = launch.name, str(reply.get("kind"))[:80], _text(reply), reply.get("next_step")
    if reply.get("exit_code") in (UsageError.exit_code, MissingPrerequisite.exit_code):
        error = UsageError if reply["exit_code"] == UsageError.exit_code else MissingPrerequisite
        return error(f"{name}: {text}", next_step=str(next_step) if next_step else None)
    own, missing = launch.target.rpartition(":")[0].split(".")[0], reply.get("module")
    if kind == "ModuleNotFoundError" and isinstance(missing, str) and missing.split(".")[0] != own:
        package = missing.split(".")[0]
        return MissingPrerequisite(
            f"{name} needs the package {package!r}, which {launch.python} does not have.",
            next_step=f"Install it there: {launch.python} -m pip install {package}",
        )
    if reply.get("stage") == "import":
        return UsageError(
            f"{name}: {launch.target!r} cannot be imported: {kind}: {text}",
            next_step=f"Mend it, or correct its name. {see_log(launch)}",
        )
    return MissingPrerequisite(f"{name} could not be loaded: {kind}: {text}", next_step=see_log(launch))


def of_confinement(launch: Launch, why: str) -> SandboxUnavailable:
    """Say that the child was not started, because it could not be confined."""
    return SandboxUnavailable(
        f"the sandbox {launch.mechanism.name!r} could not be set up: {why.strip()}",
        next_step="Run `optimize doctor` for what works here, or choose another with --sandbox.",
    )


def see_log(launch: Launch) -> str:
    """Tell the user where to look."""
    place = f"See {launch.log} for what it said; " if launch.log is not None else ""
    return f"{place}`optimize doctor` tells what works here."


def last_words(launch: Launch, start: int) -> str:
    """Return the last line, or the fatal one, of what was written to the log from `start` on."""
    if launch.log is None:
        return ""
    try:
        with launch.log.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - 4 * _LONGEST))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    return f" It said: {(fatal or lines)[-1][:300]}" if lines else ""


def _text(reply: Mapping[str, Any]) -> str:
    return str(reply.get("message") or reply.get("error"))[:_LONGEST]


def _over(end: Mapping[str, Any]) -> str:
    value, limit = end.get("value"), int(end["limit"])
    if end["reason"] == "memory":
        taken = f"{int(value) / 2**20:.0f} MiB of memory" if value else "too much memory"
        return f"took {taken}; {limit / 2**20:.0f} MiB are allowed."
    if end["reason"] == "processes":
        return f"started {value or 'too many'} processes and threads; {limit} are allowed."
    return f"filled its scratch folder beyond {limit / 2**20:.0f} MiB."
