"""The encoder: the same numbers as an independent computation, and a reason for every checkpoint that does not fit."""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from optimizer.audio import load_mono
from optimizer.errors import CheckpointError, ScoreFailed
from optimizer.scoring import mert, mert_files
from optimizer.scoring.mert import Mert

RATE = 24_000
CONV = "encoder.pos_conv_embed.conv."


def by_hand(tensors: dict[str, torch.Tensor], samples: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Compute MERT from its tensors with nothing but torch's functions: last hidden state and what enters each layer.

    After Hsu et al., "HuBERT", 2021, figure 1, in the "stable layer norm" arrangement of MERT-v1-330M's config.
    """
    w = {name: tensor.double() for name, tensor in tensors.items()}
    x = torch.from_numpy(samples).double()
    x = ((x - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-7))[None, None]
    for layer, stride in enumerate((5, 2, 2, 2, 2, 2, 2)):
        name = f"feature_extractor.conv_layers.{layer}."
        x = F.conv1d(x, w[name + "conv.weight"], stride=stride)
        if layer == 0:
            x = F.group_norm(x, x.shape[1], w[name + "layer_norm.weight"], w[name + "layer_norm.bias"], 1e-5)
        x = F.gelu(x)
    x = x.transpose(1, 2)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], 1e-5)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    x = linear(norm(x, "feature_projection.layer_norm"), "feature_projection.projection")
    direction, magnitude = w[CONV + "weight_v"], w[CONV + "weight_g"]
    kernel = direction / direction.pow(2).sum((0, 1), keepdim=True).sqrt() * magnitude
    taps = kernel.shape[-1]
    groups = x.shape[-1] // kernel.shape[1]
    position = F.conv1d(x.transpose(1, 2), kernel, w[CONV + "bias"], padding=taps // 2, groups=groups)
    # An even kernel gives one frame too many.
    x = x + F.gelu(position[..., : x.shape[1]]).transpose(1, 2)
    inputs = []
    for layer in range(3):
        inputs.append(x[0].numpy())
        name = f"encoder.layers.{layer}."
        y = norm(x, name + "layer_norm")
        heads = [
            linear(y, f"{name}attention.{part}_proj").unflatten(-1, (4, -1)).transpose(1, 2) for part in ("q", "k", "v")
        ]
        weights = torch.softmax(heads[0] @ heads[1].transpose(2, 3) / math.sqrt(heads[0].shape[-1]), -1)
        x = x + linear((weights @ heads[2]).transpose(1, 2).flatten(2), name + "attention.out_proj")
        y = F.gelu(linear(norm(x, name + "final_layer_norm"), name + "feed_forward.intermediate_dense"))
        x = x + linear(y, name + "feed_forward.output_dense")
    return norm(x, "encoder.layer_norm")[0].numpy(), inputs


@pytest.fixture(scope="module")
def clip(songs: list[Path]) -> np.ndarray:
    return load_mono(songs[0], RATE)


@pytest.fixture(scope="module")
def encoder(mert_folder: Path) -> Mert:
    return Mert(mert_folder)


def changed(tensors: dict[str, torch.Tensor], **renamed: str | None) -> dict[str, torch.Tensor]:
    """Tensors with names replaced, or dropped for None; dots are written as double underscores."""
    dotted = {old.replace("__", "."): new for old, new in renamed.items()}
    out = {}
    for name, tensor in tensors.items():
        new = dotted.get(name, name)
        if new is not None:
            out[new] = tensor
    return out


def test_equals_a_computation_by_hand(encoder: Mert, mert_tensors: dict[str, Any], clip: np.ndarray) -> None:
    last, _ = by_hand(mert_tensors, clip)
    assert len(last) == 149  # 75 frames a second
    assert encoder.embed([clip])[0] == pytest.approx(last.mean(0), abs=2e-5)


def test_equals_transformers_own_way(mert_folder: Path, clip: np.ndarray) -> None:
    from transformers import HubertModel, Wav2Vec2FeatureExtractor

    model = HubertModel.from_pretrained(str(mert_folder), attn_implementation="eager").eval()
    features = Wav2Vec2FeatureExtractor.from_pretrained(str(mert_folder))
    with torch.no_grad():
        expected = model(**features(clip, sampling_rate=RATE, return_tensors="pt")).last_hidden_state.mean(1)[0]
    assert Mert(mert_folder).embed([clip])[0] == pytest.approx(expected.numpy(), abs=1e-5)


def test_layers_are_what_enters_each_and_the_last_state(
    encoder: Mert, mert_tensors: dict[str, Any], clip: np.ndarray
) -> None:
    last, inputs = by_hand(mert_tensors, clip)
    pooled = encoder.layers([clip], [0, 2, -1])
    assert pooled.shape == (1, 3, 2, 32)
    for place, states in enumerate((inputs[0], inputs[2], last)):
        assert pooled[0, place, 0] == pytest.approx(states.mean(0), abs=2e-5)
        assert pooled[0, place, 1] == pytest.approx(states.std(0), abs=2e-5)
    assert np.array_equal(encoder.layers([clip], [3], spread=False)[0, 0, 0], encoder.embed([clip])[0])
    with pytest.raises(CheckpointError, match="layer 4 is not there"):
        encoder.layers([clip], [4])


def test_all_spellings_of_one_checkpoint_are_one_encoder(
    tmp_path: Path, write_mert: Callable[..., Path], mert_tensors: dict[str, Any], encoder: Mert, clip: np.ndarray
) -> None:
    new = {
        name.replace("conv.weight_g", "conv.parametrizations.weight.original0").replace(
            "conv.weight_v", "conv.parametrizations.weight.original1"
        ): tensor
        for name, tensor in mert_tensors.items()
    }
    assert set(new) != set(mert_tensors)
    folders = [
        write_mert(tmp_path / "new", new),
        write_mert(tmp_path / "safetensors", safetensors=True),
        write_mert(tmp_path / "new-safetensors", new, safetensors=True),
        write_mert(tmp_path / "prefixed", {f"mert_model.{name}": tensor for name, tensor in mert_tensors.items()}),
    ]
    legacy = write_mert(tmp_path / "legacy")
    torch.save(mert_tensors, legacy / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    expected = encoder.embed([clip])
    for folder in [*folders, legacy]:
        assert np.array_equal(Mert(folder).embed([clip]), expected), folder.name


def test_batches_of_equal_length_are_exact_and_nothing_is_padded(encoder: Mert, songs: list[Path]) -> None:
    clips = [load_mono(path, RATE) for path in songs]
    assert len({len(clip) for clip in clips}) == 3
    alone = np.concatenate([encoder.embed([clip]) for clip in clips])
    assert np.array_equal(encoder.embed(clips), alone)
    assert encoder.embed(clips, batch=4) == pytest.approx(alone, abs=1e-6)
    assert np.array_equal(encoder.embed(clips[::-1], batch=4)[::-1], encoder.embed(clips, batch=4))


def test_repeats_exactly(mert_folder: Path, encoder: Mert, clip: np.ndarray) -> None:
    assert np.array_equal(encoder.embed([clip]), encoder.embed([clip]))
    assert np.array_equal(encoder.embed([clip]), Mert(mert_folder).embed([clip]))


def test_normalisation_is_the_checkpoints_own(
    tmp_path: Path, write_mert: Callable[..., Path], encoder: Mert, clip: np.ndarray
) -> None:
    raw = Mert(write_mert(tmp_path / "raw", preprocessor={"do_normalize": False, "sampling_rate": 16_000}))
    assert (raw.normalise, raw.sample_rate) == (False, 16_000)
    assert (encoder.normalise, encoder.sample_rate) == (True, RATE)
    quiet = (0.001 * clip).astype(np.float32)
    assert encoder.embed([quiet]) == pytest.approx(encoder.embed([clip]), abs=1e-3)
    assert np.abs(raw.embed([quiet]) - raw.embed([clip])).max() > 0.02


def test_bfloat16_is_near_and_only_on_request(mert_folder: Path, encoder: Mert, clip: np.ndarray) -> None:
    half = Mert(mert_folder, dtype="bfloat16").embed([clip])[0]
    exact = encoder.embed([clip])[0]
    error = np.linalg.norm(half - exact) / np.linalg.norm(exact)
    assert half.dtype == np.float32
    assert 1e-5 < error < 3e-2


def test_width_and_depth(encoder: Mert) -> None:
    assert (encoder.width, encoder.depth) == (32, 3)


def test_too_short_a_clip_has_a_reason(encoder: Mert) -> None:
    with pytest.raises(ScoreFailed, match="too short"):
        encoder.embed([np.zeros(mert.SHORTEST - 1, dtype=np.float32)])
    assert encoder.embed([np.ones(mert.SHORTEST, dtype=np.float32)]).shape == (1, 32)


def test_numbers_that_are_not_finite_have_a_reason(
    tmp_path: Path, write_mert: Callable[..., Path], mert_tensors: dict[str, Any], clip: np.ndarray
) -> None:
    spoiled = dict(mert_tensors)
    spoiled["encoder.layer_norm.bias"] = torch.full_like(spoiled["encoder.layer_norm.bias"], math.nan)
    with pytest.raises(ScoreFailed, match="not finite"):
        Mert(write_mert(tmp_path / "nan", spoiled)).embed([clip])


KEY = "encoder.layers.1.feed_forward.output_dense.weight"


@pytest.mark.parametrize("safetensors", [False, True])
@pytest.mark.parametrize(
    ("renamed", "words"),
    [
        ({"encoder__layers__1__feed_forward__output_dense__weight": None}, ["missing", KEY]),
        (
            {"encoder__layers__1__feed_forward__output_dense__weight": KEY + "s"},
            ["missing", KEY, "unexpected", KEY + "s", "renamed"],
        ),
        ({"encoder__pos_conv_embed__conv__weight_g": None}, ["missing", "weight_g"]),
        ({"encoder__pos_conv_embed__conv__weight_v": CONV + "weight"}, ["missing", "weight_v", "unexpected"]),
        ({"masked_spec_embed": None}, ["missing", "masked_spec_embed"]),
    ],
)
def test_a_key_that_is_not_right_is_named(
    tmp_path: Path,
    write_mert: Callable[..., Path],
    mert_tensors: dict[str, Any],
    safetensors: bool,
    renamed: dict[str, str | None],
    words: list[str],
) -> None:
    folder = write_mert(tmp_path / "wrong", changed(mert_tensors, **renamed), safetensors=safetensors)
    with pytest.raises(CheckpointError) as caught:
        Mert(folder)
    for word in words:
        assert word in str(caught.value)


def test_an_extra_key_is_named(tmp_path: Path, write_mert: Callable[..., Path], mert_tensors: dict[str, Any]) -> None:
    folder = write_mert(tmp_path / "extra", {**mert_tensors, "lm_head.weight": torch.ones(3)})
    with pytest.raises(CheckpointError, match=r"unexpected lm_head\.weight"):
        Mert(folder)


def test_another_shape_is_named(tmp_path: Path, write_mert: Callable[..., Path], mert_tensors: dict[str, Any]) -> None:
    folder = write_mert(tmp_path / "shape", {**mert_tensors, KEY: torch.ones(32, 65)})
    with pytest.raises(CheckpointError, match=r"output_dense\.weight is \(32, 65\) and should be \(32, 64\)"):
        Mert(folder)


@pytest.mark.parametrize("safetensors", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(
    tmp_path: Path, write_mert: Callable[..., Path], safetensors: bool, share: float
) -> None:
    folder = write_mert(tmp_path / "cut", safetensors=safetensors)
    path = mert_files.find_weights(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"truncated|empty") as caught:
        Mert(folder)
    assert path.name in str(caught.value)


def test_a_git_lfs_pointer_is_called_one(tmp_path: Path, write_mert: Callable[..., Path]) -> None:
    folder = write_mert(tmp_path / "lfs")
    (folder / "pytorch_model.bin").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1261847343\n"
    )
    with pytest.raises(CheckpointError, match="Git LFS pointer"):
        Mert(folder)


class Payload:
    """What a hostile checkpoint might carry."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(
    tmp_path: Path, write_mert: Callable[..., Path], mert_tensors: dict[str, Any], zipped: bool
) -> None:
    folder, marker = write_mert(tmp_path / "hostile"), tmp_path / "ran"
    hostile = {**mert_tensors, "extra": Payload(marker)}
    if zipped:
        torch.save(hostile, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"extra": Payload(marker)}))
    with pytest.raises(CheckpointError, match=r"refused|damaged") as caught:
        Mert(folder)
    assert not marker.exists()
    # Torch's advice to load it without the safeguard does not reach the user.
    assert "weights_only" not in str(caught.value)
    if zipped:
        assert "mkdir" in str(caught.value)


