"""The loop: totals, failures, adoption, overlap and interrupts, on renderers and scorers that do nothing slow."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import optuna
import pytest

from optimizer.errors import (
    Interrupted,
    MissingPrerequisite,
    NoSongs,
    RenderFailed,
    ScoreFailed,
    StorageFull,
    TargetNotReached,
)
from optimizer.loop import Budget, Failed, Finished, Loop, Started
from optimizer.rendering.base import Clip
from optimizer.runs import RunDirectory
from optimizer.scoring.base import Score
from optimizer.scoring.cache import EmbeddingStore
from optimizer.study import RunStudy, read_record


class ByNumber(optuna.samplers.BaseSampler):
    """Draws each parameter from the trial's number alone."""

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        number = trial.number * 7919 + sum(map(ord, name))
        if isinstance(distribution, optuna.distributions.CategoricalDistribution):
            return distribution.choices[number % len(distribution.choices)]
        return number % 1000


class FakeRenderer:
    """Writes a file whose content is the recipe's digest."""

    def __init__(self, seconds=0.0, fail=lambda recipe: None, started=None):
        self.seconds, self.fail, self.started = seconds, fail, started
        self.rendered, self.killed = [], threading.Event()

    def render(self, recipe, out, *, plan=None, on_progress=None):
        if self.started:
            self.started.set()
        if self.killed.wait(self.seconds):
            raise RenderFailed("killed", reason="crash")
        error = self.fail(recipe)
        if error is not None:
            raise error
        if on_progress:
            on_progress(1, 1)
        out.write_text(recipe.digest)
        self.rendered.append(recipe)
        return Clip(
            out,
            hashlib.sha256(out.read_bytes()).hexdigest(),
            48000,
            recipe.duration,
            {"seed": recipe.seed, "attempts": 1},
        )

    def kill(self):
        self.killed.set()


class FakeScorer:
    """Scores a file by its content."""

    def __init__(self, seconds=0.0, fail=lambda text: None, broken=None):
        self.seconds, self.fail, self.broken = seconds, fail, broken
        self.heard = []

    def start(self):
        if self.broken:
            raise self.broken

    def score(self, paths):
        time.sleep(self.seconds)
        results = []
        for path in paths:
            text = path.read_text()
            self.heard.append(path.name)
            value = int(text[:4], 16) / 65536 * 10
            results.append(self.fail(text) or Score(value, {"fake": value}))
        return results

    def kill(self):
        pass


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "study")
    run.create()
    run.write_identity({"study": "study"})
    return run


def open_study(run, space):
    return RunStudy(run, space, ByNumber(), duration=8.0)


def search(run, space, trials, renderers=None, scorer=None, *, ahead=0, explore=0, budget=None, on_event=None):
    study = open_study(run, space)
    loop = Loop(
        run,
        study,
        renderers or [FakeRenderer()],
        scorer or FakeScorer(),
        budget or Budget(trials),
        ahead=ahead,
        explore=explore,
        on_event=on_event,
    )
    try:
        return loop.run()
    finally:
        study.close()


def test_every_embedding_of_a_song_is_kept_under_its_encoder(run, small_space):
    class Panel(FakeScorer):
        def score(self, paths):
            return [replace(one, embedding=np.ones(2), embeddings={"b": np.zeros(3)}) for one in super().score(paths)]

    study = open_study(run, small_space)
    with EmbeddingStore(run.embeddings) as store:
        Loop(run, study, [FakeRenderer()], Panel(), Budget(2), ahead=0, explore=0, embeddings=store, encoder="a").run()
        study.close()
        for song in read_record(run).songs:
            assert list(store.get(song.sha256, "a")) == [1, 1] and list(store.get(song.sha256, "b")) == [0, 0, 0]
        assert len(store) == 4


