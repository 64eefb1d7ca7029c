"""AImoclips as it is published, on clips made here: read whole, judged rightly, turned into an objective."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from optimizer import audio
from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.runs import find_run
from optimizer.scoring import open_scorer, prepare
from optimizer.scoring.cache import EmbeddingStore
from optimizer.study import read_record
from optimizer.training.corpus import read_corpus
from optimizer.training.data import read_data
from optimizer.training.embed import embed, open_space
from optimizer.training.emotion import clip_key, intent_errors
from optimizer.training.raters import ceiling, rater_agreement
from optimizer.training.regress import train_regression

INTENTS = """quadrant,emotion,gt_valence,gt_arousal
hv_ha,happy,8.47,6.05
hv_ha,excited,8.11,6.43
hv_ha,energetic,7.57,6.1
lv_ha,angry,2.53,6.2
lv_ha,anxious,3.8,6.2
lv_ha,scared,2.8,6.1
lv_la,sad,2.1,3.49
lv_la,gloomy,3.15,3.32
lv_la,dull,3.4,1.67
hv_la,relaxed,7.25,2.49
hv_la,calm,6.89,1.67
hv_la,tranquil,7.11,2.61
"""
REFERENCES = {row["emotion"]: (float(row["gt_valence"]), float(row["gt_arousal"]))
              for row in csv.DictReader(INTENTS.splitlines())}  # fmt: skip

CONVEYED = {"AudioLDM2": 0.3, "MusicGen": 0.45, "Mustango": 0.5, "StableAudio": 0.6, "Suno": 0.75, "Udio": 0.9}
"""How much of an emotion each system conveys: what is heard is so far from the middle of the scale, 5."""

TURNED = "P9"
"""The rater who turns the scale round."""

RATERS, EACH = 12, 8


def clip_samples(valence, arousal, seed, rate=22_050):
    """A second of noise, brighter with valence, in pulses that come faster with arousal."""
    rng = np.random.default_rng(seed)
    time = np.arange(rate) / rate
    spectrum = np.fft.rfft(rng.standard_normal(rate)) / (1 + (np.arange(rate // 2 + 1) / (150 * valence)) ** 2)
    pulses = np.exp(-6 * ((time * (1 + arousal)) % 1))
    return (0.3 * pulses * np.fft.irfft(spectrum) / np.abs(np.fft.irfft(spectrum)).max()).astype(np.float32)


def write_aimoclips(folder, *, name_of="{}.wav", takes=2, sound=True):
    """Write the corpus; return what was planted: valence and arousal by clip.

    Not every clip of systems x emotions x takes is there, as in the original.
    """
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True)
    (folder / "emotion_intents_metadata.csv").write_text(INTENTS)
    planted, clips, ratings = {}, [], []
    for model, share in CONVEYED.items():
        for emotion, reference in REFERENCES.items():
            for take in range(1, takes + 1):
                clip = f"{model}_{emotion}_{take}"
                if (model, emotion, take) == ("AudioLDM2", "dull", 2):
                    continue
                heard = [5 + share * (x - 5) + rng.normal(0, 0.3) for x in reference]
                planted[clip] = heard
                if sound:
                    path = folder / "music_clips" / model / f"{clip}.wav"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    soundfile.write(path, clip_samples(*heard, len(clips)), 22_050)
                own = []
                for rater in sorted(rng.choice(RATERS, EACH, replace=False) + 1):
                    felt = [int(np.clip(round(x + rng.normal(0, 1)), 1, 9)) for x in heard]
                    felt = [10 - x for x in felt] if f"P{rater}" == TURNED else felt
                    own.append(felt)
                    ratings.append([f"P{rater}", f"{clip}_crop.wav", *felt])
                published = [round(mean(axis), 4) for axis in zip(*own, strict=True)]
                clips.append([len(clips) + 1, name_of.format(clip), model, emotion, take, *published, EACH])
    write_csv(folder / "clips_metadata.csv", CLIP_COLUMNS, clips)
    write_csv(folder / "ratings_metadata.csv", RATING_COLUMNS, ratings)
    return planted


CLIP_COLUMNS = ["index", "audio_file", "model", "emotion", "file_index", "valence", "arousal", "num_annotators"]
RATING_COLUMNS = ["user", "audio_file", "valence", "arousal"]


def write_csv(path, columns, rows):
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def change(path, edit):
    """Rewrite a table's rows with `edit`, which is given and returns a list of lists of text."""
    header, *rows = list(csv.reader(path.read_text().splitlines()))
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *edit(rows)])


