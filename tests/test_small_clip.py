"""The loss of the small CLIPs; their training is tested with the miniatures that use them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils import small_clip


def test_shared_captions_share_the_target():
    logits = torch.eye(3) * 50
    apart = small_clip.contrastive_loss(logits, torch.tensor([0, 1, 2]))
    assert apart < 1e-6
    same = small_clip.contrastive_loss(logits, torch.tensor([0, 0, 1]))
    assert same > 5  # rows 0 and 1 now want each other too
    assert small_clip.contrastive_loss(torch.zeros(4, 4), torch.arange(4)).item() == pytest.approx(np.log(4))
