"""Fixtures that several test files share: a search space, songs made up without rendering, tiny model checkpoints."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

# Test processes run side by side, and over models this small threads wait for each other longer than they compute:
# with the default of a thread for each core the engines' tests take twice the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import settings

from optimizer.foreign import hide_torchaudio
from optimizer.recipe import Recipe
from optimizer.search_space import Genre, Language, SearchSpace, Style
from optimizer.song import Song

# A busy machine must not turn a passing property into a failing one.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# Audiobox's package brings it along, and fixtures build models with transformers themselves.
hide_torchaudio()

LONGEST = ("test_kills.py", "test_model_renderers.py", "test_dataset.py")
"""Files of few tests that take tens of seconds."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep xdist from an order of its own: the file of one long test would come last, and a core would wait for it."""
    config.option.loadscopereorder = False


def pytest_runtest_setup() -> None:
    """Begin each test on the threads given above: models on what an earlier one left may take thirty times as long."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have whole files handed out to test processes in the order of their length, as far as it can be told."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        counts = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path.name not in LONGEST, -counts[item.path]))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests hear and hash out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def gone() -> Callable[..., bool]:
    """Return a function that says whether a process ends within a few seconds.

    A zombie has ended: who collects an orphan, and when, is the machine's own affair, and can take seconds.
    """

    def ends(pid: int, patience: float = 5.0) -> bool:
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    return True
            except psutil.Error:
                return True
            time.sleep(0.02)
        return False

    return ends


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the engines' tiny models: built once for all processes of a test run, in one where torch is imported.

    Not to be written to.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, unfinished = root / "tiny-models", root / "tiny-models.part"
    program = Path(__file__).parent / "rendering" / "tiny_models.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"}
    with (root / "tiny-models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            subprocess.run([sys.executable, str(program), str(unfinished)], check=True, env=environment)
            unfinished.rename(folder)
    return folder


@pytest.fixture
def small_space():
    """One genre of 3 styles, 3 BPMs, 2 keys and 2 languages: 36 points."""
    genre = Genre(
        id="test-genre",
        title="Test genre",
        styles=tuple(
            Style(f"style-{letter}", f"caption {letter}, drums and bass", f"Style {letter}") for letter in "abc"
        ),
        bpm=(90, 100, 120),
        keys=("C major", "A minor"),
        languages=(Language("en", "[Verse]\nla la la"), Language("unknown", "[Instrumental]")),
    )
    return SearchSpace("test-genre", (genre,))


@pytest.fixture
def make_recipe():
    """Return a function that makes a recipe, its fields changed as asked."""

    def make(**changes):
        fields = {
            "genre": "bhangra",
            "style": "dhol-party",
            "caption": "bright dhol and tumbi, party vocals",
            "bpm": 105,
            "key": "G major",
            "language": "pa",
            "lyrics": "[Verse]\nਨੱਚੋ",
            "seed": 7,
            "duration": 8.0,
        }
        return Recipe(**{**fields, **changes})

    return make


@pytest.fixture
def make_song(make_recipe):
    """Return a function that makes a song that was never rendered."""

    def make(number=0, value=3.0, recipe=None, **changes):
        fields = {
            "study": "bhangra",
            "number": number,
            "recipe": recipe or make_recipe(seed=number),
            "phase": "sweep",
            "value": value,
            "audio": None,
            "sha256": f"{number:064x}",
        }
        return Song(**{**fields, **changes})

    return make


# Checkpoints in the published layouts, but tiny and random; torch is imported by the tests that use them alone.

MERT_CONFIG: dict[str, Any] = {
    # The words and values of m-a-p/MERT-v1-330M's config.json, but for the sizes at the end.
    "_name_or_path": "m-a-p/MERT-v1-330M",
    "activation_dropout": 0.0,
    "apply_spec_augment": True,
    "architectures": ["MERTModel"],
    "attention_dropout": 0.0,
    "attention_relax": 32.0,
    "auto_map": {"AutoConfig": "configuration_MERT.MERTConfig", "AutoModel": "modeling_MERT.MERTModel"},
    "bos_token_id": 1,
    "classifier_proj_size": 256,
    "conv_bias": False,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "ctc_loss_reduction": "sum",
    "ctc_zero_infinity": False,
    "deepnorm": False,
    "do_stable_layer_norm": True,
    "eos_token_id": 2,
    "feat_extract_activation": "gelu",
    "feat_extract_dropout": 0.0,
    "feat_extract_norm": "group",
    "feat_proj_dropout": 0.0,
    "feat_proj_layer_norm": True,
    "feature_extractor_cqt": False,
    "feature_extractor_cqt_bins": 336,
    "final_dropout": 0.0,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout": 0.0,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-05,
    "layerdrop": 0.0,
    "mask_feature_length": 10,
    "mask_feature_prob": 0.0,
    "mask_time_length": 10,
    "mask_time_prob": 0.075,
    "mask_time_selection": "static",
    "model_type": "mert_model",
    "num_feat_extract_layers": 7,
    "pad_token_id": 0,
    "sample_rate": 24000,
    "tokenizer_class": "Wav2Vec2CTCTokenizer",
    "torch_dtype": "float32",
    "transformers_version": "4.24.0",
    "use_weighted_layer_sum": False,
    "vocab_size": 32,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}

PREPROCESSOR: dict[str, Any] = {
    "do_normalize": True,
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "padding_side": "right",
    "padding_value": 0,
    "return_attention_mask": True,
    "sampling_rate": 24000,
}

NEW_TO_OLD = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


@pytest.fixture(scope="session")
def mert_tensors() -> dict[str, Any]:
    """Random weights under the published names (weight_g, weight_v), every bias and gain made to matter."""
    import torch
    from transformers import HubertConfig, HubertModel

    described = ("architectures", "auto_map", "model_type", "_name_or_path", "transformers_version", "torch_dtype")
    config = HubertConfig(**{word: value for word, value in MERT_CONFIG.items() if word not in described})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = HubertModel(config).state_dict()
        tensors = {}
        for name, tensor in state.items():
            if name.endswith("bias"):
                tensor = 0.05 * torch.randn_like(tensor)
            elif "norm" in name and name.endswith("weight"):
                tensor = 1 + 0.1 * torch.randn_like(tensor)
            elif "original0" in name:
                # A magnitude that differs from the direction's norm, or a loader that drops it would go unseen.
                tensor = tensor * (1.0 + torch.rand_like(tensor))
            elif tensor.ndim > 1:
                tensor = 6 * tensor if "conv" not in name else tensor
            for new, old in NEW_TO_OLD.items():
                name = name.replace(new, old)
            tensors[name] = tensor.clone().contiguous()
    return tensors


@pytest.fixture(scope="session")
def write_mert(mert_tensors: dict[str, Any]) -> Callable[..., Path]:
    """Return a function that writes a checkpoint folder in MERT's layout."""

    def write(
        folder: Path,
        tensors: dict[str, Any] | None = None,
        *,
        config: dict[str, Any] | None = None,
        preprocessor: dict[str, Any] | None = None,
        safetensors: bool = False,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(MERT_CONFIG | (config or {})))
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | (preprocessor or {})))
        tensors = mert_tensors if tensors is None else tensors
        if safetensors:
            from safetensors.torch import save_file

            save_file(tensors, str(folder / "model.safetensors"))
        else:
            import torch

            torch.save(tensors, folder / "pytorch_model.bin")
        return folder

    return write


