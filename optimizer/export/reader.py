"""Songs come back: read a data set of already scored songs, our own export or anybody's with the same columns."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.audio import sha256_file
from optimizer.errors import MissingPrerequisite, OptimizeError, RecipeError, UsageError
from optimizer.export.names import clean, clean_lines
from optimizer.export.table import PART
from optimizer.music import canonical_key
from optimizer.recipe import LANGUAGES, SEED_RANGE, Recipe
from optimizer.search_space import Genre, SearchSpace, load_genre, slug
from optimizer.song import Song

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "genre": ("genre",),
    "style": ("style",),
    "caption": ("caption", "prompt", "caption_short", "description", "tags"),
    "bpm": ("bpm", "tempo"),
    "key": ("key", "keyscale", "key_scale", "musical_key"),
    "mode": ("mode",),
    "language": ("language", "vocal_language", "lang"),
    "lyrics": ("lyrics",),
    "time_signature": ("time_signature", "timesignature"),
    "seed": ("seed",),
    "seconds": ("seconds", "duration"),
    "score": ("score", "banger_score", "value"),
    "audio": ("file_name", "audio", "file", "audio_path"),
    "engine": ("engine", "model"),
    "revision": ("model_revision", "revision"),
}
"""Each field with the columns it is read from, the first that is there winning; case does not count."""

REQUIRED = ("caption", "bpm", "key", "score")

_TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet", "songs.csv", "songs.json")
_KEY = re.compile(r"([A-Ga-g][#b♯♭]?)\s*(m|min|minor|maj|major)?", re.IGNORECASE)
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a row that the user should know.

    Attributes
    ----------
    row : int
        From 1, without the heading.
    message : str
    skipped : bool
        Whether the row gave no song.
    """

    row: int
    message: str
    skipped: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What came back.

    Attributes
    ----------
    songs : tuple of Song
        Numbered from 0 in the order of the rows; phase ``import``.
    problems : tuple of Problem
    source : Path
    """

    songs: tuple[Song, ...]
    problems: tuple[Problem, ...]
    source: Path


def read_songs(
    source: Path,
    *,
    study: str,
    space: SearchSpace | None = None,
    duration: float = 30.0,
) -> Imported:
    """Read scored songs from a data set.

    Captions are matched with the styles' ids, titles, captions and aliases; a caption that none knows becomes a style
    of its own, ``caption-`` and eight digits of its hash. Genres are matched by id, title and alias, else made a slug.

    Parameters
    ----------
    source : Path
        A folder with ``metadata.jsonl``, ``metadata.csv``, Parquet files or one of our tables, or such a file.
    study : str
        Name of the study the songs will belong to.
    space : SearchSpace, optional
        Where genres and styles are looked up; the ten that come with the program by default.
    duration : float
        Seconds, for rows that do not say.

    Returns
    -------
    Imported
        A row that cannot be used is left out with its reason; the others come back.

    Raises
    ------
    UsageError
        If there is no such table in `source`, or a column that every song needs is missing.
    MissingPrerequisite
        If it is Parquet and pyarrow is not installed.
    """
    tables = _find(source)
    genres = (space or load_genre("all")).genres
    songs: list[Song] = []
    problems: list[Problem] = []
    row = 0
    for table in tables:
        for values in _rows(table):
            row += 1
            fields = _fields(values)
            if row == 1:
                _check_columns(table, values, fields)
            notes: list[str] = []
            try:
                song = _song(
                    fields,
                    values,
                    table.parent,
                    genres,
                    notes,
                    study=study,
                    number=len(songs),
                    row=row,
                    duration=duration,
                )
            except (RecipeError, ValueError) as error:
                problems.append(Problem(row, str(error), skipped=True))
                continue
            songs.append(song)
            problems += [Problem(row, note, skipped=False) for note in notes]
    if not row:
        raise UsageError(f"{source} holds no rows.", next_step="Give a data set that has songs in it.")
    return Imported(tuple(songs), tuple(problems), source)


def fetch(repo: str, *, revision: str | None = None, audio: bool = False, hub: Any = None) -> Path:
    """Download a data set from the Hub, its tables only unless the audio is asked for too.

    Returns
    -------
    Path
        Its folder in the Hub's own cache.

    Raises
    ------
    UsageError
        If there is no such data set.
    MissingPrerequisite
        If it needs a login.
    """
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    if hub is None:
        from huggingface_hub import HfApi

        hub = HfApi()
    patterns = None if audio else ["*.jsonl", "*.csv", "*.json", "*.parquet", "*.md"]
    try:
        return Path(
            hub.snapshot_download(repo_id=repo, repo_type="dataset", revision=revision, allow_patterns=patterns)
        )
    except GatedRepoError as error:
        raise MissingPrerequisite(
            f"data set {repo} is gated.", next_step="Accept its terms on its page, then: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"there is no data set {repo!r} on the Hub, or it is private.", next_step="If it is yours: hf auth login"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise OptimizeError(f"data set {repo} could not be fetched: {error}", next_step="Try again later.") from error


def style_of_caption(caption: str) -> str:
    """Return the style id of a caption that no search space knows."""
    return f"caption-{hashlib.sha256(clean(caption).casefold().encode()).hexdigest()[:8]}"


def _find(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UsageError(f"{source} is neither a file nor a folder.", next_step="Give a data set's folder or table.")
    for folder in (source, source / "data", source / "train"):
        for name in _TABLES:
            if (folder / name).is_file():
                return [folder / name]
    found = sorted(source.rglob("*.parquet")) or sorted(source.glob("*.csv"))
    if not found:
        raise UsageError(
            f"{source} holds no table of songs.", next_step=f"It must have one of {', '.join(_TABLES)}, or Parquet."
        )
    return found


def _rows(table: Path) -> Iterator[dict[str, Any]]:
    try:
        match table.suffix.lower():
            case ".csv":
                with table.open(encoding="utf-8-sig", newline="") as file:
                    yield from csv.DictReader(file)
            case ".jsonl":
                with table.open(encoding="utf-8") as file:
                    yield from (_mapping(json.loads(line), table) for line in file if line.strip())
            case ".json":
                content = json.loads(table.read_text(encoding="utf-8"))
                yield from (_mapping(values, table) for values in (content if isinstance(content, list) else [content]))
            case ".parquet":
                yield from _parquet(table)
            case ending:
                raise UsageError(f"{table}: {ending!r} is no table; it must be .csv, .jsonl, .json or .parquet.")
    except (csv.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{table} cannot be read: {error}.", next_step="Mend it, or export it again.") from error


def _parquet(table: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPrerequisite("Parquet needs pyarrow.", next_step="Install it with: pip install pyarrow") from error
    try:
        with pyarrow.parquet.ParquetFile(table) as file:
            # The audio's bytes may be in there as well: they stay on disk.
            names = [
                name
                for name in file.schema_arrow.names
                if not pyarrow.types.is_struct(file.schema_arrow.field(name).type)
            ]
            for batch in file.iter_batches(batch_size=_BATCH, columns=names):
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise UsageError(f"{table} cannot be read: {error}.", next_step="Fetch it again.") from error


def _mapping(values: Any, table: Path) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise UsageError(f"{table} must hold objects, not {type(values).__name__}.")
    return values


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says, by our names; what is empty or no number is left out."""
    folded = {str(name).strip().lower(): value for name, value in values.items() if name is not None}
    fields = {}
    for field, columns in COLUMNS.items():
        for column in columns:
            value = folded.get(column)
            if value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip():
                continue
            fields[field] = value
            break
    return fields


