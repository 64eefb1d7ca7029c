"""Heads: the published file format, our trainer's folders, and the map from a number to a score."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from optimizer.errors import CheckpointError
from optimizer.scoring.heads import Target, open_head, read_config, write_head


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    return (0.5 * np.random.default_rng(3).standard_normal((20, 32))).astype(np.float32)


def test_a_published_head_judges_as_torch_does(head_file: Path, head_module: Any, embeddings: np.ndarray) -> None:
    head = open_head(head_file)
    with torch.no_grad():
        expected = head_module(torch.from_numpy(embeddings)).numpy()
    assert head.width == 32
    assert head.describe() == {"dims": [32, 16, 8, 4, 1], "members": 1, "target": "clamp"}
    for row, number in zip(embeddings, expected, strict=True):
        value, parts = head.judge(row)
        assert parts["raw"] == pytest.approx(number, abs=1e-5)
        assert value == pytest.approx(min(10.0, max(0.0, float(number))), abs=1e-5)
    assert len(set(np.round(expected, 3))) > 15


def test_scores_are_cut_to_the_scale(tmp_path: Path, head_module: Any, embeddings: np.ndarray) -> None:
    for bias, value in ((50.0, 10.0), (-50.0, 0.0)):
        state = dict(head_module.state_dict())
        state["net.12.bias"] = torch.tensor([bias])
        torch.save(state, tmp_path / "head.pt")
        score, parts = open_head(tmp_path / "head.pt").judge(embeddings[0])
        assert score == value
        assert abs(parts["raw"]) > 10


def test_wrapped_prefixed_and_safetensors_files_are_the_same_head(
    tmp_path: Path, head_module: Any, head_file: Path, embeddings: np.ndarray
) -> None:
    from safetensors.torch import save_file

    state = head_module.state_dict()
    torch.save({"state_dict": state, "epoch": 7}, tmp_path / "wrapped.pt")
    torch.save({name.replace("net.", "score."): tensor for name, tensor in state.items()}, tmp_path / "prefixed.pt")
    save_file(dict(state), str(tmp_path / "head.safetensors"))
    expected = open_head(head_file).judge(embeddings[0])
    for name in ("wrapped.pt", "prefixed.pt", "head.safetensors"):
        assert open_head(tmp_path / name).judge(embeddings[0]) == expected, name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"net.4.weight": None}, "missing net.4.weight"),
        ({"net.0.bias": None}, "missing net.0.bias"),
        ({"net.5.running_var": None}, "missing net.5.running_var"),
        ({"net.0.weight": None}, "missing net.0.weight"),
        ({"net.4.weight": "net.4.wait"}, "missing net.4.weight; unexpected net.4.wait"),
        ({"net.4.weight": None, "net.4.bias": None}, "wrong shape: net.5.weight is (8,) and should be (16,)"),
        ({"net.12.weight": None, "net.12.bias": None}, "must end in 1 output"),
        (
            {
                f"net.5.{word}": None
                for word in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            },
            "the same norm",
        ),
        ({"net.0.weight": "other.0.weight"}, "several networks"),
    ],
)
def test_a_head_that_is_not_whole_is_refused(
    tmp_path: Path, head_module: Any, change: dict[str, str | None], words: str
) -> None:
    state = {}
    for name, tensor in head_module.state_dict().items():
        new = change.get(name, name)
        if new is not None:
            state[new] = tensor
    torch.save(state, tmp_path / "head.pt")
    with pytest.raises(CheckpointError) as caught:
        open_head(tmp_path / "head.pt")
    assert words in str(caught.value)


def test_a_head_with_infinite_numbers_or_many_outputs_is_refused(tmp_path: Path, head_module: Any) -> None:
    state = {**head_module.state_dict(), "net.12.bias": torch.tensor([math.inf])}
    torch.save(state, tmp_path / "head.pt")
    with pytest.raises(CheckpointError, match="not finite"):
        open_head(tmp_path / "head.pt")
    torch.save({"net.0.weight": torch.ones(3, 4), "net.0.bias": torch.ones(3)}, tmp_path / "head.pt")
    with pytest.raises(CheckpointError, match="must end in 1 output"):
        open_head(tmp_path / "head.pt")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_head_is_refused(tmp_path: Path, head_file: Path, share: float) -> None:
    whole = head_file.read_bytes()
    (tmp_path / "head.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"truncated|empty"):
        open_head(tmp_path / "head.pt")


def member(
    number: int, dims: tuple[int, ...], norm: str = "layer"
) -> tuple[dict[str, np.ndarray], torch.nn.Sequential]:
    """Return a network's tensors under the names of a trained head, and the network."""
    torch.manual_seed(number)
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(dims[:-1]):
        layers += [torch.nn.Linear(inputs, outputs)]
        if norm == "layer":
            layers += [torch.nn.LayerNorm(outputs)]
        layers += [torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(dims[-2], dims[-1])).eval()
    tensors = {f"members.{number}.net.{name}": 1.5 * tensor.numpy() for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: 1.5 * tensor for name, tensor in network.state_dict().items()})
    return tensors, network


