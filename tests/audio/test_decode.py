"""Reading: only the seconds needed give the same samples as all of it, and every odd file has a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from optimizer import audio
from optimizer.errors import BadAudio

RATE = 44_100


def noise(seconds: float, rate: int = RATE, channels: int = 2) -> np.ndarray:
    return 0.2 * np.random.default_rng(7).standard_normal((int(seconds * rate), channels)).astype(np.float32)


def whole(path: Path, target: int) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    return mono if rate == target else soxr.resample(mono, rate, target, quality="HQ")


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("target", [24_000, 22_050, RATE])
def test_beginning_equals_decoding_everything(tmp_path: Path, ending: str, target: int) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, noise(5.0), RATE)
    part = audio.load_mono(path, target, seconds=2.0)
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, whole(path, target)[: 2 * target])


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("start", [0.3, 1.0, 1.7321])
def test_middle_equals_decoding_everything_to_rounding(tmp_path: Path, ending: str, start: float) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, noise(5.0), RATE)
    part = audio.load_mono(path, 24_000, seconds=2.0, start=start)
    first = int(start * 24_000)
    np.testing.assert_allclose(part, whole(path, 24_000)[first : first + 48_000], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("seconds", [0.2, 1.0])
def test_any_rate_channels_and_length(tmp_path: Path, channels: int, rate: int, seconds: float) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(seconds, rate, channels), rate)
    mono = audio.load_mono(path, 24_000)
    assert mono.ndim == 1
    assert abs(len(mono) - seconds * 24_000) <= 1
    samples, read_rate = audio.read(path)
    assert samples.shape == (int(seconds * rate), channels)
    assert read_rate == rate
    assert audio.duration(path) == pytest.approx(seconds)


def test_none_reads_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(3.0), RATE)
    np.testing.assert_array_equal(audio.load_mono(path, RATE, seconds=None), whole(path, RATE))


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def make_wav(path: Path) -> None:
    soundfile.write(path, noise(2.0), RATE, format="WAV")
    cut(path, 0.5)


def make_aiff(path: Path) -> None:
    soundfile.write(path, noise(2.0), RATE, format="AIFF")
    cut(path, 0.5)


def make_flac(path: Path) -> None:
    soundfile.write(path, noise(2.0), RATE, format="FLAC")
    cut(path, 0.5)


def make_header_only(path: Path) -> None:
    soundfile.write(path, noise(2.0)[:0], RATE, format="WAV")


def make_garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def make_text(path: Path) -> None:
    path.write_text("this is no song\n" * 100)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (make_wav, "cut short"),
        (make_aiff, "cut short"),
        (make_flac, "lost sync"),
        (make_header_only, "no samples"),
        (make_garbage, "not recognised"),
        (make_text, "not recognised"),
        (Path.touch, "0 bytes"),
        (Path.mkdir, "not a regular file"),
        (os.mkfifo, "not a regular file"),
        (lambda path: None, "No such file"),
    ],
)
@pytest.mark.parametrize("reader", [audio.read, audio.check, lambda path: audio.load_mono(path, 24_000)])
def test_unreadable_files_say_why(
    tmp_path: Path, make: Callable[[Path], None], word: str, reader: Callable[[Path], object]
) -> None:
    path = tmp_path / "song.wav"
    make(path)
    with pytest.raises(BadAudio) as caught:
        reader(path)
    assert caught.value.reason == "unreadable"
    assert str(path) in caught.value.message
    assert word.lower() in caught.value.message.lower()


def test_a_wav_cut_by_one_sample_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(1.0), RATE)
    audio.read(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BadAudio, match="cut short"):
        audio.read(path)


def test_a_wav_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(1.0), RATE)
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(audio.read(path).samples) == RATE


def test_start_past_the_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(1.0), RATE)
    with pytest.raises(BadAudio, match="no audio at 3 s"):
        audio.load_mono(path, RATE, start=3.0)


def test_not_a_number_is_an_error(tmp_path: Path) -> None:
    samples = noise(1.0)
    samples[1000] = np.nan
    path = tmp_path / "song.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    with pytest.raises(BadAudio) as caught:
        audio.load_mono(path, 24_000)
    assert caught.value.reason == "nan"


def test_links_are_followed_only_where_trusted(tmp_path: Path) -> None:
    path, link = tmp_path / "song.wav", tmp_path / "link.wav"
    soundfile.write(path, noise(1.0), RATE)
    link.symlink_to(path)
    assert len(audio.read(link).samples) == RATE
    with pytest.raises(BadAudio, match="cannot be read"):
        audio.read(link, follow_links=False)


def test_too_long_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(3.0), RATE)
    with pytest.raises(BadAudio) as caught:
        audio.read(path, longest=2.0)
    assert caught.value.reason == "duration"


def test_odd_file_names(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff \xe0\xa4\xa2 'a\"&.wav"))
    audio.write(path, noise(0.5), RATE)
    assert audio.read(path).seconds == pytest.approx(0.5)


def test_import_is_light() -> None:
    heavy = ["soundfile", "soxr", "pyloudnorm", "scipy", "librosa", "pandas", "numba"]
    code = f"import sys, optimizer.audio; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
