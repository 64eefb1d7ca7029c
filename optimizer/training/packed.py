"""Audio that lies in Parquet or Arrow files: listed without being read, then read a few rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.errors import MissingPrerequisite, UsageError

if TYPE_CHECKING:
    import pandas

AUDIO = "audio"
ROWS = 4
"""Songs read at a time; a minute of stereo WAV is 10 MB."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A file whose rows hold audio.

    Attributes
    ----------
    file : Path
        Parquet, or an Arrow stream as ``datasets`` saves it.
    first : int
        The corpus's row that is the file's first.
    rows : int
    """

    file: Path
    first: int
    rows: int


def list_packed(files: Sequence[Path]) -> tuple[pandas.DataFrame, tuple[Packed, ...]]:
    """List songs and their labels; of the audio only its existence is looked at.

    Returns
    -------
    table : DataFrame
        ``id``, the columns but those of binary content, and ``path``: the file with the row's number after ``#``. A
        label whose class names the data set keeps is spelled by name.
    packed : tuple of Packed

    Raises
    ------
    UsageError
        If a file cannot be read or has no column ``audio`` with content.
    """
    import pandas as pd

    parts, packed, first = [], [], 0
    for file in files:
        schema = _open(file)
        names = [field.name for field in schema if field.name != AUDIO and not _binary(field.type)]
        table = _labels(file, names)
        for name, classes in _class_names(schema).items():
            if name in table.columns:
                table[name] = [classes[code] if 0 <= code < len(classes) else None for code in table[name].fillna(-1)]
        table["path"] = [f"{file.absolute()}#{number}" for number in range(len(table))]
        parts.append(table)
        packed.append(Packed(file, first, len(table)))
        first += len(table)
    whole = pd.concat(parts, ignore_index=True)
    if "id" not in whole.columns:
        whole.insert(0, "id", range(len(whole)))
    return whole, tuple(packed)


def holds_audio(file: Path) -> bool:
    """Whether a Parquet or Arrow file's rows have audio, or the paths of audio as ``datasets`` keeps them."""
    import pyarrow as pa

    schema = _open(file, need=False)
    kind = schema.field(AUDIO).type if AUDIO in schema.names else None
    return kind is not None and (_binary(kind) or pa.types.is_struct(kind))


def read_packed(packed: Packed) -> Iterator[Iterator[tuple[int, Any, str | None]]]:
    """Yield a few rows at a time, each as (corpus's row, content, path): without content the path says where it lies.

    Content is a buffer that is not copied; it goes with its row.
    """
    row = packed.first
    for batch in _batches(packed.file):
        column = batch.column(0)
        yield (_content(row + number, column[number]) for number in range(len(column)))
        row += len(column)


def _content(row: int, item: Any) -> tuple[int, Any, str | None]:
    import pyarrow as pa

    path = None
    if pa.types.is_struct(item.type):
        names = [field.name for field in item.type]
        path = item["path"].as_py() if item.is_valid and "path" in names else None
        if not item.is_valid or "bytes" not in names:
            return row, None, path
        item = item["bytes"]
    return row, item.as_buffer() if item.is_valid else None, path


def _batches(file: Path) -> Iterator[Any]:
    """Yield record batches of the audio alone."""
    import pyarrow as pa

    if file.suffix == ".arrow":
        with pa.memory_map(str(file)) as source:
            for batch in pa.ipc.open_stream(source):
                for start in range(0, len(batch), ROWS):
                    yield batch.select([AUDIO]).slice(start, ROWS)
        return
    import pyarrow.parquet as pq

    # Writers put a row group's audio into one page, so that this much is read at once, and a second time as Arrow's.
    # Without a buffer of its own size pyarrow holds the whole column beside it.
    with pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20) as source:
        yield from source.iter_batches(batch_size=ROWS, columns=[AUDIO], use_threads=False)


def _labels(file: Path, names: Sequence[str]) -> pandas.DataFrame:
    import pandas as pd
    import pyarrow as pa

    if file.suffix == ".arrow":
        with pa.memory_map(str(file)) as source:
            batches = list(pa.ipc.open_stream(source))
            if not names:
                return pd.DataFrame(index=range(sum(map(len, batches))))
            parts = [batch.select(list(names)).to_pandas() for batch in batches]
        return pd.concat(parts, ignore_index=True)
    import pyarrow.parquet as pq

    if not names:
        return pd.DataFrame(index=range(pq.read_metadata(file).num_rows))
    # Not `read_table`, which would make columns of folders named such as split=train.
    with pq.ParquetFile(file) as source:
        table: pandas.DataFrame = source.read(columns=list(names)).to_pandas()
    return table.reset_index(drop=True)


def _open(file: Path, need: bool = True) -> Any:
    """Return a file's schema."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingPrerequisite("reading Parquet needs pyarrow.", next_step="Run: pip install pyarrow") from error
    try:
        if file.suffix == ".arrow":
            with pa.memory_map(str(file)) as source:
                schema = pa.ipc.open_stream(source).schema
        else:
            schema = pq.read_schema(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as Parquet or Arrow: {error}") from error
    if need and AUDIO not in schema.names:
        raise UsageError(
            f"{file} has no column {AUDIO!r}; it has {', '.join(schema.names)}.",
            next_step=f"Call the column with the audio {AUDIO!r}, or give a table with a column 'path'.",
        )
    return schema


def _binary(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(_binary(kind.field(number).type) for number in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of class labels that ``datasets`` keeps in a schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: [str(word) for word in kind["names"]]
            for name, kind in features.items()
            if isinstance(kind, dict) and kind.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError):
        return {}