def test_the_target_is_the_runs_total(run, small_space):
    assert search(run, small_space, 3) == 3
    assert search(run, small_space, 5) == 5
    assert search(run, small_space, 4) == 5
    record = read_record(run)
    assert [song.number for song in record.songs] == [0, 1, 2, 3, 4]
    assert record.running == 0
    song = record.songs[2]
    assert song.audio == run.song(2)
    assert song.audio.read_text() == song.recipe.digest
    assert song.parts == {"fake": song.value}
    assert song.sha256 == hashlib.sha256(song.audio.read_bytes()).hexdigest()
    assert {"render", "score", "wait", "total"} <= set(song.timings)
    assert song.recipe.duration == 8.0


def test_a_failed_trial_is_replaced_and_recorded_with_its_reason(run, small_space):
    def fail(recipe):
        return RenderFailed("it went silent", reason="silence") if recipe.seed % 3 == 0 else None

    events = []
    assert search(run, small_space, 6, [FakeRenderer(fail=fail)], on_event=events.append) == 6
    record = read_record(run)
    assert len(record.songs) == 6
    assert record.failed
    assert {failed.reason for failed in record.failed} == {"silence"}
    assert all(failed.recipe.seed % 3 == 0 for failed in record.failed)
    assert sum(isinstance(event, Failed) for event in events) == len(record.failed)
    assert not any(run.song(failed.number).exists() for failed in record.failed)


def test_a_song_the_scorer_cannot_judge_fails_alone(run, small_space):
    def fail(text):
        return ScoreFailed("no idea", reason="scorer") if int(text[0], 16) < 8 else None

    assert search(run, small_space, 4, scorer=FakeScorer(fail=fail)) == 4
    record = read_record(run)
    assert {failed.reason for failed in record.failed} <= {"scorer"}
    assert not any(run.song(failed.number).exists() for failed in record.failed)


@pytest.mark.parametrize(("good", "kind", "code"), [(0, NoSongs, 5), (2, TargetNotReached, 4)])
def test_too_many_failures_end_the_run(run, small_space, good, kind, code):
    made = []

    def fail(recipe):
        made.append(recipe)
        return None if len(made) <= good else RenderFailed("broken", reason="crash")

    with pytest.raises(kind, match="broken") as caught:
        search(run, small_space, 5, [FakeRenderer(fail=fail)])
    assert caught.value.exit_code == code
    record = read_record(run)
    assert len(record.songs) == good
    assert len(record.failed) == 11
    assert record.running == 0


def test_a_trial_of_a_dead_process_is_adopted_with_its_recipe(run, small_space):
    study = open_study(run, small_space)
    asked = [study.ask(), study.ask()]
    # The first had its master stored before the process died, the second had not.
    run.song(0).write_text(asked[0].recipe.digest)
    study.note(0, audio="songs/0000.flac", sha256="00", timings={"render": 1.5})
    study.close()
    renderer, scorer = FakeRenderer(), FakeScorer()
    assert search(run, small_space, 4, [renderer], scorer) == 4
    record = read_record(run)
    assert record.running == 0
    assert [song.recipe for song in record.songs[:2]] == [one.recipe for one in asked]
    assert asked[0].recipe not in renderer.rendered
    assert record.songs[0].timings["render"] == 1.5
    assert len({song.recipe.digest for song in record.songs}) == 4


def test_a_trial_without_parameters_is_adopted_too(run, small_space):
    study = open_study(run, small_space)
    storage = study.optuna_study._storage
    storage.create_new_trial(study.optuna_study._study_id)
    study.close()
    assert search(run, small_space, 2) == 2
    untouched = RunDirectory(run.folder.parent / "other")
    untouched.create()
    untouched.write_identity({"study": "other"})
    search(untouched, small_space, 2)
    assert [s.recipe for s in read_record(run).songs] == [s.recipe for s in read_record(untouched).songs]


def test_two_renderers_and_the_scorer_work_at_the_same_time(run, small_space):
    spans = []
    lock = threading.Lock()

    def watch(event):
        with lock:
            if isinstance(event, Started | Finished):
                spans.append((type(event).__name__, event.pending.number))

    renderers = [FakeRenderer(0.15), FakeRenderer(0.15)]
    search(run, small_space, 6, renderers, FakeScorer(0.1), ahead=2, explore=6, on_event=watch)
    assert [name for name, _ in spans[:2]] == ["Started", "Started"]
    assert all(renderer.rendered for renderer in renderers)
    # A render begins before an earlier song is told: scoring overlaps it.
    first_told = spans.index(("Finished", 0))
    assert ("Started", 2) in spans[:first_told]


