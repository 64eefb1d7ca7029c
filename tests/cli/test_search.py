"""The main command end to end on the embedded engine: totals, resume, identity, kills, locks and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from optimizer.runs import RunDirectory, find_run
from optimizer.study import read_record

COMMAND = [sys.executable, "-m", "optimizer.cli.main"]


def start(*arguments, **options):
    """Start the command in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def optimize(*arguments, code=0, **options):
    """Run the command to its end and return its output."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out, err


def search(folder, *arguments, genre="bhangra", trials=3, code=0):
    words = ["--genre", genre, "--trials", trials, "--runs-dir", folder, "--duration", "1.5"]
    return optimize(*words, "--renderer", "synth", "--scorer", "acoustic", "--explore", "2", *arguments, code=code)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of four songs, with what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    out, err = search(folder, "--json", "--progress", "json", trials=4)
    return folder, json.loads(out), [json.loads(line) for line in err.splitlines()]


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of it, elsewhere."""
    shutil.copytree(finished[0], tmp_path / "moved")
    return tmp_path / "moved"


def test_a_search_ends_with_its_songs_scored_and_its_best_listed(finished):
    folder, document, events = finished
    record = read_record(find_run(folder, "bhangra"))
    assert document["songs"] == 4
    assert len(record.songs) == 4
    assert record.running == 0
    assert document["best"][0]["score"] == max(song.value for song in record.songs)
    assert all(song.audio.is_file() for song in record.songs)
    assert len({song.recipe.digest for song in record.songs}) == 4
    assert [event["event"] for event in events if event["event"] in ("finished", "failed")] == ["finished"] * 4
    identity = find_run(folder, "bhangra").read_identity()
    assert identity["renderer"]["name"] == "synth"
    assert identity["renderer"]["duration"] == 1.5


def test_the_same_command_again_has_nothing_to_do_and_more_adds(copy):
    out, _ = search(copy, "--json", trials=4)
    assert json.loads(out)["songs"] == 4
    out, err = optimize("--study", "bhangra", "--runs-dir", copy, "--more", "1", "--json")
    assert json.loads(out)["songs"] == 5
    assert "Going on" in err
    record = read_record(find_run(copy, "bhangra"))
    assert [song.recipe.duration for song in record.songs] == [1.5] * 5
    assert all(song.audio.is_relative_to(copy) for song in record.songs)


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--duration", "2", "renderer.duration"),
        ("--seed", "5", "search.seed"),
        ("--workers", "2", "search.ahead"),
        ("--genre", "edm", "space"),
    ],
)
def test_going_on_with_another_setting_names_it(copy, option, value, field):
    words = {"--study": "bhangra", "--trials": "5", "--runs-dir": copy, "--genre": "bhangra", option: value}
    _, err = optimize(*[word for pair in words.items() for word in pair], code=2)
    assert field in err
    assert len(read_record(find_run(copy, "bhangra")).songs) == 4


def test_kill_the_whole_group_and_go_on(tmp_path, gone):
    process = start(
        *["--genre", "edm", "--trials", "5", "--runs-dir", tmp_path, "--duration", "1.5", "--explore", "2"],
        *["--renderer", "synth", "--scorer", "acoustic", "--progress", "json"],
    )
    for line in process.stderr:
        if json.loads(line)["event"] == "finished":
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert all(gone(child.pid) for child in children)
    before = read_record(find_run(tmp_path, "edm"))
    assert 1 <= len(before.songs) < 5
    search(tmp_path, genre="edm", trials=5)
    record = read_record(find_run(tmp_path, "edm"))
    assert len(record.songs) == 5
    assert record.running == 0
    assert not record.failed
    assert len({song.recipe.digest for song in record.songs}) == 5
    search(tmp_path / "untouched", genre="edm", trials=5)
    untouched = read_record(find_run(tmp_path / "untouched", "edm"))
    assert [song.recipe for song in record.songs] == [song.recipe for song in untouched.songs]
    assert [song.sha256 for song in record.songs] == [song.sha256 for song in untouched.songs]
    assert [song.value for song in record.songs] == [song.value for song in untouched.songs]


def test_ctrl_c_finishes_the_songs_in_flight_and_says_how_to_go_on(tmp_path):
    process = start(
        *["--genre", "rock", "--trials", "50", "--runs-dir", tmp_path, "--duration", "1.5"],
        *["--renderer", "synth", "--scorer", "acoustic", "--progress", "json"],
    )
    for line in process.stderr:
        if json.loads(line)["event"] == "finished":
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "optimize --study rock" in err
    record = read_record(find_run(tmp_path, "rock"))
    assert 1 <= len(record.songs) < 50
    assert record.running == 0


def test_a_second_process_on_the_same_run_is_told_so(copy):
    run = RunDirectory(copy / "bhangra")
    with run.lock():
        _, err = search(copy, trials=9, code=2)
    assert str(os.getpid()) in err
    assert "being written" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--genre", "bangra"], ["bangra", "Did you mean 'bhangra'"]),
        (["--genre", "edm", "--trials", "0"], ["--trials", "0"]),
        (["--genre", "edm", "--duration", "9999"], ["duration", "600"]),
        (["--genre", "edm", "--renderer", "sinth"], ["sinth", "synth"]),
        (["--genre", "edm", "--scorer", "banga"], ["banga", "banger"]),
        (["--genre", "edm", "--sampler", "tpx"], ["tpx", "tpe"]),
        (["--genre", "edm", "--study", "../x"], ["../x"]),
        (["--genre", "edm", "--sandbox", "docker"], ["docker", "bwrap"]),
        (["--genre", "edm", "--progress", "fancy"], ["fancy", "plain"]),
        (["--space", "nowhere.toml"], ["nowhere.toml"]),
        (["--study", "nothing"], ["nothing", "--genre"]),
        (["--trials", "3"], ["--genre"]),
        (["show", "nothing", "1"], ["nothing", "optimize studies"]),
    ],
)
def test_a_bad_word_is_an_error_that_names_it(tmp_path, arguments, words):
    _, err = optimize(*arguments, *["--runs-dir", tmp_path], code=2)
    for word in words:
        assert word in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


