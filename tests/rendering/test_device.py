"""Devices guessed without torch and settled with it; growth of memory; profiles and plans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.errors import CheckpointError, MissingPrerequisite, UsageError
from optimizer.rendering import device
from optimizer.rendering.plans import codes_of, fit_codes, plan_text
from optimizer.rendering.profiles import PROFILES, profile_named, profile_of


@pytest.mark.parametrize("asked", ["cpu", "cuda", "mps"])
def test_named_device_is_taken_at_its_word(asked: str) -> None:
    assert device.guess_device(asked) == asked


def test_unknown_device() -> None:
    with pytest.raises(UsageError, match="Did you mean 'cuda'"):
        device.guess_device("cude")


def test_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: set[str] = set()
    monkeypatch.setattr(device.Path, "exists", lambda path: str(path) in nodes)
    monkeypatch.setattr(device.sys, "platform", "linux")
    assert device.guess_device("auto") == "cpu"
    monkeypatch.setattr(device.sys, "platform", "darwin")
    monkeypatch.setattr(device.platform, "machine", lambda: "arm64")
    assert device.guess_device("auto") == "mps"
    monkeypatch.setattr(device.platform, "machine", lambda: "x86_64")
    assert device.guess_device("auto") == "cpu"
    nodes.add("/dev/nvidia0")
    assert device.guess_device("auto") == "cuda"


def test_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.settle_device("cpu", "cpu") == ("cpu", [])
    found, (warning,) = device.settle_device("auto", "cuda")
    assert found == "cpu"
    assert "cannot use it" in warning
    with pytest.raises(MissingPrerequisite, match="cannot use the device 'cuda'"):
        device.settle_device("cuda", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.settle_device("auto", "cuda") == ("cuda", [])


def test_growth_is_measured_from_the_first_song() -> None:
    growth = device.Growth(share=0.25, slack=100)
    assert growth.reason({"rss": 1000, "device": 400}) is None
    assert growth.reason({"rss": 1250, "device": 500}) is None
    assert growth.reason({"rss": 1251, "device": 400}) is not None
    reason = growth.reason({"rss": 900, "device": 501})
    assert reason is not None and reason.startswith("device memory grew")
    assert growth.reason({"rss": 900}) is None


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"is_turbo": True, "model_version": "base"}, "turbo"),
        ({"is_turbo": False, "model_version": "sft"}, "sft"),
        ({"model_version": "xl_base"}, "base"),
        ({"model_version": "turbo"}, "turbo"),
    ],
)
def test_profile_of_a_checkpoint(tmp_path: Path, config: dict[str, object], kind: str) -> None:
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "config.json").write_text(json.dumps(config))
    assert profile_of(tmp_path) == PROFILES[kind]


def test_profile_by_the_folder_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "acestep-v15-xl-sft-diffusers"
    (folder / "transformer").mkdir(parents=True)
    (folder / "transformer" / "config.json").write_text("{}")
    assert profile_of(folder).kind == "sft"
    other = folder.rename(tmp_path / "mine")
    with pytest.raises(CheckpointError, match="turbo, base, sft"):
        profile_of(other)
    assert profile_named("acestep-v15-turbo-shift3") == PROFILES["turbo"]
    assert profile_named("baseline") is None


def test_turbo_is_sampled_as_it_was_distilled() -> None:
    turbo, base = PROFILES["turbo"], PROFILES["base"]
    assert (turbo.steps, turbo.shift, turbo.guidance, turbo.passes) == (8, 3.0, 1.0, 8)
    assert (base.shift, base.guidance, base.passes) == (1.0, 7.0, 2 * base.steps)
    assert turbo.correction and not base.correction


def test_plans() -> None:
    assert codes_of(plan_text([1, 63999, 0])) == [1, 63999, 0]
    assert codes_of("words <|audio_code_12|> and\n<|audio_code_3|>") == [12, 3]
    assert fit_codes([1, 2, 3], 2) == [1, 2]
    assert fit_codes([1, 2, 3], 5) == [1, 2, 3, 3, 3]
    for wrong in ("no codes here", "<|audio_code_64000|>"):
        with pytest.raises(ValueError, match="code"):
            codes_of(wrong)
