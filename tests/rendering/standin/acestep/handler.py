"""The diffusion handler: loads nothing, but insists on the folders and writes where upstream writes."""

import json
import os
import random
import socket
from pathlib import Path

from acestep.model_downloader import check_main_model_exists, get_checkpoints_dir, has_weights
from acestep.notes import EVENTS, note


class Tokens(dict):
    @property
    def input_ids(self):
        return self["input_ids"]


def tokenizer(text):
    return Tokens(input_ids=text.split())


class AceStepHandler:
    def __init__(self):
        note("handler", after=list(EVENTS))
        self.device, self.dtype, self.sample_rate, self.text_tokenizer = "cpu", "torch.float32", 8000, None

    def initialize_service(
        self,
        project_root,
        config_path,
        device="auto",
        use_flash_attention=False,
        compile_model=False,
        offload_to_cpu=False,
        offload_dit_to_cpu=False,
        quantization=None,
        prefer_source=None,
        use_mlx_dit=True,
        vae_checkpoint=None,
    ):
        folder = get_checkpoints_dir()
        if not check_main_model_exists(folder) or not has_weights(folder / config_path):
            return "Failed to download main model", False
        # Upstream puts its own model code beside the weights, and keeps estimates of how long songs take.
        (folder / config_path / "modeling_acestep.py").write_text("# in step with the package\n")
        estimates = Path(project_root) / ".cache" / "acestep" / "progress_estimates.json"
        estimates.write_text(json.dumps({"records": []}))
        try:
            socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("192.0.2.1", 443))
            network = True
        except OSError:
            network = False
        if "broken" in config_path:
            return "Error initializing model: no such thing", False
        self.text_tokenizer = tokenizer
        note(
            "init",
            root=project_root,
            checkpoints=str(folder),
            package=__file__,
            device=device,
            network=network,
            environment={name: value for name, value in os.environ.items() if name.startswith(("ACESTEP_", "HF_"))},
        )
        return "ready", True

    def prepare_seeds(self, actual_batch_size, seed, use_random_seed):
        if use_random_seed:
            seeds = [random.randint(0, 2**32 - 1) for _ in range(actual_batch_size)]
        else:
            seeds = [int(text) for text in str(seed).split(",") if text]
            seeds += [random.randint(0, 2**32 - 1) for _ in range(actual_batch_size - len(seeds))]
        return seeds, ", ".join(str(value) for value in seeds)

    def _dict_to_meta_string(self, meta):
        return (
            f"- bpm: {meta['bpm']}\n- timesignature: {meta['timesignature']}\n"
            f"- keyscale: {meta['keyscale']}\n- duration: {int(meta['duration'])} seconds\n"
        )

    def _format_lyrics(self, lyrics, language):
        return f"# Languages\n{language}\n\n# Lyric\n{lyrics}<|endoftext|>"
