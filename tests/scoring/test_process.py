"""The scorer's process around scorers that misbehave."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

from optimizer.errors import MissingPrerequisite, ScoreFailed, UsageError
from optimizer.scoring.base import Score, ScorerSpec
from optimizer.scoring.process import ScorerProcess

SCORERS = """
    import os, time
    from pathlib import Path

    class Scripted:
        "Judges by what is written in the file."

        def load(self, config):
            if config.get("missing"):
                raise ModuleNotFoundError("no module named weights", name="weights_of_something")
            return {"device": "cpu"}

        def score(self, paths):
            results = []
            for path in paths:
                word = Path(path).read_text()
                if word == "crash":
                    os._exit(3)
                if word == "raise":
                    raise ValueError("cannot listen")
                results.append({
                    "good": {"value": 7.25, "parts": {"pulse": 3.0, "odd": float("nan")}, "embedding": [1.0, 2.0],
                             "curve": [1.0, 2.0], "embeddings": {"mert": [3.0]}},
                    "low": {"value": -1.0},
                    "high": {"value": 10.5},
                    "nan": {"value": float("nan")},
                    "text": {"value": "7"},
                    "true": {"value": True},
                    "error": {"error": "too short"},
                    "list": [1, 2],
                    "vector": {"value": 5.0, "embedding": [1.0, float("inf")]},
                    "others": {"value": 5.0, "embeddings": {"mert": [1.0, None]}},
                    "other": {"value": 5.0, "embeddings": [1.0]},
                    "curve": {"value": 5.0, "curve": ["a"]},
                    "parts": {"value": 5.0, "parts": [1]},
                }.get(word))
            return results[:1] if len(paths) == 3 else results
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("scorer")
    (place / "scripted.py").write_text(textwrap.dedent(SCORERS))
    (place / "songs").mkdir()
    return place


@pytest.fixture(scope="module")
def make(folder):
    made = []

    def build(**changes):
        scratch = folder / f"scratch-{len(made)}"
        scratch.mkdir()
        spec = ScorerSpec("scripted", {}, f"{folder / 'scripted.py'}:Scripted", **changes)
        made.append(ScorerProcess(spec, scratch, log=folder / "scorer.log", read_paths=(folder / "songs",)))
        return made[-1]

    yield build
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def warm(make):
    return make()


@pytest.fixture
def song(folder):
    def write(word):
        path = folder / "songs" / f"{word}.flac"
        path.write_text(word)
        return path

    return write


def test_a_judgement_comes_back_whole(warm, song):
    [score] = warm.score([song("good")])
    assert isinstance(score, Score)
    assert score.value == 7.25
    # What is no number says nothing.
    assert score.parts == {"pulse": 3.0}
    assert score.curve == (1.0, 2.0)
    np.testing.assert_array_equal(score.embedding, np.array([1.0, 2.0], dtype=np.float32))
    # It is no panel, whose judges' encoders are known: what it calls by an encoder's name is not kept.
    assert score.embeddings == {}
    assert warm.info == {"device": "cpu"}


@pytest.mark.parametrize(
    "word", ["low", "high", "nan", "text", "true", "error", "list", "vector", "others", "other", "curve", "parts"]
)
def test_what_is_no_judgement_is_a_failure_of_that_file_alone(word, warm, song):
    failure, score = warm.score([song(word), song("good")])
    assert isinstance(failure, ScoreFailed)
    assert failure.reason == ("protocol" if word == "list" else "scorer")
    assert isinstance(score, Score)


@pytest.mark.parametrize(("word", "reason"), [("crash", "crash"), ("raise", "scorer")])
def test_a_scorer_that_fails_is_asked_once_more_and_then_goes_on(word, reason, warm, song):
    [failure] = warm.score([song(word)])
    assert isinstance(failure, ScoreFailed)
    assert failure.reason == reason
    [score] = warm.score([song("good")])
    assert isinstance(score, Score)


def test_a_scorer_that_forgets_files_breaks_the_protocol(warm, song):
    results = warm.score([song("good")] * 3)
    assert [result.reason for result in results] == ["protocol"] * 3


def test_nothing_to_judge_starts_nothing(make):
    process = make()
    assert process.score([]) == []
    assert process.info == {}


def test_a_scorer_that_cannot_load_ends_the_run(make, folder):
    with pytest.raises(MissingPrerequisite, match="weights_of_something"):
        make(config={"missing": True}).start()
    scratch = folder / "scratch-none"
    scratch.mkdir()
    with pytest.raises(UsageError):
        ScorerProcess(ScorerSpec("none", {}, f"{folder / 'scripted.py'}:None1"), scratch).start()


def test_kill_is_for_good(make, song):
    process = make()
    process.start()
    process.kill()
    [failure] = process.score([song("good")])
    assert failure.reason == "cancelled"


def test_files_outside_its_folders_cannot_be_read(warm, tmp_path):
    (tmp_path / "secret").write_text("good")
    [failure] = warm.score([tmp_path / "secret"])
    assert isinstance(failure, ScoreFailed)
    assert Path(tmp_path / "secret").read_text() == "good"
