"""Songs come back: our own data sets, tables of others, and rows that mean harm."""

from __future__ import annotations

import csv
import json
import types

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from optimizer.errors import MissingPrerequisite, OptimizeError, UsageError
from optimizer.export.folder import Settings, export
from optimizer.export.reader import fetch, read_songs, style_of_caption
from optimizer.search_space import Genre, Language, SearchSpace, Style

ROW = {"genre": "Test Genre", "caption": "Caption A.", "bpm": "100", "key": "A minor", "seed": "7", "score": "3.5"}


@pytest.fixture
def space():
    styles = (Style("style-a", "caption a", "Style A", ("an old caption",)), Style("style-b", "caption b", "Style B"))
    genre = Genre("test-genre", "Test genre", styles, (100,), ("A minor",), (Language("en", "la"),), aliases=("Tests",))
    other = Genre("other", "Other", (Style("x", "caption x", "X"),), (90,), ("C major",), (Language("en", "la"),), "3")
    return SearchSpace("two", (genre, other))


@pytest.fixture
def read(tmp_path, space):
    """Return a function that writes rows as CSV and reads them back."""

    def write_and_read(*rows, **options):
        path = tmp_path / "songs.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)
        return read_songs(path, study="back", space=space, **options)

    return write_and_read


def test_a_row_becomes_a_song(read):
    (song,) = read(ROW | {"language": "en", "lyrics": "[Verse]\nla", "part_pulse": "4.5"}).songs
    assert (song.study, song.number, song.phase, song.value) == ("back", 0, "import", 3.5)
    assert song.parts == {"pulse": 4.5}
    assert song.recipe.combo == ("test-genre", "style-a", 100, "A minor", "en")
    assert (song.recipe.lyrics, song.recipe.seed, song.recipe.duration) == ("[Verse]\nla", 7, 30.0)


@pytest.mark.parametrize(
    ("changes", "style"),
    [
        ({"caption": "  CAPTION   b. "}, "style-b"),
        ({"caption": "An old caption"}, "style-a"),
        ({"caption": "", "style": "style-b"}, "style-b"),
        ({"caption": "never heard of"}, style_of_caption("never heard of")),
        ({"genre": "Tests", "caption": "caption a"}, "style-a"),
        ({"genre": "", "caption": "caption x"}, "x"),
    ],
)
def test_captions_find_their_style(read, changes, style):
    assert read(ROW | changes).songs[0].recipe.style == style


def test_an_unknown_caption_is_one_level_however_spelt():
    assert style_of_caption("A  b") == style_of_caption("a B")
    assert style_of_caption("a b") != style_of_caption("a c")
    assert len(style_of_caption("x")) == len("caption-") + 8


@pytest.mark.parametrize(("name", "genre"), [("../../x", "x"), ("R&B / Soul", "r-b-soul"), ("ਭੰਗੜਾ", "genre-")])
def test_unknown_genres_become_slugs(read, name, genre):
    assert read(ROW | {"genre": name}).songs[0].recipe.genre.startswith(genre)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"key": "Ebm"}, "Eb minor"),
        ({"key": "F#"}, "F# major"),
        ({"key": "CM"}, "C major"),
        ({"key": "D# min"}, "Eb minor"),
        ({"key": "A", "mode": "minor"}, "A minor"),
    ],
)
def test_keys_in_short_forms(read, changes, key):
    assert read(ROW | changes).songs[0].recipe.key == key


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": ""}, "no score"),
        ({"score": "nan"}, "score 'nan' is not a number"),
        ({"score": "11"}, "score 11 is not usable"),
        ({"bpm": "fast"}, "bpm 'fast' is not a number"),
        ({"bpm": "1000"}, "bpm 1000 is not usable"),
        ({"key": "H minor"}, "'H minor' is not a key"),
        ({"caption": ""}, "no caption"),
        ({"genre": "\x00"}, "is not a name"),
        ({"seconds": "0"}, "duration 0.0 is not usable"),
    ],
)
def test_an_unusable_row_is_left_out_with_its_reason(read, changes, message):
    found = read(ROW, ROW | changes, ROW)
    assert [song.number for song in found.songs] == [0, 1]
    (problem,) = found.problems
    assert (problem.row, problem.skipped) == (2, True)
    assert message in problem.message


