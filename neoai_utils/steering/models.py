"""The models by name: the writer, and what the miniature uses in place of Gemma."""

from __future__ import annotations

import torch

from neoai_utils.steering.generation import Sampling, Writer

__all__ = ["SAMPLING", "load_smollm", "load_writer"]

# The miniature's rule. The competition samples at temperature 1; a model of 135 million parameters writes
# word salad there, and what a detector then sees is no style.
SAMPLING = Sampling(new_tokens=28, temperature=0.7, seed=0, batch=96)


def load_smollm(dtype: str = "bfloat16") -> Writer:
    """Return SmolLM2-135M-Instruct out of its package; texts stand without special tokens, as raw prose."""
    from neoai_utils.offline import load_smollm2

    model, tokenizer = load_smollm2()
    return Writer(model.to(getattr(torch, dtype)).eval(), tokenizer, special=False)


def load_writer(name: str, dtype: str = "bfloat16", device: torch.device | None = None) -> Writer:
    """Return a causal language model of the hub or of a folder, such as google/gemma-2-2b.

    Raises:
        OSError: there is no such model, or its licence was not accepted (by transformers).
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(name, dtype=getattr(torch, dtype))
    return Writer(model.to(device or "cpu").eval(), AutoTokenizer.from_pretrained(name))
