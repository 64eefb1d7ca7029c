"""Which seconds are heard: the first, the middle, or all of them in pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from optimizer.errors import BadAudio, UsageError
from optimizer.scoring.windows import WINDOWS, check_window, hear, is_silent

RATE = 16_000


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory, write_audio: Callable[..., Path]) -> Path:
    return write_audio(tmp_path_factory.mktemp("long") / "song.flac", 9.5, 44_100, 2, seed=5)


@pytest.fixture(scope="module")
def whole(long_song: Path) -> np.ndarray:
    """The straightforward way: decode all, mix, resample."""
    samples, rate = soundfile.read(long_song, dtype="float32")
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE, quality="HQ"))


def test_the_first_seconds_are_the_straightforward_ways_bit_for_bit(long_song: Path, whole: np.ndarray) -> None:
    heard = hear(long_song, RATE, "first", seconds=2.0)
    assert heard.seconds == [2.0]
    assert np.array_equal(heard.clips[0], whole[: 2 * RATE])


def test_the_middle(long_song: Path, whole: np.ndarray) -> None:
    (clip,) = hear(long_song, RATE, "middle", seconds=2.0).clips
    start = int(3.75 * RATE)
    assert clip == pytest.approx(whole[start : start + 2 * RATE], abs=1e-5)


def test_all_of_it_in_equal_pieces(long_song: Path, whole: np.ndarray) -> None:
    heard = hear(long_song, RATE, "all", seconds=2.0)
    # The last 1.5 s are shorter than the shortest tail.
    assert [len(clip) for clip in heard.clips] == [2 * RATE] * 4
    for piece, clip in enumerate(heard.clips):
        assert clip == pytest.approx(whole[piece * 2 * RATE : (piece + 1) * 2 * RATE], abs=1e-5)


def test_a_long_tail_is_a_piece_of_its_own(long_song: Path) -> None:
    heard = hear(long_song, RATE, "all", seconds=4.0)
    assert heard.seconds == [4.0, 4.0]
    heard = hear(long_song, RATE, "all", seconds=9.0)
    assert heard.seconds == [9.0]
    heard = hear(long_song, RATE, "all", seconds=4.25)
    assert heard.seconds == [4.25, 4.25]


def test_a_tail_of_five_seconds_counts(tmp_path: Path, write_audio: Callable[..., Path]) -> None:
    song = write_audio(tmp_path / "song.wav", 12.5, RATE)
    heard = hear(song, RATE, "all", seconds=7.0)
    assert heard.seconds == pytest.approx([7.0, 5.5])


@pytest.mark.parametrize("window", list(WINDOWS))
def test_a_short_song_is_heard_whole(tmp_path: Path, write_audio: Callable[..., Path], window: str) -> None:
    song = write_audio(tmp_path / "short.wav", 0.2, RATE)
    heard = hear(song, RATE, window)
    assert [len(clip) for clip in heard.clips] == [int(0.2 * RATE)]


def test_silence_has_a_reason_and_a_silent_piece_is_left_out(tmp_path: Path, write_audio: Callable[..., Path]) -> None:
    song = write_audio(tmp_path / "loud.wav", 2.0, RATE)
    loud, _ = soundfile.read(song, dtype="float32")
    soundfile.write(tmp_path / "half.wav", np.concatenate([0 * loud, loud]), RATE)
    with pytest.raises(BadAudio, match="its first 2 s are silent"):
        hear(tmp_path / "half.wav", RATE, "first", seconds=2.0)
    assert len(hear(tmp_path / "half.wav", RATE, "all", seconds=2.0).clips) == 1
    # A constant is not a sound.
    soundfile.write(tmp_path / "constant.wav", 0 * loud + 0.3, RATE)
    with pytest.raises(BadAudio, match="silent"):
        hear(tmp_path / "constant.wav", RATE, "all")


def test_what_counts_as_silent() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE)
    assert is_silent(10 ** (-61 / 20) * noise)
    assert not is_silent(10 ** (-59 / 20) * noise)


def test_a_window_that_is_none() -> None:
    assert check_window("all") == "all"
    with pytest.raises(UsageError, match="Did you mean 'middle'"):
        check_window("midle")
