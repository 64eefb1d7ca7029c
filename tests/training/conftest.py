"""Corpora with a structure that the tests know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def corpus_folder(tmp_path: Path, write_audio: Callable[..., Path]) -> Path:
    """Forty songs in two classes, every twentieth of them broken in its own way."""
    folder = tmp_path / "corpus"
    for number in range(38):
        write_audio(folder / "ab"[number % 2] / f"{number:03d}.wav", seconds=1.0, rate=22_050, seed=number)
    (folder / "a" / "038.wav").write_bytes(b"RIFF, but no more")
    (folder / "b" / "039.mp3").write_bytes(b"")
    return folder


def planted(
    artists: int = 150, songs: int = 5, width: int = 64, seed: int = 1, audible: float = 1.2, leak: float = 1.2
) -> tuple[np.ndarray, pd.DataFrame]:
    """Embeddings of which some directions decide the label for every artist, and others only name the artist.

    The label is ``audible`` parts a direction all songs share, ``leak`` parts the artist's own fame, which no
    direction tells of an artist unheard, and noise. Track ids run through the artists, as on a music site.
    """
    rng = np.random.default_rng(seed)
    n = artists * songs
    artist = np.repeat(np.arange(artists), songs)
    genre = np.array(["rock", "folk"])[artist % 2]
    effect = rng.standard_normal(n)
    fame = rng.standard_normal(artists)[artist]
    voice = rng.standard_normal((artists, width - 4))[artist] + 0.25 * rng.standard_normal((n, width - 4))
    vectors = np.column_stack([effect + 0.1 * rng.standard_normal(n), rng.standard_normal((n, 3)), voice])
    raw = audible * effect + leak * fame + 0.5 * rng.standard_normal(n)
    label = np.clip(5 + raw, 0, 10)
    table = pd.DataFrame({"id": np.arange(n) + 100, "artist_id": artist, "genre": genre, "label": label})
    return vectors.astype(np.float32), table


@pytest.fixture
def write_data() -> Callable[..., Path]:
    """Return a function that writes embeddings with their table."""

    def write(folder: Path, vectors: np.ndarray, table: pd.DataFrame, **info: object) -> Path:
        import json

        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "embeddings.npy", vectors)
        table.to_csv(folder / "table.csv", index=False)
        known = {"encoder": "acoustic-1", "key": "acoustic-1", "window": "first", "layers": [-1], "licence": "none"}
        (folder / "embedding.json").write_text(json.dumps(known | info))
        return folder

    return write


@pytest.fixture
def plant() -> Callable[..., tuple[np.ndarray, pd.DataFrame]]:
    return planted


@pytest.fixture
def planted_data(tmp_path: Path, write_data: Callable[..., Path]) -> Path:
    return write_data(tmp_path / "planted", *planted())
