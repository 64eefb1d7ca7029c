"""What a child can reach: nothing but its own scratch folder, under each mechanism."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from optimizer.workers.probe import probe


def test_no_attempt_to_break_out_succeeds(mechanism):
    result = probe(mechanism)
    assert result.problem is None
    assert len(result.findings) >= 20
    assert [finding.attempt for finding in result.escapes] == []
    assert result.to_dict()["escapes"] == []


def test_the_probe_sees_what_is_open():
    # Were everything reported as contained, the test above would prove nothing.
    escapes = {finding.attempt for finding in probe("off").escapes}
    assert {"read a file outside", "write a file outside", "connect by TCP", "send by UDP"} <= escapes
    assert {"connect to a Unix socket", "connect to an abstract socket", "read the parent's environment"} <= escapes


def test_the_probe_tells_why_a_mode_cannot_be_had():
    result = probe("seatbelt")
    assert result.mechanism is None
    assert "macOS" in result.problem


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a private key in it, and code beside it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "id_rsa").write_text("PRIVATE KEY")
    (folder / ".netrc").write_text("machine example password x")
    (folder / "weights").mkdir()
    (folder / "weights" / "model.bin").write_text("weights")
    (folder / "runs" / "other" / "songs").mkdir(parents=True)
    (folder / "runs" / "other" / "study.db").write_text("study")
    (folder / "runs" / "other" / "songs" / "0001.flac").write_text("song")
    return folder


def test_keys_and_other_runs_are_unreadable_even_beneath_a_granted_folder(mechanism, start, ask, home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    worker = start(mechanism, read_paths=(home, home / "runs" / "other" / "songs"), hidden=(home / "runs",))
    names = [".ssh/id_rsa", ".netrc", "weights/model.bin", "runs/other/study.db", "runs/other/songs/0001.flac"]
    read = ask(worker, "read-all", caption=json.dumps([str(home / name) for name in names]))["read"]
    # An empty file stands in its place where the mechanism can put one.
    got = {name: read[str(home / name)] or None for name in names}
    assert got == {
        ".ssh/id_rsa": None,
        ".netrc": None,
        "weights/model.bin": "weights",
        "runs/other/study.db": None,
        "runs/other/songs/0001.flac": "song",
    }


def test_nothing_can_be_written_but_the_scratch_folder(shared, ask, tmp_path):
    scratch = shared.launch.policy.scratch
    model = scratch.parent / "readable" / "model.bin"
    outside = [tmp_path / "new", model.with_name("new"), scratch.with_name("new"), Path("/dev/new"), Path("/etc/new")]
    outside += [Path("/usr/new"), Path("/var/tmp/new")]
    refused = [str(model), "/proc/sys/kernel/core_pattern", "/sys/fs/cgroup/pids/tasks"]
    inside = [str(scratch / "new"), str(scratch / "tmp" / "new")]
    asked = [*map(str, outside), *refused, *inside]
    written = ask(shared, "write-all", caption=json.dumps(asked))["written"]
    assert [name for name in refused + inside if written[name]] == inside
    # bubblewrap gives a /tmp of the child's own, in which anything can be written.
    assert [path for path in outside if path.exists()] == []
    assert model.read_text() == "weights"


def test_no_socket_of_any_family_opens(shared, ask):
    assert ask(shared, "sockets")["opened"] == {}


def test_the_child_sees_no_token_no_descriptor_and_no_other_process(mechanism, start, ask, monkeypatch):
    for name in (
        "HF_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "OMP_API_KEY",
        "CUDA_SECRET",
        "SOME_PASSWORD",
        "GITHUB_TOKEN",
        "OTHER",
    ):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    leaked = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        worker = start(mechanism)
    finally:
        os.close(leaked)
    seen = ask(worker, "look")
    assert "secret" not in seen["environment"].values()
    assert seen["environment"]["OMP_NUM_THREADS"] == "1"
    assert seen["environment"]["HOME"] == str(worker.launch.policy.home)
    # Standard ones, two of the protocol, and the one that lists them.
    assert len(seen["descriptors"]) == 6
    if mechanism.name == "bwrap" or mechanism.namespaces:
        assert len(seen["processes"]) <= 3


def test_programs_of_the_system_still_run(shared, ask):
    assert ask(shared, "shell")["said"] == "hello\n"


def test_what_is_in_force_is_reported(start):
    confined = start("landlock").confined
    assert confined["landlock"] >= 1
    assert confined["seccomp"] is True
    assert confined["mechanism"] == "landlock"