def test_what_a_row_lacks_is_filled_in_and_said(read):
    found = read(ROW | {"seed": "-1", "language": "klingon"})
    (song,) = found.songs
    assert (song.recipe.seed, song.recipe.language, song.recipe.lyrics) == (1, "unknown", "[Instrumental]")
    assert [problem.skipped for problem in found.problems] == [False, False]


def test_our_own_data_set_comes_back(songs, record, target):
    done = export(songs[:3], target, records=[record], settings=Settings(formats=("hf-dataset",), loudness=None))
    found = read_songs(target, study="back")
    assert not found.problems
    for song, track in zip(found.songs, done.tracks, strict=True):
        given = track.song.recipe
        assert (song.recipe.bpm, song.recipe.key, song.recipe.seed) == (given.bpm, given.key, given.seed)
        assert (song.recipe.language, song.recipe.lyrics) == (given.language, given.lyrics)
        assert song.value == track.song.value and song.parts == dict(track.song.parts)
        assert song.audio == target / track.file and song.sha256 == track.sha256
        assert song.info["engine"] == "synth"


def test_the_published_columns_come_back_from_parquet(tmp_path, space):
    (tmp_path / "data").mkdir()
    rows = [ROW | {"audio": {"bytes": b"RIFF", "path": "a.wav"}, "bpm": 100, "score": 3.0 + n} for n in range(3)]
    for shard, part in enumerate((rows[:2], rows[2:])):
        table = pyarrow.Table.from_pylist(part)
        pyarrow.parquet.write_table(table, tmp_path / "data" / f"train-0000{shard}-of-00002.parquet")
    found = read_songs(tmp_path, study="back", space=space)
    assert [(song.number, song.value) for song in found.songs] == [(0, 3.0), (1, 4.0), (2, 5.0)]
    assert all(song.audio is None for song in found.songs)


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_json_comes_back(tmp_path, space, ending):
    path = tmp_path / f"songs.{ending}"
    rows = [ROW | {"score": 3.5, "bpm": 100.0}, ROW | {"score": None}]
    path.write_text("\n".join(map(json.dumps, rows)) if ending == "jsonl" else json.dumps(rows))
    found = read_songs(path, study="back", space=space)
    assert len(found.songs) == len(found.problems) == 1


def test_audio_outside_the_data_set_is_left_alone(read, tmp_path):
    (tmp_path.parent / "secret.flac").write_bytes(b"x")
    found = read(ROW | {"file_name": "../secret.flac"}, ROW | {"file_name": "gone.flac"})
    assert [song.audio for song in found.songs] == [None, None]
    assert "outside the data set" in found.problems[0].message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b"genre,caption,bpm,key\nx,y,1,C major\n", "no column for the score"),
        ("a.csv", b"\xff\xfe", "cannot be read"),
        ("a.jsonl", b"{", "cannot be read"),
        ("a.json", b"[1]", "must hold objects"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.txt", b"x", "'.txt' is no table"),
    ],
)
def test_an_unusable_table_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_songs(tmp_path / name, study="back")


def test_a_folder_without_a_table_is_named(tmp_path):
    with pytest.raises(UsageError, match="holds no table of songs"):
        read_songs(tmp_path, study="back")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        read_songs(tmp_path / "gone", study="back")


def hub_error(kind):
    return kind("refused", response=types.SimpleNamespace(status_code=404, headers={}, request=None))


def test_fetch_takes_the_tables_alone(tmp_path):
    asked = {}
    hub = types.SimpleNamespace(snapshot_download=lambda **options: asked.update(options) or str(tmp_path))
    assert fetch("me/songs", hub=hub) == tmp_path
    assert asked["repo_type"] == "dataset" and "*.parquet" in asked["allow_patterns"]
    fetch("me/songs", hub=hub, audio=True)
    assert asked["allow_patterns"] is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (hub_error(GatedRepoError), MissingPrerequisite),
        (hub_error(RepositoryNotFoundError), UsageError),
        (ConnectionError("down"), OptimizeError),
    ],
)
def test_fetch_explains_what_the_hub_says(error, kind):
    def fail(**_):
        raise error

    with pytest.raises(kind) as caught:
        fetch("me/songs", hub=types.SimpleNamespace(snapshot_download=fail))
    assert caught.value.next_step
