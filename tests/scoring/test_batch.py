"""Scoring many files: nothing is heard twice, nothing finished is lost, nothing broken stops the rest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from optimizer.scoring import ScorerSpec, open_scorer, prepare
from optimizer.scoring.batch import FileScore, audio_files, rescore, score_files
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.ear import MertEar


@pytest.fixture(scope="module")
def options(mert_folder: Path, head_file: Path) -> dict[str, Any]:
    return {"encoder": str(mert_folder), "head": str(head_file)}


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store" / "embeddings.db")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that the encoder listens to."""
    paths: list[Path] = []
    original = MertEar.stream

    def stream(self: MertEar, files: Any) -> Any:
        paths.extend(files)
        return original(self, files)

    monkeypatch.setattr(MertEar, "stream", stream)
    return paths


def test_scores_are_the_scorers_own_in_order(options: dict[str, Any], songs: list[Path]) -> None:
    spec = prepare("banger", options)
    expected = open_scorer(spec).score(songs)
    for jobs in (1, 3):
        results = score_files(songs[::-1], spec, jobs=jobs)
        assert [result.path for result in results] == [str(path) for path in songs[::-1]]
        assert [result.score for result in results] == [result["value"] for result in expected[::-1]]
        assert [result.parts for result in results] == [result["parts"] for result in expected[::-1]]


