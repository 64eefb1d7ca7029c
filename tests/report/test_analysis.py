"""Analysis: comparisons stay within a genre and within what was drawn; nothing is claimed that is not there."""

from __future__ import annotations

import pytest

from optimizer.errors import UsageError
from optimizer.report import analyse
from optimizer.report.analysis import read_reference
from optimizer.song import FailedTrial


def test_counts_and_hits(make_record, make_song):
    songs = [make_song(number, value) for number, value in enumerate([3.0, 3.5, 4.0, 4.5])]
    failed = (FailedTrial(9, None, "silence", "quiet"), FailedTrial(10, None, "silence", "quiet"))
    found = analyse([make_record(songs, failed=failed)])
    shares = {(rate.label, rate.threshold): rate.share.value for rate in found.hits}
    assert shares == {("all songs", 3.5): 0.75, ("all songs", 4.0): 0.5}
    assert found.overall.value == 3.75
    assert found.best.number == 3
    assert found.failures == {"silence": 2}


def test_mode_is_compared_within_genres_that_have_both(make_record, make_song, make_recipe):
    songs = []
    # Bhangra is better and mostly minor; within it, and within pop, mode does nothing. Rock has no minor songs.
    for genre, key, count, base in (
        ("bhangra", "A minor", 8, 5.0),
        ("bhangra", "C major", 2, 5.0),
        ("pop", "A minor", 2, 2.0),
        ("pop", "C major", 8, 2.0),
        ("rock", "C major", 9, 0.5),
    ):
        for index in range(count):
            recipe = make_recipe(genre=genre, style=f"{genre}-x", key=key, seed=len(songs))
            songs.append(make_song(len(songs), base + 0.1 * (index % 2), recipe))
    found = analyse([make_record(songs)])
    assert set(found.minor.strata) == {"bhangra", "pop"}
    assert found.minor.interval.value == pytest.approx(0.0, abs=1e-9)
    groups = {group.label: group.mean.value for group in found.by["mode"]}
    assert abs(groups["minor"] - groups["major"]) < 0.05


def test_refining_is_compared_with_the_sweep_of_the_same_genre_only(make_record, make_song, make_recipe):
    songs = []
    for genre, phase, values in (
        ("edm", "sweep", [4.9, 5.0, 5.1]),
        ("edm", "refine", [4.9, 5.0, 5.1, 5.0]),
        ("pop", "sweep", [1.0, 1.1, 0.9]),
    ):
        for value in values:
            recipe = make_recipe(genre=genre, style=f"{genre}-x", seed=len(songs))
            songs.append(make_song(len(songs), value, recipe, phase=phase))
    gained = analyse([make_record(songs)]).refinement
    assert gained.mean.strata == ("edm",)
    assert gained.mean.interval.value == pytest.approx(0.0, abs=1e-9)
    assert not gained.mean.interval.excludes(0)
    assert (gained.mean.n_first, gained.mean.n_second) == (4, 3)


def test_a_real_gain_is_found(make_record, make_song):
    songs = [make_song(number, 3 + 0.1 * (number % 5)) for number in range(20)]
    songs += [make_song(number, 4 + 0.1 * (number % 5), phase="refine") for number in range(20, 40)]
    gained = analyse([make_record(songs)]).refinement
    assert gained.mean.interval.value == pytest.approx(1.0)
    assert gained.mean.interval.excludes(0)
    assert gained.best.low > 0.5
    assert gained.hits[1][3].value == 1.0


def test_noise_alone_gives_no_importance(make_record, many_songs):
    found = analyse([make_record(many_songs(400, ("bhangra", "edm")))])
    assert set(found.shares) == {"genre", "style", "BPM", "key", "mode", "language"}
    assert all(abs(share.omega.value) < 0.06 for share in found.shares.values())


def test_a_planted_effect_is_found_everywhere(make_record, make_song, make_recipe):
    songs = []
    for number in range(60):
        style, bpm = "abc"[number % 3], [80, 160][number % 2]
        value = 3 + (style == "a") + 0.5 * (bpm == 160) + 0.05 * (number % 7)
        songs.append(make_song(number, value, make_recipe(style=style, bpm=bpm, seed=number)))
    found = analyse([make_record(songs)])
    assert found.by["style"][0].label == "a"
    assert found.shares["style"].omega.value > 0.6
    assert found.bpm_slope.value == pytest.approx(0.5, abs=0.02)
    assert (found.contrasts[0].factor, found.contrasts[0].label) == ("style", "a")
    assert found.contrasts[0].difference.excludes(0)
    assert found.heats[0].cells[0, 1].n == 10


def test_many_tempi_are_put_into_bins(make_record, make_song, make_recipe):
    songs = [make_song(bpm, 3.0 + bpm / 100, make_recipe(bpm=bpm, seed=bpm)) for bpm in range(60, 180, 2)]
    groups = analyse([make_record(songs)]).by["BPM"]
    assert 4 <= len(groups) <= 6
    assert sum(group.mean.n for group in groups) == 60
    assert groups[0].label.startswith("60-")
    assert groups[-1].label.endswith("-178")


def test_two_takes_show_the_spread_of_luck(make_record, make_song, make_recipe):
    songs = [make_song(0, 3.0, make_recipe(seed=1)), make_song(1, 5.0, make_recipe(seed=2))]
    assert analyse([make_record(songs)]).takes.value == pytest.approx(2**0.5)


def test_no_songs_is_said(make_record):
    with pytest.raises(UsageError, match="no songs yet"):
        analyse([make_record([])])


def test_reference(tmp_path, make_record, make_song):
    path = tmp_path / "corpus.csv"
    path.write_text("name,score\na,1.5\nunscored,\nb,2.5\n")
    found = analyse([make_record([make_song(0, 2.0), make_song(1, 3.0)])], reference=path).reference
    assert (found.name, found.values, found.above.value) == ("corpus.csv", (1.5, 2.5), 0.75)


def test_reference_without_a_heading(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("1.5\n\n2.5\n")
    assert read_reference(path) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("score\n", "no scores"),
        ("score\n3\nnan\n", "line 3: 'nan'"),
        ("score\n11\n", "line 2: '11'"),
        ("a,b\n1,2\n", "columns a, b"),
    ],
)
def test_a_bad_reference_is_refused(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_reference(path)


def test_a_missing_reference_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_reference(tmp_path / "none.csv")
