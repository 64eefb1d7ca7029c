"""Open a run: settle the options against its frozen identity."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from optimizer import __version__, warmstart
from optimizer.errors import IncompatibleResume, MissingPrerequisite, UsageError
from optimizer.estimates import SPACE_FILE, read_space
from optimizer.options import FROZEN, Options, check, settle, without_effect
from optimizer.prior import PRIOR_FILE, Prior, digest, read_prior
from optimizer.prior import to_json as prior_to_json
from optimizer.rendering.base import EngineSpec
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.runs import RunDirectory, find_run, slug, write_atomic
from optimizer.sandbox import select
from optimizer.scoring import ScorerSpec, prepare
from optimizer.search_space import SearchSpace, load_file, load_genre
from optimizer.search_space.frozen import to_json
from optimizer.session import Session
from optimizer.song import Record
from optimizer.study import read_record


def open_session(options: Options) -> Session:
    """Settle what is asked against what the run was started with.

    Nothing is written: `begin` does that, under the run's lock.

    Raises
    ------
    UsageError
        If an option is out of range, or differs from the run's own.
    MissingPrerequisite
        If the engine or the scorer is not on this machine.
    """
    check(options)
    # What cannot be had is said before a run is begun with it.
    select(options.sandbox)
    run = _run_of(options)
    resumed = run.exists()
    frozen = run.read_identity() if resumed else {}
    notes: list[str] = []
    settled = settle(options, frozen.get("options", {}))
    space = _space_of(options, run, frozen, notes)
    if options.sampler is not None and options.sampler != "topk":
        from optimizer.samplers import check_name

        if note := check_name(options.sampler):
            notes.append(note)
    engine = _engine_of(settled, notes)
    scorer = _scorer_of(settled, space, notes)
    settled = replace(settled, renderer=engine.name, scorer=scorer.text, device=engine.device)
    session = Session(run, space, engine, scorer, settled, resumed, notes)
    notes += without_effect(settled, several=space.several, resumed=resumed)
    if resumed:
        session.prior = read_prior(run)
        _check_kept(frozen, session.prior)
        run.check_identity(identity(session))
        _check_asked(options, session)
    else:
        session.prior = _prior_of(options, session, notes)
    return session


def reopen(run: RunDirectory, *, duration: float | None = None, sandbox: str = "auto") -> Session:
    """Open an existing run's engine and scorer, to render or judge outside its study.

    Parameters
    ----------
    run : RunDirectory
    duration : float, optional
        Seconds of the songs to come; the run's own by default.
    sandbox : str

    Raises
    ------
    IncompatibleResume
        If the engine or the scorer on this machine is another than the run's.
    """
    check(Options(duration=duration))
    frozen = run.read_identity()
    own = settle(Options(study=run.folder.name, runs_dir=run.folder.parent, sandbox=sandbox), frozen.get("options", {}))
    settled = own if duration is None else replace(own, duration=duration)
    space = _space_of(Options(study=run.folder.name), run, frozen, [])
    session = Session(run, space, _engine_of(settled, []), _scorer_of(settled, space, []), settled, resumed=True)
    asked = identity(session)
    del asked["search"], asked["renderer"]["duration"]
    run.check_identity(asked)
    return session


def begin(session: Session) -> None:
    """Make the run's folder and freeze its identity, if that is not done yet; the lock must be held."""
    run = session.run
    if run.exists():
        run.check_identity(identity(session))
        return
    options = {name: getattr(session.options, name) for name in FROZEN}
    frozen = {
        "study": run.folder.name,
        "program": __version__,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "embedding": session.scorer.encoder,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **identity(session),
        "options": {name: value for name, value in options.items() if value is not None},
    }
    if session.prior.studies:
        # For people; what the search depends on is the digest.
        frozen["prior"] = dict(session.prior.studies)
    write_atomic(run.folder / SPACE_FILE, to_json(session.space).encode())
    if session.prior:
        write_atomic(run.folder / PRIOR_FILE, prior_to_json(session.prior).encode())
    else:
        # One that was begun with earlier songs may have died here before it existed.
        (run.folder / PRIOR_FILE).unlink(missing_ok=True)
    # The identity last: with it the run exists, so the rest must be there by then.
    run.write_identity(frozen)


def identity(session: Session) -> dict[str, Any]:
    """Return what makes songs of a run comparable, as tables for ``run.toml``."""
    options, engine = session.options, session.engine
    search: dict[str, Any] = {
        "sampler": options.sampler,
        "seed": options.seed,
        "ahead": session.ahead,
        "goal": options.goal,
        "per_genre": bool(options.per_genre),
    }
    if session.engine.plans:
        search["replay_plans"] = session.replays
    if options.explore is not None:
        search["explore"] = options.explore
    if session.prior:
        search["prior"] = digest(session.prior)
    return {
        "space": {"name": session.space.name, "digest": session.space.digest},
        "renderer": {
            "name": engine.name,
            "revision": engine.revision,
            "device": engine.device,
            "duration": options.duration,
        },
        "scorer": _toml(session.scorer.identity),
        "search": search,
    }


def _run_of(options: Options) -> RunDirectory:
    if options.study is not None:
        return RunDirectory.named(options.runs_dir, options.study)
    if options.space is not None:
        return RunDirectory.named(options.runs_dir, slug(options.space.stem))
    if options.genre is not None:
        return RunDirectory.named(options.runs_dir, slug(options.genre))
    raise UsageError(
        "nothing to search: say --genre NAME, --space FILE, or --study NAME of a run to go on with.",
        next_step="`optimize spaces` lists the genres; `optimize --genre bhangra --trials 30` makes a first run.",
    )


