"""Writing: whole files or none, readable by others, and a clear word when the disk is full."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from optimizer import audio
from optimizer.errors import BadAudio, StorageFull, UsageError

RATE = 48_000


def tone(seconds: float = 0.5, channels: int = 2, level: float = 0.5, rate: int = RATE) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("ending", ["flac", "wav"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_lossless_formats_keep_24_bits(tmp_path: Path, ending: str, channels: int) -> None:
    path = tmp_path / f"song.{ending}"
    audio.write(path, tone(channels=channels), RATE)
    info = soundfile.info(path)
    assert (info.subtype, info.samplerate, info.channels) == ("PCM_24", RATE, channels)
    np.testing.assert_allclose(audio.read(path).samples, tone(channels=channels), atol=2.0**-23)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("rate", "expected"), [(48_000, 48_000), (44_100, 44_100), (96_000, 48_000), (8_000, 8_000)])
def test_mp3(tmp_path: Path, rate: int, expected: int) -> None:
    path = tmp_path / "song.mp3"
    audio.write_mp3(path, tone(2.0, rate=rate), rate)
    info = soundfile.info(path)
    assert (info.format, info.samplerate) == ("MP3", expected)
    spectrum = np.abs(np.fft.rfft(audio.load_mono(path, expected, seconds=1.0)))
    assert spectrum.argmax() == 440


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.flac", "b.flac"):
        audio.write_flac(tmp_path / name, tone(), RATE)
    assert audio.sha256_file(tmp_path / "a.flac") == audio.sha256_file(tmp_path / "b.flac")
    assert audio.sha256_file(tmp_path / "a.flac") == hashlib.sha256((tmp_path / "a.flac").read_bytes()).hexdigest()


def test_transcode(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "engine.wav", tone(), RATE, subtype="FLOAT")
    audio.transcode(tmp_path / "engine.wav", tmp_path / "0007.flac")
    np.testing.assert_allclose(audio.read(tmp_path / "0007.flac").samples, tone(), atol=2.0**-23)


def test_beyond_full_scale_is_brought_down_not_cut(tmp_path: Path) -> None:
    audio.write_flac(tmp_path / "song.flac", tone(level=2.0), RATE)
    samples = audio.read(tmp_path / "song.flac").samples
    np.testing.assert_allclose(samples, tone(level=1.0), atol=1e-4)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(b"the old one")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="No space left") as caught:
        audio.write_flac(path, tone(), RATE)
    assert caught.value.next_step
    assert [p.name for p in tmp_path.iterdir()] == ["song.flac"]
    assert path.read_bytes() == b"the old one"


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        audio.write_flac(tmp_path / "song.flac", tone(), RATE)
    assert list(tmp_path.iterdir()) == []


def test_bad_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.aac.*\.flac, \.wav or \.mp3"):
        audio.write(tmp_path / "song.aac", tone(), RATE)
    with pytest.raises(UsageError, match="one or two channels, not 6"):
        audio.write(tmp_path / "song.mp3", tone(channels=6), RATE)
    with pytest.raises(UsageError, match="cannot be written"):
        audio.write(tmp_path / "nowhere" / "song.flac", tone(), RATE)
    with pytest.raises(BadAudio) as caught:
        audio.write(tmp_path / "song.flac", np.full((100, 2), np.nan, np.float32), RATE)
    assert caught.value.reason == "nan"
    with pytest.raises(BadAudio, match="cannot be written as flac"):
        audio.write(tmp_path / "song.flac", tone(channels=9), RATE)
    assert list(tmp_path.iterdir()) == []
