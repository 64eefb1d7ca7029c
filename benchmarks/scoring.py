"""What the scorer costs, measured against the straightforward way on the same files in one run.

    python benchmarks/scoring.py --songs 3 --threads 1

The checkpoint has MERT-v1-330M's architecture and size but random weights, so the time is real and the scores mean
nothing. Every way has a process of its own, loaded before anything is timed; the ways take turns song by song, so that
other load on the machine falls on all of them alike. Printed per song: wall and CPU seconds, and for each way its peak
memory, the ratio to the straightforward way, and the largest difference of a score from it.

- straightforward: librosa loads and resamples the whole file, transformers' feature extractor and `HubertModel` with
  eager attention, the head as a torch module, one file after the other
- float32, bfloat16: our scorer as a run loads it, writing each embedding to a store
- store: the same files by `score_files` over that store, by the same head (which imports torch to read its file), by
  another head, and once more by the first
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from optimizer.foreign import hide_torchaudio

# Before transformers looks for it.
hide_torchaudio()

SIZES: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "conv_dim": [512] * 7,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
}
CONFIG: dict[str, Any] = {
    "model_type": "mert_model",
    "conv_bias": False,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "do_stable_layer_norm": True,
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "hidden_act": "gelu",
    "mask_time_prob": 0.075,
    "sample_rate": 24_000,
    **{f"{place}_dropout": 0.0 for place in ("activation", "attention", "feat_proj", "final", "hidden")},
    "layerdrop": 0.0,
}
PREPROCESSOR = {
    "do_normalize": True,
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "padding_value": 0,
    "return_attention_mask": True,
    "sampling_rate": 24_000,
}
DIMS = (1024, 512, 256, 128)
WAYS = ("straightforward", "float32", "bfloat16")


def make_checkpoint(folder: Path) -> None:
    """Write random weights in the published layout: pickle, old weight-norm names."""
    import torch
    from transformers import HubertConfig, HubertModel

    folder.mkdir()
    torch.manual_seed(0)
    model = HubertModel(HubertConfig(**{**CONFIG, **SIZES, "model_type": "hubert"}))
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    tensors = {}
    for name, tensor in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        tensors[name] = tensor
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **SIZES}))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))


def head_module() -> Any:
    """The published head's module, in torch."""
    import torch

    layers: list[Any] = []
    for inputs, outputs in pairwise(DIMS):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.BatchNorm1d(outputs), torch.nn.ReLU(), torch.nn.Dropout()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(DIMS[-1], 1))


def make_head(path: Path, seed: int) -> None:
    """Write a head whose scores differ between songs by as much as a real one's."""
    import torch

    torch.manual_seed(seed)
    head = head_module()
    torch.nn.init.normal_(head[-1].weight, std=1.0)
    torch.nn.init.constant_(head[-1].bias, 4.0)
    torch.save({f"net.{name}": tensor for name, tensor in head.eval().state_dict().items()}, path)


def make_songs(folder: Path, count: int, seconds: float) -> list[Path]:
    """Write stereo FLAC masters, as a run has them."""
    import numpy as np
    import soundfile

    folder.mkdir()
    rate, paths = 48_000, []
    for number in range(count):
        rng = np.random.default_rng(number)
        time_axis = np.arange(int(seconds * rate)) / rate
        tones = sum(np.sin(2 * np.pi * hertz * time_axis) for hertz in rng.uniform(60, 2_000, 8))
        beat = np.exp(-6 * ((time_axis * rng.uniform(1.4, 2.4)) % 1))
        mono = 0.05 * tones * (0.3 + beat) + 0.02 * rng.standard_normal(len(time_axis))
        paths.append(folder / f"{number}.flac")
        stereo = np.stack([mono, 0.8 * mono + 0.01 * rng.standard_normal(len(mono))], 1)
        soundfile.write(paths[-1], stereo, rate, subtype="PCM_24")
    return paths


def straightforward(folder: Path, threads: int) -> Any:
    """Load everything the usual way; return a function from a path to its score."""
    import librosa
    import torch
    from transformers import HubertModel, Wav2Vec2FeatureExtractor

    torch.set_num_threads(threads)
    model = HubertModel.from_pretrained(str(folder / "encoder"), attn_implementation="eager").eval()
    features = Wav2Vec2FeatureExtractor.from_pretrained(str(folder / "encoder"))
    head = head_module().eval()
    state = torch.load(folder / "head.pt", weights_only=True)
    head.load_state_dict({name.removeprefix("net."): tensor for name, tensor in state.items()})

    def score(path: Path) -> float:
        samples, rate = librosa.load(path, sr=24_000, mono=True)
        inputs = features(samples[: 30 * rate], sampling_rate=rate, return_tensors="pt")
        with torch.no_grad():
            number = head(model(**inputs).last_hidden_state.mean(1)).item()
        return min(10.0, max(0.0, number))

    return score


