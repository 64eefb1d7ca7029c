"""The songs as a data set for Hugging Face: an audio folder, its metadata, a card, and the way to the Hub."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from optimizer.errors import MissingPrerequisite, OptimizeError, UsageError
from optimizer.export.card import card
from optimizer.export.names import clean, clean_lines
from optimizer.export.playlist import Playlist, Track
from optimizer.export.table import PART
from optimizer.runs import write_atomic

METADATA = "metadata.jsonl"
"""JSON Lines: in CSV, pandas would read a caption ``NA`` or a language ``nan`` as nothing."""

CARD = "README.md"

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

_PUBLISHED = (CARD, METADATA, "data/*")
"""What goes to the Hub; playlists and ``recipes.json`` speak of the machine they were made on."""


def write(playlist: Playlist, folder: Path) -> Path:
    """Write ``metadata.jsonl`` and the card ``README.md`` beside the audio.

    ``datasets.load_dataset("audiofolder", data_dir=folder)`` reads them.

    Raises
    ------
    UsageError
        If the songs leave without their audio.
    """
    if any(track.file is None for track in playlist.tracks):
        raise UsageError(
            "a data set needs the audio of its songs.",
            next_step="Export with --audio flac, or take --format csv for a table alone.",
        )
    rows = [row(track, playlist) for track in playlist.tracks]
    # One set of columns for every line: the Hub infers a type per column, and a column of nothing has none.
    columns = list(dict.fromkeys(name for values in rows for name in values))
    used = [name for name in columns if any(values.get(name) is not None for values in rows)]
    lines = [json.dumps({name: values.get(name) for name in used}, ensure_ascii=False) for values in rows]
    path = folder / METADATA
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    write_atomic(folder / CARD, card(playlist, rows).encode())
    return path


def row(track: Track, playlist: Playlist) -> dict[str, Any]:
    """Return a song's line of metadata, JSON types."""
    song, recipe = track.song, track.song.recipe
    scorer = playlist.studies.get(song.study, {}).get("scorer", {})
    return {
        "file_name": track.file,
        "title": clean(track.title),
        "genre": clean(recipe.genre),
        "style": clean(recipe.style),
        "caption": clean(recipe.caption),
        "bpm": recipe.bpm,
        "key": recipe.key,
        "language": recipe.language,
        "lyrics": clean_lines(recipe.lyrics),
        "time_signature": recipe.time_signature,
        "seed": recipe.seed,
        "seconds": round(track.seconds, 3),
        "score": song.value,
        "expected": song.expected,
        "shrunken": song.shrunken,
        **{f"{PART}{name}": value for name, value in sorted(song.parts.items())},
        "scorer": clean(str(scorer.get("name", "unknown"))),
        "engine": clean(track.engine),
        "model_revision": clean(track.revision),
        "study": clean(song.study),
        "trial": song.number,
        "phase": song.phase,
        "gain_db": track.gain_db,
        "recipe_digest": recipe.digest,
    }


def push(folder: Path, repo: str, *, hub: Any = None, private: bool = True, message: str | None = None) -> str:
    """Upload an exported data set.

    Only the card, the metadata and the audio go. An earlier upload of ours is replaced; a repository that holds
    anything else is left alone.

    Parameters
    ----------
    folder : Path
        Made by an export with the format ``hf-dataset``.
    repo : str
        ``"user/name"``; made if it is not there.
    hub : huggingface_hub.HfApi, optional
        By default one with the user's own login.
    private : bool
        Whether only the owner sees it. True unless asked otherwise, for what is public cannot be taken back.
    message : str, optional
        Of the commit.

    Returns
    -------
    str
        Address of the data set.

    Raises
    ------
    UsageError
        If the folder is no exported data set, the name is not legal, or the repository is not ours to replace.
    MissingPrerequisite
        If there is no login, or it may not write there.
    """
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise UsageError(
            f"data set {repo!r} is not a name on the Hub: write USER/NAME, of letters, digits, - _ and dots."
        )
    if not ((folder / METADATA).is_file() and (folder / CARD).is_file() and (folder / "data").is_dir()):
        raise UsageError(
            f"{folder} is not an exported data set.",
            next_step="Make one first: optimize export STUDY --format hf-dataset --out DIR",
        )
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    if hub is None:
        from huggingface_hub import HfApi

        hub = HfApi()
    try:
        hub.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        if private and not getattr(hub.repo_info(repo, repo_type="dataset"), "private", True):
            raise UsageError(
                f"data set {repo} is there already, and public.",
                next_step="Make it private on its page, or give another name.",
            )
        there = hub.list_repo_files(repo, repo_type="dataset")
        foreign = sorted(set(there) - {".gitattributes", CARD})
        if foreign and METADATA not in there:
            raise UsageError(
                f"data set {repo} holds files that no export wrote ({', '.join(foreign[:3])}).",
                next_step="Give another name.",
            )
        hub.upload_folder(
            repo_id=repo,
            repo_type="dataset",
            folder_path=str(folder),
            allow_patterns=list(_PUBLISHED),
            # Songs of an earlier upload would be left without metadata, and the folder could not be loaded.
            delete_patterns=["data/*"],
            commit_message=message or "Upload songs",
        )
    except LocalTokenNotFoundError as error:
        raise MissingPrerequisite("there is no login for the Hub.", next_step="Log in with: hf auth login") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise MissingPrerequisite(
                f"the Hub refuses to write {repo} (status {status}).",
                next_step="Log in with a token that may write: hf auth login",
            ) from error
        raise OptimizeError(f"the Hub did not take {repo}: {error}", next_step="Try again later.") from error
    except OSError as error:
        raise OptimizeError(f"the Hub cannot be reached: {error}", next_step="Try again later.") from error
    return f"https://huggingface.co/datasets/{repo}"
