"""Every instrument by name, and a cache of the notes it has played."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.voices import (
    bass,
    cymbals,
    guitar,
    hand_drums,
    keys,
    kick,
    pads,
    plucks,
    singer,
    snare,
    strings,
)
from optimizer.rendering.synth.voices.cue import Cue, Voice
from optimizer.rendering.synth.voices.signals import RATE, Wave

__all__ = ["RATE", "VOICES", "NoteCache", "Voice", "Wave"]

_ROOMS = (kick, snare, cymbals, hand_drums, plucks, keys, bass, pads, strings, guitar, singer)

VOICES: dict[str, Voice] = {name: voice for room in _ROOMS for name, voice in room.VOICES.items()}
"""All instruments."""

Sound = tuple[str, float, float, float, int, str]
"""Voice, pitch, seconds, brightness, variant, syllable: all that decides how a note sounds."""


@dataclass(slots=True)
class NoteCache:
    """Waves of notes played before, the longest unused ones dropped first.

    A wave is a function of its `Sound` alone, so the cache changes how fast a song is rendered, never how it
    sounds.

    Attributes
    ----------
    limit : int
        Bytes kept.
    """

    limit: int = 256 << 20
    _waves: OrderedDict[Sound, Wave] = field(default_factory=OrderedDict)
    _size: int = 0

    def play(self, sound: Sound) -> Wave:
        """Return the wave of one note [shape=(n,) or (2, n)]; callers must not write into it."""
        wave = self._waves.get(sound)
        if wave is not None:
            self._waves.move_to_end(sound)
            return wave
        voice, pitch, seconds, bright, _, syllable = sound
        wave = VOICES[voice](Cue(pitch, seconds, bright, stream("note", *sound), syllable))
        wave.setflags(write=False)
        self._waves[sound] = wave
        self._size += wave.nbytes
        while self._size > self.limit and len(self._waves) > 1:
            _, old = self._waves.popitem(last=False)
            self._size -= old.nbytes
        return wave
