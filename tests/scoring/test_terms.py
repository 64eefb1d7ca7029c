"""The grammar of --scorer gives back what was written, whatever folders and classes are called."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optimizer.errors import UsageError
from optimizer.scoring.classes import choices
from optimizer.scoring.terms import Term, read_terms

NAMES = {"acoustic", "banger", "clap", "emotion"}
ODD = ["Nan", "inf", "Infinity", "1e3", "2", "-1", "0.5", "r+b", "a:b", "a:2", "drum + bass", "x:nan", "1_0", "٣", "é"]
LETTERS = string.ascii_letters + string.digits + " :+.-_é"

labels = st.one_of(st.sampled_from(ODD), st.text(LETTERS, min_size=1, max_size=8)).map(str.strip).filter(bool)
classes = st.lists(labels, min_size=2, max_size=5, unique_by=str.casefold)
weights = st.one_of(st.none(), st.integers(1, 99).map(float), st.floats(1e-6, 1e6))


def spell(term: Term) -> str:
    """Write a term as a person would."""
    return f"{term.text}:{term.weight!r}" if term.weighted else term.text


def head(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "head.json").write_text(json.dumps({"kind": "classifier", "classes": names}))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("terms")


@given(names=classes, pick=st.data(), folder=st.sampled_from(["genres", "a+b", "x:0.5", "my.pack"]))
def test_a_folder_its_class_and_its_weight_come_back(
    place: Path, names: list[str], pick: st.DataObject, folder: str
) -> None:
    path = place / folder
    head(path, names)
    argument, weight = pick.draw(st.one_of(st.none(), st.sampled_from(names))), pick.draw(weights)
    text = str(path) if argument is None else f"{path}:{argument}"
    term = Term(text, "folder", str(path), argument, 1.0 if weight is None else weight, weight is not None)
    written = spell(term)
    # What may be read as a longer class is: then the weight is to be written otherwise.
    rest = written[len(str(path)) + 1 :].casefold()
    assume(term.weight == 1.0 or rest not in {name.casefold() for name in names})
    assume(weight is None or argument is not None or rest not in {name.casefold() for name in names})
    assume(not any(rest.endswith(f":{name.casefold()}") for name in names if argument is None))
    if weight is not None and argument is not None:
        assume(f"{argument}:{weight!r}".casefold() not in {name.casefold() for name in names})
    assert read_terms(written, NAMES) == (term,)
    others = Term("acoustic", "name", "acoustic"), Term("clap:low nan", "name", "clap", "low nan", 2.0, True)
    if not any(f"{argument}+acoustic".casefold() in name.casefold() for name in names):
        assert read_terms("+".join(map(spell, (term, *others))), NAMES) == (term, *others)
        assert read_terms("+".join(map(spell, (*others, term))), NAMES) == (*others, term)


@given(names=classes, pick=st.data())
def test_a_class_is_never_read_as_a_weight(place: Path, names: list[str], pick: st.DataObject) -> None:
    path = place / "classes"
    head(path, names)
    name = pick.draw(st.sampled_from(names))
    (term,) = read_terms(f"{path}:{name}", NAMES)
    assert (term.argument, term.weighted) == (name, False)
    (term,) = read_terms(f"{path}:{name}:0.25", NAMES)
    assert (term.argument, term.weight) == (name, 0.25) or f"{name}:0.25" in names


@given(argument=st.text(LETTERS.replace("+", ""), min_size=1, max_size=12), weight=weights)
def test_an_argument_of_a_name_comes_back(argument: str, weight: float | None) -> None:
    assume(argument.strip() == argument and not argument.endswith(":"))
    # Without a weight a last numeral is one: it has to be said.
    assume(weight is not None or not any(c.isdigit() for c in argument.rpartition(":")[2]))
    term = Term(f"clap:{argument}", "name", "clap", argument, 1.0 if weight is None else weight, weight is not None)
    assert read_terms(spell(term), NAMES) == (term,)


@given(text=st.text(LETTERS, max_size=30))
def test_whatever_is_written_is_read_or_refused_in_words(text: str) -> None:
    try:
        terms = read_terms(text, NAMES)
    except UsageError as error:
        assert str(error)
    else:
        assert all(term.weight > 0 for term in terms)


@pytest.mark.parametrize("word", ["nan", "Inf", "-inf", "1_0", "٣", "0x1", "1e", "one"])
def test_only_numerals_are_weights(word: str) -> None:
    (term,) = read_terms(f"clap:{word}", NAMES)
    assert (term.argument, term.weighted) == (word, False)


def test_classes_are_named_in_any_case_unless_two_are_alike(place: Path) -> None:
    path = place / "case"
    head(path, ["Funk", "rock", "ROCK"])
    assert read_terms(f"{path}:funk", NAMES)[0].argument == "Funk"
    assert read_terms(f"{path}:ROCK:2", NAMES)[0].argument == "ROCK"
    with pytest.raises(UsageError, match="has no class 'Rock'") as caught:
        read_terms(f"{path}:Rock", NAMES)
    assert "Funk, rock, ROCK" in str(caught.value.next_step) and f"{path}:CLASS:WEIGHT" in str(caught.value.next_step)
    with pytest.raises(UsageError, match=r"names '.*:Funk' twice"):
        read_terms(f"{path}:Funk+{path}:funk:2", NAMES)
    with pytest.raises(UsageError, match="weight '0' of"):
        read_terms(f"{path}:Funk:0", NAMES)


def test_a_package_beside_the_command_is_no_head(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "judges").mkdir()
    monkeypatch.chdir(place)
    assert choices("judges") == ()
    assert read_terms("judges:Loud:2", NAMES) == (Term("judges:Loud", "class", "judges:Loud", None, 2.0, True),)
    assert read_terms("judges:2", NAMES) == (Term("judges", "folder", "judges", None, 2.0, True),)


def test_an_emotion_head_offers_its_emotions(place: Path) -> None:
    path = place / "moods"
    path.mkdir()
    (path / "emotion.json").write_text(json.dumps({"references": {"calm": [7, 2], "joy": [8, 8]}, "scale": [1, 9]}))
    assert read_terms(f"{path}:calm:2", NAMES)[0].argument == "calm"
    with pytest.raises(UsageError, match="Did you mean 'calm'"):
        read_terms(f"{path}:clam", NAMES)


def test_a_long_caption_is_no_file_name() -> None:
    (term, other) = read_terms(f"clap:{'x' * 5000}+acoustic", NAMES)
    assert len(term.argument or "") == 5000 and other.name == "acoustic"
