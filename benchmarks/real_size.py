"""Folders in the competitions' exact sizes: the file counts on record and the real networks' shapes, random weights.

Nothing is downloaded. Shapes are those of the models' published configurations (`SHAPES`), counts are those of the
competitions (`ROWS`). A share below 1 writes a share of the rows that are counted in `ROWS`, never smaller shapes.
Scores mean nothing here; seconds and memory do.
"""

from __future__ import annotations

import io
import json
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["FILES", "MODELS", "ROWS", "SHAPES"]

# Rows of each task's files. Task 1: the real table has 40,704 training rows; test rows by its share of the hours.
ROWS: dict[str, dict[str, int]] = {
    "task1": {"train": 40_704, "test": 17_454},
    "task2": {"train": 230, "test": 5_100},
    "task3": {"prompts": 500, "pairs": 23_867},
    "task4": {"pairs": 3_840},
    "task5": {"validation": 2_500, "test": 2_499},
    "task6": {"prompts": 182},
    "task7": {"validation": 20, "test": 1_000},
    "task8": {"train": 37_121, "validation": 300, "test": 500, "pairs": 5_000, "texts": 20_000},
}
SHAPES: dict[str, dict[str, Any]] = {
    "gemma-2-2b": {
        "vocab_size": 256_000, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "query_pre_attn_scalar": 256,
        "sliding_window": 4096, "max_position_embeddings": 8192,
    },
    "deberta-v3-large": {
        "vocab_size": 128_100, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
        "num_attention_heads": 16, "max_position_embeddings": 512, "relative_attention": True,
        "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
        "type_vocab_size": 0, "position_biased_input": False, "max_relative_positions": -1, "pooler_hidden_size": 1024,
    },
    "sae": {"d_in": 2304, "d_sae": 16_384},
    "bert-base": {"vocab_size": 30_522},
    "clip-vit-base-patch16": {"patch_size": 16},
    "xlm-roberta-base": {"vocab_size": 250_002, "max_position_embeddings": 514, "type_vocab_size": 1},
    "sd-unet": {
        "sample_size": 64, "layers_per_block": 2, "block_out_channels": (320, 640, 1280, 1280),
        "cross_attention_dim": 768, "attention_head_dim": 8,
        "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    },
    "sd-vae": {
        "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4, "sample_size": 512,
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    },
    "sd-text": {
        "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
        "max_position_embeddings": 77, "projection_dim": 768,
    },
    "clip-vit-h-14": {
        "text": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
        "vision": {
            "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16,
            "patch_size": 14,
        },
    },
}  # fmt: skip


def rows(task: str, share: float) -> dict[str, int]:
    """Return how many rows of each kind a share leaves; the labelled rows of tasks 2, 7 and 8 are never scaled."""
    fixed = {"task2": ("train",), "task3": ("pairs",), "task7": ("validation",), "task8": ("validation",)}
    return {
        name: count if name in fixed.get(task, ()) else max(2, round(count * share))
        for name, count in ROWS[task].items()
    }


def words(rng: np.random.Generator, count: int) -> list[str]:
    """Return made-up words of three to nine letters."""
    letters = np.array(list(string.ascii_lowercase))
    return ["".join(rng.choice(letters, rng.integers(3, 10))) for _ in range(count)]


def sentences(rng: np.random.Generator, vocabulary: list[str], count: int, length: tuple[int, int]) -> list[str]:
    """Return texts of a random number of words."""
    sizes = rng.integers(*length, count)
    drawn = iter(rng.choice(vocabulary, sizes.sum()))
    return [" ".join(next(drawn) for _ in range(size)) for size in sizes]


def word_tokenizer(folder: Path, vocabulary: list[str], size: int = 0, **special: str) -> Any:
    """Save a tokenizer with an entry for each word and return it.

    Its ids stay far below the model's vocabulary. What a model writes is mostly other ids, of which no text is left:
    for a model that writes, further words ("w5000") fill the vocabulary up to its `size`.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    entries = [*dict.fromkeys([*special.values(), *string.ascii_letters, *string.punctuation, *vocabulary])]
    entries += [f"w{number}" for number in range(len(entries), size)]
    table = {word: number for number, word in enumerate(entries)}
    made = Tokenizer(models.WordLevel(table, unk_token=special["unk_token"]))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    first, last = special.get("bos_token"), special.get("sep_token")
    if first or last:
        parts = [part for part in (first, "$A", last) if part]
        pair = [*parts, *(part for part in ("$B:1", last) if part)]
        known = [(part, table[part]) for part in (first, last) if part]
        made.post_processor = processors.TemplateProcessing(single=parts, pair=pair, special_tokens=known)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=512, **special)
    tokenizer.save_pretrained(folder)
    return tokenizer


def picture_bytes(rng: np.random.Generator, width: int, height: int) -> bytes:
    """Return a JPEG photograph-like picture: smooth colour fields with grain."""
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    with io.BytesIO() as buffer:
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        return buffer.getvalue()


def _pool(rng: np.random.Generator, sizes: list[tuple[int, int]], count: int) -> Iterator[bytes]:
    """Yield `count` pictures out of a pool of 24 in the given sizes."""
    made = [picture_bytes(rng, *sizes[index % len(sizes)]) for index in range(24)]
    for index in range(count):
        yield made[index % len(made)]


def task1(folder: Path, share: float) -> None:
    """Write the tables in the real number of rows."""
    import pandas as pd

    from neoai_utils.tabular import miniature

    answers = folder.parent / "answers"
    answers.mkdir()
    miniature.build(miniature.Recipe(rows_per_hour=1500), folder, answers)
    for name, count in zip(("train_tables.csv", "test_tables.csv"), rows("task1", share).values(), strict=True):
        table = pd.read_csv(folder / name)
        table.head(count).to_csv(folder / name, index=False)
    test = pd.read_csv(folder / "test_tables.csv")
    test[["id"]].assign(target=0.0).to_csv(folder / "sample_submission.csv", index=False)


def task2(folder: Path, share: float) -> None:
    """Write 230 labelled and 5,100 test pictures, and TinyViT-5M with 102 outputs."""
    import timm
    import torch

    rng = np.random.default_rng(0)
    classes = (4, 5, 8, 12, 13, 14, 19, 24, 28, 32, 36, 38, 43, 44, 53, 54, 56, 68, 75, 78, 85, 87, 92)
    count = rows("task2", share)
    for part, total in count.items():
        (folder / f"{part}_images").mkdir()
        for number, content in enumerate(_pool(rng, [(300, 200), (500, 400), (200, 300)], total)):
            (folder / f"{part}_images" / f"image_{number:05d}.jpg").write_bytes(content)
    lines = [f"image_{number:05d}.jpg,{classes[number % len(classes)]}" for number in range(count["train"])]
    (folder / "train.csv").write_text("\n".join(["path,class", *lines]) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    model = timm.create_model("tiny_vit_5m_224", num_classes=102)
    torch.save({f"model.{name}": values for name, values in model.state_dict().items()}, folder / "model.pt")


def task3(folder: Path, share: float) -> None:
    """Write 500 prompts and HC3's 23,867 pairs."""
    import pandas as pd

    rng = np.random.default_rng(0)
    vocabulary = words(rng, 3000)
    count = rows("task3", share)
    pd.DataFrame({"prompt": sentences(rng, vocabulary, count["prompts"], (12, 30))}).to_csv(
        folder / "test.csv", index=False
    )
    pairs = pd.DataFrame({"question": sentences(rng, vocabulary, count["pairs"], (8, 25))})
    for column in ("human_answers", "chatgpt_answers"):
        pairs[column] = [str([text]) for text in sentences(rng, vocabulary, count["pairs"], (60, 220))]
    pairs.assign(source="reddit_eli5").to_csv(folder / "hc3.csv", index=False)


def models3(
    models: Path, *, blocks: int = 26, levels: int = 24, saes: tuple[int, ...] = (14, 15, 16, 17, 18)
) -> dict[str, object]:
    """Save Gemma 2 2B's and DeBERTa-v3-large's shapes and five SAEs of 16k.

    Fewer `blocks` of the one and `levels` of the other, and SAEs of other blocks (`saes`), make a shallow copy.
    """
    import torch
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

    vocabulary = words(np.random.default_rng(0), 3000)
    special = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>"}
    word_tokenizer(models / "writer", vocabulary, SHAPES["gemma-2-2b"]["vocab_size"], **special)
    torch.manual_seed(0)
    config = Gemma2Config(
        **SHAPES["gemma-2-2b"] | {"num_hidden_layers": blocks}, pad_token_id=1, bos_token_id=2, eos_token_id=3
    )
    _save(Gemma2ForCausalLM, config, models / "writer", torch.bfloat16)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "bos_token": "[CLS]", "sep_token": "[SEP]"}
    word_tokenizer(models / "detector", vocabulary, **special)
    config = DebertaV2Config(**SHAPES["deberta-v3-large"] | {"num_hidden_layers": levels}, num_labels=1)
    _save(DebertaV2ForSequenceClassification, config, models / "detector", torch.float32)
    _saes(models / "saes", saes)
    return {name: str(models / name) for name in ("writer", "detector", "saes")}


