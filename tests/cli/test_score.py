"""How scores are laid out, and what is said where a stand-in listens."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from optimizer.cli import options
from optimizer.cli.main import app
from optimizer.cli.score import table_of
from optimizer.scoring.batch import FileScore

PARTS = {f"judge{number}{part}": 10.0 - number for number in range(5) for part in ("", ".raw", ".spread")}


@pytest.fixture
def scores() -> list[FileScore]:
    return [
        FileScore("album/first song.flac", 5.0, PARTS),
        FileScore("album/broken.flac", None, {}, "cannot be read: " + "it is no audio file " * 6),
    ]


def shown(monkeypatch: pytest.MonkeyPatch, headings: list[str], rows: list[list[str | None]]) -> list[str]:
    """Print a table as on a terminal of 80 columns."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(options.sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    options.print_table(headings, rows, right=(1,))
    return re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()


@pytest.mark.parametrize("folder", ["", "a folder whose name is rather long/"])
def test_on_a_terminal_a_panel_fits(scores: list[FileScore], monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    scores = [replace(one, path=folder + str(one.path)) for one in scores]
    headings, rows = table_of(scores, 80)
    lines = shown(monkeypatch, headings, rows)
    assert max(map(len, lines)) <= 80 and ("parts" in headings) == (not folder)
    text = "\n".join(lines)
    # Nothing is lost, no name stands away from its number, and the file can be copied.
    for name, value in PARTS.items():
        assert f"{name} {value:.2f}" in text
    assert all(str(one.path) in text for one in scores)
    assert " ".join(" ".join(lines).split()).count("it is no audio file") >= 2


def test_a_long_name_of_a_file_is_never_broken(scores: list[FileScore], monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 100 + ".flac"
    lines = shown(monkeypatch, *table_of([replace(scores[0], path=long)], 80))
    assert sum(long in line for line in lines) == 1
    assert all(len(line.rstrip()) <= 80 for line in lines if "judge" in line)


def test_in_a_pipe_a_file_is_a_line(scores: list[FileScore]) -> None:
    headings, rows = table_of(scores, None)
    assert headings == ["file", "score", "parts"] and all("\n" not in str(cell) for row in rows for cell in row)
    assert str(rows[0][2]).count("  ") == len(PARTS) - 1


def test_a_stand_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_audio: object) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    write_audio(tmp_path / "songs" / "a.wav", 1.0, 22_050)  # type: ignore[operator]
    for words, said in (([], True), (["--encoder", "acoustic"], False)):
        out = tmp_path / f"out{len(words)}"
        done = CliRunner().invoke(app, ["embed", str(tmp_path / "songs"), "--out", str(out), *words])
        assert done.exit_code == 0, done.output
        assert ("optimize setup mert" in done.stderr) == said
        assert np.load(out / "embeddings.npy").shape[0] == 1