@pytest.fixture(scope="session")
def mert_folder(tmp_path_factory: pytest.TempPathFactory, write_mert: Callable[..., Path]) -> Path:
    """A whole checkpoint: old names, pickle, preprocessor file. Not to be written to."""
    return write_mert(tmp_path_factory.mktemp("mert") / "encoder")


def make_head(dims: tuple[int, ...], seed: int) -> Any:
    """Build a head in the published layout: net.0 linear, net.1 batch norm, ReLU, dropout, net.4 ..."""
    import torch

    class Published(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[Any] = []
            for inputs, outputs in pairwise(dims):
                layers += [torch.nn.Linear(inputs, outputs), torch.nn.BatchNorm1d(outputs)]
                layers += [torch.nn.ReLU(), torch.nn.Dropout(0.3)]
            self.net = torch.nn.Sequential(*layers, torch.nn.Linear(dims[-1], 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x).squeeze(-1)

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = Published()
        # Running statistics of random data, or the batch norms would do nothing.
        head.train()
        for _ in range(20):
            head(0.5 * torch.randn(32, dims[0]))
        torch.nn.init.normal_(head.net[-1].weight, std=1.0)
        torch.nn.init.constant_(head.net[-1].bias, 4.0)
    return head.eval()


@pytest.fixture(scope="session")
def head_module() -> Any:
    return make_head((32, 16, 8, 4), 1)


@pytest.fixture(scope="session")
def head_file(tmp_path_factory: pytest.TempPathFactory, head_module: Any) -> Path:
    import torch

    path = tmp_path_factory.mktemp("head") / "scorer_model.pt"
    torch.save(head_module.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def jury_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("jury") / "A2_mert_only.pt"
    torch.save(make_head((32, 24, 16, 8, 4), 2).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as laion/larger_clap_music is laid out, of some hundred kilobytes."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("clap") / "model"
    words = ["<s>", "<pad>", "</s>", "<unk>", "bright", "bhangra", "with", "dhol", "calm", "piano"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        model_max_length=30,
    ).save_pretrained(str(folder))  # fmt: skip
    text = {
        "vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 40, "projection_dim": 8,
    }  # fmt: skip
    audio = {
        "depths": [1, 1], "num_attention_heads": [1, 2], "patch_embeds_hidden_size": 8, "hidden_size": 16,
        "num_hidden_layers": 2, "spec_size": 256, "window_size": 8, "num_mel_bins": 64, "projection_dim": 8,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=8))
        for name, parameter in model.named_parameters():
            if (name.endswith("weight") and parameter.ndim > 1) or name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(str(folder))
    ClapFeatureExtractor(feature_size=64, truncation="rand_trunc", padding="repeatpad").save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def audiobox_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkpoint of the authors' own class, its encoder shrunk for as long as the tests run."""
    import torch

    sizes = {
        "encoder_layers": 2, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 32, "encoder_attention_heads": 2,
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2", "conv_pos": 16, "conv_pos_groups": 1,
    }  # fmt: skip
    scale = {axis: {"mean": 5.0 + place, "std": 1.5} for place, axis in enumerate(("CE", "CU", "PC", "PQ"))}
    folder = tmp_path_factory.mktemp("audiobox") / "model"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        with warnings.catch_warnings():
            # It builds on a torch function that is to go.
            warnings.simplefilter("ignore", FutureWarning)
            from audiobox_aesthetics.model import aes

            for word, value in sizes.items():
                patch.setattr(aes.DEFAULT_AUDIO_CFG, word, value)
            torch.manual_seed(2)
            model = aes.AesMultiOutput(nth_layer=3, target_transform=scale)
        for axis in scale:
            torch.nn.init.normal_(model.proj_layer[axis][-1].weight, std=1.0)
        # The library's own way to write a checkpoint folder.
        model.save_pretrained(str(folder))
        yield folder


def chord_samples(seconds: float, rate: int = 44_100, channels: int = 1, seed: int = 0) -> np.ndarray:
    """A chord with a beat and some noise, different for every seed."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    root = 110 * 2 ** (rng.integers(0, 12) / 12)
    chord = sum(np.sin(2 * np.pi * root * ratio * time + rng.uniform(0, 6)) for ratio in (1, 1.25, 1.5, 2))
    beat = np.exp(-8 * ((time * rng.uniform(1.5, 2.5)) % 1))
    mono = 0.12 * chord * (0.3 + beat) + 0.02 * rng.standard_normal(len(time))
    if channels == 1:
        return mono.astype(np.float32)
    gains = rng.uniform(0.3, 1.0, channels)
    return (mono[:, None] * gains + 0.01 * rng.standard_normal((len(time), channels))).astype(np.float32)


@pytest.fixture(scope="session")
def write_audio() -> Callable[..., Path]:
    """Return a function that writes a song and returns its path."""

    def write(
        path: Path, seconds: float = 2.0, rate: int = 44_100, channels: int = 1, seed: int = 0, **options: Any
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chord_samples(seconds, rate, channels, seed), rate, **options)
        return path

    return write