def _save(kind: Any, config: Any, folder: Path, dtype: Any) -> None:
    """Save a network of random weights: normal with deviation .02, norms one, biases zero."""
    import torch

    with torch.device("meta"):
        model = kind(config)
    model = model.to(dtype).to_empty(device="cpu")
    with torch.no_grad():
        for name, values in model.named_parameters():
            if values.ndim > 1:
                values.normal_(0, 0.02)
            else:
                values.fill_(0.0 if name.endswith("bias") or config.model_type == "gemma2" else 1.0)
    model.tie_weights()
    model.save_pretrained(folder)


def _saes(folder: Path, layers: tuple[int, ...]) -> None:
    """Save JumpReLU autoencoders as sae-lens does, in the folders that the parameter saes expects."""
    import torch
    from sae_lens import JumpReLUSAE, JumpReLUSAEConfig

    for layer in layers:
        sae = JumpReLUSAE(JumpReLUSAEConfig(**SHAPES["sae"], device="cpu"))
        with torch.no_grad():
            sae.threshold.fill_(1.0)
        sae.cfg.metadata.hook_name = f"blocks.{layer}.hook_resid_post"
        sae.save_model(folder / f"block{layer}")


def task4(folder: Path, share: float) -> None:
    """Write 3,840 pairs of factors; the miniature has them in the real number and shape."""
    from neoai_utils.clustering import miniature

    answers = folder.parent / "answers"
    answers.mkdir()
    miniature.build(miniature.Recipe(), folder, answers)
    count = 32 * max(2, round(rows("task4", share)["pairs"] / 32))
    for name in ("data_1.npz", "data_2.npz"):
        with np.load(folder / name) as archive:
            array = archive["arr_0"][:count]
        np.savez(folder / name, array)


