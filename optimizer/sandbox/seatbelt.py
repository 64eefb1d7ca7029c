"""Seatbelt: the profile for macOS's ``sandbox-exec``. Written from its documented language; it was not run."""

from __future__ import annotations

from pathlib import Path

from optimizer.sandbox.policy import Policy

PROGRAM = "/usr/bin/sandbox-exec"

_SYSTEM = (
    "/System",
    "/usr",
    "/bin",
    "/sbin",
    "/Library",
    "/opt/homebrew",
    "/private/var/db/dyld",
    "/private/etc/localtime",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/dtracehelper")


def profile(policy: Policy) -> str:
    """Write the policy in Seatbelt's language; later rules win over earlier ones."""
    read = [*map(Path, _SYSTEM), *policy.read]
    lines = [
        "(version 1)",
        "(deny default)",
        "(deny network*)",
        "(allow process-fork)",
        "(allow signal (target same-sandbox))",
        "(allow sysctl-read)",
        "(allow mach-lookup",
        '    (global-name "com.apple.system.opendirectoryd.libinfo")',
        '    (global-name "com.apple.system.logger")',
        '    (global-name "com.apple.MTLCompilerService")',
        '    (global-name "com.apple.gpumemd.source"))',
        "(allow ipc-posix-shm ipc-posix-sem)",
        "(allow file-read-metadata)",
        *_rule("allow process-exec", read),
        *_rule("allow file-read* file-map-executable", read),
        *_rule("allow file-read* file-write* file-ioctl", [Path(name) for name in _DEVICES], "literal"),
    ]
    if policy.device == "mps":
        lines += [
            "(allow iokit-open)",
            "(allow iokit-get-properties)",
            "(allow user-preference-read)",
        ]
    hidden = policy.hidden_paths()
    if hidden:
        lines += _rule("deny file-read*", hidden)
        # What is named itself stays readable, although it lies within something hidden.
        inside = [path for path in policy.read if any(place in path.parents for place in hidden)]
        lines += _rule("allow file-read*", inside) if inside else []
    lines += _rule("allow file-read* file-write*", [policy.scratch])
    return "\n".join(lines) + "\n"


def wrapper(policy: Policy, command: list[str]) -> list[str]:
    """Return the command that runs `command` under the policy."""
    return [PROGRAM, "-p", profile(policy), *command]


def _rule(head: str, paths: list[Path], kind: str = "subpath") -> list[str]:
    names = dict.fromkeys(form for path in paths for form in (str(path), str(path.resolve())))
    lines = [f"({head}", *(f"    ({kind} {_quoted(name)})" for name in names)]
    lines[-1] += ")"
    return lines


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