def test_something_else_than_tensors_is_refused(tmp_path: Path, write_mert: Callable[..., Path]) -> None:
    folder = write_mert(tmp_path / "list")
    torch.save([torch.ones(2)], folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="not a table of named tensors"):
        Mert(folder)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.json", None, "is not there"),
        ("preprocessor_config.json", None, "is not there"),
        ("config.json", '{"hidden_si', "damaged or half-downloaded"),
        ("config.json", "[]", "must hold a JSON object"),
        ("config.json", '{"model_type": "bert"}', "model_type 'bert' is not MERT"),
        ("config.json", '{"model_type": "mert_model", "deepnorm": true}', "deepnorm=True"),
        ("config.json", '{"feature_extractor_cqt": true}', "feature_extractor_cqt=True"),
        ("preprocessor_config.json", '{"sampling_rate": 24000}', "do_normalize"),
        ("preprocessor_config.json", '{"do_normalize": true}', "sampling_rate"),
        ("preprocessor_config.json", '{"do_normalize": 1, "sampling_rate": 24000}', "must be true or false"),
        ("preprocessor_config.json", '{"do_normalize": true, "sampling_rate": 7}', "sampling_rate 7"),
    ],
)
def test_a_description_that_is_not_right_is_named(
    tmp_path: Path, write_mert: Callable[..., Path], name: str, text: str | None, words: str
) -> None:
    folder = write_mert(tmp_path / "wrong")
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(CheckpointError) as caught:
        Mert(folder)
    assert words in str(caught.value) and name in str(caught.value)


