"""Read the words after ``--scorer``: terms joined by ``+``, each with what it takes and its weight."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from optimizer.errors import UsageError, did_you_mean
from optimizer.scoring.classes import choices

LEGAL = (
    "terms joined by '+', each NAME, NAME:ARGUMENT, FOLDER, FOLDER:CLASS or MODULE:CLASS, with an optional last "
    "':WEIGHT'"
)

_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_NUMERAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE]-?[0-9]+)?")
"""What may be a weight. Python's own reading of numbers also takes ``nan``, ``Inf`` and ``1_0``, which are names."""


@dataclass(frozen=True, slots=True)
class Term:
    """One judge in ``--scorer``.

    Attributes
    ----------
    text : str
        The term without its weight.
    kind : {"name", "folder", "class"}
    name : str
        Registered name, folder, or ``module:Class``.
    argument : str or None
        ``"calm"`` of ``emotion:calm``, ``"funk"`` of ``./genres:funk``.
    weight : float
        More than 0; 1 where none is written.
    weighted : bool
        Whether a weight is written.
    """

    text: str
    kind: str
    name: str
    argument: str | None = None
    weight: float = 1.0
    weighted: bool = False


def read_terms(text: str, names: Collection[str]) -> tuple[Term, ...]:
    """Read the scorer grammar; see `optimizer.scoring.parse`.

    Parameters
    ----------
    text : str
    names : collection of str
        Registered names.

    Raises
    ------
    UsageError
        If a term is empty, unknown, repeated, or its weight is not above 0.
    """
    pieces = text.split("+")
    terms: list[Term] = []
    start = 0
    while start < len(pieces):
        # A folder's own name, or a class's, may hold a '+': the longest run of pieces that is a folder is one term.
        for end in range(len(pieces), start, -1):
            candidate = "+".join(pieces[start:end]).strip()
            if end == start + 1 or _folder(candidate, names) is not None:
                break
        terms.append(_term(candidate, text, names))
        start = end
    seen: set[str] = set()
    for term in terms:
        if term.text in seen:
            raise UsageError(f"scorer {text!r} names {term.text!r} twice; give one term the weight of both.")
        seen.add(term.text)
    return tuple(terms)


def _term(candidate: str, whole: str, names: Collection[str]) -> Term:
    folder = _folder(candidate, names)
    body, argument, weight = candidate, None, None
    if folder is not None:
        body, argument, weight = folder
    else:
        head, colon, tail = candidate.rpartition(":")
        if colon and _NUMERAL.fullmatch(tail):
            body, weight = head, tail
    if not body:
        raise UsageError(f"scorer {whole!r} has an empty term: write {LEGAL}.")
    value = 1.0 if weight is None else float(weight)
    if not (0 < value < math.inf):
        raise UsageError(f"scorer {whole!r}: weight {weight!r} of {body!r} must be a number above 0.")
    weighted = weight is not None
    if folder is not None:
        spelled = body if argument is None else f"{body}:{argument}"
        return Term(spelled, "folder", body, argument, value, weighted)
    name, colon, rest = body.partition(":")
    if name in names:
        if colon and not rest:
            raise UsageError(f"scorer {whole!r}: {name!r} is followed by ':' and nothing; write {name}:ARGUMENT.")
        return Term(body, "name", name, rest or None, value, weighted)
    # A package of one's own is a folder too: only one that holds a trained head has classes to be wrong about.
    for path, rest in _prefixes(body):
        if known := choices(path):
            raise UsageError(
                f"scorer {whole!r}: {path} has no class {rest!r}.{did_you_mean(rest, known)}",
                next_step=f"Its classes: {', '.join(known)}. Write {path}:CLASS or {path}:CLASS:WEIGHT.",
            )
    if _CLASS.fullmatch(body):
        return Term(body, "class", body, None, value, weighted)
    raise UsageError(
        f"there is no scorer {body!r}.{did_you_mean(name, names)}",
        next_step=f"Known scorers: {', '.join(sorted(names))}; or an existing folder, or MODULE:CLASS.",
    )


def _folder(candidate: str, names: Collection[str]) -> tuple[str, str | None, str | None] | None:
    """Split a term into folder, class and weight, if it is an existing folder with nothing else after it.

    What could be read in several ways is the longest folder, then a class, then a weight.
    """
    if not candidate or candidate.partition(":")[0] in names:
        return None
    if _is_folder(candidate):
        return candidate, None, None
    for path, rest in _prefixes(candidate):
        known = choices(path)
        if (name := _named(rest, known)) is not None:
            return path, name, None
        head, colon, tail = rest.rpartition(":")
        if colon and _NUMERAL.fullmatch(tail) and (name := _named(head, known)) is not None:
            return path, name, tail
        if _NUMERAL.fullmatch(rest):
            return path, None, rest
    return None


def _prefixes(candidate: str) -> Iterator[tuple[str, str]]:
    """Yield every way to cut a text at a colon behind an existing folder, the longest folder first."""
    for colon in range(len(candidate) - 1, 0, -1):
        if candidate[colon] == ":" and _is_folder(candidate[:colon]):
            yield candidate[:colon], candidate[colon + 1 :]


def _named(text: str, known: Collection[str]) -> str | None:
    """Find a class by its name, or by its name in another case if only one has it."""
    if text in known:
        return text
    alike = [name for name in known if name.casefold().strip() == text.casefold().strip()]
    return alike[0] if len(alike) == 1 else None


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        # A long caption is no name that a file system can hold.
        return False
