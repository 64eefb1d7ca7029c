"""The shipped search spaces: the published grids, the captions, the lyrics, and where they are found."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optimizer.errors import SpaceError
from optimizer.search_space import (
    ALL,
    GENRES,
    Language,
    estimate_tokens,
    genre_names,
    load_genre,
    load_genres,
    spaces_folder,
)

ROOT = Path(__file__).resolve().parents[2]


# As published: BPMs and keys of each genre; four styles each.
GRIDS: dict[str, tuple[list[int], str]] = {
    "hip-hop": ([78, 85, 90, 95, 100], "C minor, Bb minor, D minor, E minor, Ab minor"),
    "pop": ([110, 118, 124, 128, 135], "C major, G major, D major, A major, F major"),
    "rnb": ([65, 72, 80, 88, 95], "Eb major, Ab major, Db major, Bb minor, F minor"),
    "latin": ([90, 95, 100, 105, 110], "A minor, D minor, E minor, G minor, C minor"),
    "bollywood": ([100, 110, 120, 130, 140], "C minor, D minor, A minor, E minor, G major"),
    "bhangra": ([95, 105, 115, 125, 135], "G major, D major, A major, C major, E minor"),
    "cpop": ([75, 90, 105, 120, 130], "C major, G major, F major, A minor, D minor"),
    "rock": ([120, 130, 140, 150, 160], "E minor, A minor, D minor, G minor, B minor"),
    "edm": ([122, 126, 130, 138, 150], "A minor, F minor, C minor, Eb minor, Bb minor"),
    "acoustic": ([85, 95, 105, 115, 125], "G major, C major, D major, A major, E major"),
    "bangers": ([126, 128, 130, 135, 138], "Eb minor, F minor, Bb minor, C minor, D minor"),
}

# Ids are written into every study and select the embedded engine's patterns; in the order of the published captions.
STYLES = {
    "hip-hop": "boom-bap dark-strings jazz-loop street-808",
    "pop": "summer-pop club-dance funk-pop festival-electro",
    "rnb": "late-night neo-soul trap-rnb slow-jam",
    "latin": "perreo latin-pop latin-trap dancehall",
    "bollywood": "festive-dance hindi-ballad club-glam hindi-indie",
    "bhangra": "dhol-party punjabi-trap traditional desi-club",
    "cpop": "piano-ballad idol-dance mandarin-rnb stadium-rock",
    "rock": "garage-indie grunge post-punk arena-blues",
    "edm": "prog-house deep-house melodic-techno future-bass",
    "acoustic": "campfire-folk indie-folk confessional country-folk",
    "bangers": "prog-house dhol-party desi-club festive-dance",
}
SUNG = {
    "hip-hop": "en", "pop": "en", "rnb": "en", "latin": "es", "bollywood": "hi", "bhangra": "pa hi en", "cpop": "zh",
    "rock": "en", "edm": "unknown", "acoustic": "en", "bangers": "pa hi unknown",
}  # fmt: skip

TAGS = {
    "[Verse 1]", "[Verse 2]", "[Verse 3]", "[Pre-Chorus]", "[Chorus]", "[Bridge]", "[Build]", "[Drop]", "[Guitar Solo]",
}  # fmt: skip


def shipped_lyrics() -> list[Any]:
    return [
        pytest.param(name, language, id=f"{name}-{language.code}")
        for name in GRIDS
        for language in load_genre(name).genres[0].languages
        if language.code != "unknown"
    ]


def sung_lines(lyrics: str) -> list[str]:
    return [line for line in lyrics.split("\n") if line and not line.startswith("[")]


def test_eleven_files_are_shipped() -> None:
    assert genre_names() == tuple(GRIDS) == (*GENRES, "bangers")


@pytest.mark.parametrize("name", GRIDS)
def test_the_published_grid(name: str) -> None:
    space = load_genre(name)
    (genre,) = space.genres
    bpm, keys = GRIDS[name]
    assert (space.name, genre.id) == (name, name)
    assert list(genre.bpm) == bpm
    assert ", ".join(genre.keys) == keys
    assert [style.id for style in genre.styles] == STYLES[name].split()
    assert [language.code for language in genre.languages] == SUNG[name].split()
    assert len(genre.styles) * len(genre.bpm) * len(genre.keys) == 100
    assert space.size == 100 * len(genre.languages)
    assert genre.title
    assert genre.description


def test_all_is_the_ten_genres_and_a_sweep_of_200_is_20_each() -> None:
    space = load_genre(ALL)
    assert space.name == "all"
    assert tuple(genre.id for genre in space.genres) == GENRES
    assert load_genres(GENRES) == space
    parameters = space.parameters()
    assert list(parameters) == ["genre", "style", "bpm", "key", "language"]
    assert parameters["genre"] == GENRES
    assert len(parameters["style"]) == 40
    assert parameters["style"][:2] == ("hip-hop/boom-bap", "hip-hop/dark-strings")
    assert set(parameters["bpm"]) == {bpm for name in GENRES for bpm in GRIDS[name][0]}
    assert all(len(list(itertools.islice(load_genre(name).points(), 20))) == 20 for name in GENRES)
    assert space.size == sum(load_genre(name).size for name in GENRES)


def test_several_genres_keep_the_order_asked_for() -> None:
    space = load_genres(["rock", "bangers", "edm"])
    assert space.name == "rock-bangers-edm"
    assert list(space.subspaces()) == ["rock", "bangers", "edm"]
    # Two genres may name a style alike; the study must not mix them up.
    assert {"bangers/prog-house", "edm/prog-house"} < set(space.parameters()["style"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [("bhangara", "Did you mean 'bhangra'?"), ("Hip Hop", "Did you mean 'hip-hop'?"), ("../edm", "Did you mean 'edm'?"),
     ("", "must be one of"), ("edm.toml", "Did you mean 'edm'?"), ("al", "Did you mean 'all'?")],
)  # fmt: skip
def test_an_unknown_genre_gets_a_hint(name: str, hint: str) -> None:
    with pytest.raises(SpaceError, match=re.escape(hint)):
        load_genre(name)


@pytest.mark.parametrize("names", [[], ["edm", "edm"], ["edm", "all"]])
def test_several_genres_must_be_named_once_each(names: list[str]) -> None:
    with pytest.raises(SpaceError):
        load_genres(names)


@pytest.mark.parametrize("name", GRIDS)
def test_captions_are_rich_and_short_enough(name: str) -> None:
    for style in load_genre(name).genres[0].styles:
        assert 25 <= len(style.caption.split()) <= 45, style.caption
        assert style.caption.isascii()
        assert estimate_tokens(style.caption) <= 100
        # Tempo and key have fields of their own and change from point to point.
        assert not re.search(r"\b(bpm|tempo|\d{2,3} ?bpm|[A-G](b|#)? (major|minor))\b", style.caption)
        if name == "edm":
            assert "instrumental" in style.caption


def test_no_caption_of_a_genre_searched_in_several_languages_names_one() -> None:
    for name in GRIDS:
        genre = load_genre(name).genres[0]
        if len(genre.languages) > 1:
            for style in genre.styles:
                assert not re.search(r"(punjabi|hindi|english) (vocal|lead|voice|rap|lyric)", style.caption.lower())


@pytest.mark.parametrize(
    ("genre", "caption", "style"),
    [
        ("Hip Hop", "boom bap, vinyl and piano", "boom-bap"),
        ("Hip Hop", "raw 808 street rap", "street-808"),
        ("Pop/Dance", "Sunny funk-pop", "funk-pop"),
        ("R&B/Soul", "candlelit slow jam", "slow-jam"),
        ("Latin/Reggaeton", "tropical dancehall reggaeton", "dancehall"),
        ("Bollywood", "glam club item number", "club-glam"),
        ("Punjabi/Bhangra", "electronic desi club pop", "desi-club"),
        ("Punjabi/Bhangra", "traditional wedding bhangra", "traditional"),
        ("C-Pop", "smooth Chinese RnB", "mandarin-rnb"),
        ("Rock/Alt", "quiet-loud grunge alt", "grunge"),
        ("EDM", "colourful future bass", "future-bass"),
        ("Acoustic/Folk", "fiddle country folk", "country-folk"),
    ],
)
def test_songs_of_the_published_sweep_find_their_style(genre: str, caption: str, style: str) -> None:
    found = load_genre(ALL).genre(genre)
    assert found is not None
    match = found.match_style(caption)
    assert match is not None
    assert match.id == style


def test_genres_of_all_answer_to_different_names() -> None:
    genres = load_genre(ALL).genres
    for genre in genres:
        for name in (genre.id, genre.title, *genre.aliases):
            assert [other.id for other in genres if other.matches(name)] == [genre.id]


@pytest.mark.parametrize(("name", "language"), shipped_lyrics())
def test_lyrics_are_written_in_the_script_of_their_language(name: str, language: Language) -> None:
    blocks = {
        "en": [("A", "Z"), ("a", "z")],
        "es": [("A", "Z"), ("a", "z"), *((c, c) for c in "áéíóúüñÁÉÍÓÚÑ")],
        "pa": [("\u0a01", "\u0a75")],
        "hi": [("\u0901", "\u0963")],
        "zh": [("\u4e00", "\u9fff")],
    }[language.code]
    marks = {"en": " ,.'?!-()", "es": " ,.:;«»¡!¿?()", "pa": " ,()", "hi": " ,()", "zh": "\uff0c"}[language.code]
    for line in sung_lines(language.lyrics):
        strange = [
            character
            for character in line
            if character not in marks and not any(a <= character <= z for a, z in blocks)
        ]
        assert not strange, (line, [f"U+{ord(character):04X}" for character in strange])


def test_chinese_lyrics_are_simplified() -> None:
    # Traditional forms of characters that are common in songs.
    traditional = set("來時個們說話開關門車見聽風愛夢燈覺誰讓還過樣雲間臉寫給遠邊節樂聲歡離難記憶戀綠紅藍")
    for language in load_genre("cpop").genres[0].languages:
        assert not traditional & set(language.lyrics)


@pytest.mark.parametrize(("name", "language"), shipped_lyrics())
def test_indic_signs_follow_a_letter_of_their_own(name: str, language: Language) -> None:
    """A vowel sign or nukta at the start of a word, or two vowel signs in a row, is a typing slip."""
    if language.code not in ("pa", "hi"):
        return
    signs = "\u093e-\u094c\u0a3e-\u0a4c"
    for line in sung_lines(language.lyrics):
        assert not re.search(rf"(?:^|[\s(,])[{signs}\u093c\u0a3c\u094d\u0a4d\u0a70\u0a71]", line), line
        assert not re.search(rf"[{signs}][{signs}]", line), line
        assert not re.search(r"[\u094d\u0a4d](?:$|[\s),])", line), line


@pytest.mark.parametrize(("name", "language"), shipped_lyrics())
def test_lyrics_can_be_sung(name: str, language: Language) -> None:
    lyrics = language.lyrics
    tags = [line for line in lyrics.split("\n") if line.startswith("[")]
    assert set(tags) <= TAGS
    assert tags[0] == "[Verse 1]"
    assert "[Chorus]" in tags[:3]
    assert tags.count("[Chorus]") >= 2
    lines = sung_lines(lyrics)
    assert 22 <= len(lines) <= 40
    assert max(map(len, lines)) <= 50
    for line in lines:
        assert 4 <= syllables(line, language.code) <= 12, line


def syllables(line: str, code: str) -> int:
    """Count syllables roughly: vowels where the script writes them, one per Han character."""
    if code == "zh":
        return len(re.findall(r"[\u4e00-\u9fff]", line))
    if code == "hi":
        # Independent vowels and consonants carry one each, less those joined by a virama; final schwas fall silent.
        carriers = re.findall(r"[\u0904-\u0914]|[\u0915-\u0939]\u093c?(?!\u094d)", line)
        silent = re.findall(r"[\u0915-\u0939]\u093c?(?=$|[\s,)])", line)
        return len(carriers) - len([mark for mark in silent if len(line.split()) > 1])
    if code == "pa":
        carriers = re.findall(r"[\u0a05-\u0a14]|[\u0a15-\u0a39]\u0a3c?(?!\u0a4d)", line)
        silent = re.findall(r"[\u0a15-\u0a39]\u0a3c?(?=$|[\s,)])", line)
        return len(carriers) - len(silent)
    words = re.findall(r"[a-záéíóúüñ']+", line.lower())
    return sum(max(1, len(re.findall(r"[aeiouyáéíóúü]+", re.sub(r"(?<=[a-z]{2})e\b", "", word)))) for word in words)


def test_no_two_genres_share_a_caption_or_words() -> None:
    captions = [style.caption for name in GRIDS for style in load_genre(name).genres[0].styles]
    words = [param.values[1].lyrics for param in shipped_lyrics()]
    assert len(set(captions)) == 44
    assert len(set(words)) == len(words) == 13


def lay_out(site: Path, *, spaces: Path | None) -> None:
    package = site / "optimizer"
    shutil.copytree(
        ROOT / "optimizer" / "search_space", package / "search_space", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("__init__.py", "errors.py", "music.py", "recipe.py"):
        shutil.copy(ROOT / "optimizer" / name, package / name)
    if spaces is not None:
        shutil.copytree(spaces_folder(), spaces)


def ask(site: Path, code: str) -> str:
    """Run `code` in a fresh interpreter that finds the package at `site` and works elsewhere."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"]
    done = subprocess.run(
        command, cwd=site.parent, capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    return (done.stdout + done.stderr).strip()


WHERE = "from optimizer.search_space import *; print(load_genre('all').size, spaces_folder())"


def test_a_wheel_finds_its_own_files_and_not_a_neighbours(tmp_path: Path) -> None:
    site = tmp_path / "site"
    lay_out(site, spaces=site / "optimizer" / "search_spaces")
    (site / "search_spaces").mkdir()
    assert ask(site, WHERE) == f"{load_genre(ALL).size} {site / 'optimizer' / 'search_spaces'}"


def test_a_checkout_finds_the_folder_beside_the_package(tmp_path: Path) -> None:
    site = tmp_path / "checkout"
    lay_out(site, spaces=site / "search_spaces")
    assert ask(site, WHERE) == f"{load_genre(ALL).size} {site / 'search_spaces'}"


def test_a_broken_installation_says_how_to_mend_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    lay_out(site, spaces=None)
    answer = ask(site, WHERE)
    assert "SpaceError" in answer
    assert "pip install --force-reinstall banger-optimizer" in answer


def test_reading_spaces_imports_nothing_heavy() -> None:
    code = (
        "import optimizer.search_space, sys\n"
        "print(sorted({'numpy', 'optuna', 'torch', 'pandas', 'scipy', 'typer', 'rich', 'librosa'} & set(sys.modules)))"
    )
    assert ask(ROOT, code) == "[]"
