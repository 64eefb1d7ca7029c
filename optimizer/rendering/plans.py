"""Plans: the audio codes of ACE-Step's language model, five a second, as text that can be stored and replayed."""

from __future__ import annotations

import re
from collections.abc import Sequence

CODES_PER_SECOND = 5
CODEBOOK = 64_000
"""Codes run from 0 to one less."""

_CODE = re.compile(r"<\|audio_code_(\d+)\|>")


def codes_of(plan: str) -> list[int]:
    """Read the codes of a plan; anything else in the text is skipped, as the models' own readers do.

    Raises
    ------
    ValueError
        If there is no code in it, or one outside the code book.
    """
    codes = [int(code) for code in _CODE.findall(plan)]
    if not codes:
        raise ValueError(f"the plan {plan[:60]!r} holds no code of the form <|audio_code_123|>")
    if max(codes) >= CODEBOOK:
        raise ValueError(f"the plan holds the code {max(codes)}, and codes end at {CODEBOOK - 1}")
    return codes


def plan_text(codes: Sequence[int]) -> str:
    """Write codes as the models' tokenizers spell them."""
    return "".join(f"<|audio_code_{code}|>" for code in codes)


def fit_codes(codes: Sequence[int], count: int) -> list[int]:
    """Cut a plan to `count` codes, or repeat its last one up to them, so that it has the length a recipe asks for."""
    return [*codes[:count], *([codes[-1]] * max(0, count - len(codes)))]