CONFIG = {
    "kind": "mlp",
    "name": "calm",
    "encoder": "mert@sha256:00",
    "target": {"kind": "affine", "scale": 2, "offset": 5},
}


def test_a_trained_ensemble_comes_back_as_it_was_written(tmp_path: Path, embeddings: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.standard_normal(32), rng.uniform(0.5, 2, 32)
    project = rng.standard_normal((6, 32)) / 6
    tensors: dict[str, np.ndarray] = {"standardise.mean": mean, "standardise.std": std, "project": project}
    networks = []
    for number, (dims, norm) in enumerate((((6, 5, 1), "layer"), ((6, 4, 3, 1), "none"), ((6, 1), "none"))):
        own, network = member(number, dims, norm)
        tensors |= own
        networks.append(network)
    write_head(tmp_path / "calm", {**CONFIG, "licence": "CC0"}, tensors)
    assert {path.name for path in (tmp_path / "calm").iterdir()} == {"head.json", "head.safetensors"}
    saved = json.loads((tmp_path / "calm" / "head.json").read_text())
    assert (saved["format"], saved["members"], saved["dims"], saved["licence"]) == (1, 3, [6, 5, 1], "CC0")
    head = open_head(tmp_path / "calm")
    assert head.width == 32
    for row in embeddings[:5]:
        x = torch.from_numpy(project @ ((row - mean) / std)).float()
        with torch.no_grad():
            numbers = np.array([float(network(x[None])[0, 0]) for network in networks])
        value, parts = head.judge(row)
        assert parts["raw"] == pytest.approx(numbers.mean(), abs=1e-4)
        assert value == pytest.approx(np.clip(5 + 2 * numbers.mean(), 0, 10), abs=1e-3)
        assert parts["spread"] == pytest.approx(np.std(np.clip(5 + 2 * numbers, 0, 10)), abs=1e-3)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"format": 2}, "format 2 is not 1"),
        ({"encoder": None}, "must name its encoder"),
        ({"layers": []}, "layers []"),
        ({"layers": ["last"]}, "layers ['last']"),
        ({"members": 4}, "holds 1 members; head.json says 4"),
        ({"target": {"kind": "cubic"}}, "target kind 'cubic'"),
        ({"target": {"kind": "affine", "slope": 1}}, "slope"),
    ],
)
def test_a_trained_head_that_is_not_right_says_why(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    tensors, _ = member(0, (4, 1))
    write_head(tmp_path / "head", CONFIG, tensors)
    path = tmp_path / "head" / "head.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(CheckpointError) as caught:
        open_head(tmp_path / "head")
    assert words in str(caught.value)


def test_a_folder_that_is_no_head_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no head\.json"):
        read_config(tmp_path)
    (tmp_path / "head.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_config(tmp_path)
    (tmp_path / "head.json").write_text(json.dumps({"format": 1, **CONFIG}))
    with pytest.raises(CheckpointError, match=r"has no head\.safetensors"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"standardise.mean": np.zeros(4)}, "come together"),
        ({"standardise.mean": np.zeros(4), "standardise.std": np.zeros(4)}, "std above 0"),
        ({"standardise.mean": np.zeros(3), "standardise.std": np.ones(3)}, "do not fit"),
        ({"project": np.zeros((3, 9))}, "do not fit"),
        ({"colour": np.zeros(3)}, "colour"),
    ],
)
def test_nothing_is_written_that_could_not_be_read(tmp_path: Path, extra: dict[str, np.ndarray], words: str) -> None:
    tensors, _ = member(0, (4, 1))
    with pytest.raises(CheckpointError, match=words):
        write_head(tmp_path / "head", CONFIG, {**tensors, **extra})
    assert not (tmp_path / "head").exists()


def test_targets_rise_and_stay_on_the_scale() -> None:
    targets = [
        Target(),
        Target("affine", scale=0.5, offset=3),
        Target("logistic", centre=-1.5, scale=2),
        Target("quantile", raw=(-1.0, 0.0, 4.0), score=(0.0, 7.0, 10.0)),
    ]
    numbers = np.linspace(-30, 30, 601)
    for target in targets:
        scores = [target(float(number)) for number in numbers]
        assert all(0 <= score <= 10 for score in scores), target.kind
        assert all(a <= b for a, b in pairwise(scores)), target.kind
    assert targets[2](-1.5) == 5.0
    assert targets[2](0.5) == pytest.approx(10 / (1 + math.exp(-1)))
    assert targets[2](-1e6) == 0.0
    assert targets[3](2.0) == pytest.approx(8.5)
    assert targets[1](4.0) == 5.0


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "affine", "scale": -1},
        {"kind": "affine", "scale": 0},
        {"kind": "logistic", "centre": math.nan},
        {"kind": "quantile", "raw": [0, 0], "score": [1, 2]},
        {"kind": "quantile", "raw": [0, 1], "score": [2, 1]},
        {"kind": "quantile", "raw": [0, 1], "score": [1, 11]},
        {"kind": "quantile", "raw": [0, 1, 2], "score": [1, 2]},
        {"kind": "quantile", "raw": [0], "score": [1]},
        {"kind": "affine", "scale": "wide"},
    ],
)
def test_a_target_that_does_not_rise_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        Target.from_dict(values)
