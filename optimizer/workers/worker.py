"""The parent's side of a worker: start it confined, ask it, watch the clock, and end it whatever it does."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from optimizer.errors import MissingPrerequisite, RenderFailed
from optimizer.workers import failures
from optimizer.workers.launch import Launch

MAX_LINE = 16 << 20
"""Bytes a reply may have; the longest honest one is an hour's plan or a few hundred embeddings."""

MAX_PROGRESS = 100_000
"""Progress lines one call may send."""

LOG_SIZE = 4 << 20
"""Bytes a log file may reach; an older one is kept once, with the ending ``.1``."""

_GONE = 5.0
"""Seconds after its last reply within which a child's end must be reported."""

_LAUNCHER_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PATH": os.defpath,
    **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
}


class Worker:
    """One confined child; used by one thread at a time, though `cancel`, `kill` and `close` may come from any.

    Parameters
    ----------
    launch : Launch

    Attributes
    ----------
    info : dict
        What the class's ``load`` returned.
    supports : dict
        What it says of the recipe's fields.
    confined : dict
        What is in force: mechanism, namespaces, Landlock's version, seccomp, control groups.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.info: dict[str, Any] = {}
        self.supports: dict[str, str] = {}
        self.confined: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._requests = self._replies = self._status = -1
        self._buffer = bytearray()
        self._reports = bytearray()
        self._end: dict[str, Any] | None = None
        self._numbers = itertools.count(1)
        self._current: int | None = None
        self._killed = False
        self._log_start = 0
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """Process id of the supervisor, None before `start`."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None and self._end is None and not self._killed and self._process.poll() is None

    def start(self) -> dict[str, Any]:
        """Start the child and wait until it has loaded.

        Returns
        -------
        dict
            What ``load`` returned.

        Raises
        ------
        SandboxUnavailable
            If it could not be confined; then nothing of it ran.
        UsageError, MissingPrerequisite
            If the class cannot be found, imported or loaded.
        RenderFailed
            If it was killed from another thread.
        """
        deadline = time.monotonic() + self.launch.load_deadline
        self._spawn()
        boot = {"target": self.launch.target, "config": dict(self.launch.config), "paths": list(self.launch.paths)}
        try:
            self._send(boot, deadline)
            reply = self._receive(deadline)
        except RenderFailed as failure:
            self.close()
            if self._killed:
                raise
            if "mechanism" not in self.confined:
                why = self.confined.get("unconfined") or self._last_words() or failure.message
                raise failures.of_confinement(self.launch, str(why)) from failure
            raise MissingPrerequisite(
                f"{self.launch.name} could not be loaded: {failure.message}", next_step=failures.see_log(self.launch)
            ) from failure
        if reply.get("ready") is not True:
            self.close()
            raise failures.of_loading(self.launch, reply)
        self.info = _mapping(reply.get("info"))
        self.supports = {str(key): str(value) for key, value in _mapping(reply.get("supports")).items()}
        return self.info

    def call(
        self,
        name: str,
        args: dict[str, Any],
        *,
        deadline: float,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Ask and wait for the answer.

        Parameters
        ----------
        name : {"render", "check", "score"}
        args : dict
            JSON types.
        deadline : float
            Seconds.
        on_progress : callable, optional
            Told (step, steps).

        Returns
        -------
        object
            JSON types; numbers that are not finite come as None.

        Raises
        ------
        RenderFailed
            With reason ``crash``, ``hang``, ``protocol``, ``memory``, ``processes``, ``file-size``, ``engine`` or
            ``cancelled``. After ``engine`` the worker goes on; after any other it is ended.
        """
        until = time.monotonic() + deadline
        number = next(self._numbers)
        try:
            self._send({"id": number, "call": name, "args": args}, until)
            self._current = number
            reply = self._receive(until, number, on_progress)
        except RenderFailed:
            self.close()
            raise
        finally:
            self._current = None
        if reply.get("ok") is True:
            return reply.get("result")
        raise failures.of_reply(self.launch, reply)

    def cancel(self, grace: float = 5.0) -> None:
        """Ask the call in progress to give up, and kill the worker if it has not within `grace` seconds."""
        number = self._current
        if number is None or not self.alive:
            return
        with contextlib.suppress(RenderFailed):
            self._send({"cancel": number}, time.monotonic() + 0.5)
        timer = threading.Timer(grace, lambda: self.kill() if self._current == number else None)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """End the child at once; a call in progress on another thread raises RenderFailed (``cancelled``)."""
        self._killed = True
        self._terminate()

    def close(self) -> None:
        """End the child with all it started, and wait until nothing of it is left."""
        with self._lock:
            process = self._process
            if process is None:
                return
            self._terminate()
            try:
                process.wait(_GONE + 10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for descriptor in (self._requests, self._replies, self._status):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            self._requests = self._replies = self._status = -1
            self._process = None

    def _spawn(self) -> None:
        launch = self.launch
        for folder in (launch.policy.scratch, launch.policy.temporary, launch.policy.home):
            folder.mkdir(exist_ok=True)
        inner_requests, self._requests = os.pipe()
        self._replies, inner_replies = os.pipe()
        self._status, inner_status = os.pipe()
        os.set_blocking(self._requests, False)
        log = self._open_log()
        try:
            with tempfile.TemporaryFile() as paper:
                order = launch.mechanism.order(
                    launch.policy,
                    launch.command(inner_requests, inner_replies),
                    parent=os.getpid(),
                    descriptor=paper.fileno(),
                    status=inner_status,
                    keep=[inner_requests, inner_replies],
                    log=log,
                    log_room=LOG_SIZE - self._log_start,
                )
                paper.write(json.dumps(order).encode())
                paper.flush()
                with self._lock:
                    self._process = subprocess.Popen(
                        launch.mechanism.launcher(paper.fileno()),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=_LAUNCHER_ENVIRONMENT,
                        pass_fds=(paper.fileno(), inner_requests, inner_replies, inner_status, log),
                        # Ctrl-C is for the parent alone: it lets the songs in flight be finished.
                        start_new_session=True,
                    )
        finally:
            for descriptor in (inner_requests, inner_replies, inner_status, log):
                os.close(descriptor)
        if self._killed:
            self._terminate()

    def _open_log(self) -> int:
        path = self.launch.log
        if path is None:
            return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > LOG_SIZE // 2:
                path.replace(path.with_name(f"{path.name}.1"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._log_start = os.fstat(descriptor).st_size
        return descriptor

    def _terminate(self) -> None:
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGTERM)

    def _send(self, message: dict[str, Any], deadline: float) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            while data:
                try:
                    data = data[os.write(self._requests, data) :]
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise self._hung() from None
                    select.select([], [self._requests], [], 0.1)
                except OSError:
                    raise self._ended() from None

    def _receive(
        self, deadline: float, number: int | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Any]:
        """Read until the answer to request `number` is here; progress is passed on."""
        for lines, message in enumerate(self._messages(deadline)):
            if number is None or (message.get("id") == number and "ok" in message):
                return message
            step, steps = message.get("step"), message.get("steps")
            if message.get("id") != number or not (isinstance(step, int) and isinstance(steps, int)):
                raise self._broken("an answer to another question")
            if lines > MAX_PROGRESS:
                raise self._broken(f"more than {MAX_PROGRESS} progress lines")
            if on_progress is not None and 0 <= step <= steps:
                on_progress(step, steps)
        raise AssertionError("the stream of messages ends by raising")

    def _messages(self, deadline: float) -> Iterator[dict[str, Any]]:
        """Yield parsed lines until one of the ends comes, which raises."""
        poll = select.poll()
        for descriptor in (self._replies, self._status):
            poll.register(descriptor, select.POLLIN)
        start = 0
        while True:
            end = self._buffer.find(b"\n", start)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                start = 0
                yield self._parsed(line)
                continue
            start = len(self._buffer)
            if start > MAX_LINE:
                raise self._broken(f"a line of more than {MAX_LINE} bytes")
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._hung()
            ready = dict(poll.poll(min(left, 3600.0) * 1000))
            if self._replies in ready:
                data = os.read(self._replies, 1 << 18)
                if data:
                    self._buffer += data
                    continue
                raise self._ended()
            if self._status in ready and not self._read_status():
                raise self._ended()

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line, parse_constant=lambda name: None)
        except (ValueError, RecursionError):
            raise self._broken(f"a line that is not JSON: {line[:60]!r}") from None
        if not isinstance(message, dict):
            raise self._broken(f"a line that is not an answer: {line[:60]!r}")
        return message

    def _read_status(self) -> bool:
        """Take in what the supervisor says; false once it is gone."""
        data = os.read(self._status, 1 << 16)
        self._reports += data
        while (end := self._reports.find(b"\n")) >= 0:
            report = json.loads(self._reports[:end])
            del self._reports[: end + 1]
            if "end" in report:
                self._end = report
            elif "confined" in report:
                self.confined |= report["confined"]
            else:
                self.confined |= report
        return bool(data)

    def _ended(self) -> RenderFailed:
        """Say why there is no more answer."""
        deadline = time.monotonic() + _GONE
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        while time.monotonic() < deadline and self._end is None:
            if poll.poll(100) and not self._read_status():
                break
        if self._killed:
            return failures.failed(self.launch, "was stopped on request.", "cancelled")
        if self._end is not None:
            return failures.of_end(self.launch, self._end, self._last_words())
        if self._process is not None and self._process.poll() is None:
            return self._broken("nothing more: it closed its reply descriptor")
        return failures.failed(self.launch, f"lost its supervisor.{self._last_words()}", "crash")

    def _hung(self) -> RenderFailed:
        return failures.failed(self.launch, "did not answer within its deadline.", "hang")

    def _broken(self, what: str) -> RenderFailed:
        return failures.failed(self.launch, f"broke the worker protocol, sending {what}.", "protocol")

    def _last_words(self) -> str:
        return failures.last_words(self.launch, self._log_start)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
