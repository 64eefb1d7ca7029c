"""Trainings side by side, and how many cores are left to each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from optimizer.errors import Interrupted

if TYPE_CHECKING:
    from optimizer.training.head import OnEpoch

T = TypeVar("T")

_here = threading.local()


def side_by_side(
    names: Sequence[str], train: Callable[[str, OnEpoch], T], on_epoch: OnEpoch | None = None
) -> dict[str, T]:
    """Train every name, as many at a time as there are cores for this process.

    Threads are enough: torch lets go of the interpreter in every product, and each training draws from a generator of
    its own, so that the results are those of one after the other.

    Parameters
    ----------
    names : sequence of str
    train : callable
        (name, what to call after every epoch) -> result.
    on_epoch : callable, optional
        Called by one thread at a time; where there are several names it hears which one trains.

    Returns
    -------
    dict
        Results by name. The first error of a training is raised when all have stopped; so is the user's interrupt,
        at the end of the epochs in progress.
    """
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    stopped, turn = threading.Event(), threading.Lock()
    busy: set[str] = set()

    def work(name: str) -> T:
        def tell(what: str, epoch: int, epochs: int) -> None:
            if stopped.is_set():
                raise Interrupted("interrupted.")
            if on_epoch is not None:
                with turn:
                    on_epoch(what if len(names) == 1 else f"{name}, {what}", epoch, epochs)

        return train(name, tell)

    def beside(name: str) -> T:
        busy.add(name)
        _here.busy = busy
        try:
            return work(name)
        finally:
            busy.discard(name)

    workers = min(len(names), cores())
    if workers <= 1:
        return {name: work(name) for name in names}
    with ThreadPoolExecutor(workers) as pool:
        running = {name: pool.submit(beside, name) for name in names}
        try:
            done, _ = wait(running.values(), return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return {name: future.result() for name, future in running.items()}
        finally:
            # Without effect when all are done; otherwise the others need not go on.
            stopped.set()
            for future in running.values():
                future.cancel()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute on so many cores in this block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def share() -> int:
    """Return how many cores the training in this thread may use: its part of them while others run beside it."""
    return max(1, cores() // max(1, len(getattr(_here, "busy", ()))))


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
