"""Render with ACE-Step 1.5 inside a checkout's own interpreter: the child of the engine `acestep-native`.

This file stands alone: the standard library and `acestep` only (torch, numpy and mlx as upstream brings them), since
the interpreter that runs it does not have this package. `optimizer.workers.child`, which stands alone too, constructs
`Native` there, calls it on one thread only, and speaks JSON lines on descriptors that no library prints to.

It is written against upstream 1.5 of June 2026. Older and newer trees differ in the fields of their dataclasses; the
fields that a tree does not have are left out, and said.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import inspect
import os
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TEXT_TOKENS = 256
LYRIC_TOKENS = 2048
LINKED = 1 << 20
"""Files above this many bytes are linked into the overlay, smaller ones copied (upstream rewrites some of those)."""
CACHE_LIMIT = 4 << 30
"""Bytes MLX may keep for itself: without a limit the decoder's cache grows by most of a GiB per second of audio."""
DECODE_CHUNK = "256"
"""Latent frames decoded at a time; a GPU with 12 GB has room for it, and the 64 of overlap fit in whole."""
GROWTH = 1 << 30
"""Bytes that the memory between songs may grow by, or a quarter, before a fresh process is asked for."""
PROGRESS_STEPS = 100
"""Upstream reports a fraction of the whole song."""

TEMPLATE = "# Instruction\n{}\n\n# Caption\n{}\n\n# Metas\n{}<|endoftext|>\n"
INSTRUCTIONS = {
    "text2music": "Fill the audio semantic mask based on the given conditions:",
    "cover": "Generate audio semantic tokens based on the given conditions:",
}