def ratings_by_hand(folder):
    """(user, (valence, arousal)) by clip, read without the program."""
    found = defaultdict(list)
    for row in csv.DictReader((folder / "ratings_metadata.csv").read_text().splitlines()):
        if not row["valence"]:
            continue
        clip = row["audio_file"].replace("_crop.wav", "")
        found[clip].append((row["user"], (float(row["valence"]), float(row["arousal"]))))
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aimoclips") / "AImoclips"
    write_aimoclips(folder)
    return folder


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """The folder of an emotion head on the acoustic embedding, and its cards."""
    place = tmp_path_factory.mktemp("trained")
    embed(read_corpus(corpus), place / "data", open_space("acoustic", {}))
    data = read_data(place / "data")
    cards = train_regression(data, ["valence", "arousal"], place / "emotion", group="model", recipe="ridge", rounds=50)
    return place / "emotion", cards


@pytest.mark.parametrize("name_of", ["{}.wav", "{}_crop.wav", "{}", "{}_crop", "music_clips/x/{}_crop.WAV"])
def test_the_published_layout_is_read_whole(tmp_path, name_of):
    folder = tmp_path / "AImoclips"
    write_aimoclips(folder, name_of=name_of, takes=1)
    found = read_corpus(folder)
    assert found.kind == "emotion" and found.skipped == {} and len(found.table) == 72
    by_hand = ratings_by_hand(folder)
    for row in found.table.to_dict("records"):
        path = Path(row["path"])
        assert path == folder / "music_clips" / row["model"] / f"{row['model']}_{row['emotion']}_1.wav"
        assert row["clip"] in (path.stem, path.name, f"music_clips/x/{path.stem}.WAV")
        ratings = [point for _, point in by_hand[path.stem]]
        assert row["valence"] == pytest.approx(mean(v for v, _ in ratings))
        assert row["arousal"] == pytest.approx(mean(a for _, a in ratings))
        assert row["raters"] == row["num_annotators"] == EACH and row["file_index"] == 1
        assert row["cell"] == f"{row['model']}/{row['emotion']}"
    assert list(found.table["id"]) == list(range(1, 73))
    emotion = found.extra["emotion"]
    assert emotion["references"] == {name: list(point) for name, point in REFERENCES.items()}
    assert emotion["raters"] == RATERS and emotion["ratings"] == 72 * EACH and emotion["mismatches"] == []
    # Nobody rated 1 or 9 on both axes here; the scale is the corpus's.
    assert emotion["scale"] == [1.0, 9.0]
    assert [note for note in found.extra["notes"] if TURNED not in note] == []


def test_what_does_not_fit_together_is_told(tmp_path):
    folder = tmp_path / "AImoclips"
    write_aimoclips(folder, takes=1)
    (folder / "music_clips" / "Udio" / "Udio_sad_1.wav").unlink()
    keep = [["P1", "Suno_bliss_1_crop.wav", "6", "2"], ["P2", "Suno_bliss_1_crop.wav", "7", "3"]]
    change(
        folder / "ratings_metadata.csv",
        lambda rows: [
            *([*row[:2], "", row[3]] if number == 0 else row for number, row in enumerate(rows)),
            *keep,
        ],
    )
    change(folder / "ratings_metadata.csv", lambda rows: [row for row in rows if "Mustango_calm_1_" not in row[1]])

    def disagree(rows):
        rows[20][5] = "9.0"
        rows[30][7] = "9"
        rows.append([*rows[40][:4], "2", *rows[40][5:]])
        rows[50][3] = "bliss"
        return rows

    change(folder / "clips_metadata.csv", disagree)
    found = read_corpus(folder)
    assert found.skipped == {
        "Udio_sad_1.wav": "its file is not there",
        "Mustango_calm_1.wav": "nobody rated it",
    }
    assert len(found.table) == 70
    # Without the one of no number, those of the clip that is not listed and those that were taken out.
    assert found.extra["emotion"]["ratings"] == 71 * EACH - 1
    notes = "\n".join(found.extra["notes"])
    first, other, third = (clip_at(folder, row) for row in (0, 20, 30))
    assert f"has 1 ratings without a number, left out: P1 of {first}_crop.wav." in notes
    assert "has 2 ratings of clips clips_metadata.csv does not list: Suno_bliss_1_crop.wav." in notes
    assert f"lists twice {clip_at(folder, 40)}.wav; the first row counts." in notes
    assert "has no reference for bliss" in notes
    mismatches = {(one["clip"], one["what"]): one for one in found.extra["emotion"]["mismatches"]}
    # The rating that was emptied makes a mismatch of its own: of a mean or both, and of the count.
    assert {key for key in mismatches if key[0] != f"{first}.wav"} == {
        (f"{other}.wav", "valence"),
        (f"{third}.wav", "num_annotators"),
    }
    assert mismatches[f"{first}.wav", "num_annotators"]["ratings"] == EACH - 1
    one = mismatches[f"{other}.wav", "valence"]
    by_hand = mean(point[0] for _, point in ratings_by_hand(folder)[other])
    assert one["published"] == 9.0 and one["ratings"] == pytest.approx(by_hand)
    assert f"{other}.wav (valence 9.0, ratings {by_hand:.6g})" in notes
    # The ratings count, not the published mean.
    row = found.table[found.table["clip"] == f"{other}.wav"].iloc[0]
    assert row["valence"] == pytest.approx(by_hand) and row["published_valence"] == 9.0


