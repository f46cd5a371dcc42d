"""How much sentences resemble others: the odds of a classifier that tells the two apart ("adversarial validation").

Sentence pairs may come from anywhere, also from a dictionary. A model that was trained on commands gives a phrase such
as *to meet the case* an intent, too, and often with a high probability. A classifier of words and word pairs sees that
the phrase is no command. Its odds p / (1 - p) estimate the ratio of the two densities (Shimodaira 2000).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neoai_utils.arrays import Float64

__all__ = ["likeness"]

_FOLDS = 5


def likeness(sentences: Sequence[str], others: Sequence[str], seed: int) -> Float64:
    """Return how much each sentence resembles the others, between 0 and 1.

    The classifier never saw the sentence whose probability it gives. Both kinds have the same weight.

    Args:
        sentences: with blanks between words.
        others: likewise.
        seed: of the parts of the cross-validation.

    Returns:
        (sentences,) the odds that the sentence is one of the others, at most 1; 1 for all if there are fewer than five
        sentences of either kind.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    if min(len(sentences), len(others)) < _FOLDS:
        return np.ones(len(sentences))
    words = TfidfVectorizer(ngram_range=(1, 2), tokenizer=str.split, token_pattern=None)
    classifier = make_pipeline(words, LogisticRegression(class_weight="balanced"))
    is_other = np.repeat([0, 1], [len(sentences), len(others)])
    parts = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    probabilities = cross_val_predict(classifier, [*sentences, *others], is_other, cv=parts, method="predict_proba")
    own, other = probabilities[: len(sentences)].T
    odds: Float64 = np.minimum(1.0, other / own)
    return odds
