"""The words after ``--scorer``: read the terms, find who describes each, and make one `ScorerSpec` of them."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.scoring.base import Scorer, ScorerSpec
from optimizer.scoring.source import describe_class
from optimizer.scoring.terms import Term, read_terms

GROUP = "optimizer.scorers"
"""Entry point group; each entry names a function ``describe(argument, options) -> ScorerSpec``."""

BUILTIN: Mapping[str, str] = {
    "acoustic": "optimizer.scoring.acoustic:describe",
    "banger": "optimizer.scoring.banger:describe",
    "tunejury": "optimizer.scoring.tunejury:describe",
    "clap": "optimizer.scoring.clap:describe",
    "audiobox": "optimizer.scoring.audiobox:describe",
    "emotion": "optimizer.scoring.emotion:describe",
}
"""Our own scorers; they are found even where the distribution's metadata is not installed."""

HEADED = ("banger", "tunejury")
"""Scorers whose published head is one file, which ``--head`` names, unless their argument does."""

EMOTION = "emotion"
"""The scorer whose head is a folder: ``--head`` names it, unless the argument does, ``emotion:DIR:calm``."""

LISTENER = "optimizer.scoring.listener:Listener"

PANEL = "optimizer.scoring.panel:Panel"

Describe = Callable[[str | None, Mapping[str, Any]], ScorerSpec]


def registered() -> dict[str, str]:
    """Return every registered name with the ``module:function`` that describes it."""
    # Ours win: a plug-in must not take over a name that runs were frozen with.
    return {entry.name: entry.value for entry in entry_points(group=GROUP)} | dict(BUILTIN)


def parse(text: str) -> tuple[Term, ...]:
    """Read the scorer grammar.

    Parameters
    ----------
    text : str
        Terms joined by ``+``. A term is a registered name with ``:argument`` if it takes one, an existing folder
        (a trained head) with ``:class`` if it is a classifier's, or ``module:Class``; a last ``:number`` is its
        weight. A bare word is a registered name before it is a folder (write ``./word`` for the folder), and what
        follows a folder is one of its classes before it is a weight. Only decimal numerals are weights: ``nan`` and
        ``Inf`` are names.

    Raises
    ------
    UsageError
        If a term is empty, unknown, repeated, or its weight is not above 0.
    """
    return read_terms(text, registered())


def prepare(text: str, options: Mapping[str, Any] | None = None) -> ScorerSpec:
    """Describe a scorer without loading it: no model library is imported and no foreign class is run.

    Parameters
    ----------
    text : str
        See `parse`.
    options : mapping, optional
        ``encoder`` and ``head`` (paths), ``window`` (first, middle, all), ``device`` (auto, cpu, cuda, mps),
        ``dtype`` (float32, bfloat16), ``threads``, ``genres`` (names of the study's genres, where there is a study:
        what a classifier's folder without a class stands for); each scorer reads what concerns it. ``head`` belongs to
        the first term that takes one (``banger``, ``tunejury``, ``emotion``) and does not name its own, as
        ``tunejury:FILE`` and ``emotion:DIR:calm`` do; further emotions share it. Values of None count as not given.

    Returns
    -------
    ScorerSpec
        A single term without a weight is described by itself; anything else is a panel of all terms.

    Raises
    ------
    UsageError
        If the text or an option is not legal, ``head`` is given and belongs to no term, or two terms have one name.
    CheckpointError
        If a term's weights are not on this machine.
    MissingPrerequisite
        If a term's packages are not installed.
    """
    given = {key: value for key, value in (options or {}).items() if value is not None}
    terms = parse(text)
    headed = next((term for term in terms if _takes_head(term)), None)
    if headed is None and "head" in given:
        raise UsageError(
            f"--head {given['head']}: no term of scorer {text!r} takes one, or each names its own.",
            next_step=f"Leave --head out, or name a scorer that takes one: {', '.join((*HEADED, EMOTION))}.",
        )
    headless = {key: value for key, value in given.items() if key != "head"}
    specs = [_describe(term, given if _same_head(term, headed) else headless) for term in terms]
    if len(terms) == 1 and not terms[0].weighted:
        return specs[0]
    return _panel(text, terms, specs)


def _takes_head(term: Term) -> bool:
    # The argument of an emotion is the emotion, with its folder before it if --head does not name that.
    given = term.argument if term.name in HEADED else (term.argument or "").rpartition(":")[0]
    return term.name in (*HEADED, EMOTION) and not given


def _same_head(term: Term, headed: Term | None) -> bool:
    # One folder holds all emotions, so that two of them in a panel are judged by the same one.
    return term is headed or (headed is not None and term.name == headed.name == EMOTION and _takes_head(term))


def available(text: str, options: Mapping[str, Any] | None = None) -> bool:
    """Say whether a scorer's packages and weights are on this machine, loading neither.

    Raises
    ------
    UsageError
        If the text is not legal.
    """
    try:
        prepare(text, options)
    except MissingPrerequisite:
        return False
    return True


