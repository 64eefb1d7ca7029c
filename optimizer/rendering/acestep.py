"""Render with ACE-Step 1.5 through diffusers' `AceStepPipeline`: text, metadata and a seed become 48 kHz stereo.

References
----------
.. [1] Gong et al., "ACE-Step 1.5: Pushing the Boundaries of Open-Source Music Generation", 2026.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.checkpoints import Checkpoint, Progress, download, is_hub_id, local_or_snapshot
from optimizer.errors import CheckpointError, OptimizeError, RenderFailed
from optimizer.foreign import hide_torchaudio
from optimizer.rendering.base import EngineSpec, Support
from optimizer.rendering.device import (
    Growth,
    guess_device,
    memory_figures,
    missing_weights,
    model_environment,
    release_memory,
    require_packages,
    require_version,
    settle_device,
    settle_memory,
    steady_torch,
)
from optimizer.rendering.plans import CODES_PER_SECOND, codes_of, fit_codes, plan_text
from optimizer.rendering.profiles import Profile, profile_of

if TYPE_CHECKING:
    from optimizer.rendering.registry import RenderOptions

DEFAULT_MODEL = "ACE-Step/acestep-v15-xl-turbo-diffusers"
DEFAULT_REVISION = "200ba991ae448051e14b0183157e35c2d27c9fb0"
"""The commit this engine was written for; a moving branch would change songs behind a run's back."""

FILES = (
    "model_index.json",
    "transformer/config.json",
    "transformer/*.safetensors",
    "condition_encoder/*.safetensors",
    "text_encoder/*.safetensors",
    "vae/*.safetensors",
    "tokenizer/tokenizer*.json",
)
DOWNLOADS = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
PACKAGES = ("torch", "diffusers", "transformers", "accelerate")

ENGINE = "acestep 1"
"""Our own version of what is asked of the pipeline; raise it when the same recipe gives another song."""

TEXT_TOKENS = 256
LYRIC_TOKENS = 2048
MINUTES_PER_SECOND = {"cuda": 4.0, "mps": 20.0, "cpu": 120.0}
"""Seconds of deadline for a second of audio from eight evaluations: a guard against hangs, far above any real need."""

SUPPORTS: Mapping[str, Support] = {}


def describe(options: RenderOptions) -> EngineSpec:
    """Find the model on this machine and say how to run it; imports no torch, downloads nothing.

    Raises
    ------
    CheckpointError
        If the model is not here, not whole, or not an ACE-Step pipeline.
    MissingPrerequisite
        If the packages are not installed.
    """
    require_usable()
    checkpoint = find(options.model)
    profile = profile_of(checkpoint.folder)
    device = guess_device(options.device)
    # Checkpoints hold 16-bit floats; off CUDA they become 32-bit ones. On Metal they share the memory with the CPU.
    growth = 1.5 if device == "cuda" else 3.0
    work = options.duration * profile.passes / 8
    return EngineSpec(
        name="acestep",
        target="optimizer.rendering.acestep:AceStep",
        revision=f"{ENGINE}, {checkpoint.name}@{checkpoint.revision}, {profile}",
        config={
            "folder": str(checkpoint.folder),
            "device": device,
            "asked_device": options.device,
            "profile": asdict(profile),
        },
        read_paths=checkpoint.read_paths,
        device=device,
        supports=SUPPORTS,
        environment=model_environment(),
        memory_limit=(4 << 30) + int(growth * checkpoint.size),
        deadline=120.0 + MINUTES_PER_SECOND[device] * work,
        load_deadline=1800.0,
        copies=device == "cpu",
        plans=True,
    )


def require_usable() -> None:
    """Raise `MissingPrerequisite` unless the packages are installed, and new enough."""
    require_packages("acestep", *PACKAGES)
    require_version("diffusers", (0, 38), "has no AceStepPipeline")


