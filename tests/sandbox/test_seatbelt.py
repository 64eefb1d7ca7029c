"""The Seatbelt profile, word for word: it was not run, so every change to it shall be seen."""

from __future__ import annotations

from pathlib import Path

from optimizer.sandbox import Policy
from optimizer.sandbox.seatbelt import profile, wrapper

SNAPSHOT = Path(__file__).with_name("seatbelt.sb")


def policy(monkeypatch, device="mps"):
    monkeypatch.setenv("HOME", "/Users/somebody")
    monkeypatch.setattr("optimizer.sandbox.policy.CREDENTIALS", (".ssh",))
    # As on a Mac, where none of these is a link.
    monkeypatch.setattr(Path, "resolve", lambda self, strict=False: self)
    read = (Path("/Users/somebody/venv"), Path('/Users/somebody/runs/a "b"/songs'))
    return Policy(Path("/private/tmp/box"), read=read, hidden=(Path("/Users/somebody/runs"),), device=device)


def test_the_profile_is_the_one_that_was_read(monkeypatch):
    assert profile(policy(monkeypatch)) == SNAPSHOT.read_text()


def test_the_gpu_is_opened_for_metal_alone(monkeypatch):
    assert "iokit-open" in profile(policy(monkeypatch))
    assert "iokit-open" not in profile(policy(monkeypatch, device="cpu"))


def test_the_profile_is_handed_over_as_one_argument(monkeypatch):
    command = wrapper(policy(monkeypatch), ["/usr/bin/true", "x"])
    assert command[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert command[3:] == ["/usr/bin/true", "x"]
