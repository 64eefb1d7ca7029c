"""An emotion as an objective: the stated function of distance, on an embedding that is heard once for all judges."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optimizer import audio
from optimizer.errors import CheckpointError, UsageError
from optimizer.scoring import Score, mert, open_scorer, prepare, windows
from optimizer.scoring.batch import rescore, score_files
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.heads import write_head
from optimizer.scoring.process import ScorerProcess

REFERENCES = {"calm": [6.89, 1.67], "happy": [8.47, 6.05], "angry": [2.53, 6.2]}
OFFSET, SCALE = 5.0, 0.8
ACOUSTIC = 84

Write = Callable[..., Path]


def weights(axis: str, width: int) -> np.ndarray:
    return np.random.default_rng(len(axis)).standard_normal(width) / np.sqrt(width)


@pytest.fixture
def write_emotion() -> Write:
    """Return a function that writes an emotion folder of one linear layer an axis."""

    def write(folder: Path, encoder: str, width: int, **changes: Any) -> Path:
        for axis in ("valence", "arousal"):
            config = {"name": axis, "encoder": encoder, "target": {"kind": "clamp"}} | changes.get(axis, {})
            config["units"] = {"offset": OFFSET, "scale": SCALE}
            size = changes.get("widths", {}).get(axis, width)
            tensors = {"members.0.net.0.weight": weights(axis, size)[None], "members.0.net.0.bias": np.zeros(1)}
            write_head(folder / axis, config, tensors)
        (folder / "emotion.json").write_text(json.dumps({"references": REFERENCES, "scale": [1.0, 9.0]}))
        return folder

    return write


@pytest.fixture
def encoder(mert_folder: Path, head_file: Path) -> str:
    return str(prepare("banger", {"encoder": mert_folder, "head": head_file}).identity["encoder"])


@pytest.fixture
def emotions(tmp_path: Path, encoder: str, write_emotion: Write) -> Path:
    return write_emotion(tmp_path / "emotions", encoder, 32)


@pytest.fixture
def measured(tmp_path: Path, write_emotion: Write) -> Path:
    """An emotion folder on the acoustic embedding."""
    return write_emotion(tmp_path / "measured", "acoustic-1", ACOUSTIC)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an encoder was loaded and run, and a file decoded."""
    from transformers import HubertModel

    counter: Counter[str] = Counter()

    def counted(owner: Any, name: str, word: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            counter[word] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, call)

    counted(mert.Mert, "__init__", "loads")
    counted(HubertModel, "forward", "passes")
    counted(windows, "load_mono", "decodes")
    counted(audio, "load_mono", "decodes")
    return counter


def by_hand(embedding: Any, emotion: str) -> tuple[float, float, float, float]:
    """The module's formula, written again: value, valence, arousal, distance."""
    x = np.asarray(embedding, dtype=np.float64)
    valence, arousal = (OFFSET + SCALE * float(weights(axis, len(x)) @ x) for axis in ("valence", "arousal"))
    v, a = REFERENCES[emotion]
    distance = ((valence - v) ** 2 + (arousal - a) ** 2) ** 0.5
    # A square from 1 to 9: its diagonal is 8 times the root of 2.
    return 10 * max(0.0, 1 - distance / (8 * 2**0.5)), valence, arousal, distance


def test_the_score_is_the_stated_function_of_the_distance(
    emotions: Path, measured: Path, mert_folder: Path, songs: list[Path]
) -> None:
    for folder, options in ((emotions, {"encoder": mert_folder}), (measured, {})):
        for emotion in REFERENCES:
            spec = prepare(f"emotion:{emotion.upper()}", {**options, "head": folder})
            assert spec.identity["name"] == f"emotion:{emotion}"
            for result in open_scorer(spec).score(songs):
                value, valence, arousal, distance = by_hand(result["embedding"], emotion)
                assert result["value"] == pytest.approx(value, abs=1e-5)
                assert result["parts"] == pytest.approx(
                    {f"emotion:{emotion}": value, "valence": valence, "arousal": arousal, "distance": distance},
                    abs=1e-5,
                )


