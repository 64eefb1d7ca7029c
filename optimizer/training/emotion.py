"""Emotion: AImoclips' ratings, how far raters agree, and how far a song lies from what was intended.

The corpus has three files. Their columns are found by name: ``clips_metadata.csv`` (a clip's id or file name, its
system, its intended emotion), ``ratings_metadata.csv`` (a clip, a rater, valence, arousal), and
``emotion_intents_metadata.csv`` (an emotion and its reference valence and arousal).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError, did_you_mean
from optimizer.scoring.batch import audio_files
from optimizer.training.corpus import EMOTION_FILES, Corpus, read_frame

if TYPE_CHECKING:
    import pandas

AXES = ("valence", "arousal")
CLIP = ("clip_id", "clip", "audio_id", "file_name", "filename", "file", "path", "id")
SYSTEM = ("system", "model", "tts_system", "ttm_system", "system_id", "generator")
INTENT = ("emotion", "intent", "emotion_intent", "intended_emotion", "label", "emotion_id")
RATER = ("rater_id", "rater", "participant_id", "participant", "user_id", "annotator", "subject_id", "worker_id")


def read_emotion_corpus(folder: Path) -> Corpus:
    """Read AImoclips: clips with their mean ratings, the raters' agreement, the intents' references.

    Raises
    ------
    UsageError
        If a column that is needed is not there.
    """
    clips, ratings, intents = (read_frame(folder / name) for name in EMOTION_FILES)
    clip = _find(clips, CLIP, EMOTION_FILES[0])
    rated = _find(ratings, (clip, *CLIP), EMOTION_FILES[1])
    system, intent = _find(clips, SYSTEM, EMOTION_FILES[0]), _find(clips, INTENT, EMOTION_FILES[0])
    axes = {axis: _axis(ratings, axis, EMOTION_FILES[1]) for axis in AXES}
    clips = clips.assign(id=clips[clip].astype(str), system=clips[system].astype(str), intent=clips[intent].astype(str))
    ratings = ratings.assign(clip=ratings[rated].astype(str))
    means = ratings.groupby("clip")[list(axes.values())].mean().rename(columns={v: k for k, v in axes.items()})
    table = clips.drop(columns=[axis for axis in AXES if axis in clips.columns]).join(means, on="id")
    stems = {path.stem: path for path in audio_files([folder])}
    found = [stems.get(Path(name).stem) or stems.get(name) for name in table["id"]]
    unrated = table[list(AXES)].isna().any(axis=1)
    skipped = {
        str(name): "its file is not there" if path is None else "nobody rated it"
        for name, path, bad in zip(table["id"], found, unrated, strict=True)
        if path is None or bad
    }
    table = table.assign(path=[str(path.absolute()) if path else "" for path in found])
    table = table[~table["id"].isin(skipped)].reset_index(drop=True)
    name = _find(intents, INTENT, EMOTION_FILES[2])
    references = {
        str(row[name]): [float(row[_axis(intents, axis, EMOTION_FILES[2])]) for axis in AXES]
        for row in intents.to_dict("records")
    }
    raters = next((word for word in RATER if word in ratings.columns), None)
    low = min(float(ratings[column].min()) for column in axes.values())
    high = max(float(ratings[column].max()) for column in axes.values())
    extra = {
        "emotion": {
            "references": references,
            "scale": [low, high],
            "ceiling": {axis: ceiling(ratings, "clip", column) for axis, column in axes.items()},
            "raters": None if raters is None else int(ratings[raters].nunique()),
        }
    }
    return Corpus("emotion", table, skipped, extra=extra)


def ceiling(ratings: pandas.DataFrame, clip: str, column: str, *, rounds: int = 50) -> dict[str, float]:
    """Say how well ratings could be foretold at best.

    Each round splits every clip's ratings into two halves at random and correlates the halves' means over clips;
    by Spearman and Brown the reliability of the full mean is 2 r / (1 + r), and no model can correlate with it more
    than the root of that.

    Returns
    -------
    dict
        ``split_half`` (r), ``reliability``, ``ceiling`` and ``rater_error``, the mean absolute distance of one
        rating from the mean of the clip's others.
    """
    rng = np.random.default_rng(0)
    groups = [part.to_numpy(dtype=float) for _, part in ratings.dropna(subset=[column]).groupby(clip)[column]]
    several = [values for values in groups if len(values) >= 2]
    if len(several) < 3:
        return {"split_half": float("nan"), "reliability": float("nan"), "ceiling": float("nan"), "rater_error": 0.0}
    found = []
    for _ in range(rounds):
        halves = []
        for values in several:
            mixed = rng.permutation(values)
            halves.append((mixed[::2].mean(), mixed[1::2].mean()))
        first, second = np.array(halves).T
        if first.std() > 0 and second.std() > 0:
            found.append(float(np.corrcoef(first, second)[0, 1]))
    r = float(np.mean(found)) if found else 0.0
    reliability = max(0.0, 2 * r / (1 + r)) if r > -1 else 0.0
    alone = [np.abs(v - (v.sum() - v) / (len(v) - 1)) for v in several]
    return {
        "split_half": r,
        "reliability": reliability,
        "ceiling": float(np.sqrt(reliability)),
        "rater_error": float(np.concatenate(alone).mean()),
    }


def intent_errors(table: pandas.DataFrame, references: dict[str, list[float]]) -> dict[str, Any]:
    """Say how far what people heard lies from what was intended, by system and by emotion.

    Returns
    -------
    dict
        ``system`` and ``emotion``: by name, mean distance in the plane of valence and arousal, and signed ``bias``
        of each axis (heard minus intended); ``overall`` likewise.
    """
    known = table[table["intent"].isin(references)]
    aims = np.array([references[name] for name in known["intent"]]).reshape(-1, 2)
    off = known[list(AXES)].to_numpy(dtype=float) - aims

    def tell(rows: np.ndarray) -> dict[str, Any]:
        part = off[rows]
        distance = float(np.hypot(part[:, 0], part[:, 1]).mean())
        return {"n": len(part), "distance": distance, "bias": [float(x) for x in part.mean(axis=0)]}

    result: dict[str, Any] = {"overall": tell(np.arange(len(off)))} if len(off) else {}
    for title, column in (("system", "system"), ("emotion", "intent")):
        values = known[column].to_numpy(dtype=str)
        result[title] = {name: tell(np.flatnonzero(values == name)) for name in sorted(set(values))}
    return result


def _find(table: pandas.DataFrame, names: tuple[str, ...], file: str) -> str:
    lower = {str(column).lower(): str(column) for column in table.columns}
    for name in names:
        if name.lower() in lower:
            return lower[name.lower()]
    raise UsageError(
        f"{file} has none of the columns {', '.join(names)}; it has {', '.join(map(str, table.columns))}."
        f"{did_you_mean(names[0], list(lower))}"
    )


def _axis(table: pandas.DataFrame, axis: str, file: str) -> str:
    near = [str(column) for column in table.columns if axis in str(column).lower() and "std" not in str(column).lower()]
    exact = [column for column in near if column.lower() == axis]
    if not near:
        raise UsageError(f"{file} has no column for {axis}; it has {', '.join(map(str, table.columns))}.")
    return (exact or sorted(near, key=len))[0]
