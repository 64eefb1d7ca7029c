"""Where the checkpoints are, and whether they are whole; the order of places is upstream's."""

import os
from pathlib import Path

MAIN_MODEL_COMPONENTS = ["acestep-v15-turbo", "vae", "Qwen3-Embedding-0.6B", "acestep-5Hz-lm-1.7B"]


def get_checkpoints_dir(custom_dir=None):
    if custom_dir:
        return Path(custom_dir)
    if os.environ.get("ACESTEP_CHECKPOINTS_DIR"):
        return Path(os.environ["ACESTEP_CHECKPOINTS_DIR"]).resolve()
    return Path(os.environ.get("ACESTEP_PROJECT_ROOT") or Path.cwd()) / "checkpoints"


def has_weights(path):
    names = ("model.safetensors", "diffusion_pytorch_model.safetensors")
    return any((path / name).exists() for name in names)


def check_main_model_exists(folder):
    return all(has_weights(folder / name) for name in MAIN_MODEL_COMPONENTS)