def test_whole_songs_have_a_curve(emotions: Path, mert_folder: Path, tmp_path: Path, write_audio: Write) -> None:
    song = write_audio(tmp_path / "song.wav", 61.0, 24_000)
    options = {"encoder": mert_folder, "head": emotions, "window": "all"}
    (result,) = open_scorer(prepare("emotion:happy", options)).score([song])
    assert len(result["curve"]) == 2
    assert result["value"] == pytest.approx(by_hand(result["embedding"], "happy")[0], abs=1e-5)


def test_in_a_panel_the_encoder_is_loaded_once_and_each_song_heard_once(
    emotions: Path, head_file: Path, jury_file: Path, mert_folder: Path, songs: list[Path], count: Counter[str]
) -> None:
    text = f"emotion:{emotions}:calm+banger:{head_file}+tunejury:{jury_file}+emotion:{emotions}:angry:0.5"
    panel = open_scorer(prepare(text, {"encoder": mert_folder}))
    results = panel.score(songs)
    assert count == {"loads": 1, "passes": len(songs), "decodes": len(songs)}
    for result in results:
        parts = result["parts"]
        assert parts["emotion:calm"] == pytest.approx(by_hand(result["embedding"], "calm")[0], abs=1e-5)
        assert parts["emotion:angry.distance"] == pytest.approx(by_hand(result["embedding"], "angry")[3], abs=1e-5)
        total = parts["emotion:calm"] + parts["banger"] + parts["tunejury"] + 0.5 * parts["emotion:angry"]
        assert result["value"] == pytest.approx(total / 3.5)


def test_what_is_in_the_store_is_neither_decoded_nor_encoded(
    emotions: Path,
    head_file: Path,
    mert_folder: Path,
    songs: list[Path],
    tmp_path: Path,
    make_song: Callable[..., Any],
    count: Counter[str],
) -> None:
    store = EmbeddingStore(tmp_path / "store.db")
    options = {"encoder": mert_folder}
    score_files(songs, prepare(f"banger:{head_file}+emotion:{emotions}:happy", options), store)
    assert count == {"loads": 1, "passes": len(songs), "decodes": len(songs)}
    calm = prepare("emotion:calm", {**options, "head": emotions})
    files = score_files(songs, calm, store)
    gone = [make_song(number, audio=None, sha256=store.digest(path)) for number, path in enumerate(songs)]
    again = rescore(gone, prepare(f"emotion:{emotions}:angry", options), store)
    assert count == {"loads": 1, "passes": len(songs), "decodes": len(songs)}
    for path, file, song in zip(songs, files, again, strict=True):
        embedding = store.get(store.digest(path), calm.encoder)
        assert file.score == pytest.approx(by_hand(embedding, "calm")[0], abs=1e-5)
        assert song.parts["emotion:angry"] == pytest.approx(by_hand(embedding, "angry")[0], abs=1e-5)


def test_a_study_of_the_embedded_scorer_is_not_measured_again(
    measured: Path, songs: list[Path], tmp_path: Path, make_song: Callable[..., Any], count: Counter[str]
) -> None:
    store = EmbeddingStore(tmp_path / "store.db")
    spec = prepare("emotion:calm", {"head": measured})
    # What a run with --scorer acoustic leaves: `loop` stores the embedding of each score.
    for path, verdict in zip(songs, open_scorer(prepare("acoustic")).score(songs), strict=True):
        store.put(store.digest(path), prepare("acoustic").encoder, np.asarray(verdict["embedding"]))
    count.clear()
    gone = [make_song(number, audio=None, sha256=store.digest(path)) for number, path in enumerate(songs)]
    results = rescore(gone, spec, store)
    assert count == {}
    expected = open_scorer(spec).score(songs)
    for result, verdict in zip(results, expected, strict=True):
        assert result.score == verdict["value"]