def find(model: str | None) -> Checkpoint:
    """Return the checkpoint that `model` names, or the default one; see `describe`."""
    name = model or DEFAULT_MODEL
    revision = DEFAULT_REVISION if model in (None, DEFAULT_MODEL) else None
    mend = mending_command(model)
    folder = Path(name).expanduser()
    if folder.is_dir() and not (folder / "model_index.json").is_file():
        upstream = any(folder.glob("acestep-v15-*")) or any(folder.glob("checkpoints/acestep-v15-*"))
        hint = (
            "It looks like a checkout of ACE-Step itself: use --renderer acestep-native --acestep-dir for that."
            if upstream
            else f"Give a folder in diffusers layout, or a Hub id such as {DEFAULT_MODEL}."
        )
        raise CheckpointError(f"model folder {name!r} has no model_index.json", next_step=hint)
    checkpoint = local_or_snapshot(name, revision, files=FILES, mend=mend)
    kind = json.loads((checkpoint.folder / "model_index.json").read_text(encoding="utf-8")).get("_class_name")
    if kind != "AceStepPipeline":
        raise CheckpointError(
            f"model {name!r} is a {kind}, not an AceStepPipeline",
            next_step=f"Use a model in the layout of {DEFAULT_MODEL}.",
        )
    return checkpoint


def mending_command(model: str | None) -> str | None:
    """Return the command that fetches `model`, or None for a folder of the user's own."""
    if model in (None, DEFAULT_MODEL):
        return "optimize setup acestep"
    assert model is not None
    return f"optimize setup acestep --model {model}" if is_hub_id(model.partition("@")[0]) else None


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
        download(name, revision, files=DOWNLOADS, progress=progress, mend=mending_command(model))
    return find(model)


def status(model: str | None = None) -> dict[str, Any]:
    """Say what is there, for `doctor`.

    Returns
    -------
    dict
        ``ready``, ``packages`` (name to version or None), ``model``, ``revision``, ``profile``, ``folder``,
        ``bytes``, ``device`` (the guess), ``problem`` and ``mend`` (both None when ready).
    """
    report: dict[str, Any] = {
        "ready": False,
        "packages": {name: _version(name) for name in PACKAGES},
        "model": model or DEFAULT_MODEL,
        "revision": None,
        "profile": None,
        "folder": None,
        "bytes": None,
        "device": guess_device("auto"),
        "problem": None,
        "mend": None,
    }
    try:
        checkpoint = find(model)
        report.update(
            revision=checkpoint.revision,
            profile=str(profile_of(checkpoint.folder)),
            folder=str(checkpoint.folder),
            bytes=checkpoint.size,
        )
        require_usable()
    except OptimizeError as error:
        report.update(problem=error.message, mend=error.next_step)
    else:
        report["ready"] = True
    return report


def even_frames(duration: float, rate: float) -> int:
    """Round a duration to a whole, even number of latent frames, at least two.

    The transformer takes frames in pairs; an odd one out is padded with what no checkpoint was trained on.

    Parameters
    ----------
    duration : float
        Seconds.
    rate : float
        Latent frames per second, 25 for ACE-Step 1.5.
    """
    return max(2, 2 * math.floor(duration * rate / 2 + 0.5))


def seconds_for(frames: int, rate: float) -> float:
    """Return the duration that the pipeline, which rounds up, turns into exactly `frames` latents."""
    seconds = frames / rate
    while math.ceil(seconds * rate) > frames:
        seconds = math.nextafter(seconds, 0.0)
    return seconds


class Cancelled(Exception):
    """The parent asked for this song to be dropped."""


