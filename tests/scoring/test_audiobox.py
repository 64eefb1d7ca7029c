"""Audiobox Aesthetics through its authors' own model class, shrunk and random."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from optimizer.errors import CheckpointError, MissingPrerequisite, UsageError
from optimizer.scoring import open_scorer, prepare
from optimizer.scoring.audiobox import AXES


@pytest.fixture(scope="module")
def audiobox(audiobox_folder: Path) -> Any:
    return open_scorer(prepare("audiobox", {"audiobox": str(audiobox_folder)}))


def test_equals_the_authors_arrangement(
    audiobox: Any, audiobox_folder: Path, tmp_path: Path, write_audio: Callable[..., Path]
) -> None:
    from audiobox_aesthetics.model.aes import AesMultiOutput

    from optimizer.audio import load_mono

    song = write_audio(tmp_path / "song.wav", 14.0, 44_100, 2, seed=8)
    (result,) = audiobox.score([song])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = AesMultiOutput.from_pretrained(str(audiobox_folder)).eval()
    samples = torch.from_numpy(load_mono(song, 16_000))
    # Both pieces in one batch, the second padded and masked, weighted by length.
    waves, masks = torch.zeros(2, 1, 160_000), torch.zeros(2, 1, 160_000, dtype=torch.bool)
    for piece in range(2):
        part = samples[piece * 160_000 : (piece + 1) * 160_000]
        waves[piece, 0, : len(part)], masks[piece, 0, : len(part)] = part, True
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        output = model({"wav": waves, "mask": masks})
    for axis in AXES:
        values = output[axis] * model.target_transform[axis]["std"] + model.target_transform[axis]["mean"]
        expected = float((values * torch.tensor([10.0, 4.0])).sum() / 14.0)
        assert result["parts"][axis] == pytest.approx(expected, abs=1e-4)
    assert result["value"] == pytest.approx(np.clip(result["parts"]["PQ"], 0, 10))
    assert len({round(value, 3) for value in result["parts"].values()}) == 4


def test_an_axis_can_be_chosen(audiobox: Any, audiobox_folder: Path, songs: list[Path]) -> None:
    enjoyment = open_scorer(prepare("audiobox:CE", {"audiobox": str(audiobox_folder)}))
    (one,), (two,) = audiobox.score(songs[:1]), enjoyment.score(songs[:1])
    assert one["parts"] == two["parts"]
    assert two["value"] == np.clip(two["parts"]["CE"], 0, 10) != one["value"]
    with pytest.raises(UsageError, match="axis 'QP'"):
        prepare("audiobox:QP", {"audiobox": str(audiobox_folder)})


def test_alone_and_in_company(audiobox: Any, songs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    first, broken, second = audiobox.score([songs[0], tmp_path / "empty.wav", songs[1]])
    assert "empty" in broken["error"]
    assert (first, second) == (audiobox.score(songs[:1])[0], audiobox.score(songs[1:2])[0])


def test_torchaudio_is_never_imported(audiobox: Any, songs: list[Path]) -> None:
    assert "value" in audiobox.score(songs[:1])[0]
    assert sys.modules.get("torchaudio") is None
    assert "audiobox_aesthetics.infer" not in sys.modules


@pytest.mark.parametrize("change", ["drop", "add", "cut", "transform", "config"])
def test_a_checkpoint_that_does_not_fit_is_refused(audiobox_folder: Path, tmp_path: Path, change: str) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(audiobox_folder, tmp_path / "changed"))
    weights = folder / "model.safetensors"
    tensors = load_file(str(weights))
    config = json.loads((folder / "config.json").read_text())
    if change == "drop":
        del tensors["wavlm_model.mask_emb"]
        save_file(tensors, str(weights))
    elif change == "add":
        save_file({**tensors, "colour": torch.ones(2)}, str(weights))
    elif change == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif change == "transform":
        (folder / "config.json").write_text(json.dumps({**config, "target_transform": None}))
    else:
        (folder / "config.json").write_text(json.dumps({**config, "wavelength": 3}))
    with pytest.raises(CheckpointError) as caught:
        open_scorer(prepare("audiobox", {"audiobox": str(folder)}))
    words = {"drop": "missing wavlm_model.mask_emb", "add": "unexpected colour", "config": "wavelength"}
    assert words.get(change, "") in str(caught.value)


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, audiobox_folder: Path) -> None:
    monkeypatch.setattr("optimizer.scoring.packages.find_spec", lambda name: None if "audiobox" in name else object())
    with pytest.raises(MissingPrerequisite, match="pip install --no-deps audiobox-aesthetics"):
        prepare("audiobox", {"audiobox": str(audiobox_folder)})