def test_the_embedded_scorer_lends_its_embedding(
    measured: Path, songs: list[Path], tmp_path: Path, count: Counter[str]
) -> None:
    text = f"emotion:{measured}:calm+acoustic:3"
    both = open_scorer(prepare(text)).score(songs)
    assert count == {"decodes": len(songs)}
    store = EmbeddingStore(tmp_path / "store.db")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    for jobs in (1, 3):
        files = score_files([*songs, songs[0], broken], prepare(text), store, jobs=jobs)
    # A file that cannot be read is tried by either judge, both times.
    assert count["decodes"] - len(songs) == len(songs) + 4
    alone = [prepare("emotion:calm", {"head": measured}), prepare("acoustic")]
    for result, file, calm, acoustic in zip(
        both, files, *(open_scorer(spec).score(songs) for spec in alone), strict=False
    ):
        assert result["value"] == file.score == pytest.approx((calm["value"] + 3 * acoustic["value"]) / 4)
        assert result["parts"] == file.parts
        assert file.parts["emotion:calm.valence"] == calm["parts"]["valence"]
    assert files[-2].score == files[0].score
    assert files[-1].score is None and "cannot be read" in str(files[-1].error)


def test_what_was_judged_before_embeddings_were_kept_is_heard(
    measured: Path, songs: list[Path], tmp_path: Path, count: Counter[str]
) -> None:
    store = EmbeddingStore(tmp_path / "store.db")
    score_files(songs[:2], prepare("acoustic"), store)
    store._connection.execute("DELETE FROM embeddings")
    count.clear()
    files = score_files(songs, prepare(f"emotion:{measured}:calm+acoustic"), store)
    assert count == {"decodes": len(songs)}
    assert all(file.score is not None for file in files)


def test_a_panel_hands_on_the_learned_embedding(
    measured: Path, emotions: Path, head_file: Path, mert_folder: Path, songs: list[Path]
) -> None:
    options = {"encoder": mert_folder}
    for text in (
        f"emotion:{measured}:calm+banger:{head_file}",
        f"acoustic+emotion:{measured}:angry+emotion:{emotions}:calm",
    ):
        spec = prepare(text, options)
        assert spec.encoder == prepare(f"banger:{head_file}", options).encoder
        assert len(open_scorer(spec).score(songs[:1])[0]["embedding"]) == 32
    assert prepare(f"acoustic+emotion:{measured}:calm").encoder == "acoustic-1"


def test_every_embedding_a_panel_hears_comes_out_of_its_child(
    measured: Path, head_file: Path, mert_folder: Path, songs: list[Path], tmp_path: Path
) -> None:
    spec = prepare(f"emotion:{measured}:calm+banger:{head_file}", {"encoder": mert_folder, "threads": 1})
    (tmp_path / "scratch").mkdir()
    process = ScorerProcess(spec, tmp_path / "scratch", read_paths=(songs[0].parent,))
    try:
        (score,) = process.score(songs[:1])
    finally:
        process.close()
    assert isinstance(score, Score) and score.embedding is not None
    assert len(score.embedding) == 32 and list(score.embeddings) == ["acoustic-1"]
    value, *_ = by_hand(score.embeddings["acoustic-1"], "calm")
    assert score.parts["emotion:calm"] == pytest.approx(value, abs=1e-4)
    # Where all hear alike there is nothing besides.
    (alike,) = open_scorer(prepare(f"emotion:{measured}:calm+acoustic")).score(songs[:1])
    assert "embeddings" not in alike and len(alike["embedding"]) == ACOUSTIC


def test_heads_on_other_layers_share_the_model(
    encoder: str, head_file: Path, mert_folder: Path, songs: list[Path], write_emotion: Write, tmp_path: Path,
    count: Counter[str],
) -> None:  # fmt: skip
    middle = {axis: {"layers": [1], "spread": True} for axis in ("valence", "arousal")}
    folder = write_emotion(tmp_path / "middle", encoder, 64, **middle)
    spec = prepare(f"banger:{head_file}+emotion:{folder}:calm", {"encoder": mert_folder})
    results = open_scorer(spec).score(songs)
    assert count["loads"] == 1
    files = score_files(songs, spec)
    assert count["loads"] == 2
    alone = open_scorer(prepare(f"emotion:{folder}:calm", {"encoder": mert_folder})).score(songs)
    for result, file, one in zip(results, files, alone, strict=True):
        assert result["parts"]["emotion:calm"] == file.parts["emotion:calm"] == one["value"]
        assert list(result["embeddings"].values()) == [one["embedding"]]


