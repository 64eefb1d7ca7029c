"""What a hostile engine would try: each attempt is really made, inside the confinement, and says what came of it.

`probe` and the tests run this class in a child; it stands alone like any engine of a user's own.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Attempts:
    """Tries everything at loading; ``load`` returns {attempt: None if it was refused, else what was got}."""

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Make every attempt.

        Parameters
        ----------
        config : dict
            ``secret`` and ``outside`` (a file and a folder that are not the child's), ``variable`` (a name),
            ``tcp``, ``udp`` (ports on the loopback), ``tcp6`` (likewise, or None), ``unix`` (a socket's path),
            ``abstract`` (a socket's name), ``parent`` (a process id).
        """
        outside, parent = Path(config["outside"]), int(config["parent"])
        attempts: dict[str, Callable[[], object]] = {
            "read a file outside": lambda: Path(config["secret"]).read_text(),
            "list a folder outside": lambda: os.listdir(outside),  # noqa: PTH208
            "write a file outside": lambda: (outside / "written").write_text("x"),
            "remove a file outside": lambda: os.unlink(config["secret"]),  # noqa: PTH108
            "link to a file outside": lambda: _linked(config["secret"]),
            "read a token variable": lambda: os.environ[config["variable"]],
            "read the parent's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
            "read the parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb").close(),
            "connect by TCP": lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", config["tcp"])),
            "connect by TCP over IPv6": lambda: _connect(socket.AF_INET6, socket.SOCK_STREAM, ("::1", config["tcp6"])),
            "send by UDP": lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", config["udp"])),
            "send by UDP over IPv6": lambda: _connect(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", config["udp"])),
            "listen on a port": lambda: _listen(),
            "connect to a Unix socket": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, config["unix"]),
            "connect to an abstract socket": lambda: _connect(
                socket.AF_UNIX, socket.SOCK_STREAM, "\0" + config["abstract"]
            ),
            "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
            "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
            "signal the parent": lambda: os.kill(parent, 0),
            "trace the parent": lambda: _trace(parent),
            "make a device node": lambda: os.mknod("node", 0o60600, os.makedev(8, 0)),
            "become another user": lambda: _setuid(),
            "make a namespace": lambda: _called("unshare", 0x10000000),
        }
        return {name: _outcome(attempt) for name, attempt in attempts.items()}

    def render(self, recipe: dict[str, Any], out: Path) -> dict[str, Any]:
        """Nothing is rendered."""
        raise NotImplementedError("this class only tries to break out")


def _outcome(attempt: Callable[[], object]) -> str | None:
    try:
        got = attempt()
    except (OSError, KeyError, OverflowError, ValueError, TypeError):
        return None
    return repr(got)[:200]


def _connect(family: int, kind: int, address: Any) -> str:
    with socket.socket(family, kind) as opened:
        opened.settimeout(2.0)
        opened.connect(address)
        opened.send(b"x")
    return "sent"


def _listen() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.bind(("0.0.0.0", 0))
        opened.listen()
    return "listening"


def _linked(secret: str) -> str:
    link = Path("link")
    link.unlink(missing_ok=True)
    link.hardlink_to(secret)
    return link.read_text()


def _trace(pid: int) -> str:
    # PTRACE_SEIZE: where it succeeds, it does not stop the parent as attaching would.
    return _called("ptrace", 0x4206, pid, None, None)


def _called(name: str, *arguments: Any) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    function = getattr(libc, name)
    function.restype = ctypes.c_long
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "done"


def _setuid() -> str:
    # Root without capabilities cannot; an ordinary user never could.
    os.setuid(os.getuid() + 1)
    return "done"
