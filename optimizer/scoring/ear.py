"""A MERT encoder with its listening habits: files in, embeddings out, shared by every head that judges them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from optimizer.checkpoints import local_or_snapshot, weights_hash
from optimizer.errors import AttemptFailed, UsageError, did_you_mean
from optimizer.scoring import mert, mert_files
from optimizer.scoring.device import pick_device, set_threads
from optimizer.scoring.packages import require_packages
from optimizer.scoring.windows import Heard, check_window, hear

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Unheard:
    """Why a file gave no embedding."""

    reason: str


Embedding = np.ndarray | Unheard
"""float32 array [shape=(d,)], or [shape=(1 + windows, d)] with the mean in row 0 and one row per window."""


class Ear(Protocol):
    """What a `Listener` hears with."""

    def open(self) -> dict[str, Any]:
        """Make ready; return what is worth recording."""

    def hear(self, paths: Sequence[Path]) -> list[Embedding]:
        """Return one embedding per file, in order."""


@dataclass(frozen=True, slots=True)
class EarSpec:
    """An encoder as the parent knows it: nothing of torch is imported to make one.

    Attributes
    ----------
    key : str
        Identity of the embedding space: revision, window, dtype and layers. Never holds a machine path.
    encoder : str
        The encoder alone: Hub id and commit, or hash of a folder's weights.
    window, dtype, device : str
        dtype is empty where there is no choice of it.
    width : int
        Length of the embedding.
    config : mapping
        For `optimizer.scoring.ears.open_ear`; JSON types.
    read_paths : tuple of Path
    """

    key: str
    encoder: str
    window: str
    dtype: str
    device: str
    width: int
    config: Mapping[str, Any]
    read_paths: tuple[Path, ...]


def describe_ear(options: Mapping[str, Any], *, layers: Sequence[int] = (-1,), spread: bool = False) -> EarSpec:
    """Find the encoder's files and fix how it listens.

    Parameters
    ----------
    options : mapping
        ``encoder``: folder or Hub id, otherwise the pinned MERT-v1-330M in the Hugging Face cache; ``window``,
        ``device``, ``dtype``, ``threads``, ``batch``.
    layers : sequence of int
        Layers whose mean over time makes the embedding, one after the other; see `Mert.layers`.
    spread : bool
        Whether each layer's standard deviation follows its mean.

    Raises
    ------
    CheckpointError
        If the files are not there or not whole.
    UsageError
        If an option is not legal.
    MissingPrerequisite
        If torch or transformers is not installed.
    """
    require_packages("torch", "transformers")
    window = check_window(str(options.get("window", "first")))
    dtype = str(options.get("dtype", "float32"))
    if dtype not in DTYPES:
        raise UsageError(f"scorer dtype {dtype!r} must be one of {', '.join(DTYPES)}.{did_you_mean(dtype, DTYPES)}")
    device = pick_device(str(options.get("device", "cpu")))
    given = options.get("encoder")
    if given is None:
        found = local_or_snapshot(
            mert_files.REPO, mert_files.REVISION, files=mert_files.HUB_FILES, mend="optimize setup mert"
        )
    else:
        found = local_or_snapshot(
            str(given), files=(mert_files.CONFIG, mert_files.PREPROCESSOR), mend="optimize setup mert"
        )
    weights = mert_files.find_weights(found.folder)
    raw = mert_files.read_config(found.folder)
    mert_files.read_preprocessor(found.folder)
    if found.commit:
        encoder = f"{found.name}@{found.commit}"
    else:
        # A folder is known by what is in it, not by its name: moved, it is the same encoder, changed, another.
        digest = weights_hash(found.folder, (mert_files.CONFIG, mert_files.PREPROCESSOR, weights.name))
        encoder = f"mert@sha256:{digest[:16]}"
    chosen = [int(layer) for layer in layers]
    plain = chosen == [-1] and not spread
    key = f"{encoder}/{window}/{dtype}"
    if not plain:
        key += f"/layers={','.join(map(str, chosen))}{'/spread' if spread else ''}"
    width = int(raw.get("hidden_size", 0)) * len(chosen) * (2 if spread else 1)
    config = {
        "key": key,
        "folder": str(found.folder),
        "window": window,
        "dtype": dtype,
        "device": device,
        "layers": chosen,
        "spread": spread,
        "threads": options.get("threads"),
        "batch": int(options.get("batch", 1)),
        "jobs": int(options.get("jobs", 1)),
    }
    return EarSpec(key, encoder, window, dtype, device, width, config, found.read_paths)


class MertEar:
    """An `Ear` that decodes files and encodes them with MERT in this process.

    Parameters
    ----------
    config : mapping
        `EarSpec.config`.
    others : iterable
        Ears beside it: one that hears with the same model, if in other windows or layers, shares it.
    """

    def __init__(self, config: Mapping[str, Any], others: Iterable[object] = ()) -> None:
        self._config = dict(config)
        self._mert: mert.Mert | None = None
        alike = (ear for ear in others if isinstance(ear, MertEar) and ear._model() == self._model())
        self._lender = next(alike, None)

    def _model(self) -> tuple[str, ...]:
        return tuple(str(self._config[word]) for word in ("folder", "device", "dtype"))

    def open(self) -> dict[str, Any]:
        """Load the encoder, once.

        Raises
        ------
        CheckpointError
            As `Mert` does.
        """
        config = self._config
        if self._mert is None:
            threads = set_threads(config.get("threads"))
            if self._lender is not None:
                self._lender.open()
                self._mert = self._lender._mert
            else:
                self._mert = mert.Mert(Path(config["folder"]), device=config["device"], dtype=config["dtype"])
            assert self._mert is not None
            self._info = {
                **versions(),
                "encoder": config["key"],
                "device": config["device"],
                "dtype": config["dtype"],
                "window": config["window"],
                "threads": threads,
                "sample_rate": self._mert.sample_rate,
                "do_normalize": self._mert.normalise,
            }
        return dict(self._info)

    def hear(self, paths: Sequence[Path]) -> list[Embedding]:
        """Encode files one after the other; the next ones are decoded meanwhile."""
        return list(self.stream(paths))

    def stream(self, paths: Sequence[Path]) -> Iterator[Embedding]:
        """Yield what `hear` returns, each as soon as it is there."""
        # The encoder is loaded for the first file that can be decoded: a broken one needs none.
        rate, _ = mert_files.read_preprocessor(Path(self._config["folder"]))
        songs = int(self._config.get("songs") or 1)
        waiting: list[Heard | Unheard] = []
        for decoded in self._decode(paths, rate):
            waiting.append(decoded)
            if len(waiting) >= songs:
                yield from self._together(waiting)
                waiting = []
        yield from self._together(waiting)

    def _together(self, waiting: Sequence[Heard | Unheard]) -> Iterator[Embedding]:
        """Encode decoded files, those of one window and one length in the same forward pass."""
        single = [item for item in waiting if isinstance(item, Heard) and len(item.clips) == 1]
        rows: dict[int, np.ndarray] = {}
        if len(single) > 1:
            self.open()
            merged = Heard([item.clips[0] for item in single], [item.seconds[0] for item in single])
            # One clip the encoder cannot take must not cost the others theirs: all are then tried one by one.
            with contextlib.suppress(AttemptFailed):
                encoded = self._rows(merged)
                rows = {id(item): row for item, row in zip(single, encoded, strict=True)}
        for item in waiting:
            if isinstance(item, Unheard):
                yield item
            elif id(item) in rows:
                yield np.array(rows[id(item)])
            else:
                self.open()
                try:
                    yield self._encode(item)
                except AttemptFailed as error:
                    yield Unheard(error.message)

    def _decode(self, paths: Sequence[Path], rate: int) -> Iterator[Heard | Unheard]:
        jobs = min(int(self._config.get("jobs") or 1), len(paths))
        window = str(self._config["window"])
        if jobs <= 1:
            yield from (_try_hear(path, rate, window) for path in paths)
            return
        from joblib import Parallel, delayed

        # Threads are enough: libsndfile and soxr let go of the interpreter while they work.
        pool = Parallel(n_jobs=jobs, prefer="threads", return_as="generator", pre_dispatch=2 * jobs)
        yield from pool(delayed(_try_hear)(path, rate, window) for path in paths)

    def _rows(self, heard: Heard) -> np.ndarray:
        """Encode every window by itself, windows of one length together: a row each."""
        assert self._mert is not None
        layers, batch = self._config["layers"], int(self._config["batch"])
        if layers == [-1] and not self._config["spread"]:
            return self._mert.embed(heard.clips, batch=batch)
        pooled = self._mert.layers(heard.clips, layers, batch=batch, spread=bool(self._config["spread"]))
        return np.asarray(pooled.reshape(len(heard.clips), -1))

    def _encode(self, heard: Heard) -> np.ndarray:
        rows = self._rows(heard)
        if len(rows) == 1:
            return np.asarray(rows[0])
        mean = np.average(rows, axis=0, weights=heard.seconds).astype(np.float32)
        return np.concatenate([mean[None], rows])


def _try_hear(path: Path, rate: int, window: str) -> Heard | Unheard:
    try:
        return hear(path, rate, window)
    except AttemptFailed as error:
        return Unheard(error.message)


def versions() -> dict[str, str]:
    """Return the releases that a score's last digits depend on."""
    from importlib.metadata import version

    return {package: version(package) for package in ("torch", "transformers", "soundfile", "soxr")}