def open_scorer(spec: ScorerSpec) -> Scorer:
    """Construct a scorer in this process and load it.

    Raises
    ------
    UsageError
        If the spec's target cannot be imported.
    CheckpointError
        If a model's files do not fit its architecture.
    """
    scorer = construct(spec.target)
    scorer.load(dict(spec.config))
    return scorer


def construct(target: str) -> Scorer:
    """Import ``module:Class`` and construct it without arguments.

    Raises
    ------
    UsageError
        If there is no such module or class.
    """
    return _resolve(target)()  # type: ignore[no-any-return]


def _resolve(target: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"scorer {target!r} cannot be imported: {error}") from error


def _describe(term: Term, options: Mapping[str, Any]) -> ScorerSpec:
    if term.kind == "folder":
        from optimizer.scoring import trained

        return trained.describe(term.name, options, choice=term.argument)
    own = {key: value for key, value in options.items() if key != "genres"}
    if term.kind == "class":
        return describe_class(term.name, own)
    describe: Describe = _resolve(registered()[term.name])
    return describe(term.argument, own)


def _panel(text: str, terms: tuple[Term, ...], specs: list[ScorerSpec]) -> ScorerSpec:
    specs = _apart(text, specs)
    names = [_name(spec) for spec in specs]
    members = [
        {
            "name": name,
            "weight": term.weight,
            "target": spec.target,
            "config": dict(spec.config),
            "encoder": spec.encoder,
            "identity": dict(spec.identity),
        }
        for name, term, spec in zip(names, terms, specs, strict=True)
    ]
    # One embedding is kept: one that other heads can judge later before one that only describes, and of those a
    # learned one before the acoustic one, which costs next to nothing to have again.
    lender = min(specs, key=_lending)
    devices = [spec.device for spec in specs if spec.device != "cpu"]
    return ScorerSpec(
        text=text,
        identity={
            "name": "panel",
            "terms": {
                name: {**spec.identity, "weight": term.weight}
                for name, term, spec in zip(names, terms, specs, strict=True)
            },
        },
        target=PANEL,
        config={"terms": members, "lends": names[specs.index(lender)] if lender.encoder else None},
        read_paths=tuple(dict.fromkeys(path for spec in specs for path in spec.read_paths)),
        device=devices[0] if devices else "cpu",
        encoder=lender.encoder,
        memory_limit=sum(spec.memory_limit for spec in specs),
        captioned=any(spec.captioned for spec in specs),
    )


def _name(spec: ScorerSpec) -> str:
    # A part's name is the judge's own, not the text: a folder's or a head file's path says nothing elsewhere.
    return str(spec.identity.get("name", spec.text))


def _apart(text: str, specs: list[ScorerSpec]) -> list[ScorerSpec]:
    """Give heads of one name, such as two that learnt the same column, the names of their folders instead.

    Folders of one name are told apart by the folders they lie in. What is named so depends on the terms alone, not on
    their order.

    Raises
    ------
    UsageError
        If two judges of one name are no folders.
    """
    places = [Path(str(spec.config["head"])) if spec.target == LISTENER else None for spec in specs]
    folders = [place.parts if place is not None and place.is_dir() else () for place in places]
    own = [_name(spec) for spec in specs]
    # What comes after a head's name is the class or the emotion that is judged.
    chosen = [
        f":{name.rpartition(':')[2]}" if spec.config.get("target") else ""
        for spec, name in zip(specs, own, strict=True)
    ]
    names = list(own)
    for shared in [name for name, times in Counter(own).items() if times > 1]:
        alike = [number for number, name in enumerate(own) if name == shared and folders[number]]
        others = {name for number, name in enumerate(own) if number not in alike}
        # The shortest end of their paths that tells them apart.
        for depth in range(1, 1 + max((len(folders[number]) for number in alike), default=0)):
            ends = ["/".join(folders[number][-depth:]) + chosen[number] for number in alike]
            if len({*ends} - others) == len(alike):
                for number, end in zip(alike, ends, strict=True):
                    names[number] = end
                break
    taken = Counter(names)
    for name, before in zip(names, own, strict=True):
        if taken[name] > 1:
            raise UsageError(
                f"scorer {text!r} has two judges that call themselves {before!r}; take one of them.",
                next_step="A head of your own can have a name of its own: optimize train --name NAME",
            )
    return [
        replace(spec, identity={**spec.identity, "name": name}, config={**spec.config, "name": name})
        if name != before
        else spec
        for spec, name, before in zip(specs, names, own, strict=True)
    ]


def _lending(spec: ScorerSpec) -> int:
    if not spec.encoder:
        return 3
    if spec.target != LISTENER:
        return 2
    return int(spec.encoder.startswith("acoustic-"))
