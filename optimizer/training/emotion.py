"""Emotion: AImoclips' clips and ratings as a corpus, and how far what people heard lies from what was intended.

The corpus [1]_ is a folder of three tables and the clips' audio, somewhere below it:

``clips_metadata.csv``
    A row per clip: ``index``, ``audio_file``, ``model`` (the system), ``emotion`` (what it was asked to convey),
    ``file_index``, ``valence`` and ``arousal`` (means over raters), ``num_annotators``.
``ratings_metadata.csv``
    A row per rating: ``user``, ``audio_file``, ``valence``, ``arousal``. Its file names carry a ``_crop`` that those
    on disk do not (``Mustango_energetic_8_crop.wav``, ``music_clips/Mustango/Mustango_energetic_8.wav``): names are
    compared without folder, ending, that suffix and case.
``emotion_intents_metadata.csv``
    A row per emotion: ``quadrant``, ``emotion``, ``gt_valence``, ``gt_arousal``, the reference in the same plane.

Everything is rated from 1 to 9. That is a fact of the corpus and not read off the ratings: a few of them need not reach
either end. A number outside is an error. A clip's label is the mean of its ratings; its published mean, where it is
given, is only compared with that.

References
----------
.. [1] AImoclips, repository HunRotation/AImoclips on GitHub: 991 clips of six systems, 111 raters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError, did_you_mean
from optimizer.scoring.batch import AUDIO_SUFFIXES, audio_files
from optimizer.training.corpus import EMOTION_FILES, Corpus, read_frame
from optimizer.training.raters import ceiling, rater_agreement

if TYPE_CHECKING:
    import pandas

CLIPS, RATINGS, INTENTS = EMOTION_FILES
AXES = ("valence", "arousal")
SCALE = (1.0, 9.0)
CROP = "_crop"

# The corpus's own word first; the others are read too, so that a table of one's own needs no renaming.
CLIP = ("audio_file", "file_name", "filename", "file", "path", "clip_id", "clip", "audio_id")
SYSTEM = ("model", "system", "generator")
INTENT = ("emotion", "intent", "intended_emotion")
RATER = ("user", "rater_id", "rater", "participant_id", "participant", "annotator", "worker_id")
REFERENCE = {axis: (f"gt_{axis}", axis) for axis in AXES}


def read_emotion_corpus(folder: Path) -> Corpus:
    """Read AImoclips: clips with the means of their ratings, the raters' agreement, the intents' references.

    Parameters
    ----------
    folder : Path
        See the module's text.

    Returns
    -------
    Corpus
        The table has ``id`` (the clip's ``index``), ``path``, ``clip`` (its name), ``model``, ``emotion``, ``cell``
        (both), ``valence``, ``arousal``, ``raters`` (how many rated it), and what else the clips' file holds, its own
        means as ``published_valence`` and ``published_arousal``. ``extra`` holds ``emotion`` (references, scale,
        ceiling, raters, agreement of each with the others, mismatches) and ``notes``: sentences on what does not fit
        together.

    Raises
    ------
    UsageError
        If a column that is needed is not there, or a number lies outside 1 to 9.
    """
    notes: list[str] = []
    clips = _clips(folder, notes)
    ratings = _ratings(folder, set(clips["key"]), notes)
    references = _references(folder)
    spelling = {name.casefold(): name for name in references}
    clips["emotion"] = [spelling.get(name.casefold(), name) for name in clips["emotion"]]
    strange = sorted(set(clips["emotion"]) - set(references))
    if strange:
        notes.append(f"{INTENTS} has no reference for {_some(strange)}, which clips were asked to convey.")
    groups = ratings.groupby("key")
    means = groups[list(AXES)].mean().assign(raters=groups["user"].nunique())
    clips = clips.join(means, on="key")
    clips["cell"] = [f"{model}/{emotion}" for model, emotion in zip(clips["model"], clips["emotion"], strict=True)]
    mismatches = _compare(clips, notes)
    clips["path"] = _find_audio(folder, clips)
    skipped = {}
    for row in clips.to_dict("records"):
        if not row["path"]:
            skipped[row["clip"]] = "its file is not there"
        elif not row["raters"] > 0:
            skipped[row["clip"]] = "nobody rated it"
    agreement = {axis: rater_agreement(ratings, "key", "user", axis) for axis in AXES}
    for axis, found in agreement.items():
        against = [f"{name} ({r:+.2f})" for name, r in found.items() if r < 0]
        if against:
            notes.append(f"rated {axis} against everybody else (correlation): {_some(against)}. They are counted.")
    extra = {
        "emotion": {
            "references": references,
            "scale": list(SCALE),
            "ceiling": {axis: ceiling(ratings, "key", axis) for axis in AXES},
            "raters": int(ratings["user"].nunique()),
            "ratings": len(ratings),
            "agreement": agreement,
            "mismatches": mismatches,
        },
        "notes": notes,
    }
    table = clips[~clips["clip"].isin(skipped)].drop(columns="key").reset_index(drop=True)
    if len(table):
        table["raters"] = table["raters"].astype(int)
    return Corpus("emotion", table, skipped, extra=extra)


def clip_key(name: object) -> str:
    """Return what a clip's name is compared by: no folder, no audio ending, no ``_crop``, no capitals."""
    word = str(name).strip().replace("\\", "/").rpartition("/")[2].casefold()
    stem, dot, ending = word.rpartition(".")
    if dot and f".{ending}" in AUDIO_SUFFIXES:
        word = stem
    return word.removesuffix(CROP)


def require_columns(table: pandas.DataFrame) -> None:
    """Check that a table is one of `read_emotion_corpus`, before anything is learnt from it.

    Raises
    ------
    UsageError
        If a column is missing, as in what earlier versions embedded.
    """
    missing = [name for name in ("model", "emotion", *AXES) if name not in table.columns]
    if missing:
        raise UsageError(
            f"the table of this emotion corpus has no column {missing[0]!r}; it has "
            f"{', '.join(map(str, table.columns))}: an earlier version wrote it.",
            next_step="Write it again; no song is heard twice: optimize embed CORPUS --out DIR, with the same DIR.",
        )


def intent_errors(table: pandas.DataFrame, references: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Say how far what people heard lies from what was intended, by system and by emotion.

    Parameters
    ----------
    table : DataFrame
        ``model``, ``emotion``, ``valence``, ``arousal``; emotions without a reference are left out.
    references : mapping
        Valence and arousal by emotion.

    Returns
    -------
    dict
        ``system`` and ``emotion``: by name, mean distance in the plane of valence and arousal, and signed ``bias``
        of each axis (heard minus intended); ``overall`` likewise.
    """
    require_columns(table)
    known = table[table["emotion"].isin(list(references))]
    aims = np.array([references[name] for name in known["emotion"]]).reshape(-1, 2)
    off = known[list(AXES)].to_numpy(dtype=float) - aims

    def tell(rows: np.ndarray) -> dict[str, Any]:
        part = off[rows]
        distance = float(np.hypot(part[:, 0], part[:, 1]).mean())
        return {"n": len(part), "distance": distance, "bias": [float(x) for x in part.mean(axis=0)]}

    result: dict[str, Any] = {"overall": tell(np.arange(len(off)))} if len(off) else {}
    for title, column in (("system", "model"), ("emotion", "emotion")):
        values = known[column].to_numpy(dtype=str)
        result[title] = {name: tell(np.flatnonzero(values == name)) for name in sorted(set(values))}
    return result


def _clips(folder: Path, notes: list[str]) -> pandas.DataFrame:
    """Return the clips' file under the names of `read_emotion_corpus`, with ``key``, each clip once."""
    table = _named(folder, CLIPS, {"clip": CLIP, "model": SYSTEM, "emotion": INTENT}, AXES)
    for word in ("clip", "model", "emotion"):
        table[word] = table[word].astype(str).str.strip()
    # A name with the raters' suffix would not be found on disk.
    table["clip"] = [_plain(name) for name in table["clip"]]
    table = table.rename(columns={axis: f"published_{axis}" for axis in AXES if axis in table.columns})
    taken = [name for name in ("path", "raters", "key") if name in table.columns]
    table = table.drop(columns=taken).assign(key=[clip_key(name) for name in table["clip"]])
    twice = table["key"].duplicated()
    if twice.any():
        notes.append(f"{CLIPS} lists twice {_some(sorted(set(table['clip'][twice])))}; the first row counts.")
    table = table[~twice].reset_index(drop=True)
    numbers = table.pop("index") if "index" in table.columns else None
    table = table.drop(columns=[name for name in ("id",) if name in table.columns])
    good = numbers is not None and numbers.is_unique and numbers.dtype.kind in "iu"
    table.insert(0, "id", numbers if good else range(1, len(table) + 1))
    return table


def _plain(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if dot and f".{ending.casefold()}" in AUDIO_SUFFIXES:
        return stem.removesuffix(CROP) + dot + ending
    return name.removesuffix(CROP)


def _ratings(folder: Path, known: set[str], notes: list[str]) -> pandas.DataFrame:
    """Return ``user``, ``key``, ``valence``, ``arousal`` of every rating of a known clip."""
    table = _named(folder, RATINGS, {"clip": CLIP, "user": RATER, **{axis: (axis,) for axis in AXES}})
    table = table.assign(key=[clip_key(name) for name in table["clip"]], user=table["user"].astype(str).str.strip())
    who = [f"{user} of {clip}" for user, clip in zip(table["user"], table["clip"], strict=True)]
    for axis in AXES:
        table[axis] = _on_scale(table[axis], RATINGS, axis, who)
    empty = table[list(AXES)].isna().any(axis=1)
    if empty.any():
        left = [who[row] for row in np.flatnonzero(empty)]
        notes.append(f"{RATINGS} has {len(left)} ratings without a number, left out: {_some(left)}.")
    stray = ~table["key"].isin(known)
    if stray.any():
        names = sorted(set(table["clip"][stray]))
        notes.append(f"{RATINGS} has {int(stray.sum())} ratings of clips {CLIPS} does not list: {_some(names)}.")
    return table[~empty & ~stray][["user", "key", *AXES]].reset_index(drop=True)


def _references(folder: Path) -> dict[str, list[float]]:
    table = _named(folder, INTENTS, {"emotion": INTENT, **REFERENCE})
    names = [str(name).strip() for name in table["emotion"]]
    points = {axis: _on_scale(table[axis], INTENTS, axis, names) for axis in AXES}
    missing = [name for name, v, a in zip(names, *points.values(), strict=True) if not np.isfinite([v, a]).all()]
    if missing:
        raise UsageError(f"{INTENTS}: {_some(missing)} has no valence or no arousal.", next_step="Give it both.")
    return {name: [float(v), float(a)] for name, v, a in zip(names, *points.values(), strict=True)}


def _compare(clips: pandas.DataFrame, notes: list[str]) -> list[dict[str, Any]]:
    """Hold the published means and counts against the ratings; return every clip that differs.

    Two means are the same if they agree to half a unit of the last digit that the published column shows.
    """
    found: list[dict[str, Any]] = []
    rated = clips[clips["raters"] > 0]
    for axis in AXES:
        if f"published_{axis}" not in clips.columns:
            continue
        published = _on_scale(rated[f"published_{axis}"], CLIPS, axis, list(rated["clip"]))
        digits = max((len(repr(float(x)).partition(".")[2]) for x in published.dropna()), default=1)
        slack = 0.5 * 10.0 ** -min(digits, 6) + 1e-9
        for clip, said, mean in zip(rated["clip"], published, rated[axis], strict=True):
            if not abs(said - mean) <= slack:
                said_ = None if np.isnan(said) else float(said)
                found.append({"clip": clip, "what": axis, "published": said_, "ratings": float(mean)})
    if "num_annotators" in clips.columns:
        for clip, said, count in zip(rated["clip"], rated["num_annotators"], rated["raters"], strict=True):
            if said != count:
                found.append({"clip": clip, "what": "num_annotators", "published": str(said), "ratings": int(count)})
    if found:
        told = [f"{one['clip']} ({one['what']} {one['published']}, ratings {one['ratings']:.6g})" for one in found]
        notes.append(f"{CLIPS} differs from the ratings, which count: {_some(told)}.")
    return found


def _find_audio(folder: Path, clips: pandas.DataFrame) -> list[str]:
    """Return each clip's file, the empty text where there is none; a folder named after the system comes first."""
    files: dict[str, list[Path]] = {}
    for path in audio_files([folder]):
        files.setdefault(clip_key(path.name), []).append(path)
    found = []
    for key, clip, model in zip(clips["key"], clips["clip"], clips["model"], strict=True):
        own = [(p.parent.name.casefold() != model.casefold(), p.name != Path(clip).name, p) for p in files.get(key, [])]
        found.append(str(min(own)[2].absolute()) if own else "")
    return found


def _named(folder: Path, file: str, wanted: Mapping[str, Sequence[str]], also: Sequence[str] = ()) -> pandas.DataFrame:
    """Read a file and call its columns by our names; those in `also` lose their capitals alone."""
    table = read_frame(folder / file)
    columns = {str(column).strip().casefold(): column for column in table.columns}
    names: dict[Any, str] = {columns[word]: word for word in (*also, "index", "num_annotators") if word in columns}
    for ours, words in wanted.items():
        word = next((word for word in words if word in columns), None)
        if word is None:
            raise UsageError(
                f"{folder / file} has no column {words[0]!r}; it has {', '.join(map(str, table.columns))}."
                f"{did_you_mean(words[0], list(columns))}",
                next_step=f"Call it {words[0]!r}, as AImoclips does.",
            )
        names[columns[word]] = ours
    # A column that happens to have one of our names would be taken for ours.
    ours_already = [column for column in table.columns if column in names.values() and column not in names]
    return table.drop(columns=ours_already).rename(columns=names)


def _on_scale(column: pandas.Series, file: str, axis: str, names: Sequence[str]) -> pandas.Series:
    """Return numbers, NaN where there is none.

    Raises
    ------
    UsageError
        If one lies outside 1 to 9.
    """
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    for name, number in zip(names, numbers, strict=True):
        if number < SCALE[0] or number > SCALE[1]:
            raise UsageError(
                f"{file}: {axis} {number:g} ({name}) must be within {SCALE[0]:g} to {SCALE[1]:g}.",
                next_step="Map ratings of another scale onto 1 to 9.",
            )
    return numbers


def _some(names: Sequence[str], most: int = 5) -> str:
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")