def test_a_config_of_other_sizes_is_refused(tmp_path: Path, write_mert: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match=r"missing|wrong shape"):
        Mert(write_mert(tmp_path / "deeper", config={"num_hidden_layers": 4}))
    with pytest.raises(CheckpointError, match="does not describe an encoder"):
        Mert(write_mert(tmp_path / "odd", config={"conv_stride": [5, 2]}))


def test_weights_that_are_not_there_or_half_there(tmp_path: Path, write_mert: Callable[..., Path]) -> None:
    folder = write_mert(tmp_path / "none")
    (folder / "pytorch_model.bin").rename(folder / "pytorch_model.bin.incomplete")
    with pytest.raises(CheckpointError, match=r"only the unfinished pytorch_model\.bin\.incomplete"):
        Mert(folder)
    (folder / "pytorch_model.bin.incomplete").unlink()
    with pytest.raises(CheckpointError, match="no weights") as caught:
        Mert(folder)
    assert "optimize setup mert" in str(caught.value)


def test_the_convolution_must_compute_with_the_files_weights(
    mert_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import HubertModel

    load = HubertModel.load_state_dict

    def forgetful(self: Any, tensors: dict[str, Any], **options: Any) -> Any:
        name = CONV + "parametrizations.weight.original0"
        return load(self, {**tensors, name: torch.ones_like(tensors[name])}, **options)

    monkeypatch.setattr(HubertModel, "load_state_dict", forgetful)
    with pytest.raises(CheckpointError, match="does not compute with the file's weight_g"):
        Mert(mert_folder)


def test_the_words_of_the_config_reach_the_model(tmp_path: Path, write_mert: Callable[..., Path]) -> None:
    folder = write_mert(tmp_path / "eps", config={"layer_norm_eps": 0.5})
    assert mert_files.load_model(folder).config.layer_norm_eps == 0.5
    assert json.loads((folder / "config.json").read_text())["model_type"] == "mert_model"