def models4(models: Path) -> dict[str, object]:
    """Save TinyViT-5M at 224 pixels as the hub has it."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    module = timm.create_model("tiny_vit_5m_224", pretrained=False)
    settings = {"input_size": [3, 224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    folder = models / "network"
    folder.mkdir(parents=True)
    config = {"architecture": "tiny_vit_5m_224", "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(module.state_dict(), folder / "model.safetensors")
    return {"network": str(folder)}


def task5(folder: Path, share: float) -> None:
    """Write the texts."""
    import pandas as pd

    rng = np.random.default_rng(0)
    vocabulary = sorted(word for word in _bert_tokenizer().get_vocab() if word.isalpha() and len(word) > 2)
    count = rows("task5", share)
    labels = rng.choice(["negative", "neutral", "positive"], count["validation"])
    # words as frequent as in a language (Zipf): the work with contexts grows with the words that occur twice
    share_of = 1 / (2.7 + rng.permutation(len(vocabulary)))
    sizes = rng.integers(5, 30, sum(count.values()))
    drawn = iter(rng.choice(vocabulary, sizes.sum(), p=share_of / share_of.sum()))
    texts = [" ".join(next(drawn) for _ in range(size)) for size in sizes]
    held, test = texts[: count["validation"]], texts[count["validation"] :]
    pd.DataFrame({"text": held, "labels": labels}).to_csv(folder / "val_dataset.csv", index=False)
    pd.DataFrame({"id": range(5000, 5000 + len(test)), "text": test}).to_csv(folder / "test.csv", index=False)


def _bert_tokenizer() -> Any:
    """Return the tokenizer of bert-base-uncased, which MiniLM shares."""
    from transformers import AutoTokenizer

    from neoai_utils import offline

    return AutoTokenizer.from_pretrained(offline.fetch("minilm-l6"))


def models5(models: Path) -> dict[str, object]:
    """Save BERT-base with 12,208 rows of its table at zero."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = _bert_tokenizer()
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SHAPES["bert-base"], num_labels=3))
    zeroed = np.random.default_rng(0).choice(np.arange(1000, len(tokenizer)), 12_208, replace=False)
    rows = model.bert.embeddings.word_embeddings.weight.data
    rows[tokenizer.pad_token_id].normal_(0, 0.02)  # a new table has no row for padding; the trained one has
    rows[torch.from_numpy(zeroed)] = 0
    model.save_pretrained(models / "bert")
    tokenizer.save_pretrained(models / "bert")
    return {"model_id": str(models / "bert")}


