"""Songs to judge, and no way to the user's caches or the Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory, write_audio: Callable[..., Path]) -> list[Path]:
    """Four short songs of three lengths."""
    folder = tmp_path_factory.mktemp("songs")
    return [
        write_audio(folder / f"{seed}.wav", seconds, seed=seed) for seed, seconds in enumerate((2.0, 1.0, 2.0, 3.1))
    ]


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's caches and the Hub out of every test."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home" / name))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
