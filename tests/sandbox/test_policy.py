"""What a policy lets through: paths, environment, devices."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from optimizer.sandbox import Policy, importable, interpreter_paths, module_paths


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "OPENAI_API_KEY",
        "CUDA_API_KEY",
        "TORCH_SECRET",
        "OMP_PASSWORD",
        "MLX_AUTH",
        "PYTHONPATH",
        "LD_PRELOAD",
        "PYTHONSTARTUP",
        "SSH_AUTH_SOCK",
        "DBUS_SESSION_BUS_ADDRESS",
        "ANYTHING_ELSE",
    ],
)
def test_no_token_and_nothing_unknown_passes(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, "secret")
    assert name not in Policy(tmp_path).child_environment()


def test_not_even_an_engine_may_name_a_secret(tmp_path):
    environment = {"HF_TOKEN": "x", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "2"}
    passed = Policy(tmp_path, environment=environment).child_environment()
    assert "HF_TOKEN" not in passed
    assert passed["TOKENIZERS_PARALLELISM"] == "false"
    assert passed["OMP_NUM_THREADS"] == "2"


def test_home_and_temporary_folder_are_private(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    passed = Policy(tmp_path).child_environment()
    assert passed["HOME"] == str(tmp_path / "home")
    assert passed["TMPDIR"] == str(tmp_path / "tmp")
    assert passed["CUDA_VISIBLE_DEVICES"] == "1"


def test_paths_that_are_not_there_are_left_out_and_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    paths = Policy(tmp_path, read=(tmp_path / "link", tmp_path / "gone")).read_paths()
    assert {tmp_path / "link", tmp_path / "real"} <= set(paths)
    assert tmp_path / "gone" not in paths
    assert Path("/etc/passwd") not in paths
    assert Path("/etc") not in Policy(tmp_path).data_paths()


def test_credentials_are_hidden(tmp_path, home):
    hidden = Policy(tmp_path, hidden=(tmp_path / "runs",)).hidden_paths()
    assert {home / ".ssh", home / ".netrc", home / ".cache" / "huggingface" / "token", tmp_path / "runs"} <= set(hidden)


def test_devices_are_opened_for_cuda_alone(tmp_path, monkeypatch):
    nodes = [Path("/dev/nvidia0"), Path("/dev/nvidiactl")]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(nodes))
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self, **more: self in nodes or exists(self, **more))
    assert set(nodes) <= set(Policy(tmp_path, device="cuda").device_paths())
    assert Path("/sys") in Policy(tmp_path, device="cuda").data_paths()
    assert not set(nodes) & set(Policy(tmp_path).device_paths())


def test_an_interpreter_brings_its_installation(tmp_path):
    paths = interpreter_paths()
    assert Path(sys.prefix) in paths
    assert Path(sys.base_prefix) in paths
    base = tmp_path / "python-3.12" / "bin"
    base.mkdir(parents=True)
    (base / "python3.12").write_text("")
    venv = tmp_path / "checkout" / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(base / "python3.12")
    (venv / "pyvenv.cfg").write_text(f"home = {base}\nversion = 3.12.1\n")
    assert set(interpreter_paths(venv / "bin" / "python")) == {base.parent, venv}


def test_the_root_and_the_home_are_never_an_interpreters_folder(tmp_path, home):
    (home / "bin").mkdir()
    (home / "bin" / "python").write_text("")
    (home / "pyvenv.cfg").write_text("home = /bin\n")
    assert interpreter_paths(home / "bin" / "python") == ()


def test_an_entry_of_pythonpath_is_given_whole_and_others_by_their_modules(tmp_path, home, monkeypatch):
    named, other = tmp_path / "named", tmp_path / "other"
    for folder in (named, other, home):
        (folder / "package").mkdir(parents=True)
        (folder / "package" / "__init__.py").write_text("")
        (folder / "module.py").write_text("")
        (folder / "data").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{named}:{home}")
    monkeypatch.setattr(sys, "path", [str(named), str(other), str(home)])
    paths = set(module_paths())
    assert {named, other / "package", other / "module.py"} <= paths
    assert not {other, other / "data", home, home / "data"} & paths
    assert home / "package" in paths
    assert importable(tmp_path / "gone") == []