def test_one_option_names_the_folder_of_every_emotion(measured: Path, write_emotion: Write, tmp_path: Path) -> None:
    other = write_emotion(tmp_path / "other", "acoustic-1", ACOUSTIC)
    spec = prepare(f"emotion:calm+acoustic+emotion:happy:2+emotion:{other}:angry", {"head": str(measured)})
    heads = {term["name"]: term["config"].get("head") for term in spec.config["terms"]}
    assert heads == {
        "emotion:calm": str(measured),
        "acoustic": None,
        "emotion:happy": str(measured),
        "emotion:angry": str(other),
    }
    assert measured in spec.read_paths and other in spec.read_paths
    # A head's folder is a scorer, as any trained one is.
    own = prepare(f"{other}:angry")
    assert own.identity == spec.config["terms"][3]["identity"] and own.config == spec.config["terms"][3]["config"]
    assert [term["weight"] for term in spec.config["terms"]] == [1.0, 1.0, 2.0, 1.0]


def test_the_folder_among_the_users_heads_is_the_default(write_emotion: Write) -> None:
    from optimizer.scoring.published import heads_folder

    write_emotion(heads_folder() / "emotion", "acoustic-1", ACOUSTIC)
    assert prepare("emotion:calm").config["head"] == str(heads_folder() / "emotion")


def test_a_trained_folder_is_installed_whole(write_emotion: Write, tmp_path: Path) -> None:
    from optimizer.scoring.published import heads_folder
    from optimizer.scoring.setup import setup

    with pytest.raises(CheckpointError, match="no emotion head in") as caught:
        prepare("emotion:calm")
    assert "optimize setup emotion HEAD" in str(caught.value.next_step)
    with pytest.raises(UsageError, match="needs the folder") as asked:
        setup("emotion")
    assert "--target valence,arousal" in str(asked.value.next_step)
    # Neither is its encoder here, nor need it be.
    given = write_emotion(tmp_path / "given", "mert@sha256:00", 32, valence={"licence": "CC0"})
    (given / "valence" / "card.md").write_text("good")
    (given / "secret.txt").write_text("mine")
    fetched = setup("emotion", str(given))
    assert fetched.path == heads_folder() / "emotion" and fetched.licence == "CC0"
    found = sorted(str(path.relative_to(fetched.path)) for path in fetched.path.rglob("*") if path.is_file())
    axes = [f"{axis}/{name}" for axis in ("arousal", "valence") for name in ("head.json", "head.safetensors")]
    assert found == sorted([*axes, "emotion.json", "valence/card.md"])
    with pytest.raises(CheckpointError, match="trained on mert@sha256:00"):
        prepare("emotion:calm")
    measured = write_emotion(tmp_path / "measured", "acoustic-1", ACOUSTIC)
    setup("emotion", str(measured))
    assert prepare("emotion:calm").identity == prepare(f"emotion:{measured}:calm").identity
    setup("emotion", str(fetched.path))
    raw = write_emotion(tmp_path / "raw", "acoustic-1", ACOUSTIC, valence={"licence": "\x1b[2J"})
    assert setup("emotion", str(raw)).licence == "not known"
    assert [path.name for path in heads_folder().iterdir()] == ["emotion"]


