"""Open a run: settle the options against its frozen identity, and bring study, renderers and scorer together."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from optimizer import __version__, warmstart
from optimizer.errors import AttemptFailed, MissingPrerequisite, UsageError, did_you_mean
from optimizer.estimates import SPACE_FILE, read_space
from optimizer.loop import Budget, Event, Loop
from optimizer.prior import PRIOR_FILE, Prior, digest, read_prior, seed_beside
from optimizer.prior import to_json as prior_to_json
from optimizer.recipe import DURATION_RANGE, SEED_RANGE, Recipe
from optimizer.rendering.base import Clip, EngineSpec
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.rendering.renderer import Renderer
from optimizer.runs import RunDirectory, find_run, slug, write_atomic
from optimizer.sandbox import select
from optimizer.scoring import Score, ScorerSpec, prepare
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.process import ScorerProcess
from optimizer.search_space import SearchSpace, load_file, load_genre
from optimizer.search_space.frozen import to_json
from optimizer.song import Song
from optimizer.study import Pending, RunStudy, read_record

DEFAULT_TRIALS = 30
SAMPLERS = ("topk", "tpe", "gp", "random", "nsga2")
GOALS = ("best", "average")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can ask of a run; None is "not said", which on resume means the run's own value.

    The names are those of the command line, which documents them.
    """

    genre: str | None = None
    space: Path | None = None
    study: str | None = None
    runs_dir: Path = Path("runs")
    storage: str | None = None
    trials: int | None = None
    more: int | None = None
    renderer: str | None = None
    model: str | None = None
    acestep_dir: str | None = None
    duration: float | None = None
    workers: int | None = None
    device: str | None = None
    scorer: str | None = None
    encoder: str | None = None
    head: str | None = None
    window: str | None = None
    scorer_device: str | None = None
    scorer_dtype: str | None = None
    sampler: str | None = None
    explore: int | None = None
    goal: str | None = None
    per_genre: bool | None = None
    seed: int | None = None
    prior: tuple[str, ...] = ()
    budget_minutes: float | None = None
    until_gain: float | None = None
    replay_plans: str | None = None
    sandbox: str = "auto"
    recycle: int | None = None
    fresh_process: bool = False


FROZEN = (
    "renderer", "model", "acestep_dir", "duration", "workers", "device", "scorer", "encoder", "head", "window",
    "scorer_device", "scorer_dtype", "sampler", "explore", "goal", "per_genre", "seed", "storage", "replay_plans",
)  # fmt: skip
"""Options whose values a run keeps for the next time."""

DEFAULTS: dict[str, Any] = {
    "duration": 30.0,
    "workers": 1,
    "sampler": "topk",
    "goal": "best",
    "per_genre": False,
    "seed": 0,
    "replay_plans": "auto",
}


@dataclass(frozen=True, slots=True)
class Rerender:
    """A song rendered again, beside the song of the search."""

    song: Song
    recipe: Recipe
    clip: Clip
    score: Score


