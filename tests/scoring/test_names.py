"""Judges of one name in one panel, and a head that no judge takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optimizer.errors import UsageError
from optimizer.scoring import open_scorer, prepare
from optimizer.scoring.acoustic import WIDTH
from optimizer.scoring.acoustic_ear import NAME
from optimizer.scoring.heads import write_head

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a head on the acoustic embedding which always says the same number."""

    def make(place: str, name: str = "mine", says: float = 5.0, classes: list[str] | None = None) -> Path:
        outputs = len(classes or [name])
        tensors = {"members.0.net.0.weight": np.zeros((outputs, WIDTH)), "members.0.net.0.bias": np.full(outputs, says)}
        config: dict[str, Any] = {"name": name, "encoder": NAME, "target": {"kind": "clamp"}}
        if classes:
            config |= {"kind": "classifier", "classes": classes}
        write_head(tmp_path / place, config, tensors)
        return tmp_path / place

    return make


def names(text: str) -> list[str]:
    spec = prepare(text)
    found = [term["name"] for term in spec.config["terms"]]
    assert list(spec.identity["terms"]) == found == [term["identity"]["name"] for term in spec.config["terms"]]
    return found


def test_heads_of_one_name_are_called_as_their_folders(write: Write, songs: list[Path]) -> None:
    one, two, other = write("sc", says=2.0), write("sc2", says=4.0), write("sc3", "theirs")
    assert names(f"{one}+{two}") == ["sc", "sc2"]
    # The order does not matter, and whoever's name is its own keeps it.
    assert names(f"{two}+{other}+{one}") == ["sc2", "theirs", "sc"]
    (result,) = open_scorer(prepare(f"{one}+{two}:3")).score(songs[:1])
    assert result["value"] == pytest.approx(3.5)
    assert result["parts"] == {"sc": 2.0, "sc.raw": 2.0, "sc2": 4.0, "sc2.raw": 4.0}
    assert prepare(str(one)).identity["name"] == "mine"


def test_folders_of_one_name_are_told_apart_by_where_they_lie(write: Write) -> None:
    one, two, third = write("a/head"), write("b/head"), write("c", "head")
    assert names(f"{one}+{two}") == ["a/head", "b/head"]
    assert names(f"{one}+{third}") == ["mine", "head"]
    assert names(f"{one}+{two}+{third}") == ["a/head", "b/head", "head"]


def test_classes_stay_behind_the_folders_name(write: Write) -> None:
    one, two = write("a", classes=["pop", "rock"]), write("b", classes=["pop", "rock"])
    assert names(f"{one}:pop+{two}:pop+{one}:rock") == ["a:pop", "b:pop", "mine:rock"]
    assert names(f"{one}+{two}") == ["a:*", "b:*"]


def test_a_head_with_our_name_gives_way(write: Write) -> None:
    assert names(f"acoustic+{write('odd', 'acoustic')}") == ["acoustic", "odd"]


def test_one_head_twice_is_refused(write: Write) -> None:
    one = write("sc")
    with pytest.raises(UsageError, match=r"two judges that call themselves 'mine'(.|\n)*--name NAME"):
        prepare(f"{one}+{one}/")


@pytest.mark.parametrize("scorer", ["{own}", "acoustic", "{own}+acoustic:2"])
def test_a_head_that_nobody_takes_is_refused(write: Write, scorer: str) -> None:
    with pytest.raises(UsageError, match=r"--head evil\.pt: no term of scorer .* takes one") as caught:
        prepare(scorer.format(own=write("sc")), {"head": "evil.pt"})
    assert "banger, tunejury, emotion" in str(caught.value.next_step)