class Failure(Exception):
    """A reason to drop a song, or with `fatal` to give up; the parent reads the attributes."""

    def __init__(self, message: str, *, fatal: bool = False, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = None if fatal else "engine"
        self.exit_code = 3 if fatal else 1
        self.next_step = next_step


class Native:
    """Upstream's two handlers, and how they are asked."""

    def __init__(self) -> None:
        self.on_step: Callable[[int, int], None] = lambda step, steps: None
        self.unknown: set[str] = set()
        self.first: dict[str, int] = {}

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Start upstream on a writable overlay of its folders; returns what is worth recording."""
        self.config = config
        self.scratch = Path(tempfile.mkdtemp(prefix="acestep-"))
        root = overlay(Path(config["checkout"]), Path(config["checkpoints"]), self.scratch)
        os.environ.update(environment(root, config))
        os.chdir(root)
        sys.path.insert(0, str(root))
        # Before a handler exists: it allocates, and what is cached by then stays.
        limit_mlx()
        from acestep.handler import AceStepHandler
        from acestep.inference import GenerationConfig, GenerationParams, generate_music
        from acestep.llm_inference import LLMHandler

        self.params_class, self.config_class, self.generate = GenerationParams, GenerationConfig, generate_music
        started = time.perf_counter()
        self.dit, self.llm = AceStepHandler(), LLMHandler()
        # Neither of the two raises: both answer (message, whether it worked).
        self._start(
            self.dit.initialize_service,
            project_root=str(root),
            config_path=config["dit"],
            device=config["device"],
            use_flash_attention=False,
            compile_model=False,
            offload_to_cpu=False,
            offload_dit_to_cpu=False,
            quantization=None,
            use_mlx_dit=True,
        )
        warnings = []
        got = str(getattr(self.dit, "device", config["device"]))
        if config["device"] != "auto" and not got.startswith(config["device"]):
            raise Failure(f"ACE-Step took {got} where {config['device']} was asked for", fatal=True)
        if config["planner"]:
            self._start(
                self.llm.initialize,
                checkpoint_dir=str(root / "checkpoints"),
                lm_model_path=config["planner"],
                backend=config["backend"],
                device=config["device"],
                offload_to_cpu=False,
            )
            backend = getattr(self.llm, "llm_backend", config["backend"])
            if backend != config["backend"]:
                warnings.append(f"the planner runs on {backend!r}, since {config['backend']!r} did not start")
        else:
            backend = None
        return {
            "device": got,
            "dtype": str(getattr(self.dit, "dtype", "")).replace("torch.", ""),
            "sample_rate": int(getattr(self.dit, "sample_rate", 48000)),
            "channels": 2,
            "planner": config["planner"],
            "planner_backend": backend,
            "python": sys.version.split()[0],
            "versions": versions(),
            "seconds": round(time.perf_counter() - started, 2),
            "memory": memory(),
            "warnings": warnings,
        }

    def _start(self, method: Callable[..., tuple[str, bool]], **wanted: Any) -> None:
        accepted = inspect.signature(method).parameters
        message, worked = method(**{name: value for name, value in wanted.items() if name in accepted})
        if not worked:
            raise Failure(f"ACE-Step did not start: {str(message).strip()[:2000]}", fatal=True)

    def check(self, recipes: list[dict[str, Any]]) -> list[str]:
        """Count each recipe's tokens with the model's own tokenizer; upstream cuts what is over without a word."""
        tokenizer = getattr(self.dit, "text_tokenizer", None)
        if tokenizer is None:
            return []
        problems: dict[str, None] = {}
        for recipe in recipes:
            text = max(len(tokenizer(text)["input_ids"]) for text in self.texts(recipe))
            lyrics = len(tokenizer(self.lyrics(recipe))["input_ids"])
            if text > TEXT_TOKENS:
                problems[
                    f"style {recipe['style']!r} of {recipe['genre']!r}: its caption with BPM, key, metre and duration "
                    f"is {text} tokens long, and ACE-Step reads {TEXT_TOKENS}: "
                    f"shorten the caption by about {text - TEXT_TOKENS} tokens"
                ] = None
            if lyrics > LYRIC_TOKENS:
                problems[
                    f"lyrics in {recipe['language']!r} of {recipe['genre']!r} are {lyrics} tokens long, "
                    f"and ACE-Step reads {LYRIC_TOKENS}: shorten them"
                ] = None
        return list(problems)

    def texts(self, recipe: dict[str, Any]) -> Iterator[str]:
        """Return what the text encoder reads, without and with a replayed plan, from upstream's template."""
        metas = {
            "bpm": recipe["bpm"],
            "timesignature": recipe["time_signature"],
            "keyscale": recipe["key"],
            "duration": recipe["duration"],
        }
        if hasattr(self.dit, "_dict_to_meta_string"):
            described = self.dit._dict_to_meta_string(metas)
        else:
            described = (
                f"- bpm: {metas['bpm']}\n- timesignature: {metas['timesignature']}\n"
                f"- keyscale: {metas['keyscale']}\n- duration: {int(metas['duration'])} seconds\n"
            )
        from acestep import constants

        template = getattr(constants, "SFT_GEN_PROMPT", TEMPLATE)
        instructions = getattr(constants, "TASK_INSTRUCTIONS", INSTRUCTIONS)
        for task, instruction in INSTRUCTIONS.items():
            yield template.format(instructions.get(task, instruction), recipe["caption"], described)

    def lyrics(self, recipe: dict[str, Any]) -> str:
        """Return what the lyric encoder reads."""
        if hasattr(self.dit, "_format_lyrics"):
            return str(self.dit._format_lyrics(recipe["lyrics"], recipe["language"]))
        return f"# Languages\n{recipe['language']}\n\n# Lyric\n{recipe['lyrics']}<|endoftext|>"

    def request(self, recipe: dict[str, Any]) -> tuple[Any, Any]:
        """Translate a recipe into upstream's two dataclasses; whatever decides a song is given."""
        profile = self.config["profile"]
        plan = recipe.get("plan") or ""
        params = {
            "task_type": "text2music",
            "caption": recipe["caption"],
            "lyrics": recipe["lyrics"],
            "vocal_language": recipe["language"],
            # All four of these given, the planner's first phase has nothing to guess and is skipped.
            "bpm": int(recipe["bpm"]),
            "keyscale": recipe["key"],
            "timesignature": recipe["time_signature"],
            "duration": float(recipe["duration"]),
            "inference_steps": profile["steps"],
            "shift": profile["shift"],
            "guidance_scale": profile["guidance"],
            "use_adg": False,
            "cfg_interval_start": 0.0,
            "cfg_interval_end": 1.0,
            # The stochastic method draws noise from no seed.
            "infer_method": "ode",
            "sampler_mode": "euler",
            "velocity_norm_threshold": 0.0,
            "velocity_ema_factor": 0.0,
            "dcw_enabled": profile["correction"],
            "enable_normalization": True,
            "normalization_db": -1.0,
            "fade_in_duration": 0.0,
            "fade_out_duration": 0.0,
            "latent_shift": 0.0,
            "latent_rescale": 1.0,
            # Upstream ignores it, but writes it into the parameters it returns.
            "seed": int(recipe["seed"]),
            "audio_codes": plan,
            "thinking": bool(self.config["planner"]) and not plan,
            "lm_temperature": 0.85,
            "lm_cfg_scale": 2.0,
            "lm_top_k": 0,
            "lm_top_p": 0.9,
            "lm_negative_prompt": "NO USER INPUT",
            "use_constrained_decoding": True,
            "use_cot_metas": False,
            "use_cot_caption": False,
            "use_cot_lyrics": False,
            "use_cot_language": False,
        }
        config = {
            "batch_size": 1,
            "allow_lm_batch": False,
            "lm_batch_chunk_size": 1,
            # Without this, upstream draws a seed of its own whatever is in the list.
            "use_random_seed": False,
            "seeds": [int(recipe["seed"])],
            "audio_format": "flac",
        }
        return self.known(self.params_class, params), self.known(self.config_class, config)

    def known(self, kind: Any, values: dict[str, Any]) -> Any:
        """Build a dataclass of upstream's from the fields this tree has; remember the others."""
        names = {field.name for field in dataclasses.fields(kind)}
        self.unknown |= set(values) - names
        return kind(**{name: value for name, value in values.items() if name in names})

    def render(self, recipe: dict[str, Any], out: Path) -> dict[str, Any]:
        """Render one song into `out`; returns what is worth keeping."""
        seed = int(recipe["seed"])
        params, config = self.request(recipe)
        # One folder a song: upstream names files after their parameters and overwrites what has the same name.
        folder = Path(tempfile.mkdtemp(prefix="song-", dir=self.scratch))
        started = time.perf_counter()
        try:
            # Upstream leaves the planner's sampling unseeded; MLX has a generator for each thread, and it is this one.
            seed_everything(seed)
            result = self.generate(self.dit, self.llm, params, config, save_dir=str(folder), progress=self.progress)
            kept = self.keep(result, recipe, seed, started, out)
            del result
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            release()
        figures = memory()
        return {**kept, "memory": figures, "recycle": self.outgrown(figures)}

    def outgrown(self, figures: dict[str, int]) -> str | None:
        """Return why this process should be replaced: its memory, or the device's, grew since the first song."""
        for name, now in figures.items():
            first = self.first.setdefault(name, now)
            if name != "device_peak" and now - first > max(GROWTH, first // 4):
                return f"{name} memory grew from {first >> 20} to {now >> 20} MiB between songs"
        return None

    def progress(self, fraction: Any = 0.0, *rest: Any, **named: Any) -> None:
        """Pass upstream's progress on; it calls from threads of its own, and with what a progress bar would take."""
        with contextlib.suppress(TypeError, ValueError):
            self.on_step(max(0, min(PROGRESS_STEPS, int(float(fraction) * PROGRESS_STEPS))), PROGRESS_STEPS)

    def keep(self, result: Any, recipe: dict[str, Any], seed: int, started: float, out: Path) -> dict[str, Any]:
        """Check what came back and write the audio."""
        if not result.success:
            raise Failure(f"ACE-Step failed: {str(result.error or result.status_message)[:2000]}")
        if len(result.audios) != 1:
            raise Failure(f"ACE-Step returned {len(result.audios)} songs where one was asked for")
        song, extra = result.audios[0], result.extra_outputs or {}
        used = str(extra.get("seed_value", song["params"].get("seed"))).strip()
        if used != str(seed):
            raise Failure(f"ACE-Step used the seed {used} where {seed} was asked for")
        rate = int(song["sample_rate"])
        if song.get("tensor") is not None:
            # Upstream makes nothing shorter than 128 latents (5.12 s); what is over was not asked for.
            frames = write_wave(out, song["tensor"], rate, max(1, round(recipe["duration"] * rate)))
        elif song.get("path") and Path(song["path"]).is_file():
            shutil.copyfile(song["path"], out)
            frames = None
        else:
            raise Failure("ACE-Step wrote no audio, which it does when saving fails or the song is silent")
        plan = song["params"].get("audio_codes") or recipe.get("plan") or None
        kept: dict[str, Any] = {
            "seed": int(used),
            "plan": plan,
            "replayed": bool(recipe.get("plan")),
            "sample_rate": rate,
            "timings": {
                **{name: float(cost) for name, cost in (extra.get("time_costs") or {}).items() if is_number(cost)},
                "render": time.perf_counter() - started,
            },
            "warnings": [f"upstream has no {name}" for name in sorted(self.unknown)],
        }
        if frames is not None:
            kept["duration"] = frames / rate
        return kept


def overlay(checkout: Path, checkpoints: Path, scratch: Path) -> Path:
    """Build a project folder that upstream may write into: code and small files copied, weights linked.

    Upstream puts its model code into ``checkpoints/`` when the copy there differs, and a file of estimates under
    ``.cache``; older trees find both from where the package lies, newer ones from two environment variables.
    """
    root = scratch / "project"
    mirror(checkout / "acestep", root / "acestep")
    for component in sorted(checkpoints.iterdir()):
        if component.is_dir() and not component.name.startswith("."):
            mirror(component, root / "checkpoints" / component.name)
    (root / ".cache" / "acestep").mkdir(parents=True)
    return root


def mirror(source: Path, target: Path) -> None:
    """Copy a folder's small files and link its large ones."""
    for folder, folders, names in os.walk(source, followlinks=True):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git", ".cache")]
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            original = Path(folder, name).resolve()
            if original.is_file() and original.stat().st_size > LINKED:
                (place / name).symlink_to(original)
            elif original.is_file():
                shutil.copyfile(original, place / name)


def environment(root: Path, config: dict[str, Any]) -> dict[str, str]:
    """Return what upstream reads from its environment."""
    # Chosen from free memory otherwise, so that the same song would differ with what else runs; the user's own wins.
    # MLX decodes by another rule, from all the memory there is, and small chunks are heard there.
    chunk = os.environ.get("ACESTEP_VAE_DECODE_CHUNK_SIZE") or ("" if config["backend"] == "mlx" else DECODE_CHUNK)
    return {
        **({"ACESTEP_VAE_DECODE_CHUNK_SIZE": chunk} if chunk else {}),
        "ACESTEP_PROJECT_ROOT": str(root),
        "ACESTEP_CHECKPOINTS_DIR": str(root / "checkpoints"),
        "ACESTEP_DISABLE_TQDM": "1",
        "ACESTEP_SAVE_MEMORY": "1",
        # Past this, upstream abandons the song but not its thread; the parent's own deadline comes first.
        "ACESTEP_GENERATION_TIMEOUT": str(int(config["deadline"]) + 60),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # Model code that upstream trusts is copied here before it is imported.
        "HF_MODULES_CACHE": str(root / ".cache" / "modules"),
    }


def limit_mlx() -> None:
    """Bound MLX's cache, where there is MLX."""
    with contextlib.suppress(ImportError):
        import mlx.core as mx

        mx.set_cache_limit(CACHE_LIMIT)


def seed_everything(seed: int) -> None:
    """Seed every generator that upstream could draw from."""
    random.seed(seed)
    with contextlib.suppress(ImportError):
        import numpy

        numpy.random.seed(seed % 2**32)
    with contextlib.suppress(ImportError):
        import torch

        # Covers CUDA and Metal too.
        torch.manual_seed(seed)
    with contextlib.suppress(ImportError):
        import mlx.core as mx

        mx.random.seed(seed)


def release() -> None:
    """Give cached memory back between songs."""
    gc.collect()
    with contextlib.suppress(ImportError, AttributeError):
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
    with contextlib.suppress(ImportError, AttributeError):
        import mlx.core as mx

        mx.clear_cache()


def memory() -> dict[str, int]:
    """Return bytes in use: ``rss`` of this process, ``device`` where the device keeps count."""
    figures: dict[str, int] = {}
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        figures["rss"] = pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        # Bytes on macOS; the highest there was, since the system tells no current figure.
        figures["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(ImportError, AttributeError):
        import torch

        if torch.cuda.is_available():
            figures["device"] = int(torch.cuda.memory_allocated())
            figures["device_peak"] = int(torch.cuda.max_memory_allocated())
        elif torch.backends.mps.is_available():
            figures["device"] = int(torch.mps.current_allocated_memory())
    with contextlib.suppress(ImportError, AttributeError):
        import mlx.core as mx

        figures["device"] = figures.get("device", 0) + int(mx.get_active_memory())
    return figures


def write_wave(path: Path, tensor: Any, rate: int, most: int) -> int:
    """Write a float tensor [shape=(channels, samples)] as a 32-bit float WAV file of at most `most` samples.

    Written here because integers would hide what the parent looks for, and no audio package is sure to be there.
    """
    array = tensor.detach().float().cpu().numpy()[:, :most]
    channels, frames = array.shape
    data = array.T.astype("<f4").tobytes()
    header = struct.pack("<HHIIHH", 3, channels, rate, rate * channels * 4, channels * 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header
    body += b"fact" + struct.pack("<II", 4, frames) + b"data" + struct.pack("<I", len(data))
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", len(body) + len(data)) + body)
        file.write(data)
    return int(frames)


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide a song."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("ace-step", "torch", "transformers", "diffusers", "mlx", "mlx-lm"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def is_number(value: object) -> bool:
    """Tell whether a value is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
