"""Slot tags as real files spell them, read as `O`, `B-…` and `I-…`.

The English training file of xSID (van der Goot et al., 2105.07316) holds 357 words tagged `Orecurring_datetime`. All of
them follow a slot `recurring_datetime`, and nearly all are full stops, commas and words such as *alarm* or *for*: they
stand outside, so such a tag is read as `O`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

__all__ = ["OUTSIDE", "is_tag", "read_tag", "slots_of"]

OUTSIDE = "O"
_NO_LABEL = "NoLabel"
_PREFIXED = re.compile(r"([BIELMSU])[-_](.+)|([bielmsu])-(.+)")
_PARTS = {"B": "B", "S": "B", "U": "B", "I": "I", "M": "I", "E": "I", "L": "I"}
_NAME = re.compile(r"[^\W\d_][\w./-]*")


def is_tag(text: str) -> bool:
    """Return whether a text is a tag in the proper form, `NoLabel` (which means `O`) included."""
    return text in (OUTSIDE, _NO_LABEL) or (text[:2] in ("B-", "I-") and len(text) > len("B-"))


def slots_of(tags: Iterable[str]) -> set[str]:
    """Return the names of the slots in tags of the proper form; others are passed over."""
    return {tag[2:] for tag in tags if is_tag(tag) and tag not in (OUTSIDE, _NO_LABEL)}


def read_tag(text: str, known: Collection[str], before: tuple[str, str]) -> tuple[str, str]:
    """Return the tag that a text means, and what was assumed ("" for a proper one).

    Args:
        text: what the file holds.
        known: the slots that it names in the proper form.
        before: the text and the tag of the word before.
    """
    if is_tag(text):
        return (OUTSIDE if text == _NO_LABEL else text), ""
    if found := _PREFIXED.fullmatch(text):
        prefix, name = found[1] or found[3], found[2] or found[4]
        tag = f"{_PARTS[prefix.upper()]}-{name}"
        return tag, f"the prefix of the tag {text!r} read as that of {tag}"
    if text[:1] in ("B", "I") and text[1:] in known:
        return f"{text[0]}-{text[1:]}", f"the tag {text!r} read as {text[0]}-{text[1:]}"
    outside = text.upper() == OUTSIDE or (text[:1] == OUTSIDE and (text[1:] in known or text[1:2] == "-"))
    if outside or not _NAME.fullmatch(text):
        return OUTSIDE, f"{text!r} is no slot tag, taken as {OUTSIDE}"
    tag = f"{'I' if before[0] == text else 'B'}-{text}"
    return tag, f"the tag {text!r} has neither B- nor I-, read as {tag} (B- for the first word of a run)"
