"""The words after --scorer: what is legal, what each becomes, and what is only looked at and never run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optimizer.errors import CheckpointError, MissingPrerequisite, UsageError
from optimizer.scoring import Score, ScorerSpec, available, open_scorer, parse, prepare, registered
from optimizer.workers.source import find_module, source_hash


def test_a_name() -> None:
    (term,) = parse("banger")
    assert (term.kind, term.name, term.argument, term.weight, term.weighted) == ("name", "banger", None, 1.0, False)


def test_terms_arguments_and_weights() -> None:
    first, second, third = parse("banger+tunejury:0.5+clap:bright bhangra:2")
    assert (first.name, first.weight, first.weighted) == ("banger", 1.0, False)
    assert (second.name, second.argument, second.weight) == ("tunejury", None, 0.5)
    assert (third.name, third.argument, third.weight, third.text) == (
        "clap",
        "bright bhangra",
        2.0,
        "clap:bright bhangra",
    )


def test_a_class() -> None:
    (term,) = parse("my_judges.loud:Loudest:3")
    assert (term.kind, term.name, term.weight) == ("class", "my_judges.loud:Loudest", 3.0)


def test_folders_with_every_odd_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("calm", "a+b", "x:0.5", "banger"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse("calm")[0].kind == "folder"
    assert [(term.name, term.weight) for term in parse("calm:2+a+b:3+acoustic")] == [
        ("calm", 2.0),
        ("a+b", 3.0),
        ("acoustic", 1.0),
    ]
    assert (parse("x:0.5")[0].name, parse("x:0.5")[0].weighted) == ("x:0.5", False)
    # A word is a registered name first; the folder of that name is written with its path.
    assert parse("banger")[0].kind == "name"
    assert parse("./banger")[0].kind == "folder"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty term"),
        ("banger+", "empty term"),
        ("+", "empty term"),
        (":2", "empty term"),
        ("bangr", "Did you mean 'banger'?"),
        ("tunejry:0.5", "Did you mean 'tunejury'?"),
        ("no/such/folder", "there is no scorer 'no/such/folder'"),
        ("banger:0", "weight '0' of 'banger' must be a number above 0"),
        ("banger:-1", "weight '-1'"),
        ("banger:1e999", "weight '1e999'"),
        ("clap:", "followed by ':' and nothing"),
        ("banger+banger:2", "twice"),
    ],
)
def test_what_is_not_legal_says_why(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert words in str(caught.value)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse("zzz")
    for name in ("acoustic", "banger", "tunejury", "clap", "audiobox"):
        assert name in str(caught.value)
        assert name in registered()


def test_one_term_is_described_by_itself(mert_folder: Path, head_file: Path) -> None:
    spec = prepare("banger", {"encoder": str(mert_folder), "head": str(head_file), "window": None})
    assert spec.identity["name"] == "banger"
    assert spec.identity["window"] == "first"
    assert spec.identity["dtype"] == "float32"
    assert spec.encoder.endswith("/first/float32")
    assert head_file in spec.read_paths and mert_folder in spec.read_paths
    assert prepare("acoustic").identity["name"] == "acoustic"


def test_no_machine_path_enters_the_identity(mert_folder: Path, head_file: Path, jury_file: Path) -> None:
    options = {"encoder": str(mert_folder), "head": str(head_file)}
    for text in ("banger", f"banger+tunejury:{jury_file}:0.5"):
        spec = prepare(text, options)
        assert "/" not in spec.encoder.partition("/")[0]
        assert str(mert_folder.parent) not in str(spec.identity) and str(jury_file) not in str(spec.identity)


def test_identity_changes_with_everything_that_changes_scores(
    tmp_path: Path, write_mert: Any, mert_tensors: dict[str, Any], mert_folder: Path, head_file: Path, jury_file: Path
) -> None:
    import torch

    base = {"encoder": str(mert_folder), "head": str(head_file)}
    other = write_mert(tmp_path / "other", {**mert_tensors, "masked_spec_embed": torch.zeros(32)})
    flag = write_mert(tmp_path / "flag", preprocessor={"do_normalize": False})
    same = write_mert(tmp_path / "elsewhere" / "moved")
    variants = [
        prepare("banger", base),
        prepare("banger", {**base, "window": "middle"}),
        prepare("banger", {**base, "window": "all"}),
        prepare("banger", {**base, "dtype": "bfloat16"}),
        prepare("banger", {**base, "encoder": str(other)}),
        prepare("banger", {**base, "encoder": str(flag)}),
    ]
    assert len({str(spec.identity) for spec in variants}) == len({spec.encoder for spec in variants}) == len(variants)
    heads = [prepare("banger", base), prepare("banger", {**base, "head": str(jury_file)})]
    assert heads[0].identity != heads[1].identity and heads[0].encoder == heads[1].encoder
    assert prepare("banger", {**base, "encoder": str(same)}).identity == variants[0].identity


def test_several_terms_are_a_panel(mert_folder: Path, head_file: Path, jury_file: Path) -> None:
    options = {"encoder": str(mert_folder), "head": str(head_file)}
    spec = prepare(f"banger+tunejury:{jury_file}:0.5+acoustic", options)
    assert spec.target == "optimizer.scoring.panel:Panel"
    assert {name: term["weight"] for name, term in spec.identity["terms"].items()} == {
        "banger": 1.0,
        "tunejury": 0.5,
        "acoustic": 1.0,
    }
    assert spec.encoder == prepare("banger", options).encoder
    assert {head_file, jury_file} <= set(spec.read_paths)
    assert prepare("banger:2", options).target == spec.target


def test_a_head_option_belongs_to_the_first_that_takes_one(mert_folder: Path, head_file: Path, jury_file: Path) -> None:
    options = {"encoder": str(mert_folder), "head": str(jury_file)}
    spec = prepare(f"acoustic+banger:{head_file}+tunejury", options)
    heads = {term["name"]: term["config"].get("head") for term in spec.config["terms"]}
    assert heads == {"acoustic": None, "banger": str(head_file), "tunejury": str(jury_file)}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("window", "frist", "Did you mean 'first'?"),
        ("dtype", "float16", "float32, bfloat16"),
        ("device", "gpu", "auto, cpu, cuda, mps"),
        ("device", "cpu:1", "auto, cpu, cuda, mps"),
    ],
)
def test_options_that_are_not_legal_say_why(
    mert_folder: Path, head_file: Path, option: str, value: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        prepare("banger", {"encoder": str(mert_folder), "head": str(head_file), option: value})


def test_weights_that_are_not_here_name_the_command(mert_folder: Path, head_file: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        prepare("banger", {"head": str(head_file)})
    assert "optimize setup mert" in str(caught.value)
    for name in ("banger", "tunejury"):
        with pytest.raises(CheckpointError) as caught:
            prepare(name, {"encoder": str(mert_folder)})
        assert f"optimize setup {name}" in str(caught.value)
    with pytest.raises(CheckpointError, match="not there"):
        prepare("banger", {"encoder": str(mert_folder), "head": str(tmp_path / "no.pt")})
    with pytest.raises(CheckpointError, match="a folder"):
        prepare("banger", {"encoder": str(mert_folder), "head": str(tmp_path)})
    for name in ("clap", "audiobox"):
        with pytest.raises(CheckpointError) as caught:
            prepare(name)
        assert f"optimize setup {name}" in str(caught.value)


def test_available_says_yes_and_no(mert_folder: Path, head_file: Path) -> None:
    assert available("acoustic")
    assert not available("banger")
    assert available("banger", {"encoder": str(mert_folder), "head": str(head_file)})
    with pytest.raises(UsageError):
        available("bangr")


def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch, mert_folder: Path) -> None:
    monkeypatch.setattr("optimizer.scoring.packages.find_spec", lambda name: None)
    with pytest.raises(MissingPrerequisite, match=r"banger-optimizer\[models\]"):
        prepare("banger", {"encoder": str(mert_folder)})
    assert not available("banger", {"encoder": str(mert_folder)})


def test_preparing_imports_no_model_library(mert_folder: Path, head_file: Path) -> None:
    program = (
        "import sys\n"
        "from optimizer.scoring import prepare\n"
        f"prepare('banger', {{'encoder': {str(mert_folder)!r}, 'head': {str(head_file)!r}}})\n"
        "heavy = {'torch', 'transformers', 'librosa', 'scipy', 'joblib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2], timeout=60)


HOSTILE = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()

class Loudest:
    def load(self, config):
        self.config = config

    def score(self, paths):
        return [{"value": 7.0, "parts": {"loud": 1.0}} for _ in paths]
"""