def _check_columns(table: Path, values: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    there = {str(name).strip().lower() for name in values}
    for field in REQUIRED:
        if (
            field not in fields
            and not there.intersection(COLUMNS[field])
            and not (field == "caption" and "style" in there)
        ):
            raise UsageError(
                f"{table} has no column for the {field}; it has {', '.join(sorted(there))}.",
                next_step=f"Name one of its columns {' or '.join(COLUMNS[field])}.",
            )


def _song(
    fields: Mapping[str, Any],
    values: Mapping[str, Any],
    folder: Path,
    genres: tuple[Genre, ...],
    notes: list[str],
    *,
    study: str,
    number: int,
    row: int,
    duration: float,
) -> Song:
    score = _number(fields, "score")
    if not 0.0 <= score <= 10.0:
        raise ValueError(f"score {score:g} is not usable: it must be 0 to 10.")
    genre, genre_id = _genre(fields, genres)
    style, caption = _style(fields, genre)
    audio = _audio(fields, folder, notes)
    language = _language(fields, notes)
    recipe = Recipe(
        genre=genre_id,
        style=style,
        caption=caption,
        bpm=round(_number(fields, "bpm")),
        key=_key(fields),
        language=language,
        lyrics=clean_lines(str(fields.get("lyrics", "[Instrumental]" if language == "unknown" else ""))),
        seed=_seed(fields, row, notes),
        duration=_number(fields, "seconds") if "seconds" in fields else duration,
        time_signature=str(fields.get("time_signature", genre.time_signature if genre else "4")),
    )
    parts = {}
    for name, value in values.items():
        if isinstance(name, str) and name.startswith(PART):
            try:
                part = float(value)
            except (TypeError, ValueError):
                continue
            if math.isfinite(part):
                parts[name.removeprefix(PART)] = part
    return Song(
        study=study,
        number=number,
        recipe=recipe,
        phase="import",
        value=score,
        audio=audio,
        sha256=sha256_file(audio) if audio is not None else "",
        parts=parts,
        info={
            "row": row,
            **{name: clean(str(fields[name])) for name in ("engine", "revision") if name in fields},
        },
    )


def _number(fields: Mapping[str, Any], name: str) -> float:
    if name not in fields:
        raise ValueError(f"the row has no {name}.")
    try:
        number = float(fields[name])
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} {fields[name]!r} is not a number.")
    return number


