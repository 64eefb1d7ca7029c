"""Class-balanced generated music to train a classifier on: prompts, sandboxed renders, embeddings, a split."""

from __future__ import annotations

import json
import string
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optimizer.errors import AttemptFailed, NoSongs, UsageError
from optimizer.recipe import Recipe
from optimizer.rendering.base import EngineSpec
from optimizer.rendering.renderer import Renderer
from optimizer.runs import slug, write_atomic
from optimizer.samplers import derive_seed
from optimizer.search_space import genre_names, load_genre
from optimizer.training.corpus import Corpus
from optimizer.training.embed import Space, embed

DESCRIPTIONS: Mapping[str, tuple[str, ...]] = {
    "electronica": (
        "analogue synthesizers, a four-on-the-floor kick, evolving pads",
        "glitchy drum machine, deep sub bass, spacious reverb",
        "arpeggiated synth lines, side-chained chords, bright hi-hats",
        "downtempo breakbeat, warm pads, vocal chops",
    ),
    "funk": (
        "slap bass, wah-wah guitar, tight syncopated drums, brass stabs",
        "clavinet riff, sixteenth-note hi-hats, horn section",
        "rhythm guitar on the one, electric piano, congas",
        "talk-box lead, synth bass, hand claps",
    ),
    "orchestral": (
        "sweeping strings, French horns, timpani, concert hall",
        "woodwind melodies over pizzicato strings",
        "a full symphony orchestra, dramatic brass, choir",
        "slow adagio for strings, solo cello",
    ),
    "pop": (
        "catchy chorus, bright synths, punchy drums",
        "acoustic guitar, layered vocals, hand claps",
        "piano ballad with soaring strings",
        "dance beat, plucked synth hook, warm bass",
    ),
    "rock": (
        "distorted electric guitars, driving drums, bass",
        "blues-rock riff, overdriven amp, live drums",
        "palm-muted power chords, energetic double-time drums",
        "jangling guitars, steady backbeat, organ",
    ),
}
"""What fills ``{description}``; classes that are not here take the styles of the shipped genre of that name."""

TEMPI = {"electronica": 122, "funk": 104, "orchestral": 84, "pop": 112, "rock": 128}
KEYS = ("C major", "A minor", "G major", "E minor", "D major", "F major")
TEST_SHARE = 0.1

Progress = Callable[[int, int, str | None], None]
"""Called after every clip with (done, all, why it failed or None)."""


def recipes(
    prompt: str, classes: Sequence[str], per_class: int, *, duration: float = 10.0, seed: int = 0
) -> dict[str, list[Recipe]]:
    """Spell out what is to be rendered.

    Parameters
    ----------
    prompt : str
        With ``{genre}`` and ``{description}``.
    classes : sequence of str
    per_class : int
    duration : float
        Seconds of a clip.
    seed : int

    Raises
    ------
    UsageError
        If the prompt has other fields, a class comes twice, or nothing is known of one whose description is wanted.
    """
    fields = {name for _, name, _, _ in string.Formatter().parse(prompt) if name is not None}
    if fields - {"genre", "description"}:
        raise UsageError(f"prompt {prompt!r} may hold {{genre}} and {{description}} only.")
    if len(set(classes)) != len(classes) or len(classes) < 2 or per_class < 2:
        raise UsageError("a data set needs two or more different classes, and two or more clips of each.")
    found: dict[str, list[Recipe]] = {}
    for name in classes:
        ways = DESCRIPTIONS.get(name) or _shipped(name)
        if not ways and "description" in fields:
            legal = sorted({*DESCRIPTIONS, *genre_names()})
            raise UsageError(f"nothing is known of class {name!r}: it must be one of {', '.join(legal)}.")
        found[name] = []
        for number in range(per_class):
            drawn = derive_seed(seed, "dataset", name, number)
            way = ways[number % len(ways)] if ways else ""
            found[name].append(
                Recipe(
                    genre=slug(name),
                    style=f"{slug(name)}-{number % max(len(ways), 1)}",
                    caption=prompt.format(genre=name, description=way).strip(),
                    bpm=TEMPI.get(name, 110) + drawn % 21 - 10,
                    key=KEYS[drawn // 21 % len(KEYS)],
                    language="unknown",
                    lyrics="[Instrumental]",
                    seed=drawn,
                    duration=duration,
                )
            )
    return found


def build(
    engine: EngineSpec,
    wanted: Mapping[str, Sequence[Recipe]],
    out: Path,
    space: Space,
    *,
    sandbox: str = "auto",
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Render what is not there yet, and embed all; running again after a kill goes on.

    Parameters
    ----------
    engine : EngineSpec
    wanted : mapping of str to recipes
        From `recipes`.
    out : Path
        Gets ``audio/<class>/<digest>.flac``, ``dataset.json`` and what `embed` writes; the table's column ``label``
        is the class and ``part`` is train (90 %) or test.
    space : Space
    sandbox : str
    on_progress : callable, optional

    Returns
    -------
    dict
        What `embed` returns, and ``rendered``.

    Raises
    ------
    NoSongs
        If a class has no clip.
    UsageError
        If `out` was begun with another engine.
    """
    import pandas as pd

    out.mkdir(parents=True, exist_ok=True)
    _check_engine(out / "dataset.json", engine)
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    total, done, rendered = sum(map(len, wanted.values())), 0, 0
    with tempfile.TemporaryDirectory(prefix="banger-", ignore_cleanup_errors=True) as scratch:
        renderer = Renderer(engine, Path(scratch), sandbox=sandbox, log=out / "engine.log", hidden=(out.absolute(),))
        try:
            for label, asked in wanted.items():
                # Every tenth clip of each class judges, so that both parts are balanced.
                every = max(2, round(1 / TEST_SHARE))
                for number, recipe in enumerate(asked):
                    path = out / "audio" / slug(label) / f"{recipe.digest[:16]}.flac"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    reason = None
                    if not path.is_file():
                        try:
                            renderer.render(recipe, path)
                            rendered += 1
                        except AttemptFailed as error:
                            reason = error.message
                    done += 1
                    if on_progress is not None:
                        on_progress(done, total, reason)
                    name = f"{slug(label)}-{number}"
                    if reason is not None:
                        skipped[name] = reason
                        continue
                    last = len(asked) - 1
                    part = "test" if number % every == every - 1 or (len(asked) < every and number == last) else "train"
                    rows.append(
                        {
                            "id": len(rows), "path": str(path.absolute()), "label": label, "part": part,
                            "caption": recipe.caption, "seed": recipe.seed, "engine": engine.name,
                        }
                    )  # fmt: skip
        finally:
            renderer.close()
    empty = [label for label in wanted if not any(row["label"] == label for row in rows)]
    if empty:
        raise NoSongs(f"class {empty[0]!r} has no clip; the first failure: {next(iter(skipped.values()), '')}")
    info = embed(Corpus("dataset", pd.DataFrame(rows), skipped), out, space)
    return {**info, "rendered": rendered}


def _check_engine(path: Path, engine: EngineSpec) -> None:
    about = {"engine": engine.name, "revision": engine.revision}
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != about:
            raise UsageError(
                f"{path.parent} was begun with {before['engine']} {before['revision']}, now it is {engine.name} "
                f"{engine.revision}.",
                next_step="Name another folder with --out.",
            )
        return
    write_atomic(path, (json.dumps(about, indent=1) + "\n").encode())


def _shipped(name: str) -> tuple[str, ...]:
    if name not in genre_names():
        return ()
    return tuple(style.caption for genre in load_genre(name).genres for style in genre.styles)
