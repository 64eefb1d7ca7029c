"""Random streams that depend on names alone: the same on every machine, in every process, in any order of use."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(*parts: object) -> np.random.Generator:
    """Open a random stream named by `parts`.

    Streams with different names are independent, so that drawing more from one (a longer melody, say) leaves
    the others as they were. Python's own ``hash`` is salted per process, hence SHA-256.

    Parameters
    ----------
    *parts : object
        Anything whose ``repr`` is stable: text, whole numbers, tuples of them.
    """
    digest = hashlib.sha256("\x1f".join(repr(part) for part in parts).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def unit(*parts: object) -> float:
    """A number in [0, 1) that is a function of the names alone."""
    digest = hashlib.sha256("\x1f".join(repr(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2.0**48
