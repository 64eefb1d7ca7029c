"""Generated music to learn classes from, and real recordings to judge by."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import AttemptFailed, NoSongs, RenderFailed, UsageError
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.rendering.renderer import Renderer
from optimizer.training import dataset, network, softmax
from optimizer.training.data import read_data
from optimizer.training.embed import open_space
from optimizer.training.prompts import DESCRIPTIONS, LEAST, parts, recipes

PROMPTS = "A {genre} track. {description}"
CLASSES = ["electronica", "funk", "orchestral", "pop", "rock"]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(softmax, "ROBUST", network.Recipe(hidden=(16,), epochs=20, patience=5, rate=1e-2))


def test_from_the_command_of_the_issue_to_real_recordings(tmp_path, monkeypatch, write_audio):
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    words = ["dataset", "build", "--engine", "synth", "--prompts", PROMPTS, "--classes", ",".join(CLASSES)]
    words += ["--per-class", "10", "--duration", "0.5", "--encoder", "acoustic", "--json"]
    built = run.invoke(app, words)
    assert built.exit_code == 0, built.output
    info = json.loads(built.stdout)
    assert info["rendered"] == info["count"] == 50 and info["split_by"] == "caption"
    assert info["classes"] == dict.fromkeys(CLASSES, 10)
    again = json.loads(run.invoke(app, words).stdout)
    assert again["rendered"] == again["heard"] == 0
    data = read_data(tmp_path / "dataset")
    # Nine tenths teach and one judges, in every class, and no caption is on both sides.
    assert pd.crosstab(data.table["label"], data.table["part"])[["test", "train"]].to_numpy().tolist() == [[1, 9]] * 5
    captions = data.table.groupby("part")["caption"].agg(set)
    assert not captions["test"] & captions["train"]
    assert data.table["caption"][10].startswith("A funk track. slap bass")
    result = run.invoke(app, ["train", "--task", "classification", "--data", "dataset", "--out", "genres", "--json"])
    assert result.exit_code == 0, result.output
    card = json.loads(result.stdout)
    assert card["splits"]["given"]["songs"] == [40, 5, 5] and card["target"] == "label"
    for number, label in enumerate(["Rock", "orchestral", "polka"]):
        song = write_audio(tmp_path / "real" / label / f"{number}.wav", seconds=1.0, seed=number)
    result = run.invoke(app, ["embed", "real", "--out", "heard", "--encoder", "acoustic"])
    assert result.exit_code == 0, result.output
    judged = json.loads(run.invoke(app, ["evaluate", "--data", "heard", "--classifier", "genres", "--json"]).stdout)
    assert judged["songs"] == 2 and judged["unknown"] == 1 and np.sum(judged["confusion"]) == 2
    scored = run.invoke(app, ["score", str(song), "--scorer", "genres:funk", "--no-cache", "--json"])
    assert 0 <= json.loads(scored.stdout)[0]["score"] <= 10


@pytest.mark.parametrize("per_class", [2, 4, 9, 10, 15, 19, 20, 57, 100])
def test_a_tenth_of_every_class_judges_by_captions_of_its_own(per_class):
    for asked in recipes(PROMPTS, [*CLASSES, "bhangra"], per_class).values():
        division, by = parts(asked)
        test = division.count("test")
        assert by == "caption" and test >= 1 and abs(test - per_class / 10) < 1
        said = {part: {r.caption for r, p in zip(asked, division, strict=True) if p == part} for part in division}
        assert len(said) == 2 and not said["test"] & said["train"]


def test_clips_of_one_caption_are_divided_singly():
    division, by = parts(recipes("A {genre} track.", ["polka", "ska"], 20)["polka"])
    assert by == "clip" and division.count("test") == 2


def test_every_class_of_ours_has_enough_descriptions():
    assert all(len(set(ways)) == LEAST for ways in DESCRIPTIONS.values())
    everything = [way for ways in DESCRIPTIONS.values() for way in ways]
    assert len(set(everything)) == len(everything)


def test_a_clip_that_fails_is_tried_with_another_seed(tmp_path, monkeypatch):
    tried = []

    def fail(self, recipe, out):
        tried.append(recipe.seed)
        if len(tried) in (1, 4, 5, 6):
            raise RenderFailed("broke", reason="engine")
        out.write_bytes(b"x" * len(tried))

    heard = {}
    monkeypatch.setattr(Renderer, "render", fail)
    monkeypatch.setattr(dataset, "embed", lambda corpus, out, space: heard.update(table=corpus.table) or corpus.extra)
    wanted = recipes(PROMPTS, ["pop", "rock"], 2)
    told = []
    info = dataset.build(
        resolve("synth", RenderOptions(duration=1.0)), wanted, tmp_path, open_space("acoustic", {}),
        on_progress=lambda *what: told.append(what),
    )  # fmt: skip
    # The first clip came of its second seed, the third of none of three.
    assert info["classes"] == {"pop": 2, "rock": 1} and info["rendered"] == 3
    assert [what[2] for what in told] == [None, None, "broke", None]
    assert tried[0] == wanted["pop"][0].seed and next(iter(heard["table"]["seed"])) == tried[1] != tried[0]
    monkeypatch.setattr(Renderer, "render", lambda *rest: pytest.fail("a clip that is there is rendered again"))
    dataset.build(resolve("synth", RenderOptions(duration=1.0)), {k: v for k, v in wanted.items() if k == "pop"}
                  | {"rock": wanted["rock"][1:]}, tmp_path, open_space("acoustic", {}))  # fmt: skip


def test_an_engine_that_gives_nothing_ends_it(tmp_path, monkeypatch):
    tried = []

    def fail(self, recipe, out):
        tried.append(recipe)
        raise AttemptFailed("no", reason="engine")

    monkeypatch.setattr(Renderer, "render", fail)
    engine = resolve("synth", RenderOptions(duration=1.0))
    with pytest.raises(NoSongs, match="synth gave none of the first 5 clips: no"):
        dataset.build(engine, recipes(PROMPTS, CLASSES, 20), tmp_path, open_space("acoustic", {}))
    assert len(tried) == dataset.HOPELESS * dataset.TAKES


def test_clips_that_are_not_asked_for_are_not_mixed_with_others(tmp_path, monkeypatch):
    monkeypatch.setattr(Renderer, "render", lambda self, recipe, out: out.write_bytes(b"x"))
    monkeypatch.setattr(dataset, "embed", lambda corpus, out, space: dict(corpus.extra))
    engine, space = resolve("synth", RenderOptions(duration=1.0)), open_space("acoustic", {})

    def build(*, seed=0, per_class=2, classes=("pop", "rock")):
        return dataset.build(engine, recipes(PROMPTS, classes, per_class, seed=seed), tmp_path, space)["rendered"]

    # What a set grows by is no other set.
    assert build() == 4 and build() == 0 and build(per_class=3) == 2 and build(per_class=3, classes=CLASSES) == 9
    before = sorted(tmp_path.rglob("*.flac"))
    for other in ({"seed": 1}, {"per_class": 2, "classes": CLASSES}, {"per_class": 3}):
        with pytest.raises(UsageError, match=r"clips that are not asked for now.*--seed") as caught:
            build(**other)
        assert "--out" in caught.value.next_step
    assert sorted(tmp_path.rglob("*.flac")) == before


def test_a_folder_that_cannot_be_begun_with_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    wanted, space = recipes(PROMPTS, CLASSES, 2), open_space("acoustic", {})
    for out in (tmp_path / "file", tmp_path / "file" / "set"):
        with pytest.raises(UsageError, match=r"cannot be made: a file is there\.\n.*--out"):
            dataset.build(resolve("synth"), wanted, out, space)
    for text in ("{", "[]", '{"engine": "synth"}', "[" * 200_000):
        (tmp_path / "dataset.json").write_text(text)
        with pytest.raises(UsageError, match=r"dataset\.json cannot be read: .*\n.*Remove it"):
            dataset.build(resolve("synth"), wanted, tmp_path, space)


def test_another_engine_is_refused(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"engine": "musicgen", "revision": "1"}))
    with pytest.raises(UsageError, match=r"begun with musicgen 1, now it is synth"):
        dataset.build(resolve("synth"), recipes(PROMPTS, CLASSES, 2), tmp_path, open_space("acoustic", {}))


@pytest.mark.parametrize(
    ("prompt", "classes", "words"),
    [
        ("{mood} {genre}", ["rock", "pop"], r"genre.*description.*only"),
        ("{genre.__class__}", ["rock", "pop"], r"genre.*description.*only"),
        ("{genre", ["rock", "pop"], r"'\{genre' cannot be read"),
        ("A {genre:d}", ["rock", "pop"], r"genre.*description.*only, just so"),
        ("A {genre!r} track", ["rock", "pop"], r"genre.*description.*only, just so"),
        ("A {genre:>{description}}", ["rock", "pop"], r"genre.*description.*only, just so"),
        (PROMPTS, ["rock", "polka"], r"nothing is known of class 'polka'.*bhangra.*funk"),
        (PROMPTS, ["rock", "rock"], r"two or more different classes"),
    ],
)
def test_prompts_that_cannot_be_spelled_are_refused(prompt, classes, words):
    with pytest.raises(UsageError, match=words):
        recipes(prompt, classes, 2)


def test_names_in_any_script_have_a_folder():
    found = recipes("{genre}", ["民謡", "Funk"], 2)
    assert found["民謡"][0].genre.startswith("class-") and found["Funk"][0].genre == "funk"
