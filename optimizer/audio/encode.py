"""Write audio files whole or not at all: under a temporary name, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.audio.decode import Samples, read, resample
from optimizer.errors import BadAudio, StorageFull, UsageError

PART_SUFFIX = ".part"
"""Ending of a file that is still being written; what is left of one after a power cut may be removed."""

MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

_FORMATS: dict[str, dict[str, Any]] = {
    ".flac": {"format": "FLAC", "subtype": "PCM_24"},
    ".wav": {"format": "WAV", "subtype": "PCM_24"},
    # libsndfile's 0.2 on its scale of 0 to 1 is LAME's V2, about 190 kbit/s.
    ".mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.2},
}

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write(path: str | Path, samples: Samples, rate: int) -> None:
    """Write audio in the format that the path's ending names.

    Parameters
    ----------
    path : str or Path
        Ends in ``.flac``, ``.wav`` (both 24 bits) or ``.mp3`` (LAME V2). Replaced at once when it exists.
    samples : float array [shape=(frames,) or (frames, channels)]
        With samples beyond full scale the whole is brought down until its peak fits: none of these formats holds more,
        and cutting the peaks off would be heard.
    rate : int
        Hz. MP3 knows nine rates; any other is resampled to 48 kHz for it.

    Raises
    ------
    StorageFull
        If the disk is full; no part of the file is left.
    BadAudio
        ``nan`` for samples that are not finite; ``unreadable`` for what the format cannot hold.
    UsageError
        For an unknown ending, more than two channels in MP3, or a folder that cannot be written.
    """
    _write_bytes(Path(path), _encode(Path(path), samples, rate))


def write_flac(path: str | Path, samples: Samples, rate: int) -> None:
    """Write 24-bit FLAC whatever the path's ending; see `write`."""
    _write_bytes(Path(path), _encode(Path(path), samples, rate, ".flac"))


def write_wav(path: str | Path, samples: Samples, rate: int) -> None:
    """Write 24-bit WAV whatever the path's ending; see `write`."""
    _write_bytes(Path(path), _encode(Path(path), samples, rate, ".wav"))


def write_mp3(path: str | Path, samples: Samples, rate: int) -> None:
    """Write MP3 (LAME V2, variable bit rate) whatever the path's ending; see `write`."""
    _write_bytes(Path(path), _encode(Path(path), samples, rate, ".mp3"))


def transcode(source: str | Path, target: str | Path) -> None:
    """Decode `source` and write it as `target`, in the format of the target's ending; errors of `read` and `write`."""
    sound = read(source)
    write(target, sound.samples, sound.rate)


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _encode(path: Path, samples: Samples, rate: int, ending: str | None = None) -> bytes:
    """Encode in memory: libsndfile reports a full disk late or never, our own write reports it at once."""
    import soundfile

    ending = ending or path.suffix.lower()
    if ending not in _FORMATS:
        raise UsageError(f"{path}: {ending or 'no ending'!r} is not a format; it must be .flac, .wav or .mp3.")
    array = np.asarray(samples, dtype=np.float32)
    if not np.isfinite(array).all():
        raise BadAudio(f"{path}: the samples to write are not all numbers.", reason="nan")
    array = _within_full_scale(array)
    if ending == ".mp3":
        if array.ndim == 2 and array.shape[1] > 2:
            raise UsageError(
                f"{path}: MP3 holds one or two channels, not {array.shape[1]}.", next_step="Write .flac or .wav."
            )
        if rate not in MP3_RATES:
            array, rate = _within_full_scale(resample(array, rate, 48_000)), 48_000
    buffer = io.BytesIO()
    try:
        soundfile.write(buffer, array, rate, **_FORMATS[ending])
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError, AssertionError) as error:
        shape = "x".join(map(str, array.shape))
        raise BadAudio(
            f"{path}: {shape} samples at {rate} Hz cannot be written as {ending[1:]}: {error}", reason="unreadable"
        ) from error
    return buffer.getvalue()


def _within_full_scale(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples if peak <= 1.0 else samples / np.float32(peak)


def _write_bytes(path: Path, data: bytes) -> None:
    part = path.with_name(f".{secrets.token_hex(8)}{PART_SUFFIX}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                f"{path} was not written: {error.strerror} ({len(data) / 1e6:.1f} MB needed).",
                next_step="Free some space, then give the same command again: it goes on where it stopped.",
            ) from error
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _sync_folder(folder: Path) -> None:
    # A rename is on disk only once its folder is.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