def _genre(fields: Mapping[str, Any], genres: tuple[Genre, ...]) -> tuple[Genre | None, str]:
    if "genre" in fields:
        name = str(fields["genre"])
        for genre in genres:
            if genre.matches(name) or genre.id == slug(name):
                return genre, genre.id
        return None, _slug(name, "genre")
    if len(genres) == 1:
        return genres[0], genres[0].id
    caption = str(fields.get("caption", ""))
    for genre in genres:
        if genre.match_style(caption):
            return genre, genre.id
    raise ValueError("the row has no genre, and no style has its caption.")


def _style(fields: Mapping[str, Any], genre: Genre | None) -> tuple[str, str]:
    caption = clean(str(fields.get("caption", "")))
    named = str(fields.get("style", ""))
    if genre is not None:
        for text in (caption, named):
            style = genre.match_style(text) if text else None
            if style is not None:
                # What the engine was told is a fact about the song, even where the style's own words differ.
                return style.id, caption or style.caption
    if not caption:
        raise ValueError("the row has no caption, and no style has its name.")
    return style_of_caption(caption), caption


def _key(fields: Mapping[str, Any]) -> str:
    if "key" not in fields:
        raise ValueError("the row has no key.")
    text = str(fields["key"]).strip()
    match = _KEY.fullmatch(text)
    if match is None:
        return canonical_key(text)
    mode = match[2] or str(fields.get("mode", "major"))
    # Of the short forms only the lower-case m means minor.
    minor = mode == "m" or mode.lower().startswith("min")
    return canonical_key(f"{match[1]} {'minor' if minor else 'major'}")


def _language(fields: Mapping[str, Any], notes: list[str]) -> str:
    code = str(fields.get("language", "unknown")).strip().lower()
    if code in LANGUAGES:
        return code
    notes.append(f"language {code!r} is not one the engines know; taken as unknown.")
    return "unknown"


def _seed(fields: Mapping[str, Any], row: int, notes: list[str]) -> int:
    low, high = SEED_RANGE
    if "seed" in fields:
        seed = _number(fields, "seed")
        if seed.is_integer() and low <= seed <= high:
            return int(seed)
        notes.append(f"seed {fields['seed']} is not {low} to {high}; the row's number stands for it.")
    else:
        notes.append("the row has no seed; its number stands for it.")
    return row


def _audio(fields: Mapping[str, Any], folder: Path, notes: list[str]) -> Path | None:
    if "audio" not in fields or not isinstance(fields["audio"], str):
        return None
    name = str(fields["audio"])
    path = (folder / name).resolve()
    # A table from elsewhere must not reach other files of this machine.
    if not path.is_relative_to(folder.resolve()):
        notes.append(f"audio {name!r} lies outside the data set and is left alone.")
        return None
    return path if path.is_file() else None


def _slug(text: str, field: str) -> str:
    made = slug(text)
    if made:
        return made
    folded = clean(text).casefold()
    if not folded:
        raise ValueError(f"{field} {text!r} is not a name.")
    return f"{field}-{hashlib.sha256(folded.encode()).hexdigest()[:8]}"