def prepared(folder: Path, threads: int, dtype: str, head: str = "head.pt") -> Any:
    """Describe our banger scorer on the benchmark's files."""
    from optimizer.scoring import prepare

    options = {"encoder": folder / "encoder", "head": folder / head, "threads": threads, "dtype": dtype}
    return prepare("banger", options)


def ours(folder: Path, threads: int, dtype: str) -> Any:
    """Load our scorer as a run does, over a store; return a function from a path to its score."""
    import numpy as np

    from optimizer.scoring import open_scorer
    from optimizer.scoring.cache import EmbeddingStore

    spec, store = prepared(folder, threads, dtype), EmbeddingStore(folder / f"{dtype}.db")
    scorer = open_scorer(spec)

    def score(path: Path) -> float:
        (result,) = scorer.score([path])
        store.put(store.digest(path), spec.encoder, np.array(result["embedding"]))
        return float(result["value"])

    return score


def serve(way: str, folder: Path, threads: int) -> None:
    """Be one way: load, warm up, then score what is asked on standard input."""
    one = straightforward(folder, threads) if way == "straightforward" else ours(folder, threads, way)
    one(folder / "warm.flac")
    print("ready", flush=True)
    for line in sys.stdin:
        path = Path(line.strip())
        wall, cpu = time.perf_counter(), time.process_time()
        value = one(path)
        used = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([value, *used, peak * (1 if sys.platform == "darwin" else 1024)]), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--songs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each song; the first 30 s are judged")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.folder, arguments.threads)
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-scoring-") as place:
        report = measure(Path(place), arguments.songs, arguments.seconds, arguments.threads)
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


def measure(folder: Path, count: int, seconds: float, threads: int) -> dict[str, Any]:
    """Run every way over the same songs, taking turns."""
    print("writing a random checkpoint of full size, two heads and the songs ...", file=sys.stderr)
    make_checkpoint(folder / "encoder")
    make_head(folder / "head.pt", 1)
    make_head(folder / "other.pt", 2)
    songs = make_songs(folder / "songs", count, seconds)
    make_songs(folder / "warming", 1, 3.0)[0].rename(folder / "warm.flac")
    command = [sys.executable, __file__, "--folder", str(folder), "--threads", str(threads), "--serve"]
    workers = {}
    for way in WAYS:
        workers[way] = subprocess.Popen([*command, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _read(workers[way])
        print(f"{way} is loaded", file=sys.stderr)
    answers: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for turn, song in enumerate(songs):
        for way in WAYS[turn % len(WAYS) :] + WAYS[: turn % len(WAYS)]:
            workers[way].stdin.write(f"{song}\n")
            workers[way].stdin.flush()
            answers[way].append(json.loads(_read(workers[way])))
            print(f"song {turn + 1}/{count}, {way}: {answers[way][-1][1]:.1f} s", file=sys.stderr)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    base = answers["straightforward"]
    report: dict[str, Any] = {"songs": count, "threads": threads, "ways": {}}
    for way, rows in answers.items():
        wall, cpu = (sum(row[place] for row in rows) / count for place in (1, 2))
        report["ways"][way] = {
            "wall": wall,
            "cpu": cpu,
            "ratio_wall": sum(row[1] for row in base) / count / wall,
            "ratio_cpu": sum(row[2] for row in base) / count / cpu,
            "peak_bytes": max(row[3] for row in rows),
            "max_difference": max(abs(row[0] - other[0]) for row, other in zip(rows, base, strict=True)),
            "scores": [row[0] for row in rows],
        }
    from optimizer.scoring.batch import score_files
    from optimizer.scoring.cache import EmbeddingStore

    with EmbeddingStore(folder / "float32.db") as store:
        for name, head in (("same head", "head.pt"), ("another head", "other.pt"), ("again", "head.pt")):
            begun = time.perf_counter()
            scores = [result.score for result in score_files(songs, prepared(folder, threads, "float32", head), store)]
            wall = (time.perf_counter() - begun) / count
            ratio = sum(row[1] for row in base) / count / wall
            report["ways"][f"store, {name}"] = {"wall": wall, "ratio_wall": ratio, "scores": scores}
    return report


def show(report: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{report['songs']} songs, {report['threads']} thread(s), 330M random weights; seconds per song")
    print(f"{'way':<20}{'wall s':>10}{'CPU s':>10}{'ratio wall':>12}{'ratio CPU':>11}{'peak GB':>9}{'max diff':>10}")
    for way, row in report["ways"].items():
        cpu, ratio = (f"{row[key]:.2f}" if key in row else "" for key in ("cpu", "ratio_cpu"))
        peak = f"{row['peak_bytes'] / 1e9:.2f}" if "peak_bytes" in row else ""
        difference = f"{row['max_difference']:.1e}" if "max_difference" in row else ""
        print(f"{way:<20}{row['wall']:>10.4f}{cpu:>10}{row['ratio_wall']:>12.1f}{ratio:>11}{peak:>9}{difference:>10}")


def _read(worker: Any) -> str:
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{' '.join(worker.args)} ended early with {worker.wait()}")
    return str(line)


if __name__ == "__main__":
    main()