def clip_at(folder, number):
    rows = list(csv.DictReader((folder / "clips_metadata.csv").read_text().splitlines()))
    return rows[number]["audio_file"].removesuffix(".wav")


def test_a_mean_may_be_rounded_as_it_is_published(tmp_path):
    folder = tmp_path / "AImoclips"
    write_aimoclips(folder, takes=1, sound=False)

    def to_one_digit(rows):
        return [[*row[:5], *(f"{float(x):.1f}" for x in row[5:7]), row[7]] for row in rows]

    change(folder / "clips_metadata.csv", to_one_digit)
    assert read_corpus(folder).extra["emotion"]["mismatches"] == []

    def off(rows):
        rows[0][6] = f"{float(rows[0][6]) + 0.1:.1f}"
        return rows

    change(folder / "clips_metadata.csv", off)
    assert [one["what"] for one in read_corpus(folder).extra["emotion"]["mismatches"]] == ["arousal"]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("clips_metadata.csv", "audio_file", "sound", r"no column 'audio_file'; it has index, sound.*AImoclips does"),
        ("ratings_metadata.csv", "user", "who", r"no column 'user'"),
        ("emotion_intents_metadata.csv", "gt_arousal", "energy", r"no column 'gt_arousal'"),
        ("emotion_intents_metadata.csv", "8.47,", "84.7,", r"valence 84.7 \(happy\) must be within 1 to 9"),
        ("emotion_intents_metadata.csv", "8.47,", "many,", r"happy has no valence or no arousal"),
        (
            "ratings_metadata.csv",
            "_crop.wav,",
            "_crop.wav,10",
            r"(valence 10\d) \(P\d+ of AudioLDM2_happy_1_crop.wav\) must",
        ),
    ],
)
def test_what_is_no_such_corpus_says_why(tmp_path, name, old, new, words):
    folder = tmp_path / "AImoclips"
    write_aimoclips(folder, takes=1, sound=False)
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_corpus(folder)
    assert re.search(words, str(caught.value), re.DOTALL)


def test_a_table_of_ones_own_may_use_other_words(tmp_path, write_audio):
    folder = tmp_path / "own"
    for name in ("A", "B"):
        write_audio(folder / name / "same.wav", seconds=0.3)
    write_audio(folder / "B" / "Same_crop.wav", seconds=0.3)
    write_csv(folder / "clips_metadata.csv", ["clip_id", "system", "intent"],
              [["same.wav", "B", "Calm"]])  # fmt: skip
    write_csv(folder / "ratings_metadata.csv", ["rater_id", "clip_id", "Valence", "Arousal"],
              [["a", "same", 6, 2], ["b", "same", 7, 4]])  # fmt: skip
    write_csv(folder / "emotion_intents_metadata.csv", ["emotion", "valence", "arousal"], [["calm", 7, 2]])
    found = read_corpus(folder)
    (row,) = found.table.to_dict("records")
    # Of files of one name the one in the system's folder is meant, and there the uncropped one.
    assert row["path"] == str(folder / "B" / "same.wav")
    assert (row["valence"], row["arousal"], row["raters"], row["emotion"], row["id"]) == (6.5, 3.0, 2, "calm", 1)


@pytest.mark.parametrize(
    "name",
    ["Mustango_energetic_8", "Mustango_energetic_8.wav", "Mustango_energetic_8_crop.wav", "Mustango_energetic_8_crop",
     "music_clips/Mustango/Mustango_energetic_8.wav", "x\\Mustango_Energetic_8_crop.WAV "],
)  # fmt: skip
def test_all_spellings_of_a_clip_are_one(name):
    assert clip_key(name) == "mustango_energetic_8"