IMPORTED = """
import sys
sys.argv[0] = "optimize"
from optimizer.cli.main import run
try:
    run()
finally:
    heavy = {"torch", "transformers", "librosa", "pandas", "optuna", "scipy", "numpy", "rich"}
    print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def imported(*arguments, code):
    """Run the command, and return its output and which heavy packages it took."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True)
    assert done.returncode == code
    return done.stdout, set(done.stderr.splitlines()[-1].split())


def test_help_is_light():
    out, heavy = imported("--help", code=0)
    assert heavy == set()
    for verb in ("export", "report", "studies", "show", "rerender", "score", "spaces", "doctor", "setup", "best"):
        assert f"\n  {verb}" in out


def test_a_refused_option_is_light(tmp_path):
    _, heavy = imported("--genre", "bangra", "--runs-dir", str(tmp_path), code=2)
    assert heavy <= {"numpy"}


def test_songs_are_shown_and_rendered_again_bit_for_bit(copy):
    out, _ = optimize("show", "bhangra", "2", "--runs-dir", copy, "--json")
    shown = json.loads(out)
    assert shown["number"] == 2
    assert shown["rerender"].startswith("optimize rerender bhangra 2")
    out, _ = optimize("rerender", "bhangra", "2", "--runs-dir", copy, "--json")
    again = json.loads(out)
    assert again["sha256"] == shown["sha256"]
    assert again["score"] == shown["score"]
    out, _ = optimize("rerender", "bhangra", "2", "--runs-dir", copy, "--duration", "3", "--json")
    longer = json.loads(out)
    assert longer["duration"] == pytest.approx(3.0, abs=0.01)
    assert longer["search_clip"]["duration"] == 1.5
    assert len(read_record(find_run(copy, "bhangra")).songs) == 4


def test_studies_lists_runs_and_survives_a_damaged_one(copy):
    (copy / "broken").mkdir()
    (copy / "broken" / "run.toml").write_text("study = ")
    out, _ = optimize("studies", "--runs-dir", copy, "--json")
    documents = {document["study"]: document for document in json.loads(out)}
    assert documents["bhangra"]["songs"] == 4
    assert "damaged" in documents["broken"]["error"]
    out, _ = optimize("studies", "--runs-dir", copy)
    assert "bhangra" in out


def test_spaces_prints_every_genre():
    out, _ = optimize("spaces", "--json")
    documents = json.loads(out)
    assert len(documents) == 11
    out, _ = optimize("spaces", "edm")
    assert "122 126 130 138 150" in out


def test_export_writes_a_playlist_with_relative_paths(copy):
    out, _ = optimize("export", "bhangra", "--runs-dir", copy, "--top", "2", "--json")
    document = json.loads(out)
    lines = Path(document["files"][0]).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    entries = [line for line in lines if not line.startswith("#")]
    assert len(entries) == 2
    for entry in entries:
        assert not entry.startswith("/")
        assert (copy / "bhangra" / "export" / entry).is_file()
    assert sum(" BPM" in line for line in lines if line.startswith("#EXTINF")) == 2


def test_a_full_disk_is_said_and_the_run_goes_on_later(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", disk], capture_output=True
    ).returncode
    if mounted:
        pytest.fail("this test needs root: it mounts a small file system")
    try:
        _, err = search(disk, trials=12, code=4)
        assert "disk is full" in err
        names = [path.name for path in (disk / "bhangra" / "songs").iterdir()]
        assert all(name.endswith(".flac") and not name.startswith(".") for name in names)
        before = len(read_record(find_run(disk, "bhangra")).songs)
        subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
        search(disk, trials=before + 2)
        record = read_record(find_run(disk, "bhangra"))
        assert len(record.songs) == before + 2
        assert record.running == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_run_that_gives_no_song_ends_with_5(tmp_path):
    engines = tmp_path / "engines"
    engines.mkdir()
    (engines / "silent_engine.py").write_text(
        "import numpy, soundfile\n"
        "class Silent:\n"
        "    def load(self, config): return None\n"
        "    def render(self, recipe, out):\n"
        "        soundfile.write(str(out), numpy.zeros((int(48000 * recipe['duration']), 2)), 48000, format='WAV')\n"
        "        return {}\n"
    )
    began = time.monotonic()
    _, err = optimize(
        *["--genre", "edm", "--trials", "2", "--runs-dir", tmp_path / "runs", "--duration", "1"],
        *["--renderer", "silent_engine:Silent", "--scorer", "acoustic"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(engines), *sys.path[1:]])},
        code=5,
    )
    assert "silen" in err
    record = read_record(find_run(tmp_path / "runs", "edm"))
    assert len(record.failed) == 11
    assert {failed.reason for failed in record.failed} == {"silence"}
    assert time.monotonic() - began < 110