def test_a_refining_proposal_waits_for_every_result_it_may_read(run, small_space):
    told, asked_after = set(), {}

    def watch(event):
        if isinstance(event, Started):
            asked_after[event.pending.number] = set(told)
        elif isinstance(event, Finished):
            told.add(event.pending.number)

    renderers = [FakeRenderer(0.01), FakeRenderer(0.06)]
    search(run, small_space, 8, renderers, FakeScorer(0.02), ahead=2, explore=0, on_event=watch)
    for number, seen in asked_after.items():
        assert set(range(number - 2)) <= seen
    asked_after.clear()
    told.clear()
    search(run, small_space, 12, [FakeRenderer()], FakeScorer(), ahead=0, explore=0, on_event=watch)
    for number, seen in asked_after.items():
        assert set(range(8, number)) <= seen


def test_stop_finishes_the_songs_in_flight(run, small_space):
    study = open_study(run, small_space)
    started = threading.Event()
    loop = Loop(run, study, [FakeRenderer(0.3, started=started)], FakeScorer(), Budget(10), ahead=0, explore=10)

    def stop():
        started.wait()
        loop.stop()

    threading.Thread(target=stop).start()
    with pytest.raises(Interrupted):
        loop.run()
    study.close()
    record = read_record(run)
    assert len(record.songs) == 1
    assert record.running == 0


def test_a_second_stop_drops_them_and_they_are_adopted(run, small_space):
    study = open_study(run, small_space)
    started = threading.Event()
    renderer = FakeRenderer(30.0, started=started)
    loop = Loop(run, study, [renderer], FakeScorer(), Budget(10), ahead=0, explore=10)

    def stop():
        started.wait()
        loop.stop()
        loop.stop()

    threading.Thread(target=stop).start()
    with pytest.raises(Interrupted):
        loop.run()
    study.close()
    assert renderer.killed.is_set()
    assert read_record(run).running == 1
    assert not read_record(run).failed
    assert search(run, small_space, 2) == 2
    assert read_record(run).running == 0


@pytest.mark.parametrize("error", [StorageFull("the disk is full"), MissingPrerequisite("no model")])
def test_what_no_retry_can_mend_ends_the_run_and_leaves_the_trial(run, small_space, error):
    with pytest.raises(type(error)):
        search(run, small_space, 3, [FakeRenderer(fail=lambda recipe: error)])
    assert read_record(run).running == 1
    assert search(run, small_space, 3) == 3
    assert read_record(run).running == 0


def test_a_scorer_that_does_not_load_ends_the_run(run, small_space):
    with pytest.raises(MissingPrerequisite, match="weights"):
        search(run, small_space, 3, [FakeRenderer(0.05)], FakeScorer(broken=MissingPrerequisite("no weights")))


def test_a_time_budget_begins_nothing_new(run, small_space):
    done = search(run, small_space, 1000, [FakeRenderer(0.05)], budget=Budget(1000, seconds=0.4))
    assert 1 <= done < 20
    assert read_record(run).running == 0


def test_enough_ends_the_search(run, small_space):
    told = []
    budget = Budget(50, enough=lambda: "three will do" if len(told) >= 3 else None)

    def watch(event):
        if isinstance(event, Finished):
            told.append(event)

    assert search(run, small_space, 50, budget=budget, on_event=watch) == 3


def test_what_is_enough_before_the_first_song_loads_nothing(run, small_space):
    search(run, small_space, 2)
    budget = Budget(5, enough=lambda: "two will do")
    never = FakeScorer(broken=MissingPrerequisite("no such scorer"))
    assert search(run, small_space, 5, scorer=never, budget=budget) == 2
    assert budget.ended == "two will do"
    assert len(read_record(run).songs) == 2


