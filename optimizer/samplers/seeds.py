"""Derive every random number from the study's seed and the place of its use, so that no state lives in a process."""

from __future__ import annotations

import hashlib

BITS = 31
"""Seeds lie in 0 to 2**31 - 1, the range every engine and NumPy accept."""


def derive_seed(study_seed: int, *parts: object) -> int:
    """Return a seed in 0 to 2**31 - 1 that is a function of its arguments alone.

    Parameters
    ----------
    study_seed : int
    *parts : object
        Written with `str`; for the seed of a take, the trial number.

    Notes
    -----
    A hash rather than ``study_seed + number``: neighbouring studies would otherwise share most of their takes.
    """
    text = "\x1f".join([str(study_seed), *map(str, parts)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - BITS)