@dataclass(slots=True)
class Session:
    """A run that is ready to go.

    Attributes
    ----------
    run : RunDirectory
    space : SearchSpace
    engine : EngineSpec
    scorer : ScorerSpec
    options : Options
        With every value settled.
    resumed : bool
    notes : list of str
        What the user should know before the first song.
    prior : Prior
        What the search begins with.
    """

    run: RunDirectory
    space: SearchSpace
    engine: EngineSpec
    scorer: ScorerSpec
    options: Options
    resumed: bool
    notes: list[str] = field(default_factory=list)
    prior: Prior = field(default_factory=Prior)

    @property
    def ahead(self) -> int:
        """Trials below the next one that a refining proposal does not wait for."""
        workers = self.options.workers or 1
        return 0 if workers == 1 else workers

    @property
    def replays(self) -> bool:
        """Whether a take may replay the stored plan of its recipe."""
        return self.engine.plans and self.options.replay_plans != "off"

    @property
    def study_seed(self) -> int:
        """Seed of the sweep and of every take.

        With earlier songs of its genres, of these too: a seed that they were drawn with would make the same songs
        again, to be counted twice.
        """
        seed = self.options.seed or 0
        return seed_beside(self.prior, seed) if self.prior.observations else seed

    @property
    def explore(self) -> int | None:
        """Songs of the sweep that were asked for; none where earlier songs are sweep enough."""
        if self.options.explore is None and self.prior.covers(self.space):
            return 0
        return self.options.explore

    def plan_for(self, pending: Pending) -> str | None:
        """Return the text of the plan that a trial shall replay; None where it makes its own."""
        number = pending.attributes.get("plan_of")
        if number is None:
            return None
        try:
            return self.run.plan(int(number)).read_text(encoding="utf-8")
        except OSError:
            # The file has gone: a plan of its own costs more and is as good.
            return None

    def open_study(self, n_trials: int | None = None) -> RunStudy:
        """Open the Optuna study with the run's sampler; the run's lock must be held."""
        # Not at the top: it takes half a second, and an option that is refused shall be refused at once.
        from optimizer.samplers import build

        options = self.options
        sampler = build(
            options.sampler or "topk",
            search_space=self.space.parameters(),
            subspaces=self.space.subspaces() if self.space.several else None,
            seed=self.study_seed,
            n_trials=n_trials,
            explore=self.explore,
            ahead=self.ahead,
            goal=options.goal or "best",
            per_genre=bool(options.per_genre),
            prior=self.prior.observations,
            model=self.prior.model(),
            replay_plans=self.replays,
        )
        return RunStudy(self.run, self.space, sampler, duration=options.duration or 30.0, storage=options.storage)

    @contextlib.contextmanager
    def renderers(self, count: int) -> Iterator[list[Renderer]]:
        """Give `count` renderers with scratch folders of their own; on leaving, no child stays."""
        with (
            tempfile.TemporaryDirectory(prefix="banger-", ignore_cleanup_errors=True) as scratch,
            contextlib.ExitStack() as stack,
        ):
            made = []
            for index in range(count):
                folder = Path(scratch) / f"worker-{index}"
                folder.mkdir()
                renderer = Renderer(
                    self.engine,
                    folder,
                    sandbox=self.options.sandbox,
                    log=self.run.logs / f"worker-{index}.log",
                    recycle=self.options.recycle,
                    keep_loaded=not self.options.fresh_process,
                    hidden=self._hidden(),
                )
                stack.callback(renderer.close)
                made.append(renderer)
            yield made

    @contextlib.contextmanager
    def listener(self) -> Iterator[ScorerProcess]:
        """Give the scorer's process; on leaving, no child stays."""
        with tempfile.TemporaryDirectory(prefix="banger-", ignore_cleanup_errors=True) as scratch:
            process = ScorerProcess(
                self.scorer,
                Path(scratch),
                sandbox=self.options.sandbox,
                log=self.run.logs / "scorer.log",
                read_paths=(self.run.songs, self.run.folder / "rerender", self.run.folder / "verify"),
                hidden=self._hidden(),
            )
            try:
                yield process
            finally:
                process.close()

    def _hidden(self) -> tuple[Path, ...]:
        """Say what no child may read, even where the folder above is open to it: this run, and the others."""
        return (self.run.folder, self.run.folder.parent)

    def check_recipes(self, renderer: Renderer) -> None:
        """Let the engine look at every style and language before the first render.

        Raises
        ------
        UsageError
            Naming each that it cannot take.
        """
        problems = renderer.check(self.space.probe_recipes(self.options.duration or 30.0))
        if problems:
            raise UsageError(
                f"renderer {self.engine.name!r} cannot take search space {self.space.name!r}:\n  "
                + "\n  ".join(problems),
                next_step="Shorten the captions; docs/search-spaces.md tells how much fits.",
            )

    def search(
        self,
        study: RunStudy,
        budget: Budget,
        on_event: Callable[[Event], None],
        stops: Callable[[Loop], contextlib.AbstractContextManager[None]],
    ) -> int:
        """Run the loop to its end.

        Parameters
        ----------
        study : RunStudy
        budget : Budget
        on_event : callable
        stops : callable
            Given the loop, a context in which signals stop it.

        Returns
        -------
        int
            Songs the run has.
        """
        workers = self.options.workers or 1
        with (
            self.renderers(workers) as renderers,
            self.listener() as scorer,
            EmbeddingStore(self.run.embeddings) as embeddings,
        ):
            loop = Loop(
                self.run,
                study,
                renderers,
                scorer,
                budget,
                ahead=self.ahead,
                explore=study.explore,
                embeddings=embeddings,
                encoder=self.scorer.encoder,
                plan_for=self.plan_for,
                prepare=lambda: self.check_recipes(renderers[0]),
                on_event=on_event,
            )
            with stops(loop):
                return loop.run()


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
    _check(options)
    # What cannot be had is said before a run is begun with it.
    select(options.sandbox)
    run = _run_of(options)
    resumed = run.exists()
    frozen = run.read_identity() if resumed else {}
    notes: list[str] = []
    settled = _settle(options, frozen.get("options", {}))
    space = _space_of(options, run, frozen, notes)
    if options.sampler is not None and options.sampler != "topk":
        from optimizer.samplers import check_name

        if note := check_name(options.sampler):
            notes.append(note)
    engine = _engine_of(settled, notes)
    scorer = _scorer_of(settled, space, notes)
    settled = replace(settled, renderer=engine.name, scorer=scorer.text, device=engine.device)
    session = Session(run, space, engine, scorer, settled, resumed, notes)
    session.prior = _prior_of(options, session)
    if resumed:
        run.check_identity(identity(session))
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
    _check(Options(duration=duration))
    frozen = run.read_identity()
    own = _settle(
        Options(study=run.folder.name, runs_dir=run.folder.parent, sandbox=sandbox), frozen.get("options", {})
    )
    settled = own if duration is None else replace(own, duration=duration)
    space = _space_of(Options(study=run.folder.name), run, frozen, [])
    session = Session(run, space, _engine_of(settled, []), _scorer_of(settled, space, []), settled, resumed=True)
    asked = identity(session)
    del asked["search"], asked["renderer"]["duration"]
    run.check_identity(asked)
    return session


