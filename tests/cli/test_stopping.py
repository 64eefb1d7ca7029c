"""Ctrl-C: once to finish what is in hand, twice to drop it, and exit code 130 with the command that goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from optimizer.cli import verify
from optimizer.cli.stopping import Brake, stopping
from optimizer.errors import Interrupted
from optimizer.intake import make_study
from optimizer.runs import RunDirectory
from optimizer.scoring import Score


def press(times=1, number=signal.SIGINT):
    for _ in range(times):
        os.kill(os.getpid(), number)


@pytest.fixture
def handlers():
    """What the signals did before; a test must leave it so."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.parametrize(("number", "asked"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_sigint_asks_once_and_sigterm_twice(handlers, capfd, number, asked):
    calls = []
    with stopping(lambda: calls.append(1), "Finishing."):
        press(1, number)
        assert len(calls) == asked
        press(1, number)
    assert len(calls) == 2 * asked
    assert capfd.readouterr().err.count("Finishing.") == (number == signal.SIGINT)


def test_a_brake_interrupts_once_and_no_clearing_up(handlers):
    brake = Brake()
    assert not brake()
    brake.stop()
    with pytest.raises(KeyboardInterrupt):
        brake.stop()
    brake.stop()
    assert brake()
    brake = Brake()
    brake.stop()
    assert brake()
    brake.stop()


@pytest.fixture
def study(tmp_path, make_song, monkeypatch):
    """Return a function that has `verify` render with a function of (take, out), and returns how it ended."""
    make_study(RunDirectory(tmp_path / "one"), [make_song(0, 4.0, study="one")], scored_by="acoustic", source="me")

    def run(render):
        takes = []

        def rendered(recipe, out):
            takes.append(out)
            render(len(takes))
            return SimpleNamespace(path=out)

        session = SimpleNamespace(
            run=RunDirectory(tmp_path / "one"),
            options=SimpleNamespace(seed=0),
            scorer=SimpleNamespace(identity={"name": "acoustic"}),
            renderers=lambda count: contextlib.nullcontext([SimpleNamespace(render=rendered)]),
            listener=lambda: contextlib.nullcontext(SimpleNamespace(score=lambda paths: [Score(3.5, {})])),
        )
        monkeypatch.setattr("optimizer.opening.reopen", lambda *given, **settings: session)
        with pytest.raises(Interrupted) as caught:
            verify.verify("one", top=2, takes=5, sandbox="off", runs_dir=tmp_path, json_=True)
        assert caught.value.exit_code == 130
        words = f"optimize verify one --runs-dir {tmp_path} --top 2 --takes 5 --sandbox off --json"
        assert caught.value.next_step == f"Go on with: {words}"
        return caught.value.message, len(list((tmp_path / "one" / "verify").glob("*.json")))

    return run


def test_verify_finishes_the_take_in_hand_and_keeps_it(handlers, study, capfd):
    message, kept = study(lambda take: press() if take == 2 else None)
    assert kept == 2 and message.startswith("after 2 of 5 takes")
    assert "Finishing the take in hand; press Ctrl-C again to drop it." in capfd.readouterr().err


def test_verify_drops_the_take_in_hand_when_told_twice(handlers, study):
    message, kept = study(lambda take: press(2) if take == 3 else None)
    assert kept == 2 and "dropped" in message


def test_sigterm_ends_verify_as_two_presses_do(handlers, study):
    message, kept = study(lambda take: press(1, signal.SIGTERM) if take == 1 else None)
    assert kept == 0 and "dropped" in message


LEAVING = """
import os, signal, sys
from optimizer.cli import main
from optimizer.errors import Interrupted

class Pressed:
    def write(self, text):
        os.kill(os.getpid(), signal.SIGINT)
    def flush(self):
        pass

sys.stderr = Pressed()
main.leave(Interrupted("interrupted."))
"""


def test_a_press_while_the_program_ends_does_not_change_its_code():
    assert subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, timeout=60).returncode == 130