def test_other_dots_belong_to_the_name():
    assert clip_key("MusicGen_v1.5_calm") == "musicgen_v1.5_calm" != clip_key("MusicGen_v1")


def test_the_ceiling_is_the_intraclass_correlations_root(corpus):
    """By another formula: ICC(1,k) of a one-way analysis of variance, k ratings each (Shrout and Fleiss 1979)."""
    found = read_corpus(corpus).extra["emotion"]["ceiling"]
    by_hand = ratings_by_hand(corpus)
    for axis, word in enumerate(("valence", "arousal")):
        values = np.array([[point[axis] for _, point in rated] for rated in by_hand.values()])
        n, k = values.shape
        between = k * ((values.mean(axis=1) - values.mean()) ** 2).sum() / (n - 1)
        within = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum() / (n * (k - 1))
        reliability = (between - within) / between
        assert found[word]["reliability"] == pytest.approx(reliability, abs=0.02)
        assert found[word]["ceiling"] == pytest.approx(math.sqrt(reliability), abs=0.01)
        alone = [abs(x - (row.sum() - x) / (k - 1)) for row in values for x in row]
        assert found[word]["rater_error"] == pytest.approx(mean(alone))


def test_the_ceiling_is_the_root_of_the_reliability():
    rng = np.random.default_rng(1)
    true = np.repeat(rng.standard_normal(400), 8)
    ratings = pd.DataFrame({"clip": np.repeat(np.arange(400), 8), "v": true + rng.normal(0, 2, 3200)})
    # Mean of 8 ratings: variance 1 of the clip against 4 / 8 of the raters.
    assert ceiling(ratings, "clip", "v")["ceiling"] == pytest.approx(np.sqrt(1 / 1.5), abs=0.04)
    assert set(ceiling(ratings[::8], "clip", "v").values()) == {None}


def test_the_rater_who_turns_the_scale_round_is_named(corpus):
    found = read_corpus(corpus)
    by_hand = ratings_by_hand(corpus)
    for axis, word in enumerate(("valence", "arousal")):
        agreement = found.extra["emotion"]["agreement"][word]
        assert set(agreement) == {f"P{number}" for number in range(1, RATERS + 1)}
        assert agreement[TURNED] < -0.5 and min(r for name, r in agreement.items() if name != TURNED) > 0.4
        pairs = [
            (own[axis], mean(point[axis] for other, point in rated if other != TURNED))
            for rated in by_hand.values()
            for user, own in rated
            if user == TURNED
        ]
        assert agreement[TURNED] == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1])
        assert any(f"rated {word} against everybody else (correlation): {TURNED} (-" in n for n in found.extra["notes"])
    few = pd.DataFrame({"clip": [1, 1, 2, 2], "user": ["a", "b"] * 2, "v": [1.0, 2, 3, 4]})
    assert rater_agreement(few, "clip", "user", "v") == {}


def test_errors_of_systems_and_emotions_are_those_planted(corpus):
    found = read_corpus(corpus)
    errors = intent_errors(found.table, found.extra["emotion"]["references"])
    off = {"system": defaultdict(list), "emotion": defaultdict(list)}
    for clip, rated in ratings_by_hand(corpus).items():
        system, emotion, _ = clip.split("_")
        heard = [mean(point[axis] for _, point in rated) for axis in (0, 1)]
        difference = [x - y for x, y in zip(heard, REFERENCES[emotion], strict=True)]
        off["system"][system].append(difference)
        off["emotion"][emotion].append(difference)
    for title, names in off.items():
        assert set(errors[title]) == set(names)
        for name, points in names.items():
            one = errors[title][name]
            assert one["n"] == len(points)
            assert one["distance"] == pytest.approx(mean(math.hypot(*point) for point in points))
            assert one["bias"] == pytest.approx([mean(axis) for axis in zip(*points, strict=True)])
    # Who conveys least of an emotion errs most, by as much as was planted: (1 - share) of the reference's way from 5.
    # One turned rater of twelve takes 2 / 12 of what is conveyed away; noise adds to small distances.
    way = mean(math.dist(point, (5, 5)) for point in REFERENCES.values())
    distances = [errors["system"][name]["distance"] for name in CONVEYED]
    assert distances == sorted(distances, reverse=True)
    for name, share in CONVEYED.items():
        assert errors["system"][name]["distance"] == pytest.approx((1 - share * 10 / 12) * way, abs=0.3)
    # What is far from the middle is heard nearer to it: high valence below its reference, low valence above.
    assert errors["emotion"]["happy"]["bias"][0] < -0.8 and errors["emotion"]["sad"]["bias"][0] > 0.8
    assert errors["emotion"]["calm"]["bias"][1] > 0.8
    assert errors["overall"]["n"] == len(found.table) == 143


