"""A run that is ready to go: study, renderers and scorer brought together."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from optimizer.errors import AttemptFailed, UsageError
from optimizer.loop import Budget, Event, Loop
from optimizer.options import Options
from optimizer.prior import Prior, seed_beside
from optimizer.recipe import Recipe
from optimizer.rendering.base import Clip, EngineSpec
from optimizer.rendering.renderer import Renderer
from optimizer.runs import RunDirectory, write_atomic
from optimizer.scoring import Score, ScorerSpec
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.process import ScorerProcess
from optimizer.search_space import SearchSpace
from optimizer.song import Song
from optimizer.study import Pending, RunStudy


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
