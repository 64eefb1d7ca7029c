"""Which mechanism is taken, and what is said where it cannot be had."""

from __future__ import annotations

import pytest

from optimizer.errors import SandboxUnavailable, UsageError
from optimizer.sandbox import Policy, bubblewrap, mechanism, seatbelt, select


@pytest.fixture
def machine(monkeypatch):
    """Return a function that pretends to be another machine."""

    def pretend(platform="linux", bwrap=None, landlock=7, seccomp=True):
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setattr(bubblewrap, "find", lambda: None if bwrap is None else "/usr/bin/bwrap")
        monkeypatch.setattr(bubblewrap, "works", lambda: "bwrap is not on the PATH" if bwrap is None else bwrap or None)
        monkeypatch.setattr(mechanism, "_landlock_version", lambda: landlock)
        monkeypatch.setattr(mechanism, "_seccomp", lambda: seccomp)

    return pretend


def test_bubblewrap_is_taken_where_it_works(machine):
    machine(bwrap="")
    assert select("auto").name == "bwrap"
    assert select("auto").landlock
    machine(bwrap="", landlock=0)
    assert not select("bwrap").landlock


@pytest.mark.parametrize("bwrap", [None, "setting up uid map: Permission denied"])
def test_landlock_is_taken_elsewhere(machine, bwrap):
    machine(bwrap=bwrap)
    chosen = select("auto")
    assert chosen.name == "landlock"
    assert set(chosen.namespaces) == {"mount", "pid", "net", "ipc"}
    with pytest.raises(SandboxUnavailable, match="cannot be had") as caught:
        select("bwrap")
    assert "apt-get install bubblewrap" in caught.value.next_step
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("mode", ["auto", "landlock"])
def test_there_is_no_silent_run_without_a_sandbox(machine, mode):
    machine(landlock=0)
    with pytest.raises(SandboxUnavailable, match="no Landlock") as caught:
        select(mode)
    assert "--sandbox off" in caught.value.next_step


def test_off_is_off_only_when_asked(machine):
    machine(landlock=0)
    assert not select("off").confines
    assert select("off").namespaces == ()


def test_an_unknown_mode_is_a_usage_error():
    with pytest.raises(UsageError, match="Did you mean 'landlock'"):
        select("landlok")


def test_macos_has_seatbelt_alone(machine, monkeypatch, tmp_path):
    machine(platform="darwin")
    program = tmp_path / "sandbox-exec"
    program.write_text("")
    monkeypatch.setattr(seatbelt, "PROGRAM", str(program))
    assert select("auto").name == "seatbelt"
    with pytest.raises(SandboxUnavailable, match="Linux only"):
        select("landlock")
    program.unlink()
    with pytest.raises(SandboxUnavailable, match="is not there"):
        select("seatbelt")


def test_the_order_holds_no_secret_and_names_the_child(machine, tmp_path, monkeypatch):
    machine()
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    order = select("landlock").order(
        Policy(tmp_path), ["/usr/bin/true"], parent=1, descriptor=3, status=4, keep=[5, 6], log=7, log_room=100
    )
    assert "hunter2" not in str(order)
    assert order["command"] == ["/usr/bin/true"]
    assert order["write"] == [str(tmp_path)]
    assert order["wrapper"] == []


def test_bubblewraps_command_binds_only_what_the_policy_names(machine, tmp_path):
    machine(bwrap="")
    home = tmp_path / "code"
    (home / "runs" / "songs").mkdir(parents=True)
    (home / "notes.txt").write_text("x")
    policy = Policy(
        tmp_path / "scratch", read=(home, home / "runs" / "songs"), hidden=(home / "runs", home / "notes.txt")
    )
    command = bubblewrap.wrapper(policy, ["/usr/bin/true"])
    assert command[-2:] == ["--", "/usr/bin/true"]
    assert {"--unshare-all", "--die-with-parent", "--new-session"} <= set(command)
    text = " ".join(command)
    assert f"--ro-bind-try {home} {home}" in text
    # Hidden, and what is named within it opened again after that.
    assert f"--tmpfs {home / 'runs'} --ro-bind-try {home / 'runs' / 'songs'}" in text
    assert f"--ro-bind /dev/null {home / 'notes.txt'}" in text
    writable = [command[at + 1] for at, word in enumerate(command) if word == "--bind"]
    assert writable == [str(policy.temporary), str(policy.scratch)]
    assert "/etc" not in command
