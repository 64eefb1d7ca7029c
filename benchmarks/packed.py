"""Peak memory of embedding audio that lies in Parquet: about two row groups', however long the file is.

python benchmarks/packed.py [--songs 96] [--minutes 1.0]

Songs of noise are written as WAV into one Parquet file in row groups of 32, as `datasets` writes them in hundreds; a
child then reads, hashes and unpacks them all for an ear that returns nothing but zeros.
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np


class Deaf:
    """An ear that only looks whether the file is there."""

    def stream(self, paths: Sequence[Path]) -> Iterator[np.ndarray]:
        for path in paths:
            assert path.stat().st_size > 0
            yield np.zeros(8, np.float32)


def write(path: Path, songs: int, minutes: float) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import soundfile

    schema = pa.schema([("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())])
    rng = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        for start in range(0, songs, 32):
            rows = []
            for number in range(start, min(start + 32, songs)):
                stream = io.BytesIO()
                noise = rng.integers(-9000, 9000, (int(minutes * 60 * 44_100), 2), dtype=np.int16)
                soundfile.write(stream, noise, 44_100, format="WAV")
                rows.append({"audio": {"bytes": stream.getvalue(), "path": None}, "label": number})
            writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=32)


def child(folder: Path) -> None:
    from optimizer.training.corpus import read_corpus
    from optimizer.training.embed import Space, embed

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    info = embed(read_corpus(folder / "set"), folder / "out", Space({"key": "none", "encoder": "none"}, Deaf()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.perf_counter() - started
    print(f"{info['count']} songs in {seconds:.1f} s; {before:.0f} MiB before, peak {peak:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=96)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--child", choices=["write", "embed"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "embed":
        child(options.folder)
        return
    if options.child == "write":
        write(options.folder / "set" / "train-0.parquet", options.songs, options.minutes)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "set").mkdir()
        file = folder / "set" / "train-0.parquet"
        # A child's peak begins at its parent's, so that the parent must stay small.
        sizes = ["--songs", str(options.songs), "--minutes", str(options.minutes)]
        for work in ("write", "embed"):
            command = [sys.executable, __file__, *sizes, "--child", work, "--folder", str(folder)]
            subprocess.run(command, check=True)
        print(f"one Parquet file of {file.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