def _space_of(options: Options, run: RunDirectory, frozen: Mapping[str, Any], notes: list[str]) -> SearchSpace:
    if options.genre is not None and options.space is not None:
        raise UsageError("--genre and --space cannot be given together.", next_step="Leave one of them out.")
    asked = None
    if options.space is not None:
        asked = load_file(options.space)
    elif options.genre is not None:
        asked = load_genre(options.genre)
    if not frozen:
        if asked is None:
            raise UsageError(
                f"there is no run {options.study!r} in {options.runs_dir} yet.",
                next_step="Start it with --genre NAME or --space FILE; `optimize studies` lists the runs there are.",
            )
        return asked
    own = read_space(run)
    if asked is None or asked.digest == own.digest:
        return own
    if options.space is None and asked.name == own.name:
        notes.append(f"Genre {own.name!r} has changed since this run was started; the run goes on with its own copy.")
        return own
    # The comparison of identities names the difference.
    return asked


def _prior_of(options: Options, session: Session, notes: list[str], *, fitting: bool = True) -> Prior:
    """Read the earlier songs that are asked for."""
    if not options.prior:
        return Prior()
    sampler = session.options.sampler
    if sampler != "topk":
        raise UsageError(
            f"--prior {options.prior[0]} and --sampler {sampler} cannot be given together: "
            "only topk begins with earlier songs.",
            next_step="Leave one of them out.",
        )
    records = [_record_of(find_run(options.runs_dir, name)) for name in options.prior]
    duration = session.options.duration or 30.0
    return warmstart.gather(records, session.space, session.scorer, duration, notes, fitting=fitting)


def _record_of(run: RunDirectory) -> Record:
    storage = run.read_identity().get("options", {}).get("storage")
    file = run.database if storage is None else Path(str(storage).removeprefix("sqlite:///"))
    if (storage is None or str(storage).startswith("sqlite:///")) and not file.is_file():
        # Opening it would make an empty one.
        raise UsageError(
            f"{file} is missing: the songs of study {run.folder.name!r} cannot be read without it.",
            next_step="Restore it from a copy of the run, or leave --prior out.",
        )
    return read_record(run, storage=storage, estimates=False)


def _check_kept(frozen: Mapping[str, Any], prior: Prior) -> None:
    """Refuse to go on without the songs that the search began with: it would be another."""
    stated = frozen.get("search", {}).get("prior")
    if stated != (digest(prior) if prior else None):
        raise UsageError(
            f"the earlier songs stored with run {frozen.get('study')!r} ({PRIOR_FILE}) are missing or were changed.",
            next_step=f"Restore {PRIOR_FILE} from a copy of the run, or start again with --study NAME.",
        )


def _check_asked(options: Options, session: Session) -> None:
    """Refuse earlier songs other than those that the run began with."""
    if not options.prior:
        return
    # With those too that fit no recipe: older versions kept them.
    if _prior_of(options, session, [], fitting=False).same_as(session.prior):
        return
    asked = _prior_of(options, session, [])
    if asked.same_as(session.prior):
        return
    began = session.run.read_identity().get("prior", {})
    raise IncompatibleResume(
        f"run {session.run.folder.name!r} began with {_counted(session.prior, began)}, "
        f"and --prior {' --prior '.join(options.prior)} now gives {_counted(asked, asked.studies)}"
        f"{'' if asked.size != session.prior.size else ', which are not the same'}.",
        next_step="Leave --prior out: the run keeps its own. Or start another with --study NAME.",
    )


def _counted(prior: Prior, studies: Mapping[str, int]) -> str:
    if not prior:
        return "no earlier songs"
    whose = ", ".join(f"{count} of {name}" for name, count in studies.items())
    return f"{warmstart.counted(prior.size, 'earlier song')}{f' ({whose})' if whose else ''}"


def _engine_of(options: Options, notes: list[str]) -> EngineSpec:
    asked = RenderOptions(
        model=options.model,
        device=options.device or "auto",
        duration=options.duration or 30.0,
        acestep_dir=options.acestep_dir,
    )
    if options.renderer is not None:
        return resolve(options.renderer, asked)
    try:
        return resolve("acestep", asked)
    except MissingPrerequisite as error:
        notes.append(
            "Rendering with the embedded engine `synth`: ACE-Step is not on this machine.\n"
            f"  {error.next_step or 'optimize doctor'}"
        )
        return resolve("synth", replace(asked, model=None))


def _scorer_of(options: Options, space: SearchSpace, notes: list[str]) -> ScorerSpec:
    asked = {
        "genres": tuple(genre.id for genre in space.genres),
        "encoder": options.encoder,
        "head": options.head,
        "window": options.window,
        "device": options.scorer_device,
        "dtype": options.scorer_dtype,
    }
    if options.scorer is not None:
        return prepare(options.scorer, asked)
    try:
        return prepare("banger", asked)
    except MissingPrerequisite as error:
        notes.append(
            "Listening with the embedded scorer `acoustic`, a stand-in: the banger scorer is not on this machine.\n"
            f"  {error.next_step or 'optimize doctor'}"
        )
        return prepare("acoustic", {})


def _toml(value: Any) -> Any:
    """Drop what TOML cannot hold: it has no null."""
    if isinstance(value, Mapping):
        return {str(key): _toml(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_toml(item) for item in value if item is not None]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
