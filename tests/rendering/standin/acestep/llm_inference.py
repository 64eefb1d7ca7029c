"""The planner's handler: its codes come from generators that nobody here seeds, as upstream's do."""

import random
from pathlib import Path

import numpy
import torch

from acestep.notes import note


class LLMHandler:
    def __init__(self):
        self.llm_initialized, self.llm_backend = False, None

    def initialize(
        self, checkpoint_dir, lm_model_path, backend="vllm", device="auto", offload_to_cpu=False, dtype=None
    ):
        if not (Path(checkpoint_dir) / lm_model_path).is_dir():
            return f"5Hz LM model not found at {lm_model_path}", False
        # Upstream falls back by itself, and says so only in its message.
        self.llm_initialized, self.llm_backend = True, "pt"
        note("planner", model=lm_model_path, backend=backend)
        return "ready (fallback)", True

    def codes(self, seconds):
        draw = [random.randrange(64000), numpy.random.randint(64000), torch.randint(64000)]
        return "".join(f"<|audio_code_{(draw[i % 3] + 37 * i) % 64000}|>" for i in range(int(seconds * 5)))
