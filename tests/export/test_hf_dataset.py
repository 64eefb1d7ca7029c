"""The data set: loaded by `datasets`, described by its card, and pushed without anything of this machine."""

from __future__ import annotations

import json
import sys
import types
import warnings

import pytest
import yaml
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from optimizer.errors import MissingPrerequisite, OptimizeError, UsageError
from optimizer.export.folder import Settings, export
from optimizer.export.hf_dataset import push, write

SETTINGS = Settings(formats=("hf-dataset", "m3u8"), loudness=None)


@pytest.fixture
def exported(songs, record, target):
    export(songs[:4], target, records=[record], settings=SETTINGS, notes={"selection": {"by": "score"}})
    return target


@pytest.fixture
def datasets(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    with warnings.catch_warnings():
        # The library's own affair; ours must not warn.
        warnings.simplefilter("ignore")
        import datasets
    # Version 5 imports torchcodec's encoder even where it is given paths, and never calls it then. The real one needs
    # FFmpeg's libraries, which the tests do without.
    encoders = types.ModuleType("torchcodec.encoders")
    encoders.AudioEncoder = type("AudioEncoder", (), {})
    monkeypatch.setitem(sys.modules, "torchcodec", types.ModuleType("torchcodec"))
    monkeypatch.setitem(sys.modules, "torchcodec.encoders", encoders)
    return datasets


def test_datasets_loads_it(exported, datasets, songs, tmp_path):
    loaded = datasets.load_dataset("audiofolder", data_dir=str(exported), cache_dir=str(tmp_path / "cache"))
    rows = loaded["train"].cast_column("audio", datasets.Audio(decode=False))
    assert rows.num_rows == 4
    row = min(rows, key=lambda row: row["trial"])
    song = songs[0]
    assert (
        row
        | {
            "genre": "bhangra",
            "bpm": 95,
            "key": "G major",
            "language": "pa",
            "lyrics": "[Verse]\nਨੱਚੋ",
            "caption": 'Dhol & "tumbi" <b> ਨੱਚੋ | é',
            "seed": 0,
            "score": song.value,
            "part_pulse": 4.5,
            "scorer": "acoustic",
            "engine": "synth",
            "model_revision": "r1",
            "recipe_digest": song.recipe.digest,
        }
        == row
    )
    assert row["audio"]["path"] == str(exported / "data" / row["audio"]["path"].rpartition("/")[2])


def test_the_card_can_be_read(exported):
    text = (exported / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    meta = yaml.safe_load(head)
    assert meta["pretty_name"] == "bhangra: 4 songs"
    assert meta["license"] == "other" and meta["language"] == ["pa"] and meta["size_categories"] == ["n<1K"]
    assert meta["configs"][0]["data_files"][0]["path"] == ["data/*", "metadata.jsonl"]
    assert "No licence has been chosen yet" in body and "CC BY-NC 4.0" in body
    assert "**chosen** for a high score" in body
    for heading in ("genre", "style", "BPM", "mode", "key", "language"):
        assert f"### By {heading}\n" in body
    assert "| bhangra | 4 | 3.15 | 2.94 to 3.36 | 3.30 |" in body
    assert "| G major | 1 | 3.00 | none | 3.00 |" in body


@pytest.mark.parametrize("by", ["expected", "shrunken"])
def test_the_card_says_what_the_songs_were_chosen_by(songs, record, target, by):
    export(songs[:1], target, records=[record], settings=SETTINGS, notes={"selection": {"by": by}})
    assert f"**chosen** for a high {by} score, so" in (target / "README.md").read_text(encoding="utf-8")


def test_a_chosen_licence_is_said(songs, record, target):
    settings = Settings(formats=("hf-dataset",), loudness=None, licence="cc-by-4.0")
    export(songs[:2], target, records=[record], settings=settings)
    text = (target / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "cc-by-4.0"
    assert "The publisher chose `cc-by-4.0`" in text and "No licence" not in text


def test_the_card_takes_no_markup_from_names(songs, record, target, make_recipe):
    from dataclasses import replace

    hostile = replace(songs[0], recipe=make_recipe(genre="x|y<script>", style="[a](b)"))
    export([hostile], target, records=[record], settings=SETTINGS)
    body = (target / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    assert "| x\\|y&lt;script> / \\[a\\](b) | 1 |" in body


def test_columns_of_nothing_are_left_out(exported):
    rows = [json.loads(line) for line in (exported / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(list(row) == list(rows[0]) for row in rows)
    assert "expected" not in rows[0] and rows[0]["file_name"].startswith("data/")


def test_without_audio_there_is_no_data_set(playlist, tmp_path):
    from dataclasses import replace

    silent = replace(playlist, tracks=(replace(playlist.tracks[0], file=None),))
    with pytest.raises(UsageError, match="needs the audio"):
        write(silent, tmp_path)


class FakeHub:
    """Remembers what was asked of it."""

    def __init__(self, files=(), private=True, error=None):
        self.files, self.private, self.error, self.calls = list(files), private, error, []

    def create_repo(self, repo_id, **options):
        self.calls.append(("create", repo_id, options))
        if self.error:
            raise self.error

    def repo_info(self, repo_id, **options):
        return types.SimpleNamespace(private=self.private)

    def list_repo_files(self, repo_id, **options):
        return self.files

    def upload_folder(self, **options):
        self.calls.append(("upload", options))


def test_push_uploads_the_data_set_alone(exported):
    hub = FakeHub([".gitattributes"])
    assert push(exported, "me/songs", hub=hub) == "https://huggingface.co/datasets/me/songs"
    (_, repo, created), (_, upload) = hub.calls
    assert (repo, created) == ("me/songs", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert upload["folder_path"] == str(exported) and upload["repo_type"] == "dataset"
    assert upload["allow_patterns"] == ["README.md", "metadata.jsonl", "data/*"]


def test_push_replaces_only_its_own(exported):
    push(exported, "me/songs", hub=FakeHub(["README.md", "metadata.jsonl", "data/old.flac"]))
    hub = FakeHub(["README.md", "weights.bin"])
    with pytest.raises(UsageError, match=r"files that no export wrote \(weights\.bin\)"):
        push(exported, "me/songs", hub=hub)
    assert [call[0] for call in hub.calls] == ["create"]


def test_push_is_private_unless_asked(exported):
    hub = FakeHub(private=False)
    with pytest.raises(UsageError, match="there already, and public"):
        push(exported, "me/songs", hub=hub)
    push(exported, "me/songs", hub=hub, private=False)
    assert hub.calls[-1][0] == "upload"


@pytest.mark.parametrize("repo", ["songs", "me/../you", "a/b/c", "me/so ngs", "me/", "https://x/y", "me/a--b"])
def test_push_wants_a_legal_name(exported, repo):
    with pytest.raises(UsageError, match="is not a name on the Hub"):
        push(exported, repo, hub=FakeHub())


def test_push_wants_a_data_set(tmp_path):
    with pytest.raises(UsageError, match="is not an exported data set"):
        push(tmp_path, "me/songs", hub=FakeHub())


def http_error(status):
    # Which HTTP library the response is of depends on huggingface_hub's version.
    response = types.SimpleNamespace(status_code=status, headers={}, request=None)
    return HfHubHTTPError("refused", response=response)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (LocalTokenNotFoundError("no token"), MissingPrerequisite, "no login"),
        (http_error(401), MissingPrerequisite, "refuses to write me/songs"),
        (http_error(403), MissingPrerequisite, "refuses to write me/songs"),
        (http_error(500), OptimizeError, "did not take me/songs"),
        (ConnectionError("down"), OptimizeError, "cannot be reached"),
    ],
)
def test_what_the_hub_says_has_a_next_step(exported, error, kind, message):
    with pytest.raises(kind, match=message) as caught:
        push(exported, "me/songs", hub=FakeHub(error=error))
    assert caught.value.next_step