class AceStep:
    """The engine in the child; see `optimizer.rendering.base.Engine`."""

    supports = SUPPORTS

    def __init__(self) -> None:
        self.on_step: Callable[[int, int], None] = lambda step, steps: None
        self._cancelled = threading.Event()
        self._growth = Growth()

    def cancel(self) -> None:
        """Drop the song in flight at the end of its current step; may be called from another thread."""
        self._cancelled.set()

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load the pipeline from ``config["folder"]``.

        Raises
        ------
        CheckpointError
            If a layer's weights are not in the files.
        """
        # Read when transformers is imported; the default lies in a home directory that the sandbox does not have.
        os.environ.setdefault("HF_MODULES_CACHE", str(Path(tempfile.gettempdir()) / "hf-modules"))
        hide_torchaudio()
        import diffusers
        import torch

        folder = Path(config["folder"])
        self.profile = Profile(**config["profile"])
        self.device, warnings = settle_device(config.get("asked_device", "auto"), config.get("device", "cpu"))
        steady_torch()
        # Off CUDA nobody has shown this model to work in 16 bits; CUDA before Ampere only emulates bfloat16.
        half = self.device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        self.dtype = torch.bfloat16 if half else torch.float32
        pipeline: Any = diffusers.AceStepPipeline
        self.pipe = pipeline.from_pretrained(folder, torch_dtype=self.dtype, local_files_only=True)
        for name, module in self.pipe.components.items():
            missing = missing_weights(module, folder / name) if isinstance(module, torch.nn.Module) else []
            if missing:
                raise CheckpointError(
                    f"{folder / name} lacks {len(missing)} weights of its model, such as {missing[0]!r}",
                    next_step="Run: optimize setup acestep",
                )
        self.pipe.to(self.device)
        self.pipe.vae.enable_tiling()
        self.pipe.set_progress_bar_config(disable=True)
        self.rate = float(self.pipe.latents_per_second)
        settle_memory()
        return {
            "device": self.device,
            "dtype": str(self.dtype).removeprefix("torch."),
            "sample_rate": int(self.pipe.sample_rate),
            "channels": 2,
            "latents_per_second": self.rate,
            "profile": str(self.profile),
            "threads": torch.get_num_threads(),
            "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
            "memory": memory_figures(self.device),
            "warnings": warnings,
        }

    def check(self, recipes: list[dict[str, Any]]) -> list[str]:
        """Count each recipe's tokens as the pipeline will; past a limit it would cut them without a word.

        The metadata stands last in the text, so a long caption silently deletes BPM, key, metre and duration.
        """
        problems: dict[str, None] = {}
        for recipe in recipes:
            asked = self.request(recipe)
            longest, lyrics = self.token_counts(asked)
            style = f"style {recipe['style']!r} of {recipe['genre']!r}"
            if longest > TEXT_TOKENS:
                problems[
                    f"{style}: its caption with BPM, key, metre and duration is {longest} tokens long, "
                    f"and ACE-Step reads {TEXT_TOKENS}: shorten the caption by about {longest - TEXT_TOKENS} tokens"
                ] = None
            if lyrics > LYRIC_TOKENS:
                problems[
                    f"lyrics in {recipe['language']!r} of {recipe['genre']!r} are {lyrics} tokens long, "
                    f"and ACE-Step reads {LYRIC_TOKENS}: shorten them"
                ] = None
        return list(problems)

    def token_counts(self, asked: dict[str, Any]) -> tuple[int, int]:
        """Return the tokens of the text and of the lyrics, in the pipeline's own templates."""
        counts = []
        # A replayed plan makes the pipeline use the longer instruction of its cover task.
        for task in ("text2music", "cover"):
            text, lyrics = self.pipe._format_prompt(
                prompt=asked["prompt"],
                lyrics=asked["lyrics"],
                vocal_language=asked["vocal_language"],
                audio_duration=asked["audio_duration"],
                instruction=self.pipe._get_task_instruction(task),
                bpm=asked["bpm"],
                keyscale=asked["keyscale"],
                timesignature=asked["timesignature"],
            )
            counts.append(len(self.pipe.tokenizer(text).input_ids))
        return max(counts), len(self.pipe.tokenizer(lyrics).input_ids)

    def request(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """Translate a recipe into the pipeline's arguments; all that matter are given, none is left to a default."""
        frames = even_frames(recipe["duration"], self.rate)
        request = {
            "prompt": recipe["caption"],
            "lyrics": recipe["lyrics"],
            "vocal_language": recipe["language"],
            "bpm": recipe["bpm"],
            "keyscale": recipe["key"],
            "timesignature": recipe["time_signature"],
            "audio_duration": seconds_for(frames, self.rate),
            "num_inference_steps": self.profile.steps,
            "shift": self.profile.shift,
            "guidance_scale": self.profile.guidance,
            "cfg_interval_start": 0.0,
            "cfg_interval_end": 1.0,
            "task_type": "text2music",
            "audio_cover_strength": 1.0,
            "max_text_length": TEXT_TOKENS,
            "max_lyric_length": LYRIC_TOKENS,
        }
        if recipe.get("plan"):
            # Five latents make one code, so an even number of latents takes an even number of codes.
            count = even_frames(recipe["duration"], CODES_PER_SECOND)
            request["audio_codes"] = plan_text(fit_codes(codes_of(recipe["plan"]), count))
            request["audio_duration"] = count / CODES_PER_SECOND
        return request

    def noise(self, seed: int, request: dict[str, Any]) -> Any:
        """Draw the noise a song starts from: float32 tensor [shape=(1, frames, latent channels)].

        Drawn on the CPU it is the same whatever device the model is on. It is drawn here because the pipeline, asked
        to draw it, computes the number of frames through a float and rounds up: 2.2 s are 55 frames there, and 56.
        """
        import torch

        if "audio_codes" in request:
            window = int(self.pipe.audio_token_detokenizer.config.pool_window_size)
            frames = len(codes_of(request["audio_codes"])) * window
        else:
            frames = even_frames(request["audio_duration"], self.rate)
        channels = int(self.pipe.transformer.config.audio_acoustic_hidden_dim)
        generator = torch.Generator("cpu").manual_seed(seed)
        return torch.randn((1, frames, channels), generator=generator, dtype=torch.float32)

    def render(self, recipe: dict[str, Any], out: Path) -> dict[str, Any]:
        """Render one song; see `optimizer.rendering.base.Engine.render`."""
        import soundfile
        import torch

        started = time.perf_counter()
        self._cancelled.clear()
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        request = self.request(recipe)
        steps = self.profile.steps
        denoised = started

        def step_ended(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            nonlocal denoised
            denoised = time.perf_counter()
            self.on_step(step + 1, steps)
            if self._cancelled.is_set():
                pipe._interrupt = True
                # Interrupting alone would still decode what there is, the slowest part on a CPU.
                raise Cancelled
            return tensors

        try:
            result = self.pipe(
                **request,
                latents=self.noise(int(recipe["seed"]), request),
                output_type="pt",
                return_dict=True,
                callback_on_step_end=step_ended,
                callback_on_step_end_tensor_inputs=["latents"],
            )
        except Cancelled:
            raise RenderFailed("the song was dropped on request", reason="cancelled") from None
        audio = result.audios[0].float().cpu().numpy().T
        decoded = time.perf_counter()
        # Floats keep what the parent's gates look for: NaN, silence and overshoot would not survive integers.
        soundfile.write(out, audio, int(self.pipe.sample_rate), format="WAV", subtype="FLOAT")
        written = time.perf_counter()
        del result
        release_memory(self.device)
        memory = memory_figures(self.device)
        return {
            "seed": int(recipe["seed"]),
            "duration": len(audio) / float(self.pipe.sample_rate),
            "plan": recipe.get("plan"),
            "replayed": bool(recipe.get("plan")),
            "timings": {
                "denoise": denoised - started,
                "decode": decoded - denoised,
                "write": written - decoded,
            },
            "memory": memory,
            "recycle": self._growth.reason(memory),
        }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
