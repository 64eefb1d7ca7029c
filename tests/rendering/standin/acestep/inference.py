"""`generate_music` with upstream's signature, dataclasses and shape of result, over sine waves."""

import hashlib
import json
import math
import struct
import wave
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from acestep.notes import note


@dataclass
class GenerationParams:
    task_type: str = "text2music"
    instruction: str = "Fill the audio semantic mask based on the given conditions:"
    reference_audio: str | None = None
    src_audio: str | None = None
    audio_codes: str = ""
    caption: str = ""
    global_caption: str = ""
    lyrics: str = ""
    instrumental: bool = False
    vocal_language: str = "unknown"
    bpm: int | None = None
    keyscale: str = ""
    timesignature: str = ""
    duration: float = -1.0
    enable_normalization: bool = True
    normalization_db: float = -1.0
    fade_in_duration: float = 0.0
    fade_out_duration: float = 0.0
    latent_shift: float = 0.0
    latent_rescale: float = 1.0
    inference_steps: int = 8
    seed: int = -1
    guidance_scale: float = 7.0
    use_adg: bool = False
    cfg_interval_start: float = 0.0
    cfg_interval_end: float = 1.0
    shift: float = 1.0
    infer_method: str = "ode"
    sampler_mode: str = "euler"
    velocity_norm_threshold: float = 0.0
    velocity_ema_factor: float = 0.0
    dcw_enabled: bool = True
    dcw_mode: str = "double"
    dcw_scaler: float = 0.05
    dcw_high_scaler: float = 0.02
    dcw_wavelet: str = "haar"
    timesteps: list[float] | None = None
    repainting_start: float = 0.0
    repainting_end: float = -1
    chunk_mask_mode: str = "auto"
    repaint_latent_crossfade_frames: int = 10
    repaint_wav_crossfade_sec: float = 0.0
    repaint_mode: str = "balanced"
    repaint_strength: float = 0.5
    retake_seed: int | None = None
    retake_variance: float = 0.0
    flow_edit_morph: bool = False
    flow_edit_source_caption: str = ""
    flow_edit_source_lyrics: str = ""
    flow_edit_n_min: float = 0.0
    flow_edit_n_max: float = 1.0
    flow_edit_n_avg: int = 1
    audio_cover_strength: float = 1.0
    cover_noise_strength: float = 0.0
    thinking: bool = True
    lm_temperature: float = 0.85
    lm_cfg_scale: float = 2.0
    lm_top_k: int = 0
    lm_top_p: float = 0.9
    lm_negative_prompt: str = "NO USER INPUT"
    use_cot_metas: bool = True
    use_cot_caption: bool = True
    use_cot_lyrics: bool = False
    use_cot_language: bool = True
    use_constrained_decoding: bool = True
    cot_bpm: int | None = None
    cot_keyscale: str = ""
    cot_timesignature: str = ""
    cot_duration: float | None = None
    cot_vocal_language: str = "unknown"
    cot_caption: str = ""
    cot_lyrics: str = ""


@dataclass
class GenerationConfig:
    batch_size: int = 2
    allow_lm_batch: bool = False
    use_random_seed: bool = True
    seeds: list[int] | None = None
    lm_batch_chunk_size: int = 8
    constrained_decoding_debug: bool = False
    audio_format: str = "flac"
    mp3_bitrate: str = "128k"
    mp3_sample_rate: int = 48000


@dataclass
class GenerationResult:
    audios: list[dict[str, Any]] = field(default_factory=list)
    status_message: str = ""
    extra_outputs: dict[str, Any] = field(default_factory=dict)
    success: bool = True
    error: str | None = None


class Tensor:
    """Float samples [shape=(channels, frames)] with the few methods that a torch tensor is asked for."""

    def __init__(self, rows):
        self.rows, self.shape = rows, (len(rows), len(rows[0]))

    def detach(self):
        return self

    float = cpu = numpy = detach

    def __getitem__(self, key):
        _, frames = key
        return Tensor([row[frames] for row in self.rows])

    @property
    def T(self):
        return self

    def astype(self, kind):
        assert kind == "<f4"
        return self

    def tobytes(self):
        return b"".join(struct.pack(f"<{len(self.rows)}f", *frame) for frame in zip(*self.rows, strict=False))


def generate_music(dit_handler, llm_handler, params, config, save_dir=None, progress=None):
    note(
        "generate",
        params=asdict(params),
        config=asdict(config),
        folder=save_dir,
        empty=not list(Path(save_dir).iterdir()),
    )
    print("Using precomputed LM hints", flush=True)
    if "please fail" in params.caption:
        return GenerationResult(success=False, error="CUDA out of memory", status_message="Error")
    seeds, shown = dit_handler.prepare_seeds(
        config.batch_size, ",".join(str(seed) for seed in config.seeds or []), config.use_random_seed
    )
    codes = params.audio_codes
    planned = params.thinking and llm_handler.llm_initialized and not codes
    if planned:
        codes = llm_handler.codes(params.duration)
    for fraction in (0.1, 0.51, 1.0):
        progress(fraction, desc="Preparing inputs...")
    seconds, rate = max(params.duration, 5.12), dit_handler.sample_rate
    heard = {name: value for name, value in asdict(params).items() if name not in ("thinking", "audio_codes", "seed")}
    key = json.dumps([heard, codes, seeds[0]], sort_keys=True)
    digest = hashlib.sha256(key.encode()).digest()
    tone, level = 100 + digest[0] + 256 * digest[1] / 7, 0.3 + digest[2] / 600
    if "please be nan" in params.caption:
        level = math.nan
    row = [level * math.sin(2 * math.pi * tone * i / rate) for i in range(int(seconds * rate))]
    path = Path(save_dir) / f"{digest.hex()[:32]}.{config.audio_format}"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"")
    audio = {
        "path": "" if "please be silent" in params.caption else str(path),
        "tensor": None if "please be silent" in params.caption else Tensor([row, row]),
        "key": digest.hex()[:32],
        "sample_rate": rate,
        "params": {**asdict(params), "audio_codes": codes, "seed": seeds[0]},
    }
    if "please be two" in params.caption:
        return GenerationResult(audios=[audio, audio])
    costs = {"lm_total_time": 0.2 if planned else 0.0, "dit_total_time_cost": 0.1, "pipeline_total_time": 0.3}
    shown = "12345" if "please take another seed" in params.caption else shown
    return GenerationResult(
        audios=[audio], extra_outputs={"seed_value": shown, "time_costs": costs, "lm_metadata": None}
    )
