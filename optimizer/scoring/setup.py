"""``optimize setup`` for listeners: fetch, check, and say under which licence.

==========  =============================================================================  =====================
name        from                                                                           licence
==========  =============================================================================  =====================
mert        Hub m-a-p/MERT-v1-330M, three files of the pinned commit, 1.26 GB              CC BY-NC 4.0
banger      Hub treadon/banger-scorer, ``scorer_model.pt``, 2.8 MB                         Apache-2.0
tunejury    GitHub yonghyunk1m/TuneJury, ``checkpoints/input_ablation/A2_mert_only.pt``    CC BY-NC 4.0
clap        Hub laion/larger_clap_music, 776 MB                                            Apache-2.0
audiobox    Hub facebook/audiobox-aesthetics, 415 MB                                       CC BY 4.0
emotion     a folder of this machine, as ``optimize train --target valence,arousal``       the heads' own
==========  =============================================================================  =====================

``banger`` and ``tunejury`` also take a FILE or an https address, for a head that moved or was trained elsewhere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from optimizer.checkpoints import Progress, download
from optimizer.errors import CheckpointError, MissingPrerequisite, UsageError, did_you_mean
from optimizer.scoring import audiobox, banger, clap, emotion, mert_files, tunejury
from optimizer.scoring.heads import open_head
from optimizer.scoring.plane import AXES
from optimizer.scoring.published import Published, heads_folder, kept

MERT_WIDTH = 1024
LARGEST_HEAD = 100 << 20
"""Bytes; an address that gives more is not a head."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What ``optimize setup`` got.

    Attributes
    ----------
    name : str
    path : Path
        Folder or file.
    licence : str
    """

    name: str
    path: Path
    licence: str


def setup(name: str, source: str | None = None, progress: Progress | None = None) -> Fetched:
    """Fetch a listener's weights, check them, and keep them where its scorer looks.

    Parameters
    ----------
    name : str
        One of `SETUPS`.
    source : str, optional
        File or https address of a head; only ``banger`` and ``tunejury`` take one. ``emotion`` needs its folder.
    progress : callable, optional
        Called with (bytes done, bytes in all).

    Raises
    ------
    UsageError
        If there is no such name, or it takes no source.
    CheckpointError
        If the model is gated or gone, or what arrived is not what it should be.
    MissingPrerequisite
        If the network cannot be reached.
    """
    if name not in SETUPS:
        raise UsageError(f"there is no listener {name!r} to set up: {', '.join(SETUPS)}.{did_you_mean(name, SETUPS)}")
    if source is not None and name not in (*HEADS, EMOTION):
        raise UsageError(
            f"optimize setup {name} takes no file or address; {' and '.join(HEADS)} do, and {EMOTION} takes a folder."
        )
    return SETUPS[name](source, progress)


def _setup_mert(_: str | None, progress: Progress | None) -> Fetched:
    found = download(
        mert_files.REPO, mert_files.REVISION, files=mert_files.HUB_FILES, progress=progress, mend="optimize setup mert"
    )
    mert_files.read_config(found.folder)
    mert_files.read_preprocessor(found.folder)
    mert_files.find_weights(found.folder)
    return Fetched("mert", found.folder, "CC BY-NC 4.0: not for commercial use")


def _setup_clap(_: str | None, progress: Progress | None) -> Fetched:
    found = download(clap.REPO, files=clap.FILES, progress=progress, mend="optimize setup clap")
    if not (found.folder / "model.safetensors").is_file():
        files = (*clap.FILES[:-1], "pytorch_model.bin")
        found = download(clap.REPO, files=files, progress=progress, mend="optimize setup clap")
    return Fetched("clap", found.folder, "Apache-2.0")


def _setup_audiobox(_: str | None, progress: Progress | None) -> Fetched:
    found = download(audiobox.REPO, files=audiobox.FILES, progress=progress, mend="optimize setup audiobox")
    return Fetched("audiobox", found.folder, "CC BY 4.0")


def _setup_head(head: Published, source: str | None, progress: Progress | None) -> Fetched:
    mend = f"optimize setup {head.name}"
    if source is None and head.repo is not None:
        path = download(head.repo, files=(head.file,), progress=progress, mend=mend).folder / head.file
        _check_head(path, head)
        return Fetched(head.name, path, head.licence)
    target = kept(head)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / head.file
        wanted = source or str(head.url)
        if wanted.startswith("https://"):
            _fetch(wanted, fresh, progress, mend)
        elif "://" in wanted:
            raise UsageError(f"address {wanted!r} must begin with https://, or be a file on this machine.")
        else:
            _copy(wanted, fresh)
        _check_head(fresh, head)
        with fresh.open("rb") as stream:
            os.fsync(stream.fileno())
        fresh.replace(target)
    return Fetched(head.name, target, head.licence)


def _setup_emotion(source: str | None, _: Progress | None) -> Fetched:
    """Copy a trained emotion folder to where ``emotion:calm`` looks; a kill leaves the old one, the new or none."""
    if source is None:
        raise UsageError(
            f"optimize setup {EMOTION} needs the folder of a trained emotion head.",
            next_step="Train one: optimize train --target valence,arousal --data DIR --out HEAD; then: "
            "optimize setup emotion HEAD",
        )
    given = Path(source).expanduser().absolute()
    target = heads_folder() / EMOTION
    # What cannot judge is refused under the name the user gave it; the copy is looked at once more.
    emotion.verify(given)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{EMOTION}-") as folder:
        fresh, old = Path(folder) / "fresh", Path(folder) / "old"
        for name in (*emotion.FILES, *(f"{axis}/{card}" for axis in AXES for card in CARDS)):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            if name in emotion.FILES or (given / name).is_file():
                _copy(str(given / name), fresh / name)
                with (fresh / name).open("rb") as stream:
                    os.fsync(stream.fileno())
        licence = emotion.verify(fresh)
        if target.is_symlink() or target.exists():
            target.rename(old)
        fresh.rename(target)
    return Fetched(EMOTION, target, licence)


def _check_head(path: Path, head: Published) -> None:
    width = open_head(path).width
    if width != MERT_WIDTH:
        raise CheckpointError(
            f"{path.name} judges embeddings of {width} numbers; a {head.name} head on MERT-v1-330M judges {MERT_WIDTH}."
        )


def _copy(source: str, target: Path) -> None:
    try:
        shutil.copyfile(Path(source).expanduser(), target)
    except OSError as error:
        raise UsageError(f"head file {source!r} cannot be read: {error.strerror}.") from error


def _fetch(url: str, target: Path, progress: Progress | None, mend: str) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "banger-optimizer"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply, target.open("wb") as file:
            total = int(reply.headers.get("Content-Length") or 0)
            done = 0
            while chunk := reply.read(1 << 16):
                done += len(chunk)
                if done > LARGEST_HEAD:
                    raise CheckpointError(f"{url} gives more than {LARGEST_HEAD >> 20} MB: that is not a head.")
                file.write(chunk)
                if progress is not None:
                    progress(done, max(total, done))
            if total and done != total:
                raise CheckpointError(f"{url} broke off at {done:,} of {total:,} bytes.", next_step=f"Run: {mend}")
    except urllib.error.HTTPError as error:
        raise CheckpointError(
            f"{url} cannot be had: {error.code} {error.reason}.",
            next_step=f"If it moved, name its file or address: {mend} FILE_OR_URL",
        ) from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise MissingPrerequisite(
            f"{url} cannot be reached: {getattr(error, 'reason', error)}.",
            next_step=f"Check the network, then run: {mend}; or fetch the file elsewhere: {mend} FILE",
        ) from error


EMOTION = "emotion"
CARDS = ("card.md", "card.json")

HEADS: Mapping[str, Published] = {"banger": banger.HEAD, "tunejury": tunejury.HEAD}

SETUPS: Mapping[str, Callable[[str | None, Progress | None], Fetched]] = {
    "mert": _setup_mert,
    "banger": lambda source, progress: _setup_head(banger.HEAD, source, progress),
    "tunejury": lambda source, progress: _setup_head(tunejury.HEAD, source, progress),
    "clap": _setup_clap,
    "audiobox": _setup_audiobox,
    EMOTION: _setup_emotion,
}
"""What ``optimize setup`` can fetch for listening, by name."""