def test_the_document(options: dict[str, Any], songs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    good, bad = (
        score.to_dict() for score in score_files([songs[0], tmp_path / "empty.wav"], prepare("banger", options))
    )
    assert set(good) == set(bad) == {"path", "score", "parts", "error"}
    assert good["error"] is None and 0 <= good["score"] <= 10 and good["parts"]["banger"] == good["score"]
    assert bad["score"] is None and bad["parts"] == {} and "empty" in bad["error"]
    assert FileScore("a", 1.0, curve=(1.0, 2.0)).to_dict()["curve"] == [1.0, 2.0]


def test_folders_and_progress(options: dict[str, Any], songs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "album"
    (folder / "disc 2").mkdir(parents=True)
    shutil.copy(songs[0], folder / "b.wav")
    shutil.copy(songs[1], folder / "disc 2" / "a.WAV")
    (folder / "cover.jpg").write_bytes(b"no sound")
    seen: list[tuple[int, int, str]] = []
    score_files(
        [folder, songs[2]],
        prepare("banger", options),
        on_progress=lambda done, total, score: seen.append((done, total, Path(score.path).name)),
    )
    assert seen == [(1, 3, "b.wav"), (2, 3, "a.WAV"), (3, 3, songs[2].name)]
    assert audio_files([tmp_path / "missing.wav"]) == [tmp_path / "missing.wav"]


def test_broken_files_have_reasons_and_stop_nothing(
    options: dict[str, Any], songs: list[Path], tmp_path: Path, store: EmbeddingStore
) -> None:
    odd = [tmp_path / f"{name}.wav" for name in ("missing", "empty", "pipe", "silent")]
    odd[1].touch()
    os.mkfifo(odd[2])
    soundfile.write(odd[3], np.zeros(24_000), 24_000)
    mixed = [odd[0], songs[0], odd[1], odd[2], songs[1], odd[3]]
    spec = prepare("banger", options)
    # Twice: reasons are not remembered as scores.
    for _ in range(2):
        results = score_files(mixed, spec, store, jobs=2)
        assert [result.error is None for result in results] == [False, True, False, False, True, False]
    words = ("No such file", "empty", "not a regular file", "silent")
    for result, word in zip((results[0], results[2], results[3], results[5]), words, strict=True):
        assert word in str(result.error)


def test_nothing_is_heard_twice(
    options: dict[str, Any], jury_file: Path, songs: list[Path], store: EmbeddingStore, heard: list[Path]
) -> None:
    first = score_files(songs, prepare("banger", options), store)
    assert heard == songs and len(store) == 4
    assert score_files(songs, prepare("banger", options), store) == first
    panel = score_files(songs, prepare(f"banger+tunejury:{jury_file}:0.5", options), store)
    assert heard == songs
    for alone, both in zip(first, panel, strict=True):
        assert both.parts["banger"] == alone.score
        assert both.score == pytest.approx((both.parts["banger"] + 0.5 * both.parts["tunejury"]) / 1.5)


def test_equal_audio_is_heard_once_under_every_name(
    options: dict[str, Any], songs: list[Path], tmp_path: Path, heard: list[Path]
) -> None:
    copy = Path(shutil.copy(songs[0], tmp_path / "copy.wav"))
    results = score_files([songs[0], copy, songs[1], songs[0]], prepare("banger", options))
    assert heard == [songs[0], songs[1]]
    assert results[0].score == results[1].score == results[3].score != results[2].score


def test_known_files_need_no_model(options: dict[str, Any], songs: list[Path], store: EmbeddingStore) -> None:
    spec = prepare("banger", options)
    first = score_files(songs, spec, store)
    gone = {**spec.config, "head": "gone.pt", "ear": {**spec.config["ear"], "folder": "gone"}}
    again = ScorerSpec(spec.text, spec.identity, spec.target, gone, encoder=spec.encoder)
    assert score_files(songs, again, store) == first


def test_broken_files_need_no_model(
    options: dict[str, Any], songs: list[Path], tmp_path: Path, store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = prepare("banger", options)
    score_files(songs, spec, store)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    monkeypatch.setattr("optimizer.scoring.ear.mert.Mert", None)
    results = score_files([*songs, tmp_path / "broken.wav"], spec, store)
    assert [result.error is None for result in results] == [True] * 4 + [False]


def test_other_windows_and_encoders_never_meet(
    options: dict[str, Any],
    songs: list[Path],
    store: EmbeddingStore,
    heard: list[Path],
    tmp_path: Path,
    write_mert: Any,
) -> None:
    other = write_mert(tmp_path / "other", preprocessor={"do_normalize": False})
    for change in ({}, {"window": "middle"}, {"dtype": "bfloat16"}, {"encoder": str(other)}):
        score_files(songs[:1], prepare("banger", {**options, **change}), store)
    assert heard == [songs[0]] * 4


def test_a_changed_file_is_heard_again(
    options: dict[str, Any], songs: list[Path], tmp_path: Path, store: EmbeddingStore
) -> None:
    path = Path(shutil.copy(songs[0], tmp_path / "song.wav"))
    old = time.time() - 60
    os.utime(path, (old, old))
    spec = prepare("banger", options)
    (before,) = score_files([path], spec, store)
    shutil.copy(songs[1], path)
    (after,) = score_files([path], spec, store)
    assert before.score != after.score


def test_a_curve_survives_the_store(
    options: dict[str, Any], tmp_path: Path, write_audio: Callable[..., Path], store: Any
) -> None:
    song = write_audio(tmp_path / "song.wav", 61.0, 24_000)
    spec = prepare("banger", {**options, "window": "all"})
    (first,) = score_files([song], spec, store)
    assert len(first.curve) == 2
    assert score_files([song], spec, store) == [first]


def test_judges_without_an_embedding_are_remembered_too(
    songs: list[Path], store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = score_files(songs, prepare("acoustic"), store)
    monkeypatch.setattr("optimizer.scoring.acoustic.AcousticScorer.score", None)
    assert score_files(songs, prepare("acoustic"), store) == first


def test_rescoring_a_study_needs_neither_audio_nor_encoder(
    options: dict[str, Any],
    jury_file: Path,
    songs: list[Path],
    store: EmbeddingStore,
    heard: list[Path],
    make_song: Callable[..., Any],
) -> None:
    study = [make_song(number, audio=path, sha256=store.digest(path)) for number, path in enumerate(songs)]
    score_files(songs, prepare("banger", options), store)
    gone = [make_song(song.number, audio=None, sha256=song.sha256) for song in study]
    jury = prepare("tunejury", {**options, "head": str(jury_file)})
    results = rescore(gone, jury, store)
    assert heard == songs
    expected = open_scorer(jury).score(songs)
    for result, song, verdict in zip(results, study, expected, strict=True):
        assert result.path == f"{song.study}/{song.number:04d}"
        assert result.parts == {"tunejury": verdict["value"], "tunejury.raw": verdict["parts"]["raw"]}


def test_rescoring_hears_what_is_not_known_and_says_what_is_not_there(
    options: dict[str, Any], songs: list[Path], make_song: Callable[..., Any]
) -> None:
    study = [make_song(0, audio=songs[0]), make_song(1, audio=None), make_song(2, audio=None, sha256="")]
    there, gone, imported = rescore(study, prepare("banger", options))
    assert there.parts["banger"] == there.score
    assert "bhangra/0001" in str(gone.error)
    assert "no audio here" in str(imported.error)


class Captions:
    """Judges a song by the length of its caption."""

    calls: list[str | None] = []  # noqa: RUF012 - the class is constructed by its name, so only it can remember

    def load(self, config: dict[str, Any]) -> None:
        self.calls.clear()

    def score(self, paths: Any) -> list[dict[str, Any]]:
        raise AssertionError("captions were to be told")

    def score_captioned(self, paths: Any, captions: Any) -> list[dict[str, Any]]:
        self.calls.extend(captions)
        return [{"value": len(caption or "") % 10} for caption in captions]


def test_a_judge_that_asks_is_told_each_songs_caption(
    songs: list[Path], store: EmbeddingStore, make_song: Callable[..., Any], make_recipe: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("optimizer.scoring.judging.construct", lambda target: Captions())
    identity = {"name": "captions", "prompt": "caption"}
    spec = ScorerSpec("captions", identity, "captions:Captions", captioned=True)
    recipes = [make_recipe(caption=caption) for caption in ("short", "somewhat longer", "short")]
    study = [make_song(number, recipe=recipe, audio=songs[0], sha256="a") for number, recipe in enumerate(recipes)]
    assert [result.score for result in rescore(study, spec, store)] == [5.0, 5.0, 5.0]
    # The same audio under the same caption is known; under another it is not.
    assert Captions.calls == ["short", "somewhat longer"]


BATCH = """
import sys
from pathlib import Path
from optimizer.scoring import prepare
from optimizer.scoring.batch import score_files
from optimizer.scoring.cache import EmbeddingStore

encoder, head, folder, store = sys.argv[1:]
score_files(
    [folder], prepare("banger", {"encoder": encoder, "head": head, "threads": 1}), EmbeddingStore(Path(store)), jobs=2,
    on_progress=lambda done, total, score: print(done, flush=True),
)
"""


def test_a_killed_batch_loses_at_most_the_file_in_flight(
    options: dict[str, Any], tmp_path: Path, write_audio: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = tmp_path / "two hundred", tmp_path / "store.db"
    for number in range(200):
        write_audio(folder / f"{number:03d}.wav", 0.3, 24_000, seed=number)
    arguments = [sys.executable, "-c", BATCH, *map(str, (options["encoder"], options["head"], folder, path))]
    killed = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert killed.stdout is not None
    for line in killed.stdout:
        if int(line) == 60:
            break
    killed.send_signal(signal.SIGKILL)
    rest = killed.stdout.read().split()
    killed.stdout.close()
    killed.wait()
    done = int(rest[-1]) if rest else 60
    assert done < 200
    encoded = []
    original = MertEar._encode
    monkeypatch.setattr(MertEar, "_encode", lambda self, heard: encoded.append(1) or original(self, heard))
    spec = prepare("banger", options)
    with EmbeddingStore(path) as store:
        results = score_files([folder], spec, store)
    assert len(results) == 200 and all(result.score is not None for result in results)
    # One file may have been in the encoder, and one more stored but not yet reported.
    assert 200 - done - 1 <= len(encoded) <= 200 - done
    fresh = score_files([Path(result.path) for result in results[57:63]], spec)
    assert [result.score for result in fresh] == pytest.approx([result.score for result in results[57:63]], abs=1e-4)
