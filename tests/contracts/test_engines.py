"""What every engine keeps, tried as a run uses it: in the sandbox, behind the gates, from recipe to master.

To put another engine under this contract, write a fixture that returns its `EngineSpec`, and add its name to `ENGINES`
with the seconds that its songs shall last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from optimizer.recipe import Recipe
from optimizer.rendering.base import Clip, EngineSpec, Support
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.rendering.renderer import Renderer

ENGINES = {"synth": 8.0, "own": 1.0, "acestep": 1.0, "musicgen": 0.6}

CHANGES = {
    "style": {"style": "modern-desi", "caption": "modern desi club, 808 bass and vocal chops"},
    "caption": {"caption": "slow and dark, deep bass, sparse drums, whispered voice"},
    "bpm": {"bpm": 125},
    "key": {"key": "E minor"},
    "language": {"language": "en"},
    "lyrics": {"lyrics": "[Verse]\nsomething wholly different is sung here\n[Chorus]\nand here again"},
    "time_signature": {"time_signature": "3"},
    "seed": {"seed": 8},
    "duration": {},
}
"""What is changed to see whether a field arrives; a style is a name, and reaches models by its caption alone."""

OWN = """
    import wave
    from array import array
    from hashlib import sha256
    from random import Random

    class Engine:
        "The shortest engine that is one: noise, by all fields of the recipe."

        def load(self, config):
            return {"sample_rate": 8000}

        def render(self, recipe, out):
            noise = Random(repr(sorted(recipe.items())))
            with wave.open(str(out), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                count = int(recipe["duration"] * 8000)
                file.writeframes(array("h", [noise.randrange(-9000, 9000) for _ in range(count)]).tobytes())
            return {"seed": recipe["seed"]}
"""


@pytest.fixture(scope="module")
def synth() -> EngineSpec:
    return resolve("synth", RenderOptions(duration=ENGINES["synth"]))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSpec]:
    """A user's own engine, found on the search path."""
    folder = tmp_path_factory.mktemp("own")
    lines = [line[4:] for line in OWN.splitlines()]
    (folder / "own_contract_engine.py").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield resolve("own_contract_engine:Engine", RenderOptions(duration=ENGINES["own"]))


@pytest.fixture(scope="module")
def acestep(tiny_models: Path) -> EngineSpec:
    return resolve(
        "acestep",
        RenderOptions(model=str(tiny_models / "tiny-acestep-turbo"), device="cpu", duration=ENGINES["acestep"]),
    )


@pytest.fixture(scope="module")
def musicgen(tiny_models: Path) -> EngineSpec:
    return resolve(
        "musicgen", RenderOptions(model=str(tiny_models / "tiny-musicgen"), device="cpu", duration=ENGINES["musicgen"])
    )


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renderer]:
    folder = tmp_path_factory.mktemp(f"engine-{request.param}")
    renderer = Renderer(request.getfixturevalue(request.param), folder, log=folder / "worker.log")
    yield renderer
    renderer.close()


@pytest.fixture
def recipe(make_recipe: Callable[..., Recipe], engine: Renderer) -> Recipe:
    duration = ENGINES.get(engine.spec.name, ENGINES["own"])
    return make_recipe(caption="thunderous dhol and tumbi hook, party", duration=duration)


@pytest.fixture(scope="module")
def songs() -> dict[tuple[str, str], Clip]:
    """The first render of each recipe, so that each is made once."""
    return {}


@pytest.fixture
def render(engine: Renderer, songs: dict[tuple[str, str], Clip], tmp_path: Path) -> Callable[..., Clip]:
    def once(recipe: Recipe, again: bool = False) -> Clip:
        place = (engine.spec.name, recipe.digest)
        if again or place not in songs:
            songs[place] = engine.render(recipe, tmp_path / f"{recipe.digest[:8]}.flac")
        return songs[place]

    return once


def test_a_song_has_its_length_and_rate(engine: Renderer, recipe: Recipe, render: Callable[..., Clip]) -> None:
    clip = render(recipe, again=True)
    assert clip.duration == pytest.approx(recipe.duration, abs=0.25)
    assert soundfile.info(clip.path).subtype == "PCM_24"
    assert soundfile.info(clip.path).samplerate == clip.sample_rate
    assert engine.info.get("sample_rate", clip.sample_rate) == clip.sample_rate
    assert clip.info["seed"] == recipe.seed


def test_the_same_recipe_gives_the_same_song(recipe: Recipe, render: Callable[..., Clip]) -> None:
    assert render(recipe).sha256 == render(recipe, again=True).sha256


@pytest.mark.parametrize("field", CHANGES)
def test_each_field_is_heard_as_far_as_the_engine_says(
    field: str, engine: Renderer, recipe: Recipe, render: Callable[..., Clip]
) -> None:
    changed = replace(recipe, **(CHANGES[field] or {"duration": recipe.duration * 1.5}))
    heard = render(changed).sha256 != render(recipe).sha256
    support = engine.spec.supports.get(field, Support.FULL)
    assert heard is (support is not Support.NONE)


def test_the_engine_takes_the_recipes_of_a_search_space(engine: Renderer, recipe: Recipe) -> None:
    assert engine.check([recipe, replace(recipe, language="hi")]) == []


def test_what_the_engine_says_of_itself_is_what_its_description_says(engine: Renderer) -> None:
    engine.start()
    spoken = engine._worker.supports if engine._worker is not None else {}
    assert spoken == {name: str(support) for name, support in engine.spec.supports.items()} or not spoken
