"""CLAP: how well a song fits the words it was asked for, by the cosine of a text's and the audio's embedding.

The model is laion/larger_clap_music (194 M weights, Apache-2.0) in transformers' own classes. ``clap:TEXT`` compares
every song with one text; plain ``clap`` compares each song with its own caption, where there is one. The cosine
becomes a score by 10 / (1 + exp(-(cosine - 0.25) / 0.1)): music that fits its caption usually lies between 0.2 and
0.5, unrelated music around 0. ``cosine`` among the parts is the number itself.

Its agreement with human ratings is low (rank correlation 0.29 on PAM): take it as a constraint, not as quality.

References
----------
.. [1] Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption
   Augmentation", ICASSP 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.checkpoints import local_or_snapshot, weights_hash
from optimizer.errors import AttemptFailed, CheckpointError
from optimizer.foreign import hide_torchaudio
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.device import pick_device, set_threads
from optimizer.scoring.heads import Target
from optimizer.scoring.mert_files import require_torch
from optimizer.scoring.packages import require_packages
from optimizer.scoring.windows import check_window, hear

REPO = "laion/larger_clap_music"
FILES = ("config.json", "preprocessor_config.json", "tokenizer*.json", "vocab.json", "merges.txt",
         "special_tokens_map.json", "model.safetensors")  # fmt: skip
TARGET = Target(kind="logistic", centre=0.25, scale=0.1)

PIECE = 10.0
"""Seconds; the feature extractor takes a random crop of anything longer, so that nothing longer is given to it."""

_SETUP = "Fetch it with: optimize setup clap"

# Tables that transformers computes itself; older checkpoints store them, newer code does not read them.
_COMPUTED = ("position_ids", "relative_position_index", "attn_mask")


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the CLAP scorer.

    Parameters
    ----------
    argument : str or None
        The text to compare with; None for each song's own caption.
    options : mapping
        ``window``, ``device``, ``threads``; and ``clap``, a folder with the model, for use without the Hub's cache.

    Raises
    ------
    CheckpointError
        If the model is not on this machine.
    """
    require_packages("torch", "transformers")
    window = check_window(str(options.get("window", "first")))
    found = local_or_snapshot(
        str(options.get("clap", REPO)), files=("config.json", "preprocessor_config.json"), mend="optimize setup clap"
    )
    revision = found.commit or f"sha256:{weights_hash(found.folder)[:16]}"
    prompt: dict[str, str] = {"prompt": "caption"} if argument is None else {"prompt": "text", "text": argument}
    return ScorerSpec(
        text="clap" if argument is None else f"clap:{argument}",
        identity={"name": "clap", "revision": revision, "window": window, **prompt},
        target="optimizer.scoring.clap:ClapScorer",
        config={
            "folder": str(found.folder),
            "text": argument,
            "window": window,
            "device": pick_device(str(options.get("device", "cpu"))),
            "threads": options.get("threads"),
        },
        read_paths=found.read_paths,
        device=pick_device(str(options.get("device", "cpu"))).partition(":")[0],
        encoder=f"clap@{revision}/{window}",
        memory_limit=6 << 30,
        captioned=argument is None,
    )


class ClapScorer:
    """A `Scorer` by CLAP."""

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load the model, feature extractor and tokenizer.

        Parameters
        ----------
        config : dict
            ``folder``, ``text`` (or None), ``window``, ``device``, ``threads``.

        Raises
        ------
        CheckpointError
            If a tensor is missing or left over, or a file is damaged.
        """
        self._torch = require_torch()
        threads = set_threads(config.get("threads"))
        folder, self._device = Path(config["folder"]), str(config["device"])
        self._window, self._text = str(config["window"]), config.get("text")
        self._model, self._features, self._tokenizer = _load(folder)
        self._model.to(self._device)
        self._rate = int(self._features.sampling_rate)
        self._texts: dict[str, np.ndarray] = {}
        return {"device": self._device, "threads": threads, "sample_rate": self._rate, "window": self._window}

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge files against the text of ``clap:TEXT``."""
        if self._text is None:
            reason = "clap needs to know what was asked for, and this file has no caption: write clap:TEXT."
            return [{"error": reason} for _ in paths]
        return self.score_captioned(paths, [self._text] * len(paths))

    def score_captioned(self, paths: Sequence[Path], captions: Sequence[str | None]) -> list[dict[str, Any]]:
        """Judge each file against its own caption, or against the text of ``clap:TEXT`` if there is one."""
        return [
            self._judge(path, self._text or caption) if self._text or caption else self.score([path])[0]
            for path, caption in zip(paths, captions, strict=True)
        ]

    def _judge(self, path: Path, text: str | None) -> dict[str, Any]:
        try:
            clips = hear(path, self._rate, self._window).clips
        except AttemptFailed as error:
            return {"error": error.message}
        audio = self._hear(clips)
        cosine = float(audio @ self._read(str(text)))
        if not np.isfinite(cosine):
            return {"error": f"{path}: the model gave numbers that are not finite."}
        value = TARGET(cosine)
        return {"value": value, "parts": {"clap": value, "cosine": cosine}, "embedding": [float(x) for x in audio]}

    def _hear(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Average the unit embeddings of pieces of at most 10 s; returns a unit vector [shape=(d,)]."""
        size = int(PIECE * self._rate)
        vectors = []
        for clip in clips:
            # A rest shorter than a piece is left out, unless it is all there is: the extractor would repeat it.
            for start in range(0, max(len(clip) - size, 0) + 1, size):
                features = self._features(clip[start : start + size], sampling_rate=self._rate, return_tensors="pt").to(
                    self._device
                )
                with self._torch.inference_mode():
                    vectors.append(_unit(_vector(self._model.get_audio_features(**features))))
        return _unit(np.mean(vectors, axis=0))

    def _read(self, text: str) -> np.ndarray:
        if text not in self._texts:
            tokens = self._tokenizer([text], return_tensors="pt", padding=True, truncation=True).to(self._device)
            with self._torch.inference_mode():
                output = self._model.get_text_features(
                    input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
                )
            self._texts[text] = _unit(_vector(output))
        return self._texts[text]


def _load(folder: Path) -> tuple[Any, Any, Any]:
    hide_torchaudio()
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    try:
        loaded: Any = ClapModel.from_pretrained(str(folder), local_files_only=True, output_loading_info=True)
        model, report = loaded
        features = ClapFeatureExtractor.from_pretrained(str(folder), local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # transformers passes on whatever json, pickle, safetensors or tokenizers raise
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{folder} does not hold a usable CLAP model: {first}", next_step=_SETUP) from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(str(name) for name in report.get(problem) or () if not str(name).endswith(_COMPUTED))
        if names:
            # from_pretrained only warns, and leaves what is missing random.
            words = problem.removesuffix("_keys")
            raise CheckpointError(f"{folder}: {words} weights: {', '.join(names[:3])}.", next_step=_SETUP)
    if not hasattr(features, "sampling_rate"):
        raise CheckpointError(f"{folder}: preprocessor_config.json gives no sampling_rate.", next_step=_SETUP)
    return model.eval(), features, tokenizer


def _vector(output: Any) -> np.ndarray:
    # A tensor in transformers 4, an object with the tensor in 5.
    tensor = output if hasattr(output, "cpu") else output.pooler_output
    return np.asarray(tensor[0].float().cpu().numpy(), dtype=np.float64)


def _unit(vector: np.ndarray) -> np.ndarray:
    # A vector of nothing but zeros is like no other; its cosine is 0.
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
