"""The mixing desk: notes onto buses, side-chain, reverb, loudness and the last limiter, in blocks of bounded size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from optimizer.rendering.synth.sheet import Note, Sheet
from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.voices import RATE, NoteCache, Wave
from optimizer.rendering.synth.voices.shaping import band_pass, bins, high_pass, low_pass, peak, shape

_SIZE = 1 << 19
"""Points of the reverb's transform; a block is what the impulse response leaves of it."""

_SETTLE = 9_600
"""Samples that the equalizer rings on."""


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
    since = np.arange(round(seconds * RATE)) / RATE
    place = since / seconds
    recovered = place * place * (3.0 - 2.0 * place)
    # Three milliseconds on the way down keep the drop from clicking.
    dip = (1.0 - depth * (1.0 - recovered) * np.minimum(1.0, since / 0.003)).astype(np.float32)
    gain = np.ones(size, dtype=np.float32)
    for kick in kicks:
        begin, end = max(kick, start), min(kick + len(dip), start + size)
        if begin < end:
            span = gain[begin - start : end - start]
            np.minimum(span, dip[begin - kick : end - kick], out=span)
    return gain


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


def equalizer(tone: tuple[float, float, float], size: int) -> npt.NDArray[np.complex64]:
    """Frequency response of the mastering equalizer on the bins of a transform.

    Parameters
    ----------
    tone : tuple of float
        dB: shelf below 110 Hz, bell at 2.5 kHz, shelf above 6 kHz.
    size : int
        Points of the transform.
    """
    f = bins(size)
    low, middle, high = (10.0 ** (gain / 20.0) for gain in tone)
    # First-order shelves: gain on one side of the corner, 1 on the other.
    bass = (1j * f + 110.0 * low) / (1j * f + 110.0)
    air = (1j * f * high + 6_000.0) / (1j * f + 6_000.0)
    return np.asarray(bass * air * peak(2_500.0, middle, 0.7)(f) * high_pass(26.0)(f), dtype=np.complex64)


def mix(sheet: Sheet, cache: NoteCache) -> Wave:
    """Play a written song.

    Parameters
    ----------
    sheet : Sheet
    cache : NoteCache

    Returns
    -------
    Wave [shape=(2, sheet.length)]
        Before loudness and limiting.
    """
    style = sheet.style
    room = impulse(style.hall)
    curve = equalizer(style.tone, _SIZE)
    response = fft.rfft(room, _SIZE) * curve * np.float32(style.wet)
    overlap = room.shape[1] + _SETTLE
    block = _SIZE - overlap
    notes = sorted(sheet.notes, key=lambda note: (note.start, note.sound, note.bus, note.pan))
    out = np.zeros((2, sheet.length), dtype=np.float32)
    tail = np.zeros((2, overlap), dtype=np.float32)
    ringing: list[tuple[Note, Wave]] = []
    following = 0
    for start in range(0, sheet.length, block):
        size = min(block, sheet.length - start)
        buses = np.zeros((3, 2, size), dtype=np.float32)
        send = np.zeros((2, size), dtype=np.float32)
        while following < len(notes) and notes[following].start < start + size:
            ringing.append((notes[following], cache.play(notes[following].sound)))
            following += 1
        held = []
        for note, wave in ringing:
            begin = max(0, start - note.start)
            end = min(wave.shape[-1], start + size - note.start)
            _lay(buses[note.bus], send[0 if note.bus == 0 else 1], wave, note, begin, end, max(0, note.start - start))
            if note.start + wave.shape[-1] > start + size:
                held.append((note, wave))
        ringing = held
        if style.duck:
            deep = duck(sheet.kicks, start, size, style.duck, min(0.30, 0.75 * sheet.beat))
            buses[1] *= deep
            send[1] *= deep
            buses[2] *= np.float32(0.7) + np.float32(0.3) * deep
        dry = buses[0]
        dry += buses[1]
        dry += buses[2]
        spectrum = fft.rfft(dry, _SIZE) * curve + fft.rfft(send[0] + send[1], _SIZE) * response
        whole = fft.irfft(spectrum, _SIZE)
        whole[:, :overlap] += tail
        out[:, start : start + size] = whole[:, :size]
        tail = whole[:, size : size + overlap].copy()
    return out
