"""Tiny models of the classes that the task uses, with a word-level tokenizer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    BertConfig,
    BertModel,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from neoai_utils.steering.encoder import Encoder
from neoai_utils.steering.generation import Writer

WORDS = [f"w{i}" for i in range(60)]
KINDS = ("gemma2", "llama", "gpt2")


def tokenizer(*, special: bool = True) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if special:
        made.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>"
    )


def tiny(kind: str) -> Writer:
    torch.manual_seed(0)
    size = {"vocab_size": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    wide = {
        "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 128,
    }  # fmt: skip
    if kind == "gemma2":
        model = Gemma2ForCausalLM(
            Gemma2Config(**size, **wide, head_dim=6, query_pre_attn_scalar=6, sliding_window=64)
        )  # fmt: skip
    elif kind == "llama":
        model = LlamaForCausalLM(LlamaConfig(**size, **wide))
    else:
        model = GPT2LMHeadModel(GPT2Config(**size, n_embd=24, n_layer=3, n_head=4, n_positions=128))
    return Writer(model.eval().requires_grad_(False), tokenizer())


@pytest.fixture(scope="session")
def words() -> PreTrainedTokenizerFast:
    return tokenizer()


@pytest.fixture(scope="session", params=KINDS)
def writer(request: pytest.FixtureRequest) -> Writer:
    return tiny(request.param)


@pytest.fixture(scope="session")
def llama() -> Writer:
    return tiny("llama")


@pytest.fixture(scope="session")
def sentences() -> Callable[[int, int], list[str]]:
    """Return a maker of `count` random texts of 2 to 12 words."""

    def make(count: int, seed: int = 0) -> list[str]:
        rng = torch.Generator().manual_seed(seed)
        lengths = torch.randint(2, 13, (count,), generator=rng).tolist()
        return [" ".join(WORDS[i] for i in torch.randint(60, (n,), generator=rng).tolist()) for n in lengths]

    return make


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64, hidden_size=16, num_hidden_layers=5, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=512, pad_token_id=0,
    )  # fmt: skip
    return Encoder(BertModel(config).eval(), tokenizer())


def logits(writer: Writer, text: str) -> torch.Tensor:
    """Return the logits of one text, (1, length, vocabulary)."""
    ids = torch.tensor([writer.tokenizer.encode(text)])
    with torch.inference_mode():
        return writer.model(ids).logits


def wide_vocabulary() -> Writer:
    """Return a tiny Gemma 2 in bfloat16 with 20,000 words, so that logits are its largest tensors."""
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=20_000, pad_token_id=0, bos_token_id=1, eos_token_id=2, hidden_size=24, intermediate_size=48,
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=6, sliding_window=64,
    )  # fmt: skip
    return Writer(Gemma2ForCausalLM(config).bfloat16().eval().requires_grad_(False), tokenizer())


class _Counter(TorchDispatchMode):
    """Counts the bytes of all tensors that operations return while they are alive."""

    def __init__(self, model: torch.nn.Module | None) -> None:
        super().__init__()
        weights = model.parameters() if model is not None else ()
        self.weights = {StorageWeakRef(values.untyped_storage()).cdata for values in weights}
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        self.alive = {key: held for key, held in self.alive.items() if not held[0].expired()}
        for value in tree_leaves(output):
            if isinstance(value, torch.Tensor):
                reference = StorageWeakRef(value.untyped_storage())
                if reference.cdata not in self.weights:
                    self.alive[reference.cdata] = (reference, value.untyped_storage().nbytes())
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return output


def peak_bytes(work: Callable[[], object], model: torch.nn.Module | None = None) -> int:
    """Return the most bytes that the tensors that `work` makes hold at once, without the weights of a model."""
    with _Counter(model) as counter:
        work()
    return counter.peak


def sparse_states(count: int = 2048, width: int = 24, seed: int = 0) -> torch.Tensor:
    """Return hidden states that are sums of few out of 32 directions, (count, width)."""
    rng = torch.Generator().manual_seed(seed)
    directions = torch.randn(32, width, generator=torch.Generator().manual_seed(9))
    activations = torch.rand(count, 32, generator=rng) * (torch.rand(count, 32, generator=rng) < 0.1)
    return activations @ directions


@pytest.fixture(scope="session")
def sae():
    """An SAE of 48 latents on `sparse_states`."""
    from neoai_utils.steering.miniature.autoencoder import AutoencoderRecipe, train

    recipe = AutoencoderRecipe(latents=48, active=4, steps=80, batch=256, learning_rate=5e-3)
    return train(sparse_states(), recipe, 1)
