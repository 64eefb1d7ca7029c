"""Class-balanced generated music to train a classifier on: sandboxed renders, embeddings, a split."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optimizer.errors import AttemptFailed, NoSongs, UsageError
from optimizer.recipe import Recipe
from optimizer.rendering.base import EngineSpec
from optimizer.rendering.renderer import Renderer
from optimizer.runs import write_atomic
from optimizer.samplers import derive_seed
from optimizer.training.corpus import Corpus
from optimizer.training.embed import Space, embed, refuse_foreign
from optimizer.training.folder import make_folder
from optimizer.training.prompts import folder_of, parts

TAKES = 3
"""Seeds that a clip is tried with, so that a failure does not unbalance the classes."""

HOPELESS = 5
"""Clips that fail before the first that does not; then it is the engine."""

Progress = Callable[[int, int, str | None], None]
"""Called after every clip with (done, all, why it failed or None)."""


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
        From `optimizer.training.prompts.recipes`.
    out : Path
        Gets ``audio/<class>/<digest>.flac``, ``dataset.json`` and what `embed` writes; the table's column ``label``
        is the class and ``part`` is train (90 %) or test; see `optimizer.training.prompts.parts`. ``embedding.json``
        says by what it was divided (``split_by``) and how many clips a class has (``classes``).
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
        If `out` cannot be made, holds files of these names that are not ours, or was begun with another engine or
        other recipes.
    """
    import pandas as pd

    make_folder(out)
    refuse_foreign(out)
    _check_engine(out / "dataset.json", engine)
    _check_clips(out, wanted)
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    divided: set[str] = set()
    total, done, rendered = sum(map(len, wanted.values())), 0, 0
    with tempfile.TemporaryDirectory(prefix="banger-", ignore_cleanup_errors=True) as scratch:
        renderer = Renderer(engine, Path(scratch), sandbox=sandbox, log=out / "engine.log", hidden=(out.absolute(),))
        try:
            for label, asked in wanted.items():
                folder = out / "audio" / folder_of(label)
                folder.mkdir(parents=True, exist_ok=True)
                division, by = parts(asked)
                divided.add(by)
                for number, (planned, part) in enumerate(zip(asked, division, strict=True)):
                    reason = None
                    try:
                        recipe, fresh = _clip(renderer, planned, folder)
                        rendered += fresh
                    except AttemptFailed as error:
                        reason = error.message
                    done += 1
                    if on_progress is not None:
                        on_progress(done, total, reason)
                    if reason is not None:
                        skipped[f"{label}-{number}"] = reason
                        if not rows and len(skipped) >= HOPELESS:
                            raise NoSongs(f"{engine.name} gave none of the first {HOPELESS} clips: {reason}")
                        continue
                    rows.append(
                        {
                            "id": len(rows), "path": str((folder / _name(recipe)).absolute()), "label": label,
                            "part": part, "caption": recipe.caption, "seed": recipe.seed, "engine": engine.name,
                        }
                    )  # fmt: skip
        finally:
            renderer.close()
    count = Counter(row["label"] for row in rows)
    empty = [label for label in wanted if not count[label]]
    if empty:
        raise NoSongs(f"class {empty[0]!r} has no clip; the first failure: {next(iter(skipped.values()), '')}")
    extra = {"split_by": "caption" if divided == {"caption"} else "clip", "classes": dict(count)}
    info = embed(Corpus("dataset", pd.DataFrame(rows), skipped, extra=extra), out, space)
    # What a killed run had begun to write.
    for left in (*out.glob(".*.tmp"), *out.glob("audio/*/.*")):
        left.unlink(missing_ok=True)
    return {**info, "rendered": rendered}


def _clip(renderer: Renderer, planned: Recipe, folder: Path) -> tuple[Recipe, bool]:
    """Return the recipe of a clip that is there or was rendered now, and which of both; the last failure otherwise."""
    takes = _takes(planned)
    for take in takes:
        if (folder / _name(take)).is_file():
            return take, False
    for take in takes:
        try:
            renderer.render(take, folder / _name(take))
        except AttemptFailed:
            if take is takes[-1]:
                raise
        else:
            return take, True
    raise AssertionError("the last take returns or raises")


def _takes(planned: Recipe) -> list[Recipe]:
    return [planned] + [
        replace(planned, seed=derive_seed(planned.seed, "again", turn)) for turn in range(1, TAKES)
    ]  # fmt: skip


def _check_clips(out: Path, wanted: Mapping[str, Sequence[Recipe]]) -> None:
    """Refuse a folder with clips that are not asked for: ``audio`` would hold more than the table knows."""
    asked = {(folder_of(label), _name(take)) for label, plan in wanted.items() for one in plan for take in _takes(one)}
    there = sorted((out / "audio").glob("*/[!.]*"))
    others = [path for path in there if (path.parent.name, path.name) not in asked]
    if others:
        raise UsageError(
            f"{out} holds {len(others)} clips that are not asked for now, such as {others[0].relative_to(out)}: it was "
            "begun with another --seed, --prompts, --duration or --classes, or more --per-class.",
            next_step="Name another folder with --out, give the same words as before, or move those clips away.",
        )


def _name(recipe: Recipe) -> str:
    return f"{recipe.digest[:16]}.flac"


def _check_engine(path: Path, engine: EngineSpec) -> None:
    about = {"engine": engine.name, "revision": engine.revision}
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            said = f"{before['engine']} {before['revision']}"
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{path} cannot be read: {error!r}.",
                next_step="Remove it and run the same command again, or name another folder with --out.",
            ) from error
        if before != about:
            raise UsageError(
                f"{path.parent} was begun with {said}, now it is {engine.name} {engine.revision}.",
                next_step="Name another folder with --out.",
            )
        return
    write_atomic(path, (json.dumps(about, indent=1) + "\n").encode())
