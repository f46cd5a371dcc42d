"""Loading CLIPs of open_clip; what goes wrong is tested with the tasks that load them."""

from __future__ import annotations

import pytest
import torch

from neoai_utils import clips


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("RN50/openai", "", "QuickGELU"),
        ("RN50-quickgelu/OpenAI", "", "QuickGELU"),
        ("RN50", "", "GELU"),
        ("RN50-quickgelu", "/{file}", "QuickGELU"),
        ("RN50", "/{file}", "GELU"),
    ],
)
def test_the_gelu_follows_the_weights(tmp_path, monkeypatch, name, file, kind):
    """OpenAI's weights were trained with the quick one; since version 3 their tag alone no longer brings it along."""
    open_clip = pytest.importorskip("open_clip")
    path = tmp_path / "weights.pt"
    torch.save(open_clip.create_model("RN50", pretrained=None).state_dict(), path)
    monkeypatch.setattr("open_clip.factory.download_pretrained", lambda *_, **__: str(path))
    model, _, _ = clips.load_open_clip(name + file.format(file=path), "backbone")
    found = {type(module).__name__ for module in model.transformer.modules() if "GELU" in type(module).__name__}
    assert found == {kind}
