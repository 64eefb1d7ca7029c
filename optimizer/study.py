"""The Optuna study of a run: create or resume, ask, tell, read back; the only file that talks to Optuna storage."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.errors import IncompatibleResume, StorageFull, UsageError
from optimizer.estimates import with_estimates
from optimizer.recipe import SEED_RANGE, Recipe
from optimizer.runs import RunDirectory
from optimizer.search_space import Range, SearchSpace
from optimizer.song import FailedTrial, Record, Song

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from sqlalchemy.engine import Connection

LOCK_WAIT = 60.0
"""Seconds a writer waits for SQLite's lock; a dashboard reading the study may hold it for a while."""


@dataclass(slots=True)
class Pending:
    """A trial that was asked for and is not told yet.

    Attributes
    ----------
    number : int
        Optuna trial number.
    recipe : Recipe
    phase : str
    adopted : bool
        Whether it was found RUNNING under the run's lock: left behind by a process that died.
    audio : Path or None
        Master that the dead process had already stored; it need only be scored.
    attributes : mapping
        The trial's user attributes when it was asked or adopted.
    """

    number: int
    recipe: Recipe
    phase: str
    adopted: bool = False
    audio: Path | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


class RunStudy:
    """The study of one run, held by the one process that writes it.

    Parameters
    ----------
    run : RunDirectory
        Its lock must be held.
    space : SearchSpace
    sampler : optuna.samplers.BaseSampler
    duration : float
        Seconds of every song.
    storage : str, optional
        URL of another database; the run's own SQLite file by default.

    Attributes
    ----------
    explore : int
        Trials of the sampler's sweep.
    """

    def __init__(
        self,
        run: RunDirectory,
        space: SearchSpace,
        sampler: BaseSampler,
        *,
        duration: float,
        storage: str | None = None,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.explore = int(getattr(sampler, "explore", 0))
        self._run = run
        self._space = space
        self._duration = duration
        self._distributions = distributions(space)
        with storage_errors(run.database):
            self._study = optuna.create_study(
                study_name=run.name,
                storage=open_storage(run.database, storage),
                direction="maximize",
                sampler=sampler,
                load_if_exists=True,
            )
            if self._study.direction != optuna.study.StudyDirection.MAXIMIZE:
                raise IncompatibleResume(f"study {run.name!r} minimises; a score is maximised.")
            self._check_space()

    def _check_space(self) -> None:
        # A changed list of choices would make `ask` fail after it made the trial, and leave it RUNNING.
        digest = self._study.user_attrs.get("space_digest")
        if digest is None:
            self._study.set_user_attr("space_digest", self._space.digest)
        elif digest != self._space.digest:
            raise IncompatibleResume(
                f"study {self._run.name!r} was made with another search space (digest {digest[:12]}, "
                f"asked is {self._space.digest[:12]}).",
                next_step="Start another run with --study NAME.",
            )

    @property
    def target(self) -> int | None:
        """Songs that were last asked for; None where time or gain alone decides."""
        target = self._study.user_attrs.get("target")
        return None if target is None else int(target)

    @target.setter
    def target(self, value: int | None) -> None:
        with storage_errors(self._run.database):
            if self.target != value:
                self._study.set_user_attr("target", value)

    @property
    def spent(self) -> float:
        """Seconds that all processes together searched so far."""
        return float(self._study.user_attrs.get("spent", 0.0))

    @spent.setter
    def spent(self, value: float) -> None:
        with storage_errors(self._run.database):
            self._study.set_user_attr("spent", value)

    @property
    def optuna_study(self) -> optuna.Study:
        """The Optuna study itself, for samplers that are asked directly."""
        return self._study

    def adopt(self) -> list[Pending]:
        """Take over the trials a dead process left RUNNING, with their numbers, parameters and seeds.

        Whoever holds the run's lock is alone, so such a trial belongs to nobody. A parameter that was not yet
        drawn is drawn now, as it would have been then.
        """
        from optuna.trial import Trial, TrialState

        adopted = []
        with storage_errors(self._run.database):
            for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                trial = Trial(self._study, frozen._trial_id)
                pending = self._pending(trial, adopted=True)
                stored = trial.user_attrs.get("audio")
                if stored and trial.user_attrs.get("sha256") and self._run.inside(stored).is_file():
                    pending.audio = self._run.inside(stored)
                adopted.append(pending)
        return adopted

    def ask(self) -> Pending:
        """Draw the next recipe."""
        with storage_errors(self._run.database):
            return self._pending(self._study.ask(), adopted=False)

    def _pending(self, trial: optuna.Trial, *, adopted: bool) -> Pending:
        params = {name: trial._suggest(name, distribution) for name, distribution in self._distributions.items()}
        attributes = trial.user_attrs
        if "recipe" in attributes:
            recipe = Recipe.from_dict(attributes["recipe"])
        else:
            seed = int(params.pop("seed"))
            recipe = self._space.recipe(params, seed=seed, duration=self._duration)
            trial.set_user_attr("recipe", recipe.to_dict())
        return Pending(trial.number, recipe, str(attributes.get("phase", "refine")), adopted, attributes=attributes)

    def note(self, number: int, **attributes: Any) -> None:
        """Store user attributes on a trial that is not told yet (they are immutable afterwards)."""
        trial_id = self._trial_id(number)
        with storage_errors(self._run.database):
            for name, value in attributes.items():
                self._study._storage.set_trial_user_attr(trial_id, name, _plain(value))

    def tell(self, number: int, value: float) -> None:
        """Record a song's score.

        Raises
        ------
        ValueError
            If it is not a number from 0 to 10: Optuna itself would take infinity for the best song there is.
        """
        if not (math.isfinite(value) and 0.0 <= value <= 10.0):
            raise ValueError(f"score {value!r} is outside 0 to 10")
        with storage_errors(self._run.database):
            self._study.tell(number, value)

    def fail(self, number: int, *, reason: str, error: str, attempts: int = 1) -> None:
        """Record that a trial gave no song."""
        from optuna.trial import TrialState

        self.note(number, reason=reason, error=error, attempts=attempts)
        with storage_errors(self._run.database):
            self._study.tell(number, state=TrialState.FAIL)

    def counts(self) -> tuple[int, int, int]:
        """Return how many trials there are, how many gave a song, and how many failed."""
        from optuna.trial import TrialState

        states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
        return len(states), states.count(TrialState.COMPLETE), states.count(TrialState.FAIL)

    def unfinished_below(self, number: int) -> bool:
        """Whether a trial with a smaller number has no result yet."""
        trials = self._study.get_trials(deepcopy=False)
        return any(not trial.state.is_finished() for trial in trials[: max(number, 0)])

    def close(self) -> None:
        """Write what SQLite still holds aside into the study file, so that the folder can be moved at once."""
        with contextlib.suppress(Exception):
            engine = self._study._storage._backend.engine  # type: ignore[attr-defined]
            engine.dispose()

    def _trial_id(self, number: int) -> int:
        return self._study._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of each parameter, `seed` among them, in a fixed order."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, values in space.parameters().items():
        if isinstance(values, Range):
            found[name] = IntDistribution(values.low, values.high, step=values.step)
        else:
            found[name] = CategoricalDistribution(values)
    found["seed"] = IntDistribution(*SEED_RANGE)
    return found


def open_storage(path: Path, url: str | None = None) -> BaseStorage:
    """Open an Optuna storage; a SQLite file gets write-ahead logging and whole transactions.

    Without ``BEGIN IMMEDIATE`` two processes can take the same queued trial, and without a long time-out a reader
    such as a dashboard makes a writer fail.
    """
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy import event
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import QueuePool

    if url is not None and not url.startswith("sqlite"):
        try:
            return get_storage(url)
        except (ArgumentError, ImportError) as error:
            raise UsageError(
                f"--storage {url!r} cannot be opened: {error}",
                next_step="Give a database URL such as sqlite:///songs.db or postgresql://host/name, with its driver.",
            ) from error
    if url is not None:
        path = Path(url.partition(":///")[2]).absolute()

    def connect() -> sqlite3.Connection:
        # Through a function, since a path may hold characters ('?', '{') that a URL cannot.
        connection = sqlite3.connect(path, timeout=LOCK_WAIT, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    storage = RDBStorage("sqlite://", engine_kwargs={"creator": connect, "poolclass": QueuePool})

    @event.listens_for(storage.engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()
    return get_storage(storage)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the database says of a full or read-only disk into an error with a next step."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except (StorageInternalError, DatabaseError, sqlite3.Error) as error:
        text = f"{error} {error.__cause__ or ''}"
        if "disk is full" in text or "disk I/O error" in text:
            raise StorageFull(
                f"the disk is full: {path} could not be written.",
                next_step="Free some space and run the same command again; every finished song is kept.",
            ) from error
        if "readonly database" in text or "unable to open" in text:
            raise UsageError(
                f"{path} cannot be written.", next_step="Mend its permissions, or give --runs-dir."
            ) from error
        if "malformed" in text or "not a database" in text:
            raise UsageError(
                f"{path} is damaged: it is not a SQLite database any more.",
                next_step="Restore it from a copy, or start again with --study NAME.",
            ) from error
        if "database is locked" in text:
            raise UsageError(
                f"{path} is locked by another program for more than {LOCK_WAIT:g} s.",
                next_step="Close what holds it (a dashboard, a database browser) and run the same command again.",
            ) from error
        raise


def read_record(run: RunDirectory, *, storage: str | None = None, estimates: bool = True) -> Record:
    """Read a run back from its folder; another process may be writing it meanwhile.

    Parameters
    ----------
    run : RunDirectory
    storage : str, optional
        URL, where the study is not in the run's own file.
    estimates : bool
        Whether to work out each song's expected score and shrunken estimate.
    """
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    identity = run.read_identity()
    if storage is None and not run.database.is_file():
        return Record(run.name, run.folder, identity, ())
    with storage_errors(run.database):
        try:
            study = optuna.load_study(study_name=run.name, storage=open_storage(run.database, storage))
        except KeyError:
            return Record(run.name, run.folder, identity, ())
        trials = study.get_trials(deepcopy=False)
        attributes = study.user_attrs
    added: dict[str, dict[str, float]] = attributes.get("rescored", {})
    songs, failed = [], []
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            songs.append(_song(run, trial, added.get(str(trial.number), {})))
        elif trial.state == TrialState.FAIL:
            recipe = trial.user_attrs.get("recipe")
            failed.append(
                FailedTrial(
                    trial.number,
                    None if recipe is None else Recipe.from_dict(recipe),
                    str(trial.user_attrs.get("reason", "unknown")),
                    str(trial.user_attrs.get("error", "")),
                )
            )
    running = sum(not trial.state.is_finished() for trial in trials)
    record = Record(run.name, run.folder, identity, tuple(songs), tuple(failed), running, attributes.get("target"))
    return with_estimates(record) if estimates else record


def add_songs(run: RunDirectory, space: SearchSpace, songs: Sequence[Song]) -> None:
    """Put songs that were scored elsewhere into a new study, as finished trials.

    Parameters
    ----------
    run : RunDirectory
        Its lock must be held. What an interrupted attempt left in its study is dropped first.
    space : SearchSpace
        Contains every song's recipe.
    songs : sequence of Song
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spread = distributions(space)
    with storage_errors(run.database):
        storage = open_storage(run.database)
        with contextlib.suppress(KeyError):
            optuna.delete_study(study_name=run.name, storage=storage)
        study = optuna.create_study(study_name=run.name, storage=storage, direction="maximize")
        study.set_user_attr("space_digest", space.digest)
        study.set_user_attr("target", len(songs))
        trials = []
        for song in songs:
            attributes = {
                "recipe": song.recipe.to_dict(),
                "phase": song.phase,
                "parts": dict(song.parts),
                "sha256": song.sha256,
                "info": {**song.info, "original_audio": None if song.audio is None else str(song.audio)},
            }
            trials.append(
                optuna.trial.create_trial(
                    params={**space.point(song.recipe), "seed": song.recipe.seed},
                    distributions=spread,
                    value=song.value,
                    user_attrs=_plain(attributes),
                )
            )
        study.add_trials(trials)


def add_parts(run: RunDirectory, parts: Mapping[int, Mapping[str, float]], *, storage: str | None = None) -> None:
    """Keep further judges' scores of finished songs; the objective stays as it was told.

    A finished trial's attributes cannot change any more, so they are kept on the study.

    Parameters
    ----------
    run : RunDirectory
        Its lock must be held.
    parts : mapping of trial number to parts
    storage : str, optional
    """
    import optuna

    with storage_errors(run.database):
        study = optuna.load_study(study_name=run.name, storage=open_storage(run.database, storage))
        kept: dict[str, dict[str, float]] = study.user_attrs.get("rescored", {})
        for number, values in parts.items():
            kept.setdefault(str(number), {}).update(values)
        study.set_user_attr("rescored", _plain(kept))


def _song(run: RunDirectory, trial: optuna.trial.FrozenTrial, added: Mapping[str, float]) -> Song:
    attributes = trial.user_attrs
    audio = attributes.get("audio")
    assert trial.value is not None
    return Song(
        study=run.name,
        number=trial.number,
        recipe=Recipe.from_dict(attributes["recipe"]),
        phase=str(attributes.get("phase", "refine")),
        value=float(trial.value),
        audio=run.inside(audio) if audio else None,
        sha256=str(attributes.get("sha256", "")),
        parts={**attributes.get("parts", {}), **added},
        timings=attributes.get("timings", {}),
        attempts=int(attributes.get("attempts", 1)),
        info=attributes.get("info", {}),
        plan=attributes.get("plan"),
        plan_of=attributes.get("plan_of"),
        started=trial.datetime_start.timestamp() if trial.datetime_start else None,
        finished=trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        curve=tuple(attributes.get("curve", ())),
    )


def _plain(value: Any) -> Any:
    # Optuna stores JSON; numpy's numbers and paths are not, and would fail after the render is paid for.
    return json.loads(json.dumps(value, default=_as_json))


def _as_json(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
