"""The mixing desk: notes onto buses, side-chain, reverb, loudness and the last limiter, in blocks of bounded size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft

from optimizer.rendering.synth.score import Note, Score
from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.styles.style import Style
from optimizer.rendering.synth.voices import RATE, NoteCache, Wave
from optimizer.rendering.synth.voices.shaping import band_pass, high_pass, low_pass, shape

_SIZE = 1 << 19
"""Points of the reverb's transform; a block is what the impulse response leaves of it."""


@lru_cache(maxsize=8)
def impulse(seconds: float) -> Wave:
    """Impulse response of a room as decaying noise [shape=(2, frames)].

    High bands die sooner than low ones, as air and walls have it; both sides differ, and the start waits 18 ms.

    Parameters
    ----------
    seconds : float
        Time to fall by 60 dB in the middle band.
    """
    n = round(seconds * 1.1 * RATE)
    rng = stream("room", seconds)
    t = np.arange(n) / RATE
    sides = np.zeros((2, n), dtype=np.float32)
    for centre, part, level in ((350.0, 1.0, 0.8), (1_400.0, 0.85, 1.0), (4_800.0, 0.5, 0.7)):
        hiss = rng.standard_normal((2, n), dtype=np.float32)
        sides += level * shape(hiss, band_pass(centre, 0.6)) * np.exp(-6.91 * t / (seconds * part)).astype(np.float32)
    sides = shape(sides, high_pass(220.0), low_pass(9_000.0))
    wait = round(0.018 * RATE)
    sides = np.concatenate([np.zeros((2, wait), dtype=np.float32), sides[:, : n - wait]], axis=1)
    power = float(np.sqrt(np.sum(np.square(sides, dtype=np.float64)) / 2.0))
    return np.asarray(sides / np.float32(power), dtype=np.float32)


def duck(kicks: list[int], start: int, size: int, depth: float, seconds: float) -> Wave:
    """Gain that drops at each kick and recovers over `seconds` [shape=(size,)]."""
    since = np.full(size, 1e9)
    for kick in kicks:
        if kick < start + size and kick + 2.0 * seconds * RATE > start:
            begin = max(0, kick - start)
            since[begin:] = np.arange(begin + start - kick, size + start - kick) / RATE
    place = np.minimum(1.0, since / seconds)
    # Three milliseconds on the way down keep the drop from clicking.
    onset = np.minimum(1.0, since / 0.003)
    recovered = place * place * (3.0 - 2.0 * place)
    return (1.0 - depth * (1.0 - recovered) * onset).astype(np.float32)


def _lay(target: Wave, send: Wave, wave: Wave, note: Note, begin: int, end: int, to: int) -> None:
    """Add part of a note's wave to a bus and to the reverb send."""
    angle = 0.25 * np.pi * (note.pan + 1.0)
    left = np.float32(note.gain * np.cos(angle) * np.sqrt(2.0))
    right = np.float32(note.gain * np.sin(angle) * np.sqrt(2.0))
    span = slice(to, to + end - begin)
    if wave.ndim == 1:
        piece = wave[begin:end]
        target[0, span] += left * piece
        target[1, span] += right * piece
        send[span] += np.float32(note.gain * note.room) * piece
    else:
        target[0, span] += left * wave[0, begin:end]
        target[1, span] += right * wave[1, begin:end]
        send[span] += np.float32(0.5 * note.gain * note.room) * (wave[0, begin:end] + wave[1, begin:end])


def mix(score: Score, style: Style, beat: float, cache: NoteCache) -> Wave:
    """Play a score.

    Parameters
    ----------
    score : Score
    style : Style
    beat : float
        Seconds of a quarter note.
    cache : NoteCache

    Returns
    -------
    Wave [shape=(2, score.length)]
        Before loudness and limiting.
    """
    room = impulse(style.hall)
    response = fft.rfft(room, _SIZE)
    block = _SIZE - room.shape[1]
    notes = sorted(score.notes, key=lambda note: (note.start, note.sound, note.bus))
    out = np.zeros((2, score.length), dtype=np.float32)
    tail = np.zeros((2, room.shape[1]), dtype=np.float32)
    ringing: list[tuple[Note, Wave]] = []
    following = 0
    for start in range(0, score.length, block):
        size = min(block, score.length - start)
        buses = np.zeros((3, 2, size), dtype=np.float32)
        send = np.zeros((3, size), dtype=np.float32)
        while following < len(notes) and notes[following].start < start + size:
            ringing.append((notes[following], cache.play(notes[following].sound)))
            following += 1
        held = []
        for note, wave in ringing:
            begin = max(0, start - note.start)
            end = min(wave.shape[-1], start + size - note.start)
            _lay(buses[note.bus], send[note.bus], wave, note, begin, end, max(0, note.start - start))
            if note.start + wave.shape[-1] > start + size:
                held.append((note, wave))
        ringing = held
        if style.duck:
            deep = duck(score.kicks, start, size, style.duck, min(0.30, 0.75 * beat))
            buses[1] *= deep
            send[1] *= deep
            buses[2] *= np.float32(1.0) - np.float32(0.3) * (np.float32(1.0) - deep)
        out[:, start : start + size] = buses[0] + buses[1] + buses[2]
        wet = fft.irfft(fft.rfft(send[0] + send[1] + send[2], _SIZE) * response, _SIZE) * np.float32(style.wet)
        keep = min(size, tail.shape[1])
        wet[:, :keep] += tail[:, :keep]
        out[:, start : start + size] += wet[:, :size]
        tail = wet[:, size : size + room.shape[1]].copy()
    return out
