"""optimize setup for listeners: what is fetched, checked and kept, without any network."""

from __future__ import annotations

import io
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch

from optimizer.checkpoints import Checkpoint
from optimizer.errors import CheckpointError, MissingPrerequisite, UsageError
from optimizer.scoring import available, banger, mert_files, prepare, tunejury
from optimizer.scoring.published import find_head, kept
from optimizer.scoring.setup import SETUPS, setup


@pytest.fixture
def real_head(tmp_path: Path) -> Path:
    """A head that judges 1024 numbers, as the published ones do."""
    path = tmp_path / "given" / "head.pt"
    path.parent.mkdir()
    torch.save({"net.0.weight": torch.ones(1, 1024), "net.0.bias": torch.zeros(1)}, path)
    return path


def serve(monkeypatch: pytest.MonkeyPatch, data: bytes | Exception, length: int | None = None) -> list[str]:
    """Answer every address with `data`; return the list of addresses asked for."""
    asked: list[str] = []

    class Reply(io.BytesIO):
        headers = {"Content-Length": str(length)} if length is not None else {}

    def urlopen(request: Any, timeout: float) -> Any:
        asked.append(request.full_url)
        if isinstance(data, Exception):
            raise data
        return Reply(data)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return asked


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for the Hub: `folders` says what each repository gives, `asked` what was asked for."""
    state: dict[str, Any] = {"folders": {}, "asked": []}

    def download(repo: str, revision: str | None = None, *, files: Any, progress: Any, mend: str) -> Checkpoint:
        state["asked"].append((repo, revision, tuple(files), mend))
        return Checkpoint(repo, state["folders"][repo], "0" * 40)

    monkeypatch.setattr("optimizer.scoring.setup.download", download)
    return state


def test_mert_is_the_pinned_commits_three_files(hub: dict[str, Any], mert_folder: Path) -> None:
    hub["folders"][mert_files.REPO] = mert_folder
    fetched = setup("mert")
    assert fetched.path == mert_folder and "CC BY-NC" in fetched.licence
    assert hub["asked"] == [
        (
            "m-a-p/MERT-v1-330M",
            "0e06c986db0527c0fd1b47181c40f006805e3de0",
            ("config.json", "preprocessor_config.json", "pytorch_model.bin"),
            "optimize setup mert",
        )
    ]


def test_a_banger_head_comes_from_the_hub_and_is_checked(
    hub: dict[str, Any], real_head: Path, head_file: Path, tmp_path: Path
) -> None:
    hub["folders"]["treadon/banger-scorer"] = real_head.parent
    real_head.rename(real_head.parent / "scorer_model.pt")
    assert setup("banger").path == real_head.parent / "scorer_model.pt"
    hub["folders"]["treadon/banger-scorer"] = head_file.parent
    with pytest.raises(CheckpointError, match="embeddings of 32 numbers"):
        setup("banger")


@pytest.mark.parametrize(("name", "head"), [("banger", banger.HEAD), ("tunejury", tunejury.HEAD)])
def test_a_head_can_be_given_as_a_file(
    name: str, head: Any, real_head: Path, write_mert: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not available(name, {"encoder": str(write_mert(tmp_path / "encoder"))})
    fetched = setup(name, str(real_head))
    assert fetched.path == kept(head) == find_head(head)
    assert fetched.path.read_bytes() == real_head.read_bytes()
    assert [path.name for path in fetched.path.parent.iterdir()] == [head.file]
    assert available(name, {"encoder": str(tmp_path / "encoder")})
    # What is asked for outright comes before what is kept.
    assert find_head(head, real_head) == real_head


def test_tunejury_comes_from_its_address(monkeypatch: pytest.MonkeyPatch, real_head: Path) -> None:
    data = real_head.read_bytes()
    asked = serve(monkeypatch, data, len(data))
    steps: list[tuple[int, int]] = []
    fetched = setup("tunejury", progress=lambda done, total: steps.append((done, total)))
    assert asked == [tunejury.HEAD.url]
    assert fetched.path.read_bytes() == data
    assert steps[-1] == (len(data), len(data))


@pytest.mark.parametrize(
    ("answer", "length", "kind", "words"),
    [
        (urllib.error.URLError("no route"), None, MissingPrerequisite, "no route"),
        (TimeoutError("too slow"), None, MissingPrerequisite, "too slow"),
        (urllib.error.HTTPError("u", 404, "Not Found", {}, None), None, CheckpointError, "404 Not Found"),  # type: ignore[arg-type]
        (b"half", 1_000, CheckpointError, "broke off at 4 of 1,000 bytes"),
        (b"<html>a page</html>", 19, CheckpointError, "truncated or damaged"),
        (b"", 0, CheckpointError, "empty"),
    ],
)
def test_what_does_not_arrive_leaves_what_was_there(
    monkeypatch: pytest.MonkeyPatch, real_head: Path, answer: Any, length: int | None, kind: Any, words: str
) -> None:
    setup("tunejury", str(real_head))
    serve(monkeypatch, answer, length)
    with pytest.raises(kind) as caught:
        setup("tunejury")
    assert words in str(caught.value)
    assert [path.read_bytes() for path in kept(tunejury.HEAD).parent.iterdir()] == [real_head.read_bytes()]


def test_an_address_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.scoring.setup.LARGEST_HEAD", 1_000)
    serve(monkeypatch, bytes(5_000))
    with pytest.raises(CheckpointError, match="not a head"):
        setup("tunejury")


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("bangr", None, "Did you mean 'banger'?"),
        ("mert", "file.bin", "takes no file or address"),
        ("banger", "http://example.org/head.pt", "must begin with https://"),
        ("banger", "no/such/file.pt", "cannot be read"),
    ],
)
def test_what_is_not_legal_says_why(name: str, source: str | None, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        setup(name, source)
    assert words in str(caught.value)


def test_clap_takes_one_kind_of_weights(hub: dict[str, Any], tmp_path: Path) -> None:
    from optimizer.scoring import clap

    hub["folders"][clap.REPO] = tmp_path
    setup("clap")
    (_, _, first, _), (_, _, second, _) = hub["asked"]
    assert "model.safetensors" in first and "pytorch_model.bin" not in first
    assert "pytorch_model.bin" in second and "model.safetensors" not in second
    (tmp_path / "model.safetensors").touch()
    hub["asked"].clear()
    setup("clap")
    assert len(hub["asked"]) == 1


def test_every_model_scorer_can_be_set_up(mert_folder: Path) -> None:
    assert set(SETUPS) == {"mert", "banger", "tunejury", "clap", "audiobox", "emotion"}
    for name in ("banger", "tunejury"):
        with pytest.raises(CheckpointError, match=f"optimize setup {name}"):
            prepare(name, {"encoder": str(mert_folder)})