def task6(folder: Path, share: float) -> None:
    """Write 182 prompts."""
    kinds = ("a photo of a horse in a field", "a painting of a pig", "a sketch of a red tractor")
    texts = {str(number): f"{kinds[number % 3]}, number {number}" for number in range(rows("task6", share)["prompts"])}
    (folder / "prompts.json").write_text(json.dumps(texts), encoding="utf-8")


def models6(models: Path) -> dict[str, object]:
    """Save Stable Diffusion 1.5's pipeline and the judge, ViT-H-14."""
    from transformers import CLIPImageProcessor

    pipeline6(models)
    _save_clip(models / "judge", SHAPES["clip-vit-h-14"], 1024)
    CLIPImageProcessor().save_pretrained(models / "judge")
    return {"model": str(models / "model"), "judge": str(models / "judge")}


def pipeline6(models: Path) -> Path:
    """Save Stable Diffusion 1.5's pipeline and return its folder."""
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = _clip_tokenizer(models / "tokenizer", words(np.random.default_rng(0), 33_000))
    text = CLIPTextModel(CLIPTextConfig(**SHAPES["sd-text"], vocab_size=49_408, **_clip_ends(tokenizer)))
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1,
        set_alpha_to_one=False,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(**SHAPES["sd-vae"]), text_encoder=text, tokenizer=tokenizer,
        unet=UNet2DConditionModel(**SHAPES["sd-unet"]), scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(models / "model")
    return models / "model"


