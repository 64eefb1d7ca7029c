"""Turn what a user says of a parameter, a list or a range of numbers, into the levels that a grid is made of."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from optimizer.errors import UsageError

BPM = "bpm"
LEVELS = 21
"""Levels that stand for a range without a step; an odd number, so that its middle is one of them."""
WHOLE = 10
"""Width from which a range without a step between whole numbers is one of whole numbers, as a tempo's is."""
MOST = 5000
"""Levels that a range of fractions may have."""
MOST_WHOLE = 100_000
"""Levels that a range of whole numbers may have; the sweep compares each with each."""
SLACK = 1e-6
"""Share of a step by which a number may lie beside a level and still be it: ten steps of 0.1 are not quite 1."""

Spacing = Literal["listed", "steps", "linear", "geometric"]
"""Where levels come from: a list or whole numbers, a range with a step, or a range of which they are samples."""


def levels_of(name: str, choices: Any) -> tuple[tuple[Any, ...], Spacing]:
    """Return the legal values of a parameter in order, and their spacing.

    Parameters
    ----------
    name : str
    choices : sequence, or object with ``choices``, or with ``low``, ``high`` and, if need be, ``step`` and ``log``
        Whole numbers, and fractional ones with a step, give every number of the range. A fractional range without a
        step gives `LEVELS` of them, at equal distances or, if ``log`` is true, at equal ratios; but every whole number
        of a range between whole numbers that is at least `WHOLE` wide, or is the tempo's, unless ``log`` is true.

    Raises
    ------
    UsageError
        If there is no value, one value twice, one that cannot be told from others, or too many.
    """
    if hasattr(choices, "low") and hasattr(choices, "high"):
        return _range(name, choices)
    if isinstance(choices, str | bytes):
        raise UsageError(
            f"parameter {name!r} has the values {choices!r}: they must be a list.", next_step=f"Write [{choices!r}]."
        )
    try:
        # NumPy's numbers as Python's: a database takes no others.
        values = tuple(
            value.item() if isinstance(value, np.generic) else value for value in getattr(choices, "choices", choices)
        )
        several = len(values) > len(set(values))
    except TypeError as error:
        raise UsageError(
            f"parameter {name!r} has the values {choices!r}: they must be a list, or have `low` and `high` ({error}).",
            next_step="Give a list of strings and numbers, or an optuna IntDistribution or FloatDistribution.",
        ) from error
    if not values or several:
        raise UsageError(f"parameter {name!r} has the values {list(values)!r}: there must be one or more, each once.")
    return values, "listed"


def _range(name: str, choices: Any) -> tuple[tuple[Any, ...], Spacing]:
    low, high, step = choices.low, choices.high, getattr(choices, "step", None)
    log = bool(getattr(choices, "log", False))
    said = f"parameter {name!r} has the range {low!r} to {high!r}" + ("" if step is None else f" in steps of {step!r}")
    ends = (low, high) if step is None else (low, high, step)
    if not all(isinstance(end, Real) and math.isfinite(end) for end in ends) or low > high:
        raise UsageError(
            f"{said}: both ends must be numbers, the first the lower one.",
            next_step="Give it as IntDistribution(60, 180) or FloatDistribution(0.0, 1.0), or list the values.",
        )
    if step is not None and step <= 0:
        raise UsageError(f"{said}: the step must be above 0.", next_step="Give another step, or none.")
    if all(isinstance(end, Integral) for end in ends):
        return _whole(said, int(low), int(high), int(step or 1)), "listed"
    if all(float(end).is_integer() for end in ends) and (step is not None or _as_whole(name, low, high, log)):
        return _whole(said, int(low), int(high), int(step or 1)), "listed"
    if step is not None:
        return _steps(said, Decimal(str(low)), Decimal(str(high)), Decimal(str(step))), "steps"
    if log and low <= 0:
        raise UsageError(f"{said} and is logarithmic: it must begin above 0.", next_step="Raise its lower end.")
    return _samples(float(low), float(high), log), "geometric" if log else "linear"


def _as_whole(name: str, low: float, high: float, log: bool) -> bool:
    # Tempi are spaced in octaves by the model itself, logarithmic or not.
    return high - low < MOST and (name == BPM or (high - low >= WHOLE and not log))


def _whole(said: str, low: int, high: int, step: int) -> tuple[int, ...]:
    values = range(low, high + 1, step)
    _check_count(said, len(values), MOST_WHOLE)
    return tuple(values)


def _steps(said: str, low: Decimal, high: Decimal, step: Decimal) -> tuple[float, ...]:
    # In decimal numbers, as Optuna divides the range: so 60.0 + 3 * 0.1 is 60.3.
    count = int((high - low) / step) + 1
    _check_count(said, count, MOST)
    return tuple(float(low + position * step) for position in range(count))


def _check_count(said: str, count: int, most: int) -> None:
    if count > most:
        raise UsageError(
            f"{said}: these are {count} values, at most {most} can be searched.",
            next_step="Take larger steps, or leave the parameter out of the search space: it is then drawn at random.",
        )


def _samples(low: float, high: float, log: bool) -> tuple[float, ...]:
    """Return levels from `low` to `high`, both included, rounded so that they are the same on every machine."""
    found = []
    for position in range(LEVELS):
        share = position / (LEVELS - 1)
        if log:
            value = float(f"{math.exp((1 - share) * math.log(low) + share * math.log(high)):.12g}")
        else:
            value = float(Decimal(str(low)) + (Decimal(str(high)) - Decimal(str(low))) * position / (LEVELS - 1))
        found.append(min(max(value, low), high))
    return tuple(dict.fromkeys([low, *found[1:-1], high]))
