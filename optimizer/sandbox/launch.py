"""The program between parent and child: it confines, then execs the child, and ends everything when either is gone.

Run as ``python -I -S launch.py FD``, where FD is an open file with the order as JSON (see `mechanism.Mechanism.order`);
with a further argument ``inner`` it is the stage inside bubblewrap. It stays as the child's supervisor::

    parent ── launch (supervisor, outside) ── first process of the namespace ── child

so that no way of ending parent, supervisor or child leaves a process behind: the supervisor watches the parent, the
kernel ends the first process with the supervisor, and the namespace with its first process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

Order = dict[str, Any]

TICK = 0.05
"""Seconds between two looks at memory and processes."""

DISK_TICK = 0.5
UNCONFINED = 125


class _Terminated(Exception):
    """The parent asked for the end."""


def main(arguments: list[str]) -> None:
    """Read the order and carry it out."""
    descriptor = int(arguments[0])
    order: Order = json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    # -S leaves out the site's packages; what is needed lies in these folders.
    sys.path.extend(order["import_paths"])
    if arguments[1:] == ["inner"]:
        _confine_and_exec(order)
    _Supervisor(order, descriptor).run()


class _Supervisor:
    """Starts the child and outlives it."""

    def __init__(self, order: Order, descriptor: int) -> None:
        self.order = order
        self.descriptor = descriptor
        self.status: int = order["status"]
        self.limits: dict[str, int] = order["limits"]
        self.log_room: int = order["log_room"]
        self.parent = _process_descriptor(order["parent"])
        self.group: Any = None
        self.child = 0
        self.next_weighing = 0.0

    def run(self) -> None:
        if self._parent_is_gone():
            return
        from optimizer.sandbox import libc, namespaces, tree
        from optimizer.sandbox.cgroups import ControlGroup

        if sys.platform == "linux":
            libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
            with contextlib.suppress(OSError):
                # Ahead of a fork bomb of any size, where that is allowed; what is forked from here is not.
                os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
            # The kernel's limit stands above ours: ours gives the better message, the kernel's is never too late.
            memory = self.limits["memory"] + self.limits["memory"] // 4 + (256 << 20)
            self.group = ControlGroup(self.limits["processes"], memory)
            _say(self.status, {"cgroup": self.group.limits})
        self.order["made"] = namespaces.enter(self.order["namespaces"])
        log, log_end = os.pipe()
        os.set_blocking(log, False)
        signal.signal(signal.SIGTERM, _terminate)
        self.child = os.fork()
        if self.child == 0:
            self._begin(log_end)
        # Kept open here, the protocol's ends would never be seen to close.
        for descriptor in (log_end, *self.order["keep"]):
            os.close(descriptor)
        outcome: dict[str, Any] = {}
        try:
            outcome = self._watch(log)
        except _Terminated:
            outcome = {"end": "terminated"}
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # With the first process of a namespace everything in it goes. Where there is none, nothing can have left the
        # child's process group, since the filter refuses that, and killing a group is one step, however it forks.
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(OSError):
                kill(self.child, signal.SIGKILL)
        tree.end()
        self._pump(log)
        if self.group is not None:
            self.group.remove()
        if outcome.get("end") == "parent" or self._parent_ends():
            # Nobody else is left to clear up. A child that saw its requests close may have ended before us.
            tree.clear(Path(self.order["scratch"]))
        _say(self.status, outcome)

    def _begin(self, log_end: int) -> NoReturn:
        """In the forked process: become the child, or the first process of its namespace."""
        from optimizer.sandbox import libc, namespaces

        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # A session apart from the supervisor's: the kernel shares the processors out by session, so that a
            # fork bomb cannot starve who shall end it.
            os.setsid()
            libc.die_with_parent()
            if self.group is not None:
                self.group.join()
            with contextlib.suppress(OSError):
                # When the machine runs out of memory, a song goes before the search does.
                Path("/proc/self/oom_score_adj").write_text("500")
            null = os.open(os.devnull, os.O_RDWR)
            for source, target in ((null, 0), (log_end, 1), (log_end, 2)):
                os.dup2(source, target)
            if self.order["wrapper"]:
                self._exec_wrapper()
            self.order["replaced"] = namespaces.own_mounts(self.order["made"], self.limits["processes"])
            if "pid" in self.order["made"]:
                self._be_first()
            _confine_and_exec(self.order)
        except BaseException as error:
            _refuse(self.status, error)

    def _exec_wrapper(self) -> NoReturn:
        keep = [self.descriptor, self.status, *self.order["keep"]]
        _close_all_but(keep)
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        wrapper = self.order["wrapper"]
        os.execve(wrapper[0], wrapper, self.order["environment"])

    def _be_first(self) -> None:
        """Fork the child proper; its parent stays as the namespace's first process, which collects orphans."""
        child = os.fork()
        if child == 0:
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.closerange(0, 1 << 16)
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == child:
                os._exit(_code(status))

    def _watch(self, log: int) -> dict[str, Any]:
        """Wait for the child's end; return why it came."""
        poll = select.poll()
        poll.register(log, select.POLLIN)
        ended = _process_descriptor(self.child)
        for descriptor in (self.parent, ended):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        tick = TICK if ended is not None else 0.02
        next_look, next_disk, listening = 0.0, 0.0, True
        while True:
            for descriptor, _ in poll.poll(tick * 1000):
                if descriptor == log and (not self._pump(log) or self.log_room <= 0):
                    # A flood is drained at each look only: then it waits for us, not we for it.
                    poll.unregister(log)
                    listening = False
            if self._parent_is_gone():
                return {"end": "parent"}
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                return self._explain({"end": "exit", "code": _code(status)})
            now = time.monotonic()
            if now >= next_look:
                reason = self._over_limits(now >= next_disk)
                if reason is not None:
                    return {"end": "limit", **reason}
                if not listening:
                    self._pump(log)
                if now >= next_disk:
                    next_disk = now + DISK_TICK
                next_look = now + TICK

    def _over_limits(self, disk: bool) -> dict[str, Any] | None:
        from optimizer.sandbox import tree

        processes = tree.descendants(os.getpid(), self.limits["processes"])
        # Reaching it counts: the kernel's own limits let none go beyond.
        if len(processes) >= self.limits["processes"]:
            return {"reason": "processes", "value": len(processes), "limit": self.limits["processes"]}
        taken = tree.usage(processes)
        limit = self.limits["memory"]
        if taken.resident > limit and time.monotonic() >= self.next_weighing:
            # Forked processes share pages; only what is really taken counts. To find that out takes a while.
            self.next_weighing = time.monotonic() + DISK_TICK
            exact = tree.proportional(processes)
            if exact is None or exact > limit:
                return {"reason": "memory", "value": exact or taken.resident, "limit": limit}
        if taken.tasks >= self.limits["processes"] or (taken.tasks > 8 and self._hit() == "processes"):
            return {"reason": "processes", "value": taken.tasks, "limit": self.limits["processes"]}
        if disk:
            size = tree.disk_usage(self.order["scratch"])
            if size > self.limits["scratch"]:
                return {"reason": "file-size", "value": size, "limit": self.limits["scratch"]}
        return None

    def _hit(self) -> str | None:
        hit = self.group.hit() if self.group is not None else None
        return str(hit) if hit else None

    def _explain(self, outcome: dict[str, Any]) -> dict[str, Any]:
        hit = self._hit()
        if hit is not None:
            outcome |= {"end": "limit", "reason": hit, "value": None, "limit": self.limits[hit]}
        return outcome

    def _pump(self, log: int) -> bool:
        """Move what the child said to the log until nothing is left; false at its end."""
        for _ in range(16):
            try:
                data = os.read(log, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            if self.log_room > 0:
                with contextlib.suppress(OSError):
                    os.write(self.order["log"], data[: self.log_room])
                self.log_room -= len(data)
                if self.log_room <= 0:
                    with contextlib.suppress(OSError):
                        os.write(self.order["log"], b"\n[the rest of the output was dropped]\n")
        return True

    def _parent_ends(self) -> bool:
        """Whether the parent is gone, or goes at this moment: its files close a little before it ends."""
        if self.parent is not None:
            poll = select.poll()
            poll.register(self.parent, select.POLLIN)
            poll.poll(20)
        return self._parent_is_gone()

    def _parent_is_gone(self) -> bool:
        return os.getppid() != int(self.order["parent"])


def _confine_and_exec(order: Order) -> NoReturn:
    """Take every right away from this process but those of the order, say so, and become the child."""
    try:
        confined = _confine(order)
        keep: list[int] = order["keep"]
        _close_all_but([*keep, order["status"]])
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        # Closed by the exec itself: the child never holds it.
        os.set_inheritable(order["status"], False)
        os.chdir(order["scratch"])
        _say(order["status"], {"confined": confined})
        os.execve(order["command"][0], order["command"], order["environment"])
    except BaseException as error:
        _refuse(order["status"], error)


def _confine(order: Order) -> dict[str, Any]:
    from optimizer.sandbox import libc, limits

    # bubblewrap either makes all of its namespaces or does not start.
    made: list[str] = ["mount", "pid", "net", "ipc"] if order["wrapper"] else order.get("made", [])
    facts: dict[str, Any] = {"mechanism": order["mechanism"], "namespaces": made}
    limits.apply(order["limits"]["file_size"], order["limits"]["open_files"])
    if sys.platform == "linux":
        limits.bound_user(order["limits"]["processes"], own_count="user" in made or order["mechanism"] == "bwrap")
    if order["mechanism"] == "off" or sys.platform != "linux":
        return facts
    # Imported now: once Landlock is in force, the files may be out of reach.
    from optimizer.sandbox import landlock, seccomp

    facts["landlock"] = 0
    if order["landlock"]:
        facts["landlock"] = landlock.apply(
            order["read"],
            order["data"],
            [*order["write"], *order.get("replaced", [])],
            order["devices"],
            order["hidden"],
        )
    libc.drop_capabilities()
    facts["seccomp"] = False
    if order["seccomp"]:
        apart = "pid" in made
        seccomp.install(
            own_signals_only=None if apart or facts["landlock"] >= 6 else os.getpid(),
            own_group_only=not apart,
            shared_memory="ipc" in made,
        )
        facts["seccomp"] = True
    if order["mechanism"] == "landlock" and not (facts["seccomp"] or "net" in made):
        raise OSError("this kernel gives neither a network namespace nor seccomp filters, so nothing would stop UDP")
    return facts


def _refuse(status: int, error: BaseException) -> NoReturn:
    _say(status, {"unconfined": f"{type(error).__name__}: {error}"})
    os._exit(UNCONFINED)


def _say(status: int, message: dict[str, Any]) -> None:
    # The parent may be gone; there is nobody else to tell.
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(message).encode() + b"\n")


def _close_all_but(keep: list[int]) -> None:
    wanted = {0, 1, 2, *keep}
    listing = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    for entry in list(Path(listing).iterdir()):
        if int(entry.name) not in wanted:
            with contextlib.suppress(OSError):
                os.close(int(entry.name))


def _process_descriptor(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _code(status: int) -> int:
    """Exit status, or 128 and the signal's number."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _terminate(*_: object) -> None:
    raise _Terminated


if __name__ == "__main__":
    main(sys.argv[1:])