def test_a_folder_that_cannot_judge_is_not_installed(write_emotion: Write, tmp_path: Path) -> None:
    from optimizer.scoring.published import heads_folder
    from optimizer.scoring.setup import setup

    setup("emotion", str(write_emotion(tmp_path / "good", "acoustic-1", ACOUSTIC)))
    before = prepare("emotion:calm").identity
    bad = write_emotion(tmp_path / "bad", "acoustic-1", ACOUSTIC, widths={"arousal": 83})
    with pytest.raises(CheckpointError, match="arousal of 83"):
        setup("emotion", str(bad))
    (bad / "arousal" / "head.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        setup("emotion", str(bad))
    for text in ('{"references": {"a\\u001b[2J": [1, 2]}, "scale": [1, 9]}', '{"references": {}, "scale": [1, 9]}'):
        (bad / "emotion.json").write_text(text)
        with pytest.raises(CheckpointError, match="points of two numbers") as caught:
            setup("emotion", str(bad))
        assert "\x1b" not in str(caught.value)
    for place in ("nowhere", "bad/valence", "https://example.org/emotion"):
        with pytest.raises(CheckpointError, match="there is no emotion head in"):
            setup("emotion", str(tmp_path / place) if "//" not in place else place)
    assert prepare("emotion:calm").identity == before
    assert [path.name for path in heads_folder().iterdir()] == ["emotion"]


def test_the_identity_changes_with_the_emotion_the_heads_and_the_references(
    measured: Path, write_emotion: Write, tmp_path: Path
) -> None:
    moved = write_emotion(tmp_path / "moved", "acoustic-1", ACOUSTIC)
    before = prepare("emotion:calm", {"head": measured}).identity
    assert prepare("emotion:calm", {"head": moved}).identity == before
    assert prepare("emotion:happy", {"head": measured}).identity != before
    text = (moved / "emotion.json").read_text()
    (moved / "emotion.json").write_text(text.replace("6.89", "6.9"))
    assert prepare("emotion:calm", {"head": moved}).identity != before


def test_what_cannot_be_judged_says_why(
    measured: Path, encoder: str, mert_folder: Path, write_emotion: Write, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"emotion 'clam' must be one of angry, calm, happy.*Did you mean 'calm'"):
        prepare("emotion:clam", {"head": measured})
    with pytest.raises(UsageError, match=r"write emotion:NAME, one of angry, calm, happy"):
        prepare("emotion", {"head": measured})
    with pytest.raises(CheckpointError, match=r"no emotion head in .*nowhere"):
        prepare(f"emotion:{tmp_path / 'nowhere'}:calm")
    with pytest.raises(UsageError, match=r"window 'all' must be 'first'"):
        prepare("emotion:calm", {"head": measured, "window": "all"})
    with pytest.raises(CheckpointError, match=r"head far was trained on elsewhere; the encoder here is mert@sha256:"):
        write_emotion(tmp_path / "far", "elsewhere", 32)
        prepare(f"emotion:{tmp_path / 'far'}:calm", {"encoder": mert_folder})
    with pytest.raises(CheckpointError, match=r"trained on different embeddings"):
        write_emotion(tmp_path / "mixed", encoder, 32, arousal={"layers": [1]})
        prepare(f"emotion:{tmp_path / 'mixed'}:calm", {"encoder": mert_folder})
    with pytest.raises(CheckpointError, match=r"valence judges embeddings of 84 numbers, arousal of 83"):
        write_emotion(tmp_path / "uneven", "acoustic-1", ACOUSTIC, widths={"arousal": 83})
        open_scorer(prepare(f"emotion:{tmp_path / 'uneven'}:calm"))
    for text, words in (
        ('{"references": {"calm": [1, 2, 3]}, "scale": [1, 9]}', "points of two numbers"),
        ('{"references": {"calm": [1, 2]}, "scale": [9, 1]}', "rising scale"),
        ('{"references": {"calm": [1, "x"]}, "scale": [1, 9]}', "cannot be read"),
        ('{"scale": [1, 9]}', "cannot be read"),
        ("not json", "cannot be read"),
    ):
        (measured / "emotion.json").write_text(text)
        with pytest.raises(CheckpointError, match=words):
            prepare("emotion:calm", {"head": measured})


def test_the_reach_is_the_diagonal_of_the_scale(measured: Path) -> None:
    spec = prepare("emotion:angry", {"head": measured})
    assert spec.config["target"]["point"] == REFERENCES["angry"]
    assert spec.config["target"]["reach"] == pytest.approx(math.hypot(8, 8))
