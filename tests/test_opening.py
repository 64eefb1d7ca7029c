"""Opening a run: options that its sampler would not look at."""

from __future__ import annotations

import pytest
import tomli_w

from optimizer.errors import UsageError
from optimizer.opening import begin, open_session
from optimizer.options import Options
from optimizer.prior import PRIOR_FILE

UNSEEN = pytest.mark.parametrize(
    ("option", "said"), [({"per_genre": True}, "--per-genre"), ({"goal": "average"}, "--goal average")]
)


def session_of(folder, genre="all", **options):
    return open_session(
        Options(genre=genre, study="new", runs_dir=folder, duration=1.5, renderer="synth", scorer="acoustic", **options)
    )


def started(session):
    session.run.create()
    with session.run.lock():
        begin(session)
    return session


@UNSEEN
@pytest.mark.parametrize("sampler", ["tpe", "random", "optuna.samplers:RandomSampler"])
def test_what_the_sampler_would_not_look_at_is_refused(tmp_path, option, said, sampler):
    with pytest.raises(UsageError, match=f"{said} and --sampler {sampler} cannot be given together") as caught:
        session_of(tmp_path, sampler=sampler, **option)
    assert "Leave one of them out" in caught.value.next_step
    assert not (tmp_path / "new").exists()
    assert not any(said in note for note in session_of(tmp_path, **option).notes)
    assert session_of(tmp_path, sampler=sampler, goal="best").options.sampler == sampler


@UNSEEN
def test_a_run_that_was_begun_with_it_goes_on_and_says_so(tmp_path, option, said):
    session = started(session_of(tmp_path, **option))
    identity = session.run.read_identity()
    for table in ("search", "options"):
        identity[table]["sampler"] = "tpe"
    (session.run.folder / "run.toml").write_text(tomli_w.dumps(identity))
    for asked in ({}, option):
        resumed = session_of(tmp_path, **asked)
        assert resumed.resumed
        assert any(note.startswith(f"{said} has no effect: sampler tpe") for note in resumed.notes)


@UNSEEN
def test_what_makes_no_difference_within_one_genre_is_said(tmp_path, option, said):
    assert any(f"{said} makes no difference" in note for note in session_of(tmp_path, "edm", **option).notes)
    assert not any("makes no difference" in note for note in session_of(tmp_path, "edm", goal="best").notes)


def test_earlier_songs_left_by_a_start_that_died_are_not_this_runs(tmp_path):
    session = session_of(tmp_path)
    session.run.create()
    (session.run.folder / PRIOR_FILE).write_text("{}")
    with session.run.lock():
        begin(session)
    assert not (session.run.folder / PRIOR_FILE).exists()
    assert session_of(tmp_path).resumed
