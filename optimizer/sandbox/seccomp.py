"""A seccomp filter: no sockets of any family, no way to trace, mount or make namespaces.

Landlock stops TCP only (UDP from ABI 10), and connecting to a Unix socket's path only from ABI 9; a network namespace
does not stop the latter at all. Refusing socket(2) stops every family on every kernel.

References
----------
.. [1] linux/Documentation/userspace-api/seccomp_filter.rst; syscall numbers from the kernel's unistd tables.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable
from typing import NamedTuple

from optimizer.sandbox.libc import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, prctl

_LOAD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_ABOVE = 0x35
_JUMP_ANY = 0x45
_RETURN = 0x06

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000

_NUMBER = 0
_ARCHITECTURE = 4
_FIRST_ARGUMENT = 16

_AF_UNIX = 1
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080
"""All CLONE_NEW* flags that clone(2) takes."""

_SECCOMP_MODE_FILTER = 2


class _Machine(NamedTuple):
    architecture: int
    column: int


_MACHINES = {"x86_64": _Machine(0xC000003E, 0), "aarch64": _Machine(0xC00000B7, 1), "arm64": _Machine(0xC00000B7, 1)}

# name: (x86-64, aarch64)
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "iopl": (172, None),
    "ioperm": (173, None),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "clock_settime": (227, 112),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
}
# A library asks for these and does without: clone3 hides its flags behind a pointer, io_uring can open sockets.
_MISSING: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_SHARED_MEMORY: dict[str, tuple[int | None, int | None]] = {
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
}
_SIGNALS: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
_GROUPS: dict[str, tuple[int | None, int | None]] = {"setsid": (112, 157), "setpgid": (109, 154)}
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_CLONE = (56, 220)
_TGKILL = (234, 131)


def supported() -> bool:
    """Tell whether the filter is written for this machine and the kernel takes filters."""
    if platform.machine() not in _MACHINES:
        return False
    try:
        # A null program is refused with EFAULT where filters exist, with EINVAL where they do not.
        prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, 0)
    except OSError as error:
        return error.errno == errno.EFAULT
    return True


def program(
    machine: str, *, own_signals_only: int | None = None, own_group_only: bool = False, shared_memory: bool = True
) -> bytes:
    """Assemble the filter.

    Parameters
    ----------
    machine : str
        As `platform.machine` says it.
    own_signals_only : int, optional
        A process id; signals may then go to threads of that process only. For kernels on which neither a process
        namespace nor Landlock keeps a child from signalling its supervisor.
    own_group_only : bool
        True refuses leaving the process group, by which a supervisor without a process namespace ends everything.
    shared_memory : bool
        False refuses System V shared memory, which outlives its process where there is no namespace for it.

    Returns
    -------
    bytes
        An array of ``struct sock_filter``.
    """
    architecture, column = _MACHINES[machine]
    refuse = _ERRNO | errno.EPERM
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_JUMP_EQUAL, architecture, 1, 0),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        code += [_instruction(_JUMP_ABOVE, _X32, 0, 1), _instruction(_RETURN, refuse)]
    refused = [numbers[column] for numbers in _REFUSED.values()]
    if not shared_memory:
        refused += [numbers[column] for numbers in _SHARED_MEMORY.values()]
    if own_group_only:
        refused += [numbers[column] for numbers in _GROUPS.values()]
    if own_signals_only is not None:
        refused += [numbers[column] for numbers in _SIGNALS.values()]
    code += _each(refused, refuse)
    code += _each([numbers[column] for numbers in _MISSING.values()], _ERRNO | errno.ENOSYS)
    code += _each([_SOCKET[column]], _ERRNO | errno.EACCES)
    code += _when(_SOCKETPAIR[column], _JUMP_EQUAL, _AF_UNIX, _ALLOW, _ERRNO | errno.EACCES)
    code += _when(_CLONE[column], _JUMP_ANY, _NEW_NAMESPACES, refuse, _ALLOW)
    if own_signals_only is not None:
        code += _when(_TGKILL[column], _JUMP_EQUAL, own_signals_only, _ALLOW, refuse)
    code.append(_instruction(_RETURN, _ALLOW))
    return b"".join(code)


def install(*, own_signals_only: int | None = None, own_group_only: bool = False, shared_memory: bool = True) -> None:
    """Put the filter on this thread and what it starts, for good; raises OSError. See `program`."""
    code = program(
        platform.machine(),
        own_signals_only=own_signals_only,
        own_group_only=own_group_only,
        shared_memory=shared_memory,
    )

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(Program(len(code) // 8, code)))


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _each(numbers: Iterable[int | None], verdict: int) -> list[bytes]:
    code = []
    for number in numbers:
        if number is not None:
            code += [_instruction(_JUMP_EQUAL, number, 0, 1), _instruction(_RETURN, verdict)]
    return code


def _when(number: int, test: int, value: int, if_true: int, if_false: int) -> list[bytes]:
    """For one system call, decide by the low half of its first argument."""
    return [
        _instruction(_JUMP_EQUAL, number, 0, 4),
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(test, value, 0, 1),
        _instruction(_RETURN, if_true),
        _instruction(_RETURN, if_false),
    ]