def test_the_heads_find_what_is_audible_and_the_cards_tell_of_the_raters(trained, corpus):
    folder, cards = trained
    for axis in ("valence", "arousal"):
        assert cards[axis]["splits"]["grouped"]["figures"]["model"]["spearman"][0] > 0.6
    card = (folder / "valence" / "card.md").read_text()
    assert "## 12 raters" in card and "Intended and heard, by emotion" in card and "| Udio | 24 |" in card
    assert "What does not fit together" in card and TURNED in card
    document = json.loads((folder / "arousal" / "card.json").read_text())
    assert document["emotion"]["errors"]["system"]["AudioLDM2"]["n"] == 23
    angry, calm = (
        [one["value"] for one in open_scorer(prepare(f"emotion:{word}", {"head": folder})).score(
            [corpus / "music_clips" / "Udio" / f"Udio_{name}_1.wav" for name in ("angry", "calm")])]
        for word in ("angry", "calm")
    )  # fmt: skip
    assert angry[0] > angry[1] + 1 and calm[1] > calm[0] + 1


def test_the_commands_tell_what_does_not_fit(corpus, tmp_path):
    words = ["embed", str(corpus), "--out", str(tmp_path / "data"), "--encoder", "acoustic"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"note: rated valence against everybody else (correlation): {TURNED}" in result.stderr
    assert "143 songs" in result.stdout


def place_by_hand(head, embedding):
    """What a ridge's folder says of an embedding, from its files alone."""
    from safetensors.numpy import load_file

    tensors, config = load_file(str(head / "head.safetensors")), json.loads((head / "head.json").read_text())
    x = (np.asarray(embedding, dtype=np.float64) - tensors["standardise.mean"]) / tensors["standardise.std"]
    number = float(tensors["members.0.net.0.weight"][0] @ x + tensors["members.0.net.0.bias"][0])
    return config["units"]["offset"] + config["units"]["scale"] * number


def test_a_search_for_calm_songs_end_to_end(trained, tmp_path, monkeypatch):
    folder, _ = trained
    command = [sys.executable, "-m", "optimizer.cli.main", "--genre", "acoustic", "--scorer", "emotion:calm", "--head"]
    options = ["--trials", "3", "--renderer", "synth", "--duration", "1.5", "--runs-dir", str(tmp_path / "runs")]
    done = subprocess.run([*command, str(folder), *options, "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    run = find_run(tmp_path / "runs", "acoustic")
    songs = read_record(run).songs
    assert len(songs) == 3 and json.loads(done.stdout)["best"][0]["score"] == max(song.value for song in songs)
    assert run.read_identity()["scorer"]["name"] == "emotion:calm"
    with EmbeddingStore(run.embeddings) as store:
        heard = {song.number: store.get(song.sha256, "acoustic-1") for song in songs}
    for song in songs:
        valence, arousal = (place_by_hand(folder / axis, heard[song.number]) for axis in ("valence", "arousal"))
        distance = math.hypot(valence - 6.89, arousal - 1.67)
        # The diagonal of the square from 1 to 9.
        assert song.value == pytest.approx(10 * max(0, 1 - distance / math.sqrt(128)), abs=1e-4)
        assert song.parts["valence"] == pytest.approx(valence, abs=1e-4)
        assert song.parts["arousal"] == pytest.approx(arousal, abs=1e-4)
    assert len({song.value for song in songs}) == 3
    # Another emotion needs neither the songs nor anything measured again.
    for song in songs:
        song.audio.unlink()
    monkeypatch.setattr(audio, "load_mono", None)
    words = ["rescore", "acoustic", "--runs-dir", str(tmp_path / "runs"), "--scorer", "emotion:sad"]
    result = CliRunner().invoke(app, [*words, "--head", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    for song, one in zip(songs, json.loads(result.stdout), strict=True):
        distance = math.hypot(song.parts["valence"] - 2.1, song.parts["arousal"] - 3.49)
        assert one["score"] == pytest.approx(10 * max(0, 1 - distance / math.sqrt(128)), abs=1e-6)
    assert read_record(run).songs[0].parts["emotion:sad.distance"] > 0
