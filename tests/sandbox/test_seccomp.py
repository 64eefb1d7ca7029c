"""The seccomp filter, run by a small machine of its kind: what each system call gets, on both processors."""

from __future__ import annotations

import errno
import struct

import pytest

from optimizer.sandbox import seccomp

ALLOW = 0x7FFF0000
KILL = 0x80000000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {
    "x86_64": {
        "read": 0, "openat": 257, "mmap": 9, "clone": 56, "fork": 57, "execve": 59, "kill": 62, "tgkill": 234,
        "futex": 202,
        "socket": 41, "connect": 42, "socketpair": 53, "ptrace": 101, "mount": 165, "unshare": 272, "clone3": 435,
        "io_uring_setup": 425, "bpf": 321, "setsid": 112, "shmget": 29, "memfd_create": 319, "process_vm_readv": 310,
    },
    "aarch64": {
        "read": 63, "openat": 56, "mmap": 222, "clone": 220, "execve": 221, "kill": 129, "tgkill": 131, "futex": 98,
        "socket": 198, "connect": 203, "socketpair": 199, "ptrace": 117, "mount": 40, "unshare": 97, "clone3": 435,
        "io_uring_setup": 425, "bpf": 280, "setsid": 157, "shmget": 194, "memfd_create": 279, "process_vm_readv": 270,
    },
}  # fmt: skip


def run(code, machine, number, argument=0, architecture=None):
    """Carry out a filter as the kernel does; return its verdict."""
    data = struct.pack("=IIQQ", number, architecture or ARCHITECTURE[machine], 0, argument)
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return value
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            at += if_true if tests[operation] else if_false


def refused(number):
    return 0x00050000 | number


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_call_gets_its_verdict(machine):
    code, numbers = seccomp.program(machine), NUMBERS[machine]
    for name in ("read", "openat", "mmap", "execve", "futex", "kill", "tgkill", "setsid", "shmget", "memfd_create"):
        assert run(code, machine, numbers[name]) == ALLOW, name
    for name in ("ptrace", "mount", "unshare", "bpf", "process_vm_readv"):
        assert run(code, machine, numbers[name]) == refused(errno.EPERM), name
    for name in ("clone3", "io_uring_setup"):
        assert run(code, machine, numbers[name]) == refused(errno.ENOSYS), name


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("family", [1, 2, 10, 16, 17, 40])
def test_sockets_of_every_family_are_refused(machine, family):
    code, numbers = seccomp.program(machine), NUMBERS[machine]
    assert run(code, machine, numbers["socket"], family) == refused(errno.EACCES)
    # A pair reaches nobody but its own process.
    pair = run(code, machine, numbers["socketpair"], family)
    assert pair == (ALLOW if family == 1 else refused(errno.EACCES))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_threads_and_forks_are_allowed_and_namespaces_are_not(machine):
    code, clone = seccomp.program(machine), NUMBERS[machine]["clone"]
    assert run(code, machine, clone, 0x3D0F00) == ALLOW
    assert run(code, machine, clone, 17) == ALLOW
    for flag in (0x10000000, 0x40000000, 0x00020000, 0x20000000):
        assert run(code, machine, clone, flag | 17) == refused(errno.EPERM)


def test_other_tables_of_system_calls_are_no_way_around():
    code = seccomp.program("x86_64")
    assert run(code, "x86_64", 41, architecture=0x40000003) == KILL
    assert run(code, "x86_64", 0x40000000 | 41) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_where_nothing_else_does_signals_groups_and_shared_memory_are_kept_in(machine):
    code = seccomp.program(machine, own_signals_only=4711, own_group_only=True, shared_memory=False)
    numbers = NUMBERS[machine]
    for name in ("kill", "setsid", "shmget"):
        assert run(code, machine, numbers[name], 4711) == refused(errno.EPERM)
    assert run(code, machine, numbers["tgkill"], 4711) == ALLOW
    assert run(code, machine, numbers["tgkill"], 1) == refused(errno.EPERM)


def test_an_unknown_processor_has_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert not seccomp.supported()