def _clip_tokenizer(folder: Path, whole: Sequence[str] = ()) -> Any:
    """Save a CLIP tokenizer of bytes and no merges, with `whole` words, padded to CLIP's 49,408 entries; return it."""
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    symbols = [*map(chr, range(33, 127)), *map(chr, range(161, 173)), *map(chr, range(174, 324))]
    entries = [*symbols, *dict.fromkeys(f"{word}</w>" for word in (*symbols, *whole))]
    entries += [f"<unused{number}>" for number in range(49_406 - len(entries))] + ["<|startoftext|>", "<|endoftext|>"]
    table = {entry: number for number, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def _clip_ends(tokenizer: Any) -> dict[str, int]:
    return {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}


def _save_clip(folder: Path, shapes: dict[str, Any], projection: int) -> None:
    """Save a CLIP of random weights with its tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = _clip_tokenizer(folder)
    tokenizer.save_pretrained(folder)
    text = {**shapes.get("text", {}), "vocab_size": 49_408, **_clip_ends(tokenizer), "projection_dim": projection}
    vision = {**shapes.get("vision", {}), "projection_dim": projection}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)).save_pretrained(folder)


def task7(folder: Path, share: float) -> None:
    """Write 20 labelled and 1,000 test photographs in the real mix of sizes."""
    from neoai_utils.segmentation import files

    rng = np.random.default_rng(0)
    sizes = [(500, 375), (500, 333), (375, 500), (333, 500), (300, 225), (249, 202), (600, 798)]
    for name in ("val_imgs", "val_masks", "test_imgs"):
        (folder / "cuties" / name).mkdir(parents=True)
    count = rows("task7", share)
    for number, content in enumerate(_pool(rng, sizes, count["validation"])):
        name = f"{files.CLASS_NAMES[number % len(files.CLASS_NAMES)].replace(' ', '_')}_{number}"
        (folder / f"cuties/val_imgs/{name}.jpg").write_bytes(content)
        width, height = Image.open(io.BytesIO(content)).size
        row, column = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        mask = (row - rng.uniform(-0.3, 0.3)) ** 2 + (column - rng.uniform(-0.3, 0.3)) ** 2 < 0.3
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"cuties/val_masks/{name}.png")
    for number, content in enumerate(_pool(rng, sizes, count["test"])):
        (folder / f"cuties/test_imgs/{number}.jpg").write_bytes(content)


def models7(models: Path) -> dict[str, object]:
    """Save CLIP ViT-B/16."""
    from transformers import CLIPImageProcessor

    _save_clip(models / "clip", {"vision": SHAPES["clip-vit-base-patch16"]}, 512)
    CLIPImageProcessor().save_pretrained(models / "clip")
    return {"backbone": str(models / "clip")}


_CYRILLIC = str.maketrans(string.ascii_lowercase, "абвгдежзийклмнопрстуфхцчшщ")


def task8(folder: Path, share: float) -> None:
    """Write 37,121 English utterances, Russian ones, and pairs and texts with full stops, as raw text has them."""
    rng = np.random.default_rng(1)
    count = rows("task8", share)
    english, russian = _two_languages()
    for part, vocabulary in (("train", english), ("validation", russian), ("test", russian)):
        text = "\n\n".join(_utterance(rng, vocabulary, part != "test") for _ in range(count[part]))
        (folder / f"{part}.conll").write_text(text + "\n", encoding="utf-8")
    pairs = [f"{text}." for text in sentences(rng, english, count["pairs"], (4, 14))]
    lines = [json.dumps({"ru": text.translate(_CYRILLIC), "en": text}, ensure_ascii=False) for text in pairs]
    (folder / "ru_en_pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = [f"{text}." for text in sentences(rng, russian, count["texts"], (4, 14))]
    (folder / "unlabeled_texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")


def _two_languages() -> tuple[list[str], list[str]]:
    """Return the words of an invented English and, letter for letter, of an invented Russian."""
    english = words(np.random.default_rng(0), 2500)
    return english, [word.translate(_CYRILLIC) for word in english]


def models8(models: Path) -> dict[str, object]:
    """Save XLM-R base's shapes."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    english, russian = _two_languages()
    special = {
        "unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "sep_token": "</s>", "cls_token": "<s>",
        "mask_token": "<mask>",
    }  # fmt: skip
    word_tokenizer(models / "encoder", [*english, *russian], **special)
    torch.manual_seed(0)
    config = XLMRobertaConfig(**SHAPES["xlm-roberta-base"], pad_token_id=1, bos_token_id=2, eos_token_id=3)
    XLMRobertaModel(config).save_pretrained(models / "encoder")
    return {"encoder_id": str(models / "encoder")}


def _utterance(rng: np.random.Generator, vocabulary: list[str], labelled: bool) -> str:
    intents = ("weather/find", "alarm/set_alarm", "PlayMusic", "BookRestaurant", "RateBook", "reminder/set_reminder")
    slots = ("datetime", "location", "artist", "reminder/todo", "rating_value", "party_size_number")
    size = int(rng.integers(3, 13))
    tags = ["O"] * size
    first = int(rng.integers(0, size))
    slot = slots[rng.integers(len(slots))]
    tags[first : first + 2] = [f"B-{slot}", f"I-{slot}"][: size - first]
    intent = intents[rng.integers(len(intents))]
    drawn = rng.choice(vocabulary, size)
    label = [f"\t{intent}\t{tag}" if labelled else "" for tag in tags]
    return "\n".join(f"{number}\t{word}{label[number - 1]}" for number, word in enumerate(drawn, start=1))


FILES: dict[str, Callable[[Path, float], None]] = {
    "task1": task1, "task2": task2, "task3": task3, "task4": task4,
    "task5": task5, "task6": task6, "task7": task7, "task8": task8,
}  # fmt: skip
"""Task -> what writes the competition's files, a share of the rows, into a folder."""
MODELS: dict[str, Callable[[Path], dict[str, object]]] = {
    "task3": models3, "task4": models4, "task5": models5, "task6": models6, "task7": models7, "task8": models8,
}  # fmt: skip
"""Task -> what saves the networks that are no file of the competition, and returns the parameters that name them."""
