"""Keep linear algebra on one thread: these matrices are small, and the order of sums must not depend on the machine."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Give a context in which BLAS uses one thread.

    On a busy machine the threads of a small factorisation wait for each other: 250 ms a proposal instead of 7. Without
    threadpoolctl (it comes with librosa, through scikit-learn) nothing is limited.
    """
    controller = _controller()
    with controller.limit(limits=1) if controller is not None else contextlib.nullcontext():
        yield


@cache
def _controller() -> Any:
    # Both libraries must be loaded by now, or they would not be found.
    import scipy.linalg  # noqa: F401

    try:
        threads = importlib.import_module("threadpoolctl")
    except ImportError:
        return None
    return threads.ThreadpoolController().select(user_api="blas")
