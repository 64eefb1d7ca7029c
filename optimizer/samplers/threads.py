"""Keep linear algebra on one thread: these matrices are small, and the order of sums must not depend on the machine."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

_lock = threading.Lock()
_before: list[Sequence[int]] = []
"""One entry for each open context of any thread: the numbers of threads that the first of them found."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Give a context in which BLAS uses one thread.

    On a busy machine the threads of a small factorisation wait for each other: 250 ms a proposal instead of 7. Without
    threadpoolctl (it comes with librosa, through scikit-learn) nothing is limited. Contexts may nest and overlap: where
    the number belongs to the process, the first one in sets it and the last one out, in whatever thread, restores it.
    """
    found = _controllers()
    if found is None:
        yield
        return
    shared, own = found
    with own.limit(limits=1):
        with _lock:
            _before.append(_before[0] if _before else [one.get_num_threads() for one in shared])
            if len(_before) == 1:
                _set(shared, [1] * len(shared))
        try:
            yield
        finally:
            with _lock:
                numbers = _before.pop()
                if not _before:
                    _set(shared, numbers)


def _set(shared: Sequence[Any], numbers: Sequence[int]) -> None:
    for one, number in zip(shared, numbers, strict=True):
        # From 3.8 on, threadpoolctl heeds the thread that came first and silently no other while that one lives.
        clear = getattr(one, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)
        one.set_num_threads(number)
        if clear is not None:
            clear(force=True)


@cache
def _controllers() -> tuple[Sequence[Any], Any] | None:
    """Return the libraries with one number for the process, and a controller of those with one for each thread."""
    # Both libraries must be loaded by now, or they would not be found.
    import scipy.linalg  # noqa: F401

    try:
        threads = importlib.import_module("threadpoolctl")
    except ImportError:
        return None
    blas = threads.ThreadpoolController().select(user_api="blas")
    own = [one for one in blas.lib_controllers if getattr(one, "threading_layer", None) == "openmp"]
    return [one for one in blas.lib_controllers if one not in own], blas.select(filepath=[one.filepath for one in own])
