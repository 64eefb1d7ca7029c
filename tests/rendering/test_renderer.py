"""The renderer around hostile engines: every failure has its reason, and the next song comes out."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

import psutil
import pytest
import soundfile

from optimizer.errors import (
    BadAudio,
    MissingPrerequisite,
    OptimizeError,
    RenderFailed,
    SandboxUnavailable,
    StorageFull,
    UsageError,
)
from optimizer.rendering import renderer as renderer_module
from optimizer.rendering.base import EngineSpec
from optimizer.rendering.renderer import Renderer

HOSTILE = Path(__file__).parents[1] / "workers" / "hostile.py"


def spec(**changes):
    fields = {"name": "hostile", "target": f"{HOSTILE}:Hostile", "revision": "1", "memory_limit": 1 << 30}
    return EngineSpec(**{**fields, "deadline": 20.0, "load_deadline": 30.0, **changes})


@pytest.fixture
def make(tmp_path):
    made = []

    def build(**options):
        changes = options.pop("spec", {})
        folder = tmp_path / f"scratch-{len(made)}"
        folder.mkdir()
        made.append(Renderer(spec(**changes), folder, log=tmp_path / "logs" / "worker-0.log", **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    each = Renderer(spec(), folder, log=folder / "worker.log")
    yield each
    each.close()


@pytest.fixture
def song(make_recipe):
    def make(style="honest", **changes):
        return make_recipe(style=style, duration=changes.pop("duration", 0.5), **changes)

    return make


def test_a_song_becomes_a_flac_master(warm, song, tmp_path):
    steps = []
    clip = warm.render(song(seed=11), tmp_path / "a.flac", on_progress=lambda *step: steps.append(step))
    assert soundfile.info(clip.path).subtype == "PCM_24"
    assert (clip.sample_rate, clip.duration) == (8000, 0.5)
    assert clip.info["seed"] == 11
    assert clip.info["attempts"] == 1
    assert steps == [(1, 2), (2, 2)]
    assert len(clip.sha256) == 64


def test_a_warm_child_renders_song_after_song_and_leaves_no_files(warm, song, tmp_path):
    first = warm.render(song(), tmp_path / "a.flac")
    second = warm.render(song(), tmp_path / "b.flac")
    assert second.info["songs"] == first.info["songs"] + 1
    box = Path(warm._box)
    assert sorted(path.name for path in box.iterdir()) == ["home", "tmp"]
    assert list(Path(warm._inbox).iterdir()) == []


def test_a_plan_is_handed_over(warm, song, tmp_path):
    assert warm.render(song("plan"), tmp_path / "a.flac", plan="<1><2>").info["plan"] == "<1><2>"
    assert warm.render(song("plan"), tmp_path / "a.flac").info["plan"] == "none"


def test_problems_that_the_engine_finds_are_passed_on(warm, song):
    assert warm.check([song(), song("unfit")]) == ["unfit"]


BAD = {
    "silence": "silence",
    "half-silence": "silence",
    "nan": "nan",
    "truncated": "unreadable",
    "empty": "unreadable",
    "nothing": "unreadable",
    "text": "unreadable",
    "wrong-length": "duration",
    "short": "duration",
    "wrong-rate": "sample-rate",
    "flat": "clipped",
    "link": "unreadable",
    "link-folder": "unreadable",
    "fifo": "unreadable",
    "folder": "unreadable",
}


@pytest.mark.parametrize("style", BAD)
def test_bad_audio_has_its_reason_and_the_next_song_comes_out(style, warm, song, tmp_path):
    out = tmp_path / "song.flac"
    with pytest.raises(BadAudio) as caught:
        warm.render(song(style), out)
    assert caught.value.reason == BAD[style]
    # Not even opened: a FIFO would wait for ever, a link would lead elsewhere.
    assert ("regular" in caught.value.message) is (style in ("link", "fifo", "folder"))
    assert str(warm._inbox) not in caught.value.message
    assert list(tmp_path.iterdir()) == []
    assert warm.render(song(), out).path == out


FAILURES = {
    "raises": "engine",
    "exits": "crash",
    "segfault": "crash",
    "garbage": "protocol",
    "wrong-result": "protocol",
    "big-file": "file-size",
    "fork-bomb": "processes",
    "hang": "hang",
    "kill-parent": None,
}


@pytest.mark.parametrize("style", FAILURES)
def test_a_failing_engine_has_its_reason_and_the_next_song_comes_out(style, make, song, tmp_path, monkeypatch):
    monkeypatch.setattr(
        renderer_module, "Limits", lambda memory: renderer_module_limits(memory=memory, processes=40, file_size=1 << 22)
    )
    each = make(spec={"deadline": 1.5} if style == "hang" else {})
    if FAILURES[style] is None:
        each.render(song(style), tmp_path / "a.flac")
    else:
        with pytest.raises(RenderFailed) as caught:
            each.render(song(style), tmp_path / "a.flac")
        assert caught.value.reason == FAILURES[style]
        # A first song in a fresh child: only a crash is tried again.
        assert caught.value.attempts == (2 if FAILURES[style] == "crash" else 1)
        assert not (tmp_path / "a.flac").exists()
    assert each.render(song(), tmp_path / "b.flac").info["seed"] == 7


renderer_module_limits = renderer_module.Limits


def test_a_crash_after_earlier_songs_costs_one_attempt(make, song, tmp_path):
    each = make()
    each.render(song(), tmp_path / "a.flac")
    clip = each.render(song("crash-once"), tmp_path / "b.flac")
    assert clip.info["attempts"] == 2


def test_a_child_killed_from_outside_costs_one_attempt(make, song, tmp_path):
    each = make()
    victims = []

    def kill_once(step, steps):
        if not victims:
            victims.extend(psutil.Process(each.pid).children(recursive=True))
            for process in victims:
                # The first of a process namespace takes the others with it.
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    assert each.render(song("slow"), tmp_path / "a.flac", on_progress=kill_once).info["attempts"] == 2
    assert victims


def test_the_child_is_replaced_after_so_many_songs(make, song, tmp_path):
    each = make(recycle=2)
    pids = [each.render(song(seed=seed), tmp_path / "a.flac").info["songs"] for seed in range(5)]
    assert pids == [1, 2, 1, 2, 1]


def test_a_fresh_process_for_every_song(make, song, tmp_path):
    each = make(keep_loaded=False)
    assert [each.render(song(), tmp_path / "a.flac").info["songs"] for _ in range(2)] == [1, 1]
    assert each.pid is None


def test_an_engine_that_cannot_load_ends_the_run_at_once(make, song, tmp_path):
    with pytest.raises(MissingPrerequisite, match="no weights here") as caught:
        make(spec={"config": {"at_load": "missing"}}).render(song(), tmp_path / "a.flac")
    assert caught.value.exit_code == 3
    with pytest.raises(UsageError, match="Hostil"):
        make(spec={"target": f"{HOSTILE}:Hostil"}).check([])


def test_a_sandbox_that_cannot_be_had_is_exit_3(make):
    with pytest.raises(SandboxUnavailable) as caught:
        make(sandbox="seatbelt")
    assert caught.value.exit_code == 3


def test_kill_ends_a_render_for_good(make, song, tmp_path):
    each = make()
    timer = threading.Timer(0.5, each.kill)
    timer.start()
    with pytest.raises(RenderFailed) as caught:
        each.render(song("hang"), tmp_path / "a.flac")
    assert caught.value.reason == "cancelled"
    with pytest.raises(RenderFailed):
        each.render(song(), tmp_path / "a.flac")
    timer.join()


def test_cancel_drops_one_song_and_no_more(make, song, tmp_path):
    each = make()
    each.start()
    timer = threading.Timer(0.3, each.cancel)
    timer.start()
    with pytest.raises(RenderFailed) as caught:
        each.render(song("patient"), tmp_path / "a.flac")
    assert caught.value.reason == "cancelled"
    assert caught.value.attempts == 1
    timer.join()
    assert each.render(song(), tmp_path / "a.flac").info["seed"] == 7


def test_no_room_for_the_master_is_said_and_nothing_is_left(warm, song, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("optimizer.audio.write_flac", full)
    with pytest.raises(StorageFull):
        warm.render(song(), tmp_path / "a.flac")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_on_a_full_scratch_disk_is_the_disks(warm, song, tmp_path, monkeypatch):
    monkeypatch.setattr(renderer_module, "ROOM", 1 << 62)
    with pytest.raises(StorageFull, match="full") as caught:
        warm.render(song("raises"), tmp_path / "a.flac")
    assert "TMPDIR" in caught.value.next_step


def test_a_missing_folder_for_the_master_is_no_failure_of_the_engine(warm, song, tmp_path):
    with pytest.raises(OptimizeError) as caught:
        warm.render(song(), tmp_path / "gone" / "a.flac")
    assert not isinstance(caught.value, RenderFailed)
