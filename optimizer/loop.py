"""Render and score side by side until the target is reached: retries, budget and interrupts."""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from optimizer.errors import AttemptFailed, Interrupted, NoSongs, OptimizeError, TargetNotReached
from optimizer.recipe import Recipe
from optimizer.rendering.base import Clip
from optimizer.runs import RunDirectory, write_atomic
from optimizer.scoring.base import Score
from optimizer.study import Pending, RunStudy

POLL = 0.5
"""Seconds after which the main thread looks up, so that a signal is never waited for longer."""
SOME_FAILURES = 30
"""Failed trials that are replaced where nobody said how many songs there shall be, or as many as there are songs."""


class Renders(Protocol):
    """What the loop asks of a renderer."""

    def render(
        self,
        recipe: Recipe,
        out: Path,
        *,
        plan: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Clip:
        """Render one recipe to a checked master at `out`."""

    def kill(self) -> None:
        """End the child at once."""


class Scores(Protocol):
    """What the loop asks of a scorer."""

    def start(self) -> None:
        """Load the model."""

    def score(self, paths: Sequence[Path], captions: Sequence[str | None] | None = None) -> list[Score | AttemptFailed]:
        """Judge masters; `captions` are told to a scorer whose ``captioned`` is true."""

    def kill(self) -> None:
        """End the child at once."""


class Keeps(Protocol):
    """What the loop asks of an embedding store."""

    def put(self, sha256: str, encoder: str, embedding: Any) -> None:
        """Keep one embedding."""


@dataclass(frozen=True, slots=True)
class Started:
    """A trial's render begins."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class Stepped:
    """An engine reported a step."""

    number: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A trial's master is stored; it waits to be scored."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial became a song."""

    pending: Pending
    audio: Path
    score: Score
    timings: Mapping[str, float]
    done: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial gave no song."""

    pending: Pending
    reason: str
    error: str


Event = Started | Stepped | Rendered | Finished | Failed


@dataclass(slots=True)
class Budget:
    """When to stop.

    Attributes
    ----------
    trials : int
        Songs the run shall have in total, or the most it may have where `counted` is false.
    seconds : float or None
        Time the run shall take in all, what it took before included; after it no new song is begun.
    enough : callable or None
        Asked before the first song and after each; the reason it gives, a sentence, ends the search early.
    counted : bool
        Whether somebody asked for that number of songs.
    ended : str or None
        Set by the loop: why it ended before its number of songs, in a sentence.
    cause : {"songs", "time", "gain"}
        Set by the loop: the same in a word.
    """

    trials: int
    seconds: float | None = None
    enough: Callable[[], str | None] | None = None
    counted: bool = True
    ended: str | None = None
    cause: str = "songs"

    def failures(self, done: int) -> int:
        """Return how many failed trials are still replaced by new ones when there are `done` songs."""
        return max(10, self.trials) if self.counted else max(SOME_FAILURES, done)


@dataclass(slots=True)
class _Flight:
    """A trial between ask and tell."""

    pending: Pending
    clip: Clip | None = None
    timings: dict[str, float] = field(default_factory=dict)
    began: float = 0.0


class Loop:
    """The loop of one run.

    The main thread alone talks to the study; each renderer and the scorer have a thread of their own, in which they
    wait for their child.

    Parameters
    ----------
    run : RunDirectory
    study : RunStudy
    renderers : sequence
        One per worker.
    scorer : object
        See `Scores`.
    budget : Budget
    ahead : int
        How many trials below the next one may still be without a result when a refining proposal is made.
    explore : int
        Trials of the sweep, whose proposals need no results.
    embeddings : object, optional
        Where embeddings are kept, by `encoder`.
    encoder : str
        Identity of the embedding space.
    plan_for : callable, optional
        Given a pending trial, the text of the plan it shall replay, or None.
    prepare : callable, optional
        Called before the first render, while the scorer loads; what it raises ends the run.
    on_event : callable, optional
        Told of everything that happens, on whatever thread it happens.
    """

    def __init__(
        self,
        run: RunDirectory,
        study: RunStudy,
        renderers: Sequence[Renders],
        scorer: Scores,
        budget: Budget,
        *,
        ahead: int,
        explore: int,
        embeddings: Keeps | None = None,
        encoder: str = "",
        plan_for: Callable[[Pending], str | None] | None = None,
        prepare: Callable[[], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._run = run
        self._study = study
        self._renderers = renderers
        self._idle: queue.SimpleQueue[Renders] = queue.SimpleQueue()
        for renderer in renderers:
            self._idle.put(renderer)
        self._scorer = scorer
        self._budget = budget
        self._ahead = ahead
        self._explore = explore
        self._embeddings = embeddings
        self._encoder = encoder
        self._plan_for = plan_for or (lambda pending: None)
        self._prepare = prepare or (lambda: None)
        self._on_event = on_event or (lambda event: None)
        self._rendering: dict[Future[Any], _Flight] = {}
        self._scoring: dict[Future[Any], _Flight] = {}
        self._stopping = False
        self._killed = False

    def stop(self) -> None:
        """Begin nothing new and finish the songs in flight; a second call ends the children at once.

        Safe to call from a signal handler.
        """
        self._killed = self._stopping
        self._stopping = True

    def run(self) -> int:
        """Run to the target.

        Returns
        -------
        int
            Songs the run now has.

        Raises
        ------
        Interrupted
            After `stop`.
        TargetNotReached, NoSongs
            If too many trials failed.
        OptimizeError
            If the engine or the scorer cannot be loaded, or the disk is full: trials in flight stay to be adopted.
        """
        # Counted on from what earlier processes took: the same command again is no new budget.
        begun = time.monotonic() - self._study.spent
        total, done, _ = self._study.counts()
        failures = 0
        adopted = deque(self._study.adopt())
        last_error = ""
        threads = ThreadPoolExecutor(len(self._renderers), thread_name_prefix="render")
        listener = ThreadPoolExecutor(1, thread_name_prefix="score")
        try:
            if not (self._goes_on(done, time.monotonic() - begun, ask=True) or adopted):
                return self._some(done)
            # The scorer loads while the first song renders.
            loading = listener.submit(self._scorer.start)
            self._await(threads.submit(self._prepare))
            while True:
                if loading.done():
                    loading.result()
                if not (self._stopping or failures > self._budget.failures(done)):
                    left = self._budget.trials - done if self._goes_on(done, time.monotonic() - begun) else 0
                    total = self._fill(threads, listener, adopted, total, left)
                if not (self._rendering or self._scoring):
                    break
                finished, _ = wait([*self._rendering, *self._scoring], timeout=POLL, return_when=FIRST_COMPLETED)
                before = done, failures
                for future in finished:
                    try:
                        done += self._settle(future, listener, done)
                    except AttemptFailed as error:
                        failures += 1
                        last_error = error.message
                if self._killed:
                    raise Interrupted("stopped; songs in flight were dropped and will be rendered again.")
                if before != (done, failures):
                    self._study.spent = time.monotonic() - begun
                    self._goes_on(done, self._study.spent, ask=True)
        except BaseException:
            self._kill()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
            listener.shutdown(wait=True, cancel_futures=True)
        self._study.spent = time.monotonic() - begun
        if self._stopping:
            raise Interrupted(f"stopped with {done} songs; the ones in flight were finished.")
        if failures > self._budget.failures(done) or (failures and not done):
            kind = TargetNotReached if done else NoSongs
            of = f" of {self._budget.trials}" if self._budget.counted else ""
            trials = f"{failures} trial{'' if failures == 1 else 's'}"
            raise kind(
                f"{trials} failed, {done}{of} songs made. Last failure: {last_error}",
                next_step=f"See {self._run.logs} for what the engine said, and `optimize doctor` for what works here.",
            )
        return self._some(done)

    def _some(self, done: int) -> int:
        """Return the number of songs there are; time that was over before the first one is an error."""
        if done or self._budget.seconds is None:
            return done
        raise NoSongs(
            f"the budget of {self._budget.seconds / 60:g} minutes was over before the first song was begun: "
            f"{self._study.spent:.1f} s went into loading engine and scorer, and a song takes its own time on top.",
            next_step="Give a larger --budget-minutes, or see with --trials 1 what one song takes here.",
        )

    def _goes_on(self, done: int, spent: float, *, ask: bool = False) -> bool:
        """Whether new songs may be begun; with `ask`, after asking whether there are enough."""
        budget = self._budget
        if done >= budget.trials:
            # Songs that were in flight when the time was up may have reached it.
            budget.ended, budget.cause = None, "songs"
            return False
        if ask and budget.ended is None and budget.enough is not None:
            budget.ended = budget.enough()
            budget.cause = "songs" if budget.ended is None else "gain"
        if budget.ended is None and budget.seconds is not None and spent >= budget.seconds:
            budget.cause = "time"
            budget.ended = (
                f"The search has taken {spent / 60:.3g} minutes, and its budget is {budget.seconds / 60:g}; "
                "a larger one goes on, or --more N without one."
            )
        return budget.ended is None

    def _fill(
        self,
        threads: ThreadPoolExecutor,
        listener: ThreadPoolExecutor,
        adopted: deque[Pending],
        total: int,
        left: int,
    ) -> int:
        """Begin what a dead process had begun, and up to `left` songs more; return how many trials there are."""
        while len(self._rendering) < len(self._renderers):
            if adopted:
                flight = _Flight(adopted.popleft(), began=time.perf_counter())
                if flight.pending.audio is not None:
                    flight.clip = Clip(flight.pending.audio, str(flight.pending.attributes["sha256"]), 0, 0.0)
                    flight.timings.update(flight.pending.attributes.get("timings", {}))
                    self._score(listener, flight)
                    continue
            elif len(self._rendering) + len(self._scoring) < left and self._may_ask(total):
                flight = _Flight(self._study.ask(), began=time.perf_counter())
                total = flight.pending.number + 1
            else:
                break
            self._on_event(Started(flight.pending))
            self._rendering[threads.submit(self._render, flight)] = flight
        return total

    def _await(self, future: Future[None]) -> None:
        while not wait([future], timeout=POLL).done:
            if self._killed:
                raise Interrupted("stopped before the first song.")
        future.result()

    def _may_ask(self, number: int) -> bool:
        # A proposal must see the same results whether or not the run was killed in between, so it waits for
        # all it may read. The sweep reads only which trials failed, which is let lag behind the pipeline.
        lag = len(self._renderers) + 1 if number < self._explore else self._ahead
        flights = [*self._rendering.values(), *self._scoring.values()]
        return all(flight.pending.number >= number - lag for flight in flights)

    def _render(self, flight: _Flight) -> Clip:
        renderer = self._idle.get()
        begun = time.perf_counter()
        number = flight.pending.number
        try:
            return renderer.render(
                flight.pending.recipe,
                self._run.song(number),
                plan=self._plan_for(flight.pending),
                on_progress=lambda step, steps: self._on_event(Stepped(number, step, steps)),
            )
        finally:
            flight.timings["render"] = round(time.perf_counter() - begun, 4)
            self._idle.put(renderer)

    def _score(self, listener: ThreadPoolExecutor, flight: _Flight) -> None:
        assert flight.clip is not None
        path, ready = flight.clip.path, time.perf_counter()

        def judge() -> Score:
            begun = time.perf_counter()
            if getattr(self._scorer, "captioned", False):
                result = self._scorer.score([path], [flight.pending.recipe.caption])[0]
            else:
                result = self._scorer.score([path])[0]
            flight.timings |= {"wait": round(begun - ready, 4), "score": round(time.perf_counter() - begun, 4)}
            if isinstance(result, AttemptFailed):
                raise result
            return result

        self._scoring[listener.submit(judge)] = flight

    def _settle(self, future: Future[Any], listener: ThreadPoolExecutor, done: int) -> int:
        """Take a result in; return how many songs it made."""
        flight = self._rendering.pop(future, None)
        if flight is not None:
            clip = self._result(future, flight)
            flight.clip = clip
            self._keep_clip(flight.pending.number, clip, flight.timings)
            self._on_event(Rendered(flight.pending.number, flight.timings["render"]))
            self._score(listener, flight)
            return 0
        flight = self._scoring.pop(future)
        score = self._result(future, flight)
        assert flight.clip is not None
        if self._embeddings is not None:
            heard = dict(score.embeddings)
            if score.embedding is not None:
                heard[self._encoder] = score.embedding
            for encoder, embedding in heard.items():
                self._embeddings.put(flight.clip.sha256, encoder, embedding)
        number = flight.pending.number
        flight.timings["total"] = round(time.perf_counter() - flight.began, 4)
        attributes: dict[str, Any] = {"parts": dict(score.parts), "timings": flight.timings}
        if score.curve:
            attributes["curve"] = list(score.curve)
        self._study.note(number, **attributes)
        self._study.tell(number, score.value)
        self._on_event(Finished(flight.pending, flight.clip.path, score, flight.timings, done + 1))
        return 1

    def _result(self, future: Future[Any], flight: _Flight) -> Any:
        if self._killed:
            # What a killed child answers says nothing about the song: leave the trial to be adopted.
            raise Interrupted("stopped; songs in flight were dropped and will be rendered again.")
        try:
            return future.result()
        except AttemptFailed as error:
            number = flight.pending.number
            attempts = int(getattr(error, "attempts", 1))
            self._study.fail(number, reason=error.reason, error=error.message, attempts=attempts)
            # What is kept of it is in the log and the study; a master nobody scored would pass for a song.
            with contextlib.suppress(OSError):
                self._run.song(number).unlink()
            self._on_event(Failed(flight.pending, error.reason, error.message))
            raise

    def _keep_clip(self, number: int, clip: Clip, timings: Mapping[str, float]) -> None:
        info = dict(clip.info)
        attributes: dict[str, Any] = {"attempts": int(info.pop("attempts", 1)), "timings": dict(timings)}
        plan = info.pop("plan", None)
        if plan:
            self._run.plans.mkdir(exist_ok=True)
            write_atomic(self._run.plan(number), str(plan).encode())
            attributes["plan"] = self._run.relative(self._run.plan(number))
        info |= {"sample_rate": clip.sample_rate, "duration": clip.duration}
        # The hash last: with it the trial needs no second render, so all else must be there by then.
        self._study.note(number, info=info, **attributes, audio=self._run.relative(clip.path), sha256=clip.sha256)

    def _kill(self) -> None:
        children: list[Renders | Scores] = [*self._renderers, self._scorer]
        for child in children:
            with contextlib.suppress(OptimizeError, OSError):
                child.kill()
