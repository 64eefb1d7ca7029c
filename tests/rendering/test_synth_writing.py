"""How the embedded engine writes music: rhythm, harmony, tunes, form, words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from optimizer.rendering.synth import rhythm
from optimizer.rendering.synth.form import LEVELS, plan
from optimizer.rendering.synth.harmony import PROGRESSIONS, SCALES, near, read_chord, read_progression, voice
from optimizer.rendering.synth.melody import CELLS, CLOSES, phrase
from optimizer.rendering.synth.spelling import spell
from optimizer.rendering.synth.streams import stream
from optimizer.rendering.synth.styles import STYLES
from optimizer.rendering.synth.voices import VOICES
from optimizer.rendering.synth.words import lines_of


def test_tables_are_consistent() -> None:
    """A typing error in a table would only be heard in some songs; here it fails."""
    roles = {"bass", "chords", "strum", "pad", "arp", "lead", "counter", "riff", "drone", "power", "shout"}
    assert len({(style.genre, style.id) for style in STYLES}) == len(STYLES) == 40
    for style in STYLES:
        assert style.feel in PROGRESSIONS and style.song in CELLS
        assert not style.singer or style.singer in VOICES
        assert set(style.fill) <= set(VOICES)
        for lane in style.lanes:
            assert lane.voice in VOICES, lane
            assert set(lane.when) <= set(LEVELS)
            assert lane.metre in ("", "kick", "snare", "hat")
            for pattern in lane.patterns:
                assert len(pattern) % 16 == 0 and set(pattern) <= set("Xxo.-"), (style.id, lane.voice, pattern)
        for part in style.parts:
            assert part.role in roles
            assert set(part.voice.split("|")) <= set(VOICES)
            if part.role == "lead":
                assert part.rhythms[0] in CELLS
                continue
            for pattern in part.rhythms:
                assert len(pattern) % 16 == 0 and set(pattern) <= set("Xxo.-rfuta"), (style.id, part.voice, pattern)


def test_patterns_bend_to_the_metre() -> None:
    pattern = "X--.x-x.X---x..."
    assert [(s.step, s.length) for s in rhythm.bar_of(pattern, 0, "4")] == [(0, 3), (4, 2), (6, 1), (8, 4), (12, 1)]
    assert [s.step for s in rhythm.bar_of(pattern, 0, "2")] == [0, 4, 6]
    assert [s.step for s in rhythm.bar_of(pattern, 0, "3")] == [0, 4, 6, 8]
    # 6/8 keeps the strong beats of both halves: eighths 0 and 3.
    assert [s.step for s in rhythm.bar_of(pattern, 0, "6")] == [0, 4, 6, 10]
    assert [s.step for s in rhythm.bar_of("x" + "." * 15 + "." * 15 + "x", 3, "4")] == [15]


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("feel", sorted(PROGRESSIONS))
def test_progressions_speak_for_their_key(feel: str, mode: str) -> None:
    scale = set(SCALES[mode]) | {11}
    for text in PROGRESSIONS[feel][mode]:
        bars = read_progression(text, mode, 3)
        assert len(bars) == 4
        first = bars[0][0]
        assert first.root == 0 and (4 if mode == "major" else 3) in first.tones
        outside = [pc for bar in bars for chord in bar for pc in chord.classes if pc not in scale]
        assert len(outside) <= 2, text


def test_chords_are_read() -> None:
    assert read_chord("bVI", "minor", 3).classes == (8, 0, 3)
    assert read_chord("V7", "minor", 3).classes == (7, 11, 2, 5)
    assert read_chord("ii", "minor", 3).classes == (2, 5, 8)
    assert read_chord("ii", "major", 4).classes == (2, 5, 9, 0)
    # The tonic gets a ninth, never the seventh that would lean on the relative key.
    assert read_chord("I", "major", 5).classes == (0, 4, 7, 2)
    with pytest.raises(ValueError, match="bH"):
        read_chord("bH", "minor", 3)


def test_voicings_stay_near_and_keep_root_and_third() -> None:
    before: tuple[int, ...] = ()
    for symbol in ("i", "bVI", "iv", "V", "i"):
        chord = read_chord(symbol, "minor", 5)
        now = voice(chord, 9, 62, before, 3)
        classes = {pitch % 12 for pitch in now}
        assert {(9 + chord.classes[0]) % 12, (9 + chord.classes[1]) % 12} <= classes
        assert all(48 <= pitch <= 76 for pitch in now)
        if before:
            assert abs(np.mean(now) - np.mean(before)) < 6
        before = now
    assert near(11, 60) == 59 and near(0, 60) == 60


@pytest.mark.parametrize("feel", sorted(CELLS))
@pytest.mark.parametrize("metre", sorted(rhythm.STEPS))
def test_tunes_begin_and_end_at_home(feel: str, metre: str) -> None:
    assert set(CELLS) == set(CLOSES)
    bars = read_progression("I V IV I", "major", 3)
    tunes = [phrase(stream("test", seed), bars, SCALES["major"], feel, metre) for seed in range(8)]
    for tune in tunes:
        ordered = sorted(tune, key=lambda tone: (tone.bar, tone.step))
        assert ordered[-1].pitch % 12 == 0
        assert ordered[0].pitch % 12 == 0
        assert {tone.pitch % 12 for tone in tune} <= set(SCALES["major"])
        assert all(tone.step + tone.length <= rhythm.STEPS[metre] for tone in tune)
    assert len({tuple(tone.pitch for tone in tune) for tune in tunes}) > 4


@pytest.mark.parametrize("energy", [0.1, 0.5, 0.9])
def test_forms_fill_the_song_and_reach_a_chorus_soon(energy: float) -> None:
    for bars in (1, 2, 5, 8, 16, 24, 40, 150, 750):
        for seed in range(6):
            form = plan(bars, energy, stream("form", seed))
            assert len(form) == bars
            assert any(bar.section == "c" for bar in form[:15])
            for now, following in pairwise(form):
                assert following.first == (now.place == now.size - 1)


def test_any_script_is_sung() -> None:
    assert spell("ਢੋਲ") == "dola"
    assert spell("सस्त") == "sasta"
    assert spell("さくら") == "sakura"
    assert spell("мир") == "mir"
    assert spell("κόσμε") == "kosme"
    assert spell("Ñandú") == "nandu"
    for language, text in {
        "zh": "月光洒在",
        "ko": "안녕하세요",
        "ar": "مرحبا",
        "th": "สวัสดี",
        "he": "שלום",
        "ta": "வணக்கம்",
    }.items():
        (line,) = lines_of(f"[Chorus]\n{text}", language)
        assert len(line) >= 2


def test_section_tags_are_not_sung_and_languages_colour_vowels() -> None:
    assert lines_of("[Verse]\n\n[Instrumental]", "en") == []
    assert lines_of("la la", "unknown") == []
    plain, english = lines_of("la lo la", "es"), lines_of("la lo la", "en")
    assert [s.vowel for s in plain[0]] == ["a", "o", "a"]
    assert plain != english


def test_streams_depend_on_names_alone() -> None:
    assert stream("a", 1).integers(1 << 30) == stream("a", 1).integers(1 << 30)
    assert stream("a", 1).integers(1 << 30) != stream("a", "1").integers(1 << 30)
