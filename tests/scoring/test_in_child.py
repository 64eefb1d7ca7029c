"""Model scorers where a run has them: in a confined child of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimizer.scoring import Score, open_scorer, prepare
from optimizer.scoring.process import ScorerProcess


def test_a_panel_of_heads_and_captions_listens_in_its_child(
    mert_folder: Path, head_file: Path, jury_file: Path, clap_folder: Path, songs: list[Path], tmp_path: Path
) -> None:
    options = {"encoder": mert_folder, "head": head_file, "clap": clap_folder, "threads": 1}
    spec = prepare(f"banger+tunejury:{jury_file}:0.5+clap:0.25", options)
    (tmp_path / "scratch").mkdir()
    process = ScorerProcess(spec, tmp_path / "scratch", log=tmp_path / "log.txt", read_paths=(songs[0].parent,))
    captions = ["calm piano", "bright bhangra"]
    try:
        process.start()
        assert process.captioned
        results = process.score(songs[:2], captions)
        assert set(process.info) == {"banger", "tunejury", "clap"}
        assert process.info["banger"]["dtype"] == "float32"
    finally:
        process.close()
    expected = open_scorer(spec).score_captioned(songs[:2], captions)  # type: ignore[attr-defined]
    for result, verdict in zip(results, expected, strict=True):
        assert isinstance(result, Score), (result, (tmp_path / "log.txt").read_text())
        assert result.value == pytest.approx(verdict["value"], abs=1e-4)
        assert result.parts == pytest.approx(verdict["parts"], abs=1e-4)
        assert result.embedding is not None and result.embedding.shape == (32,)
