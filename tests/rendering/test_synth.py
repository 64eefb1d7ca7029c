"""The embedded engine as its users see it: every field heard, the same song every time, tempo and key kept."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pyloudnorm
import pytest
import soundfile

from optimizer.music import parse_key, tempo_distance
from optimizer.recipe import LANGUAGES, TIME_SIGNATURES, Recipe
from optimizer.rendering.base import Support
from optimizer.rendering.synth import describe
from optimizer.rendering.synth.engine import SynthEngine
from optimizer.search_space import GENRES, load_genre

ROOT = Path(__file__).parents[2]
TEN = [name for name in GENRES if name != "bangers"]
LYRICS = "[Verse]\nWalking down the empty street tonight\nI hear the music calling me"


@pytest.fixture(scope="module")
def engine() -> SynthEngine:
    engine = SynthEngine()
    engine.load({})
    return engine


@pytest.fixture(scope="module")
def estimators() -> Any:
    """The benchmark's ears, which share no code with the engine."""
    spec = importlib.util.spec_from_file_location("synth_benchmark", ROOT / "benchmarks" / "synth.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recipe(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "genre": "pop",
        "style": "summer-pop",
        "caption": "Bright summer pop",
        "bpm": 118,
        "key": "G major",
        "language": "en",
        "lyrics": LYRICS,
        "seed": 7,
        "duration": 3.0,
        "time_signature": "4",
    }
    return Recipe(**(fields | changes)).to_dict()


def digest(song: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(song).tobytes()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"genre": "rock"},
        {"style": "club-dance"},
        {"style": "a-style-of-my-own"},
        {"caption": "Dark summer pop with violin"},
        {"bpm": 119},
        {"key": "G minor"},
        {"key": "Ab major"},
        {"language": "hi"},
        {"language": "unknown"},
        {"lyrics": LYRICS.replace("street", "moon")},
        {"lyrics": "[Instrumental]"},
        {"seed": 8},
        {"duration": 3.5},
        {"time_signature": "3"},
    ],
    ids=lambda change: "-".join(f"{k}={v}"[:24] for k, v in change.items()),
)
def test_every_field_is_heard(engine: SynthEngine, change: dict[str, Any]) -> None:
    before, after = engine.samples(recipe()), engine.samples(recipe(**change))
    shared = min(before.shape[1], after.shape[1]) - 24_000
    difference = before[:, :shared] - after[:, :shared]
    if "duration" in change:
        assert after.shape[1] > before.shape[1]
    else:
        # Louder than dither: a listener would notice.
        assert np.sqrt(np.mean(difference**2)) > 0.01


@pytest.mark.parametrize("style", ["bhangra/punjabi-trap", "hip-hop/street-808", "rnb/trap-rnb", "edm/prog-house"])
def test_the_language_matters_even_where_nobody_sings(engine: SynthEngine, style: str) -> None:
    genre, name = style.split("/")
    same = {"genre": genre, "style": name, "lyrics": "[Instrumental]"}
    songs = [engine.samples(recipe(language=language, **same)) for language in ("en", "pa")]
    assert not np.array_equal(songs[0], songs[1])


def test_the_same_recipe_is_the_same_song_with_a_warm_cache_and_a_tiny_one(engine: SynthEngine) -> None:
    cold, tiny = SynthEngine(), SynthEngine()
    tiny.load({"cache_mib": 1})
    wanted = recipe(genre="bhangra", style="dhol-party", key="D major")
    first = digest(engine.samples(wanted))
    shuffled = dict(reversed(wanted.items()))
    assert first == digest(engine.samples(shuffled)) == digest(cold.samples(wanted)) == digest(tiny.samples(wanted))


