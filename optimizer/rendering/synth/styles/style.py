"""What a style of music consists of, as data: drums, parts, harmony, space."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lane:
    """One drum.

    Attributes
    ----------
    voice : str
        A name in `voices.VOICES`.
    patterns : tuple of str
        Alternatives for the seed to choose from, as `rhythm` reads them.
    gain : float
        dB; drums peak at 1 before it.
    pan : float
        -1 left to 1 right.
    when : str
        Sections in which it plays, as letters of `form.LEVELS`.
    chance : float
        How likely a song has it; lively songs have more.
    metre : str
        What it turns to in 3/4 and 6/8: ``kick``, ``snare``, ``hat``, or nothing to keep its pattern.
    room : float
        Send to the reverb, 0 to 1.
    """

    voice: str
    patterns: tuple[str, ...]
    gain: float = 0.0
    pan: float = 0.0
    when: str = "ivbcko"
    chance: float = 1.0
    metre: str = ""
    room: float = 0.08


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument that plays pitches.

    Attributes
    ----------
    voice : str
        One voice, or several to choose from, separated by ``|``.
    role : str
        ``bass``, ``chords``, ``strum``, ``pad``, ``arp``, ``lead``, ``counter``, ``riff``, ``drone``, ``power``,
        ``shout``.
    rhythms : tuple of str
        Patterns to choose from; for ``lead`` a feeling of `melody.CELLS`; for ``pad`` and ``drone`` unused.
    centre : int
        MIDI pitch around which it plays.
    gain, pan, when, chance, room
        As in `Lane`.
    echo : float
        Level of a dotted-eighth echo, 0 to 1.
    front : bool
        Whether it stands before the pumping of the kick.
    """

    voice: str
    role: str
    rhythms: tuple[str, ...] = ()
    centre: int = 60
    gain: float = -8.0
    pan: float = 0.0
    when: str = "ivbcko"
    chance: float = 1.0
    room: float = 0.2
    echo: float = 0.0
    front: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """One way of making a song.

    Attributes
    ----------
    genre, id : str
    words : tuple of str
        What captions of this style tend to say.
    bpm : int
        Tempo at which it is at home; faster songs are livelier.
    energy : float
        0 to 1.
    feel : str
        A key of `harmony.PROGRESSIONS`.
    colour : int
        As in `harmony.read_chord`.
    lanes : tuple of Lane
    parts : tuple of Part
    fill : tuple of str
        Drum voices that lead from one section to the next.
    singer : str
        Voice that sings the lyrics; nothing if the style has none.
    song : str
        Rhythm in which it sings, a key of `melody.CELLS`.
    register : int
        MIDI pitch around which it sings.
    swing : float
        0 to 0.4, part of a sixteenth.
    duck : float
        0 to 1: how far the kick pushes the rest down.
    hall : float
        Reverberation time in seconds.
    wet : float
        Level of the reverberation.
    drive : float
        Into the bus's soft clipping, dB.
    tone : tuple of float
        The mastering equalizer in dB: shelf below 110 Hz, bell at 2.5 kHz, shelf above 6 kHz.
    five : bool
        Whether tunes keep to five notes of the scale.
    """

    genre: str
    id: str
    words: tuple[str, ...]
    bpm: int
    energy: float
    feel: str
    lanes: tuple[Lane, ...]
    parts: tuple[Part, ...]
    colour: int = 3
    fill: tuple[str, ...] = ("snare-tight",)
    singer: str = ""
    song: str = "even"
    register: int = 62
    swing: float = 0.0
    duck: float = 0.0
    hall: float = 1.4
    wet: float = 0.5
    drive: float = 0.0
    five: bool = False
    tone: tuple[float, float, float] = (0.0, 0.0, 0.0)