def test_songs_in_flight_are_finished_when_there_are_enough(run, small_space):
    told = []

    class Waits(FakeRenderer):
        def render(self, recipe, out, **options):
            while out.stem != "0000" and not told:
                time.sleep(0.001)
            return super().render(recipe, out, **options)

    def watch(event):
        if isinstance(event, Finished):
            told.append(event)

    budget = Budget(50, enough=lambda: "one will do" if told else None)
    # The second worker's song, and the one the first began while its own was judged.
    assert search(run, small_space, 50, [Waits(), Waits()], budget=budget, ahead=2, on_event=watch) == 3
    record = read_record(run)
    assert (len(record.songs), record.running, budget.ended) == (3, 0, "one will do")


def test_time_is_counted_over_all_processes(run, small_space):
    spent = []
    for trials in (2, 4):
        search(run, small_space, trials, [FakeRenderer(0.01)])
        study = open_study(run, small_space)
        spent.append(study.spent)
        study.close()
    assert 0.02 <= spent[0] < spent[0] + 0.02 <= spent[1]
    budget = Budget(1000, seconds=spent[1])
    never = FakeScorer(broken=MissingPrerequisite("no such scorer"))
    assert search(run, small_space, 1000, scorer=never, budget=budget) == 4
    assert "a larger one goes on" in budget.ended


def test_a_killed_song_is_finished_after_its_time(run, small_space):
    study = open_study(run, small_space)
    pending = study.ask()
    study.spent = 100.0
    study.close()
    budget = Budget(1000, seconds=100.0)
    assert search(run, small_space, 1000, budget=budget) == 1
    assert read_record(run).songs[0].recipe == pending.recipe
    assert budget.ended is not None
    assert search(run, small_space, 1000, budget=Budget(1000, seconds=100.0)) == 1


def test_a_target_reached_in_time_is_no_early_end(run, small_space):
    told = []
    budget = Budget(2, enough=lambda: "one will do" if told else None)

    class Early(FakeScorer):
        def score(self, paths):
            told.append(paths)
            return super().score(paths)

    assert search(run, small_space, 2, [FakeRenderer(), FakeRenderer()], Early(), budget=budget, ahead=2) == 2
    assert budget.ended is None


def test_without_a_number_of_songs_as_many_trials_may_fail_as_there_are_songs(run, small_space):
    def broken(recipe):
        return RenderFailed("broken", reason="engine")

    with pytest.raises(NoSongs, match=r"^31 trials failed, 0 songs made"):
        search(run, small_space, 0, [FakeRenderer(fail=broken)], budget=Budget(1000, counted=False))
    assert len(read_record(run).failed) == 31
    budget = Budget(1000, counted=False)
    assert [budget.failures(songs) for songs in (0, 30, 400)] == [30, 30, 400]
    assert Budget(40).failures(0) == Budget(40).failures(400) == 40


def test_time_that_is_over_before_the_first_song_is_an_error(run, small_space):
    with pytest.raises(NoSongs, match=r"the budget of 1e-09 minutes was over before the first song was begun"):
        search(run, small_space, 0, budget=Budget(1000, 60 * 1e-9, counted=False))
    assert not read_record(run).failed


def test_time_in_which_every_trial_failed_is_an_error_that_says_why(run, small_space, monkeypatch):
    def broken(recipe):
        monkeypatch.setattr("optimizer.loop.time", SimpleNamespace(monotonic=lambda: later, perf_counter=lambda: 0.0))
        return RenderFailed("broken string", reason="engine")

    later = time.monotonic() + 3600
    with pytest.raises(NoSongs, match=r"1 trial failed, 0 songs made\. Last failure: broken string"):
        search(run, small_space, 0, [FakeRenderer(fail=broken)], budget=Budget(1000, 600.0, counted=False))


def test_what_ended_a_search_is_kept_in_a_word(run, small_space):
    budgets = [Budget(2), Budget(9, enough=lambda: None, seconds=1e-9), Budget(9, enough=lambda: "enough"), Budget(3)]
    for budget in budgets:
        search(run, small_space, 0, budget=budget)
    assert [budget.cause for budget in budgets] == ["songs", "time", "gain", "songs"]
