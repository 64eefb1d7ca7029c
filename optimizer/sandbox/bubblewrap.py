"""bubblewrap: a file system of the named paths only, in namespaces of its own; used where ``bwrap`` is installed."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from optimizer.sandbox.policy import Policy

INSTALL = "Install it (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap)."


def find() -> str | None:
    """Return the program's path, or None."""
    return shutil.which("bwrap")


@cache
def works() -> str | None:
    """Return None if bubblewrap can make its namespaces here, else what it says."""
    program = find()
    if program is None:
        return "bwrap is not on the PATH"
    command = [
        program,
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--",
        "/bin/true",
    ]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return done.stderr.decode(errors="replace").strip() or f"bwrap ended with status {done.returncode}"


def wrapper(policy: Policy, command: list[str]) -> list[str]:
    """Return the bubblewrap command that runs `command` under the policy."""
    program = find()
    assert program is not None
    made = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    # First, since scratch folders and a user's code may themselves lie beneath /tmp.
    made += ["--bind", str(policy.temporary), "/tmp"]
    bound = []
    for path in [*policy.read_paths(), *policy.data_paths()]:
        if path.is_relative_to("/proc"):
            continue
        if path.is_symlink() and path.parent == Path("/"):
            # /bin, /lib ... of a merged /usr.
            made += ["--symlink", str(path.readlink()), str(path)]
        else:
            made += ["--ro-bind-try", str(path), str(path)]
            bound.append(path)
    made += ["--proc", "/proc", "--dev", "/dev", "--size", str(64 << 20), "--tmpfs", "/dev/shm"]
    for node in policy.device_paths():
        if str(node) not in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
            made += ["--dev-bind-try", str(node), str(node)]
    wanted = set(bound)
    for path in policy.hidden_paths():
        if path.exists() and path not in wanted and wanted.intersection(path.parents):
            made += ["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", "/dev/null", str(path)]
            # What is named itself stays readable, although it lies within something hidden.
            for named in bound:
                if path in named.parents:
                    made += ["--ro-bind-try", str(named), str(named)]
    made += ["--bind", str(policy.scratch), str(policy.scratch)]
    return [*made, "--", *command]
