"""Landlock: this process and all it starts may reach only the named paths, no TCP port and no one else's signals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from landlockpy import AccessFS, Ruleset, Scope, abi_version

_FILE = AccessFS.EXECUTE | AccessFS.WRITE_FILE | AccessFS.READ_FILE | AccessFS.TRUNCATE | AccessFS.IOCTL_DEV
"""Rights that a rule on a file, not a folder, may hold."""

_READ = AccessFS.EXECUTE | AccessFS.READ_FILE | AccessFS.READ_DIR
_DATA = AccessFS.READ_FILE | AccessFS.READ_DIR
_DEVICE = AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.WRITE_FILE | AccessFS.TRUNCATE | AccessFS.IOCTL_DEV
# No device nodes and no sockets, and nothing written there may be executed.
_WRITE = (
    _DATA
    | AccessFS.WRITE_FILE
    | AccessFS.REMOVE_DIR
    | AccessFS.REMOVE_FILE
    | AccessFS.MAKE_DIR
    | AccessFS.MAKE_REG
    | AccessFS.MAKE_FIFO
    | AccessFS.MAKE_SYM
    | AccessFS.REFER
    | AccessFS.TRUNCATE
)


def version() -> int:
    """Landlock ABI of the running kernel, 0 where there is none."""
    return abi_version()


def apply(
    read: Sequence[str], data: Sequence[str], write: Sequence[str], devices: Sequence[str], hidden: Sequence[str]
) -> int:
    """Confine this process for good.

    Parameters
    ----------
    read : sequence of str
        Paths that may be read and executed, with all beneath them.
    data : sequence of str
        Paths that may be read.
    write : sequence of str
        Folders in which everything may be done but executing.
    devices : sequence of str
        Device nodes, or folders of them.
    hidden : sequence of str
        Paths whose files stay unreadable although they lie beneath a path of `read` or `data`; their names do not.

    Returns
    -------
    int
        The ABI version that is in force: 4 and above refuse TCP, 6 and above keep signals and abstract Unix sockets
        within the confined processes.

    Raises
    ------
    OSError
        If the kernel refuses.
    """
    concealed = [Path(path) for path in hidden]
    with Ruleset(scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL) as rules:
        for paths, rights in ((read, _READ), (data, _DATA)):
            for path in paths:
                _grant(rules, Path(path), rights, concealed)
        for path in write:
            _allow(rules, Path(path), _WRITE)
        for path in devices:
            _allow(rules, Path(path), _DEVICE)
        rules.restrict()
        return int(rules.abi_version)


def _grant(rules: Ruleset, path: Path, rights: AccessFS, hidden: list[Path]) -> None:
    if not any(path in place.parents for place in hidden):
        _allow(rules, path, rights)
        return
    # Rules only ever add, and hold for all beneath: what shall stay hidden must be gone around.
    _allow(rules, path, AccessFS.READ_DIR)
    try:
        entries = list(os.scandir(path))
    except OSError:
        return
    for entry in entries:
        child = Path(entry.path)
        if child not in hidden and not entry.is_symlink():
            _grant(rules, child, rights, hidden)


def _allow(rules: Ruleset, path: Path, rights: AccessFS) -> None:
    try:
        rules.allow_path(path, rights if path.is_dir() else rights & _FILE)
    except FileNotFoundError:
        # Gone since it was listed, or never there: nothing to grant.
        return
