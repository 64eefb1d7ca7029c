"""CLAP through transformers' own classes, with a tiny random model and tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from optimizer.errors import CheckpointError, UsageError
from optimizer.scoring import open_scorer, prepare


@pytest.fixture(scope="module")
def clap(clap_folder: Path) -> Any:
    return open_scorer(prepare("clap:bright bhangra with dhol", {"clap": str(clap_folder)}))


def test_equals_the_library_by_hand(
    clap: Any, clap_folder: Path, tmp_path: Path, write_audio: Callable[..., Path]
) -> None:
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    from optimizer.audio import load_mono

    song = write_audio(tmp_path / "song.wav", 21.0, 44_100, 2, seed=4)
    (result,) = clap.score([song])
    model = ClapModel.from_pretrained(str(clap_folder)).eval()
    features = ClapFeatureExtractor.from_pretrained(str(clap_folder))
    tokens = AutoTokenizer.from_pretrained(str(clap_folder))(["bright bhangra with dhol"], return_tensors="pt")
    samples = load_mono(song, 48_000)
    with torch.no_grad():
        text = model.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        text = getattr(text, "pooler_output", text)[0]
        vectors = []
        # 21 s are two pieces of 10 s; the last second is left out.
        for start in (0, 480_000):
            inputs = features(samples[start : start + 480_000], sampling_rate=48_000, return_tensors="pt")
            audio = model.get_audio_features(**inputs)
            audio = getattr(audio, "pooler_output", audio)[0]
            vectors.append(audio / audio.norm())
    cosine = float(torch.nn.functional.cosine_similarity(sum(vectors), text, dim=0))
    assert result["parts"]["cosine"] == pytest.approx(cosine, abs=1e-5)
    assert result["value"] == pytest.approx(10 / (1 + np.exp(-(cosine - 0.25) / 0.1)), abs=1e-3)
    assert len(result["embedding"]) == 8


def test_the_same_song_scores_the_same_every_time(clap: Any, tmp_path: Path, write_audio: Callable[..., Path]) -> None:
    # Longer than 10 s, where the extractor on its own takes a random crop.
    song = write_audio(tmp_path / "song.wav", 12.0, 48_000, seed=4)
    np.random.seed(0)
    first = clap.score([song])
    np.random.seed(1)
    assert clap.score([song, song]) == first * 2


def test_words_matter(clap: Any, clap_folder: Path, songs: list[Path]) -> None:
    own = open_scorer(prepare("clap", {"clap": str(clap_folder)}))
    bright, calm = own.score_captioned([songs[0]] * 2, ["bright bhangra with dhol", "calm piano"])
    assert bright == clap.score(songs[:1])[0]
    assert bright["parts"]["cosine"] != calm["parts"]["cosine"]
    assert bright["embedding"] == calm["embedding"]


def test_without_words_there_is_a_reason(clap_folder: Path, songs: list[Path]) -> None:
    own = open_scorer(prepare("clap", {"clap": str(clap_folder)}))
    assert "write clap:TEXT" in own.score(songs[:1])[0]["error"]
    assert "write clap:TEXT" in own.score_captioned(songs[:1], [None])[0]["error"]


def test_broken_files_have_reasons(clap: Any, songs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    broken, good = clap.score([tmp_path / "empty.wav", songs[0]])
    assert "empty" in broken["error"] and good == clap.score(songs[:1])[0]


def test_the_identity_tells_whose_words(clap_folder: Path) -> None:
    fixed, own = (prepare(text, {"clap": str(clap_folder)}) for text in ("clap:calm piano", "clap"))
    assert fixed.identity["text"] == "calm piano" and not fixed.captioned
    assert own.identity["prompt"] == "caption" and own.captioned
    assert fixed.identity["revision"] == own.identity["revision"]


@pytest.mark.parametrize("change", ["drop", "add", "cut", "config"])
def test_a_checkpoint_that_does_not_fit_is_refused(clap_folder: Path, tmp_path: Path, change: str) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(clap_folder, tmp_path / "changed"))
    weights = folder / "model.safetensors"
    tensors = load_file(str(weights))
    if change == "drop":
        del tensors["audio_projection.linear1.weight"]
        save_file(tensors, str(weights), metadata={"format": "pt"})
    elif change == "add":
        save_file({**tensors, "colour": torch.ones(2)}, str(weights), metadata={"format": "pt"})
    elif change == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    else:
        config = json.loads((folder / "config.json").read_text())
        config["projection_dim"] = config["text_config"]["projection_dim"] = config["audio_config"][
            "projection_dim"
        ] = 9
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as caught:
        open_scorer(prepare("clap:calm", {"clap": str(folder)}))
    if change == "drop":
        assert "missing weights: audio_projection.linear1.weight" in str(caught.value)
    if change == "add":
        assert "unexpected weights: colour" in str(caught.value)


def test_options_that_are_not_legal(clap_folder: Path) -> None:
    with pytest.raises(UsageError, match="window 'last'"):
        prepare("clap", {"clap": str(clap_folder), "window": "last"})
