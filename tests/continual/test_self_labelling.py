"""The head that is fitted to given and predicted labels."""

from __future__ import annotations

import torch

from neoai_utils.continual.self_labelling import refitted_logits


def test_a_refitted_head_separates_what_is_labelled_and_never_predicts_an_empty_class() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 2, 5]).repeat(30)
    features = 3 * torch.nn.functional.one_hot(labels, 8).float() + torch.randn(90, 8, generator=generator) / 2
    logits = refitted_logits(features, labels, features, classes=7)
    assert logits.shape == (90, 7)
    assert logits.isfinite().all()
    assert torch.equal(logits.argmax(dim=1), labels)
    assert (logits[:, [1, 3, 4, 6]].max(dim=1).values < logits[:, [0, 2, 5]].min(dim=1).values).all()


def test_a_few_wrong_labels_are_corrected() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = torch.tensor([0, 1]).repeat(50)
    features = 4 * truth[:, None] + torch.randn(100, 3, generator=generator) / 2
    labels = truth.clone()
    labels[:10] = 1 - labels[:10]
    assert torch.equal(refitted_logits(features, labels, features, 2).argmax(dim=1), truth)


def test_one_class_needs_no_fit() -> None:
    logits = refitted_logits(torch.zeros(2, 3), torch.tensor([4, 4]), torch.ones(5, 3), 6)
    assert logits.argmax(dim=1).tolist() == [4] * 5
