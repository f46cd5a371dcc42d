"""The committed passages, read once."""

from __future__ import annotations

import pytest

from neoai_utils.steering.miniature import passages
from neoai_utils.steering.miniature.passages import Passage


@pytest.fixture(scope="session")
def table() -> list[Passage]:
    return passages.load()
