"""Committed weights: half-precision safetensors files in one folder, and a manifest of their origin.

The manifest contains the recipe, its checksum, and for each part the SHA-256 of its file and its number of parameters.
A part is loaded only if its file has the SHA-256 of the manifest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils.errors import AssetError
from neoai_utils.storage import atomic_path, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Store", "recipe_checksum"]


def recipe_checksum(recipe: Any) -> str:
    """Return the SHA-256 of a recipe's fields, 64 hexadecimal digits.

    Args:
        recipe: a dataclass of numbers, texts and tuples of them.
    """
    text = json.dumps(dataclasses.asdict(recipe), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Store:
    """The committed weights of one folder.

    Attributes:
        folder: folder of the manifest and of one file for each part.
        name: the manifest's file name.
        file_name: name of a part's file; `{part}` stands for the part.
    """

    folder: Path
    name: str
    file_name: str = "{part}.safetensors"

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            AssetError: it is missing or damaged; an uploaded notebook contains no weights of a miniature.
        """
        path = self.folder / self.name
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AssetError(f"{path} is missing or damaged: install neoai again.") from error
        return content

    def path(self, part: str) -> Path:
        """Return the file of a part."""
        return self.folder / self.file_name.format(part=part)

    def load(self, part: str) -> dict[str, Tensor]:
        """Return the state dict of a part, floating-point tensors as float32.

        Raises:
            AssetError: there is no such part, or its file does not have the manifest's SHA-256.
        """
        from safetensors.torch import load_file

        checksums, path = self.manifest()["sha256"], self.path(part)
        if part not in checksums:
            raise AssetError(f"{self.folder / self.name} names no {part!r}, only {', '.join(checksums)}.")
        if not path.is_file() or sha256_of(path) != checksums[part]:
            raise AssetError(f"{path} is missing or damaged: install neoai again.")
        state = load_file(path).items()
        return {key: values.float() if values.is_floating_point() else values for key, values in state}

    def save(self, part: str, state: Mapping[str, Tensor], recipe: Any, **facts: Any) -> None:
        """Write a part, floating-point tensors as float16, and record it in the manifest; other parts are kept.

        Args:
            part: its name.
            state: name -> tensor.
            recipe: dataclass of the constants of its training.
            facts: further entries of the manifest, such as `licence` and `made_by`. A dictionary is merged into the
                entry of this name.

        Raises:
            NeoaiError: the folder is not writable; the old files are kept.
        """
        from safetensors.torch import save_file

        half = {key: values.detach().half() if values.is_floating_point() else values for key, values in state.items()}
        with atomic_path(self.path(part)) as temporary:
            save_file({key: values.cpu().contiguous() for key, values in half.items()}, temporary)
        content = self.manifest() if (self.folder / self.name).exists() else {}
        content |= {"recipe": dataclasses.asdict(recipe), "recipe_checksum": recipe_checksum(recipe)}
        facts["sha256"] = {part: sha256_of(self.path(part))}
        facts["parameters"] = {part: sum(values.numel() for values in state.values())}
        for key, value in facts.items():
            content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
        with atomic_path(self.folder / self.name) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
