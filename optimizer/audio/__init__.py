"""Audio in and out: decode, check, write, measure loudness; nothing heavy is imported before it is used.

soundfile, soxr and pyloudnorm are loaded inside the functions that need them, so that the command line can
import this room for its names alone.
"""

from __future__ import annotations

from optimizer.audio.decode import Sound, duration, load_mono, probe, read
from optimizer.audio.encode import sha256_file, transcode, write, write_flac, write_mp3, write_wav
from optimizer.audio.gates import check, check_silence
from optimizer.audio.loudness import loudness, normalise_loudness, true_peak

__all__ = [
    "Sound",
    "check",
    "check_silence",
    "duration",
    "load_mono",
    "loudness",
    "normalise_loudness",
    "probe",
    "read",
    "sha256_file",
    "transcode",
    "true_peak",
    "write",
    "write_flac",
    "write_mp3",
    "write_wav",
]
