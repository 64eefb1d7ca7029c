"""Render with MusicGen through transformers: mono at 32 kHz, no singing, tempo and key only as words in the text.

The weights are for non-commercial use (CC BY-NC 4.0).

References
----------
.. [1] Copet et al., "Simple and Controllable Music Generation", NeurIPS 2023.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.checkpoints import Checkpoint, Progress, download, is_hub_id, local_or_snapshot
from optimizer.errors import CheckpointError, RenderFailed
from optimizer.foreign import hide_torchaudio
from optimizer.rendering.base import EngineSpec, Support
from optimizer.rendering.device import (
    Growth,
    guess_device,
    memory_figures,
    model_environment,
    release_memory,
    require_packages,
    settle_device,
    settle_memory,
    steady_torch,
)

if TYPE_CHECKING:
    from optimizer.rendering.registry import RenderOptions

DEFAULT_MODEL = "facebook/musicgen-small"
DEFAULT_REVISION = "4c8334b02c6ec4e8664a91979669a501ec497792"
FILES = ("config.json", "generation_config.json", "*.safetensors", "tokenizer.json", "tokenizer_config.json")
DOWNLOADS = ("*.json", "*.safetensors", "*.model")
PACKAGES = ("torch", "transformers")
ENGINE = "musicgen 1"
"""Our own version of what is asked of the model; raise it when the same recipe gives another song."""

LONGEST = 30.0
"""Seconds the model was trained on [1]_; beyond them it loses the thread."""

GUIDANCE, TEMPERATURE, TOP_K = 3.0, 1.0, 250
"""Sampling as in the paper [1]_, section 4.1; given explicitly, because configurations on the Hub differ."""

SUPPORTS: Mapping[str, Support] = {
    "bpm": Support.PARTIAL,
    "key": Support.PARTIAL,
    "time_signature": Support.PARTIAL,
    "duration": Support.PARTIAL,
    "language": Support.NONE,
    "lyrics": Support.NONE,
}
METRES = {"2": "2/4", "3": "3/4", "4": "4/4", "6": "6/8"}
SECONDS_OF_DEADLINE = {"cuda": 10.0, "mps": 60.0, "cpu": 120.0}
"""For a second of audio: a guard against hangs, far above any real need."""


def describe(options: RenderOptions) -> EngineSpec:
    """Find the model on this machine and say how to run it; imports no torch, downloads nothing.

    Raises
    ------
    CheckpointError
        If the model is not here or not whole.
    MissingPrerequisite
        If the packages are not installed.
    """
    require_packages("musicgen", *PACKAGES)
    checkpoint = find(options.model)
    device = guess_device(options.device)
    return EngineSpec(
        name="musicgen",
        target="optimizer.rendering.musicgen:MusicGen",
        revision=f"{ENGINE}, {checkpoint.name}@{checkpoint.revision}",
        config={"folder": str(checkpoint.folder), "device": device, "asked_device": options.device},
        read_paths=checkpoint.read_paths,
        device=device,
        supports=SUPPORTS,
        environment=model_environment(),
        memory_limit=(4 << 30) + 3 * checkpoint.size,
        deadline=120.0 + SECONDS_OF_DEADLINE[device] * options.duration,
        load_deadline=1800.0,
        copies=device == "cpu",
    )


def find(model: str | None) -> Checkpoint:
    """Return the checkpoint that `model` names, or the default one; see `describe`."""
    name = model or DEFAULT_MODEL
    revision = DEFAULT_REVISION if name == DEFAULT_MODEL else None
    mend = "optimize setup musicgen" + ("" if name == DEFAULT_MODEL else f" --model {name}")
    return local_or_snapshot(name, revision, files=FILES, mend=mend if is_hub_id(name.partition("@")[0]) else None)


def setup(model: str | None = None, progress: Progress | None = None) -> Checkpoint:
    """Download a model and verify it, going on where an earlier attempt stopped; a local folder is verified only.

    Raises
    ------
    CheckpointError, MissingPrerequisite, StorageFull
        See `optimizer.checkpoints.download`.
    """
    name, _, pinned = (model or DEFAULT_MODEL).partition("@")
    if is_hub_id(name):
        revision = pinned or (DEFAULT_REVISION if name == DEFAULT_MODEL else None)
        download(name, revision, files=DOWNLOADS, progress=progress, mend="optimize setup musicgen")
    return find(model)


def prompt_of(recipe: Mapping[str, Any]) -> str:
    """Say in words what the model has no inputs for: genre, tempo, key and metre.

    >>> prompt_of({"caption": "Slow dhol", "genre": "bhangra", "bpm": 90, "key": "G major", "time_signature": "4"})
    'Slow dhol, bhangra, 90 BPM, in G major, 4/4 time'
    """
    genre = str(recipe["genre"]).replace("-", " ")
    metre = METRES[recipe["time_signature"]]
    return f"{recipe['caption'].rstrip(' .,')}, {genre}, {recipe['bpm']} BPM, in {recipe['key']}, {metre} time"


class MusicGen:
    """The engine in the child; see `optimizer.rendering.base.Engine`."""

    supports = SUPPORTS

    def __init__(self) -> None:
        self.on_step: Callable[[int, int], None] = lambda step, steps: None
        self._cancelled = threading.Event()
        self._growth = Growth()

    def cancel(self) -> None:
        """Drop the song in flight at its next frame; may be called from another thread."""
        self._cancelled.set()

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load the model from ``config["folder"]``.

        Raises
        ------
        CheckpointError
            If a layer's weights are not in the files.
        """
        # Read when transformers is imported; the default lies in a home directory that the sandbox does not have.
        os.environ.setdefault("HF_MODULES_CACHE", str(Path(tempfile.gettempdir()) / "hf-modules"))
        import torch

        hide_torchaudio()
        import transformers

        folder = config["folder"]
        self.device, warnings = settle_device(config.get("asked_device", "auto"), config.get("device", "cpu"))
        steady_torch()
        half = self.device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = torch.bfloat16 if half else torch.float32
        library: Any = transformers
        self.tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model, found = library.MusicgenForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, local_files_only=True, output_loading_info=True
        )
        missing = sorted(found["missing_keys"])
        if missing:
            raise CheckpointError(
                f"{folder} lacks {len(missing)} weights of its model, such as {missing[0]!r}",
                next_step="Run: optimize setup musicgen",
            )
        self.model.to(self.device).eval()
        settle_memory()
        codec = self.model.config.audio_encoder
        self.sample_rate, self.frame_rate = int(codec.sampling_rate), float(codec.frame_rate)
        return {
            "device": self.device,
            "dtype": str(dtype).removeprefix("torch."),
            "sample_rate": self.sample_rate,
            "channels": int(self.model.config.decoder.audio_channels),
            "threads": torch.get_num_threads(),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
            "memory": memory_figures(self.device),
            "warnings": warnings,
        }

    def check(self, recipes: list[dict[str, Any]]) -> list[str]:
        """Refuse what the model was never trained on."""
        longest = max((recipe["duration"] for recipe in recipes), default=0.0)
        if longest > LONGEST:
            return [f"duration {longest:g} s: MusicGen makes at most {LONGEST:g} s; use --duration {LONGEST:g} or less"]
        return []

    def render(self, recipe: dict[str, Any], out: Path) -> dict[str, Any]:
        """Render one song; see `optimizer.rendering.base.Engine.render`."""
        import soundfile
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        started = time.perf_counter()
        self._cancelled.clear()
        prompt = prompt_of(recipe)
        inputs = self.tokenizer([prompt], return_tensors="pt").to(self.device)
        books = int(self.model.config.decoder.num_codebooks)
        frames = max(1, math.ceil(recipe["duration"] * self.frame_rate))
        engine = self
        step = 0

        class Watch(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                nonlocal step
                step += 1
                engine.on_step(min(step, frames), frames)
                if engine._cancelled.is_set():
                    raise RenderFailed("the song was dropped on request", reason="cancelled")
                return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

        torch.manual_seed(int(recipe["seed"]))
        with torch.inference_mode():
            audio = self.model.generate(
                **inputs,
                do_sample=True,
                guidance_scale=GUIDANCE,
                temperature=TEMPERATURE,
                top_k=TOP_K,
                # Each code book starts one frame after the one before it, so the last ones need room to finish.
                max_new_tokens=frames + books - 1,
                stopping_criteria=StoppingCriteriaList([Watch()]),
            )
        samples = audio[0].float().cpu().numpy().T
        soundfile.write(out, samples, self.sample_rate, format="WAV", subtype="FLOAT")
        written = time.perf_counter()
        release_memory(self.device)
        memory = memory_figures(self.device)
        return {
            "seed": int(recipe["seed"]),
            "duration": len(samples) / self.sample_rate,
            "prompt": prompt,
            "timings": {"generate": written - started},
            "memory": memory,
            "recycle": self._growth.reason(memory),
        }