def test_the_same_recipe_is_the_same_song_in_every_process(engine: SynthEngine) -> None:
    wanted = recipe(genre="rnb", style="slow-jam")
    program = (
        "import hashlib, json, sys\n"
        "from optimizer.rendering.synth.engine import SynthEngine\n"
        "song = SynthEngine().samples(json.loads(sys.argv[1]))\n"
        "print(hashlib.sha256(song.copy(order='C').tobytes()).hexdigest())\n"
    )
    for salt, threads in (("1", "1"), ("2", "4")):
        environment = os.environ | {"PYTHONHASHSEED": salt, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program, json.dumps(wanted)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == digest(engine.samples(wanted))


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long songs are mixed block by block: echoes, tails and ducking go on across the joints."""
    from optimizer.rendering.synth import mix
    from optimizer.rendering.synth.compose import compose
    from optimizer.rendering.synth.voices import NoteCache

    sheet = compose(recipe(genre="pop", style="club-dance", duration=5.0))
    whole = mix.mix(sheet, NoteCache())
    monkeypatch.setattr(mix, "_SIZE", 1 << 17)
    parts = mix.mix(sheet, NoteCache())
    assert np.max(np.abs(whole - parts)) < 1e-5 * np.max(np.abs(whole))


def test_a_longer_render_is_the_same_song(engine: SynthEngine) -> None:
    """Bars of choruses hold the same tune, whatever the duration: `rerender --duration` depends on it."""
    from optimizer.rendering.synth.compose import compose

    short, long = compose(recipe(duration=6.0)), compose(recipe(duration=60.0))
    assert short.tunes == long.tunes and short.songs == long.songs and short.harmony == long.harmony


@pytest.mark.parametrize("duration", [0.2, 0.333, 1.0, 5.017])
@pytest.mark.parametrize("metre", TIME_SIGNATURES)
def test_durations_are_kept_to_the_sample(engine: SynthEngine, duration: float, metre: str) -> None:
    song = engine.samples(recipe(duration=duration, time_signature=metre, bpm=65))
    assert song.shape == (2, round(duration * 48_000))
    assert song.dtype == np.float32
    assert np.isfinite(song).all()
    assert np.max(np.abs(song)) > 0.05


@pytest.mark.parametrize("bpm", [30, 300])
def test_extreme_tempi_are_played(engine: SynthEngine, bpm: int) -> None:
    song = engine.samples(recipe(bpm=bpm, duration=9.0))
    assert np.isfinite(song).all()
    assert np.max(np.abs(song)) > 0.2


@pytest.mark.parametrize("genre", TEN)
def test_songs_are_mastered(engine: SynthEngine, genre: str) -> None:
    style = load_genre(genre).genres[0].styles[0]
    song = engine.samples(recipe(genre=genre, style=style.id, caption=style.caption, duration=6.0)).T
    assert pyloudnorm.Meter(48_000).integrated_loudness(song) == pytest.approx(-14.0, abs=0.7)
    assert np.max(np.abs(song)) < 10 ** (-1.0 / 20.0)
    # Stereo, but not out of phase, and the end is silent enough not to click.
    left, right = song.T
    assert 0.2 < np.corrcoef(left, right)[0, 1] < 0.9999
    assert np.max(np.abs(song[-48:])) < 0.02
    assert np.abs(np.mean(song)) < 1e-3


@pytest.mark.parametrize("genre", TEN)
def test_tempo_and_key_are_recovered(engine: SynthEngine, estimators: Any, genre: str) -> None:
    space = load_genre(genre).genres[0]
    style, language = space.styles[0], space.languages[0]
    bpm, key = list(space.bpm)[2], space.keys[2]
    wanted = recipe(
        genre=genre, style=style.id, caption=style.caption, bpm=bpm, key=key, seed=2024, duration=8.0,
        language=language.code, lyrics=language.lyrics,
    )  # fmt: skip
    mono = librosa.resample(engine.samples(wanted).mean(axis=0), orig_sr=48_000, target_sr=22_050, res_type="soxr_hq")
    tempo = estimators.tempi_of(mono, 22_050)["beats"]
    assert 2.0 ** tempo_distance(tempo, bpm) - 1.0 <= 0.04, tempo
    heard = estimators.keys_of(mono, 22_050)
    assert parse_key(heard["albrecht"]) == parse_key(key), heard


def test_the_four_styles_of_a_genre_are_different_music(engine: SynthEngine) -> None:
    """Same seed, caption, tempo and key: spectra over time still differ between any two styles."""
    for genre in ("edm", "bhangra"):
        pictures = []
        for style in load_genre(genre).genres[0].styles:
            song = engine.samples(recipe(genre=genre, style=style.id, duration=4.0)).mean(axis=0)
            picture = librosa.feature.melspectrogram(y=song, sr=48_000, n_mels=40)
            pictures.append(librosa.power_to_db(picture).ravel())
        correlations = np.corrcoef(pictures)[np.triu_indices(4, 1)]
        assert correlations.max() < 0.93


def test_six_eight_accents_two_groups_of_three(engine: SynthEngine) -> None:
    from optimizer.rendering.synth.compose import compose

    sheet = compose(recipe(genre="rock", style="garage-indie", time_signature="6", bpm=120, duration=6.0))
    eighth = 12_000
    assert {kick // eighth % 6 for kick in sheet.kicks} == {0, 3}
    # Of each bar's snares the loudest is on the second dotted beat; fills may add quieter ones.
    snares = [(note.gain, round(note.start / eighth) % 6) for note in sheet.notes if note.sound[0] == "snare-rock"]
    assert max(snares)[1] == 3


def test_render_writes_a_file_and_says_what_it_did(engine: SynthEngine, tmp_path: Path) -> None:
    for suffix in ("flac", "wav"):
        out = tmp_path / f"song.{suffix}"
        info = engine.render(recipe(duration=1.0), out)
        assert info["seed"] == 7 and info["sample_rate"] == 48_000
        assert info["timings"]["render"] > 0.0
        head = soundfile.info(out)
        assert (head.channels, head.samplerate, head.frames) == (2, 48_000, 48_000)


def test_a_genre_of_the_users_own_sounds_like_its_words() -> None:
    from optimizer.rendering.synth.styles import choose

    own = {"genre": "night-drive", "style": "x"}
    assert choose(own | {"caption": "deep house with rhodes, smoky and warm"}).id == "deep-house"
    assert choose(own | {"caption": "fingerpicked campfire folk guitar"}).genre == "acoustic"
    assert choose(own | {"caption": "hard rock with fuzz guitars, grunge"}).genre == "rock"
    assert choose({"genre": "punjabi", "style": "wedding", "caption": "traditional"}).id == "traditional"


def test_captions_add_the_instruments_they_name() -> None:
    from optimizer.rendering.synth.compose import compose

    plain = {note.sound[0] for note in compose(recipe(duration=8.0)).notes}
    rich = {note.sound[0] for note in compose(recipe(duration=8.0, caption="Pop with sitar and tabla")).notes}
    assert not {"sitar", "tabla-na"} & plain
    assert {"sitar", "tabla-na"} <= rich
    other = {note.sound[0] for note in compose(recipe(duration=8.0, caption="Pop, electric piano, no violin")).notes}
    assert not {"piano", "fiddle"} & other


def test_fusion_styles_take_the_music_of_the_style_they_are_named_after() -> None:
    from optimizer.rendering.synth.styles import choose

    for style in load_genre("bangers").genres[0].styles:
        assert choose({"genre": "bangers", "style": style.id, "caption": style.caption}).id == style.id


def test_every_shipped_style_has_its_own_music() -> None:
    from optimizer.rendering.synth.styles import STYLES, choose

    table = {(style.genre, style.id) for style in STYLES}
    for genre in TEN:
        for style in load_genre(genre).genres[0].styles:
            assert (genre, style.id) in table
            found = choose({"genre": genre, "style": style.id, "caption": style.caption})
            assert (found.genre, found.id) == (genre, style.id)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_sings_its_shipped_or_any_words(language: str) -> None:
    from optimizer.rendering.synth.words import lines_of

    lines = lines_of(LYRICS, language)
    assert bool(lines) == (language != "unknown")


def test_describing_the_engine_imports_nothing_heavy() -> None:
    program = "import sys; import optimizer.rendering.synth as s; s.describe(None); print('numpy' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_description_is_honest_about_words() -> None:
    spec = describe(None)
    assert spec.target == "optimizer.rendering.synth.engine:SynthEngine"
    partial = {name for name, support in spec.supports.items() if support is Support.PARTIAL}
    assert partial == {"caption", "language", "lyrics"}
    assert SynthEngine.supports == dict(spec.supports)