@pytest.fixture
def own_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's scorer in a package of its own, on the Python path; both of its files tell when they are run."""
    package = tmp_path / "place" / "own_judges"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(HOSTILE)
    (package / "loud.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(package.parent))
    return package


def test_a_class_is_found_and_hashed_but_not_run(own_judge: Path) -> None:
    spec = prepare("own_judges.loud:Loudest", {"device": "cpu", "encoder": Path("x")})
    assert not list(own_judge.glob("*.ran"))
    assert spec.target == "own_judges.loud:Loudest"
    assert spec.read_paths == (own_judge,)
    assert spec.config == {"device": "cpu", "encoder": "x"}
    assert not spec.captioned
    before = spec.identity
    (own_judge / "loud.py").write_text(HOSTILE.replace("7.0", "8.0"))
    assert prepare("own_judges.loud:Loudest").identity != before
    assert open_scorer(spec).score([Path("a")])[0]["value"] == 8.0
    assert list(own_judge.glob("*.ran"))


def test_a_class_that_asks_for_captions_is_told(own_judge: Path) -> None:
    source = HOSTILE + "\n    def score_captioned(self, paths, captions):\n        return []\n"
    (own_judge / "loud.py").write_text(source)
    spec = prepare("own_judges.loud:Loudest")
    assert spec.captioned and spec.identity["prompt"] == "caption"
    assert not list(own_judge.glob("*.ran"))


def test_a_module_in_one_file_is_hashed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "single_judge.py").write_text("class Judge: pass\n")
    file, entry = find_module("single_judge")
    before = source_hash(file, "single_judge")
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    assert (file, entry) == ((tmp_path / "single_judge.py").resolve(), tmp_path.resolve())
    assert source_hash(file, "single_judge") == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module_here:Judge", "no module 'no_such_module_here'"),
        ("own_judges.quiet:Judge", "no module 'own_judges.quiet'"),
        ("own_judges.loud:Loudset", "Did you mean 'Loudest'?"),
    ],
)
def test_a_class_that_is_not_there_says_so(own_judge: Path, target: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        prepare(target)
    assert words in str(caught.value)
    assert not list(own_judge.glob("*.ran"))


def test_a_target_that_cannot_be_imported_says_so() -> None:
    with pytest.raises(UsageError, match="cannot be imported"):
        open_scorer(ScorerSpec("x", {}, "optimizer.scoring.nothing:Here"))
    assert Score(5.0).parts == {}


def test_a_plug_in_is_found_but_cannot_take_a_name_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    points = [
        EntryPoint("louder", "plug.in:describe", "optimizer.scorers"),
        EntryPoint("banger", "plug.in:describe", "optimizer.scorers"),
    ]
    monkeypatch.setattr("optimizer.scoring.spec.entry_points", lambda group: points)
    assert registered()["louder"] == "plug.in:describe"
    assert registered()["banger"] == "optimizer.scoring.banger:describe"
    assert parse("louder:2")[0].name == "louder"