def render_again(session: Session, song: Song, on_progress: Callable[[int, int], None] | None = None) -> Rerender:
    """Render a song's recipe at the session's duration, and judge it again.

    The clip of the search stays; the new one is kept beside it, in the run's folder ``rerender``.

    Raises
    ------
    AttemptFailed
        If it cannot be rendered or judged.
    """
    duration = session.options.duration or song.recipe.duration
    recipe = replace(song.recipe, duration=duration)
    folder = session.run.folder / "rerender"
    folder.mkdir(exist_ok=True)
    out = folder / f"{song.number:04d}-{duration:g}s.flac"
    plan = None
    if song.plan is not None and duration == song.recipe.duration:
        # A plan is as long as the song it was made for.
        plan = session.run.inside(song.plan).read_text()
    with session.renderers(1) as renderers, session.listener() as scorer:
        clip = renderers[0].render(recipe, out, plan=plan, on_progress=on_progress)
        score = scorer.score([clip.path])[0]
        if isinstance(score, AttemptFailed):
            raise score
    document = {
        "study": song.study,
        "number": song.number,
        "recipe": recipe.to_dict(),
        "audio": out.name,
        "sha256": clip.sha256,
        "score": score.value,
        "parts": dict(score.parts),
        "search_clip": {"duration": song.recipe.duration, "score": song.value, "sha256": song.sha256},
    }
    write_atomic(out.with_suffix(".json"), json.dumps(document, ensure_ascii=False, indent=1).encode())
    return Rerender(song, recipe, clip, score)


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
    write_atomic(run.folder / SPACE_FILE, to_json(session.space).encode())
    if session.prior:
        write_atomic(run.folder / PRIOR_FILE, prior_to_json(session.prior).encode())
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


def _settle(options: Options, frozen: Mapping[str, Any]) -> Options:
    """Fill in what was not said: from the run, then from the defaults."""
    values = asdict(options)
    for name in FROZEN:
        if values[name] is None:
            values[name] = frozen.get(name, DEFAULTS.get(name))
    values["space"] = options.space
    return Options(**values)


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


def _prior_of(options: Options, session: Session) -> Prior:
    """Read earlier songs: those asked for, else those the run was started with."""
    if not options.prior:
        return read_prior(session.run)
    sampler = session.options.sampler
    if sampler != "topk":
        raise UsageError(
            f"--prior {options.prior[0]} and --sampler {sampler} cannot be given together: "
            "only topk begins with earlier songs.",
            next_step="Leave one of them out.",
        )
    records = [read_record(find_run(options.runs_dir, name), estimates=False) for name in options.prior]
    duration = session.options.duration or 30.0
    return warmstart.gather(records, session.space, session.scorer, duration, session.notes)


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


def _check(options: Options) -> None:
    """Refuse values that no run can have."""
    for name in ("trials", "more", "workers", "recycle"):
        _at_least(f"--{name}", getattr(options, name), 1)
    _at_least("--explore", options.explore, 0)
    if options.trials is not None and options.more is not None:
        raise UsageError(
            "--trials and --more cannot be given together.",
            next_step="--trials is the total, --more adds to what is there.",
        )
    for name, value in (("--budget-minutes", options.budget_minutes), ("--until-gain", options.until_gain)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} {value} is not usable: it must be a number above 0.")
    low, high = DURATION_RANGE
    if options.duration is not None and not low <= options.duration <= high:
        raise UsageError(f"--duration {options.duration:g} is not usable: it must be {low:g} to {high:g} seconds.")
    low, high = SEED_RANGE
    if options.seed is not None and not low <= options.seed <= high:
        raise UsageError(f"--seed {options.seed} is not usable: it must be {low} to {high}.")
    if options.sampler is not None and ":" not in options.sampler:
        _one_of("--sampler", options.sampler, SAMPLERS, " or package.module:Class")
    _one_of("--goal", options.goal, GOALS)
    _one_of("--replay-plans", options.replay_plans, ("auto", "off"))


def _at_least(name: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise UsageError(f"{name} {value} is not usable: it must be a whole number of {least} or more.")


def _one_of(name: str, value: str | None, legal: Sequence[str], more: str = "") -> None:
    if value is not None and value not in legal:
        raise UsageError(f"{name} {value!r} is not one of {', '.join(legal)}{more}.{did_you_mean(value, legal)}")


def _toml(value: Any) -> Any:
    """Drop what TOML cannot hold: it has no null."""
    if isinstance(value, Mapping):
        return {str(key): _toml(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_toml(item) for item in value if item is not None]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
