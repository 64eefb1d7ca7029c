"""Build tiny models with random weights: ``python tiny_models.py FOLDER``, or one of them with its name after that.

The tokenizer is a byte-level BPE trained on the shipped search spaces, so that real captions fit the text encoder's
256 tokens as they do with the real tokenizer (single bytes would leave room for 87 characters).
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optimizer.foreign import hide_torchaudio

# Before diffusers and transformers look for it.
hide_torchaudio()

ROOT = Path(__file__).parents[2]
END = "<|endoftext|>"
TEMPLATE = """# Instruction
Fill the audio semantic mask based on the given conditions:
Generate audio semantic tokens based on the given conditions:

# Caption

# Metas
- bpm: 120
- timesignature: 4
- keyscale: G major
- duration: 30 seconds

# Languages
# Lyric
"""


def texts() -> Iterator[str]:
    """Yield captions and lyrics of the shipped spaces, and the template around them."""
    yield from [TEMPLATE] * 50

    def strings(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for item in value.values():
                yield from strings(item)
        elif isinstance(value, list):
            for item in value:
                yield from strings(item)

    for path in sorted((ROOT / "search_spaces").glob("*.toml")):
        yield from strings(tomllib.loads(path.read_text(encoding="utf-8")))


def tokenizer(size: int = 3000) -> Any:
    """Train the byte-level BPE: every text round-trips, common words are one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=sorted(alphabet), show_progress=False
    )
    bpe.train_from_iterator(texts(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END, pad_token=END, unk_token=END)


def acestep(folder: Path, turbo: bool = True) -> None:
    """Save an `AceStepPipeline` at 8 kHz whose every part is as small as its configuration allows."""
    import torch
    from diffusers import (
        AceStepPipeline,
        AceStepTransformer1DModel,
        AutoencoderOobleck,
        FlowMatchEulerDiscreteScheduler,
    )
    from diffusers.pipelines.ace_step import (
        AceStepAudioTokenDetokenizer,
        AceStepAudioTokenizer,
        AceStepConditionEncoder,
    )
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    words = tokenizer()
    latent, ratios, rate = 8, (4, 8, 10), 8000
    attention: dict[str, Any] = {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "rope_theta": 10_000.0,
        "sliding_window": 16,
        "intermediate_size": 64,
    }
    quantiser: dict[str, Any] = {
        "hidden_size": 32,
        "audio_acoustic_hidden_dim": latent,
        "pool_window_size": 5,
        "num_attention_pooler_hidden_layers": 1,
        **attention,
    }
    text = Qwen3Config(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=len(words),
        max_position_embeddings=4096,
    )
    pipeline = AceStepPipeline(
        text_encoder=Qwen3Model(text),
        tokenizer=words,
        transformer=AceStepTransformer1DModel(
            hidden_size=32,
            num_hidden_layers=2,
            in_channels=3 * latent,
            audio_acoustic_hidden_dim=latent,
            patch_size=2,
            is_turbo=turbo,
            model_version="turbo" if turbo else "base",
            **attention,
        ),
        condition_encoder=AceStepConditionEncoder(
            hidden_size=32,
            text_hidden_dim=32,
            timbre_hidden_dim=latent,
            num_lyric_encoder_hidden_layers=2,
            num_timbre_encoder_hidden_layers=2,
            **attention,
        ),
        audio_tokenizer=AceStepAudioTokenizer(
            fsq_dim=32, fsq_input_levels=[8, 8, 8, 5, 5, 5], fsq_input_num_quantizers=1, **quantiser
        ),
        audio_token_detokenizer=AceStepAudioTokenDetokenizer(**quantiser),
        vae=AutoencoderOobleck(
            encoder_hidden_size=4,
            downsampling_ratios=list(ratios),
            channel_multiples=[1] * len(ratios),
            decoder_channels=4,
            decoder_input_channels=latent,
            audio_channels=2,
            sampling_rate=rate,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )
    pipeline.save_pretrained(folder)


def musicgen(folder: Path) -> None:
    """Save a MusicGen with its processor; mono, 50 code frames a second at 16 kHz."""
    import torch
    from transformers import (
        EncodecConfig,
        EncodecFeatureExtractor,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        MusicgenProcessor,
        T5Config,
    )

    torch.manual_seed(0)
    words = tokenizer(1000)
    text = T5Config(
        vocab_size=len(words), d_model=16, d_ff=32, d_kv=8, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    audio = EncodecConfig(
        sampling_rate=16_000,
        target_bandwidths=[2.0],
        upsampling_ratios=[8, 8, 5],
        num_filters=4,
        hidden_size=8,
        codebook_dim=8,
        codebook_size=64,
        num_residual_layers=1,
        num_lstm_layers=1,
        use_causal_conv=False,
        normalize=False,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=64,
        hidden_size=16,
        ffn_dim=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_codebooks=4,
        audio_channels=1,
        max_position_embeddings=4096,
        pad_token_id=64,
        bos_token_id=64,
    )
    config = MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
    model = MusicgenForConditionalGeneration(config)
    with torch.no_grad():
        # A new codec's code books are all zero, and a new decoder hardly listens to the text: no word of the prompt,
        # not even the seed, would change a sample.
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_()
        for part in (model.text_encoder, model.decoder):
            for parameter in part.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(8.0)
    model.generation_config.decoder_start_token_id = 64
    model.generation_config.pad_token_id = 64
    model.generation_config.bos_token_id = 64
    model.save_pretrained(folder)
    extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=16_000)
    MusicgenProcessor(extractor, words).save_pretrained(folder)


if __name__ == "__main__":
    target, kinds = Path(sys.argv[1]), sys.argv[2:] or ["tiny-acestep-turbo", "tiny-musicgen"]
    for kind in kinds:
        {"tiny-acestep-turbo": acestep, "tiny-musicgen": musicgen}[kind](target / kind)
