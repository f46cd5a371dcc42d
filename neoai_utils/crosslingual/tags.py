"""Slot tags as real files spell them, read as `O`, `B-…` and `I-…`.

The English training file of xSID (van der Goot et al., 2105.07316) holds 357 words tagged `Orecurring_datetime`. All of
them follow a slot `recurring_datetime`, and nearly all are full stops, commas and words such as *alarm* or *for*: they
are outside the slot, so such a tag is read as `O`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

__all__ = ["OUTSIDE", "is_tag", "read_tag", "slots_of", "valid_tags"]

OUTSIDE = "O"
"""Tag of a word outside all slots."""
_NO_LABEL = "NoLabel"
_PREFIXED = re.compile(r"([BIELMSU])[-_](.+)|([bielmsu])-(.+)")
_PARTS = {"B": "B", "S": "B", "U": "B", "I": "I", "M": "I", "E": "I", "L": "I"}
_NAME = re.compile(r"[^\W\d_][\w./-]*")


def is_tag(text: str) -> bool:
    """Return whether a text is a tag in the proper form, `NoLabel` (which means `O`) included."""
    return text in (OUTSIDE, _NO_LABEL) or (text[:2] in ("B-", "I-") and len(text) > len("B-"))


def slots_of(tags: Iterable[str]) -> set[str]:
    """Return the names of the slots in tags of the proper form; other tags are ignored."""
    return {tag[2:] for tag in tags if is_tag(tag) and tag not in (OUTSIDE, _NO_LABEL)}


def read_tag(text: str, slots: Collection[str], previous: tuple[str, str]) -> tuple[str, str]:
    """Return the tag that a text stands for, and the assumption made ("" for a tag of the proper form).

    Args:
        text: the cell of the file.
        slots: the slots that the file names in the proper form.
        previous: the text and the tag of the previous word.
    """
    if is_tag(text):
        return (OUTSIDE if text == _NO_LABEL else text), ""
    if match := _PREFIXED.fullmatch(text):
        prefix, name = match[1] or match[3], match[2] or match[4]
        tag = f"{_PARTS[prefix.upper()]}-{name}"
        return tag, f"the prefix of the tag {text!r} read as that of {tag}"
    if text[:1] in ("B", "I") and text[1:] in slots:
        return f"{text[0]}-{text[1:]}", f"the tag {text!r} read as {text[0]}-{text[1:]}"
    outside = text.upper() == OUTSIDE or (text[:1] == OUTSIDE and (text[1:] in slots or text[1:2] == "-"))
    if outside or not _NAME.fullmatch(text):
        return OUTSIDE, f"{text!r} is no slot tag, taken as {OUTSIDE}"
    tag = f"{'I' if previous[0] == text else 'B'}-{text}"
    return tag, f"the tag {text!r} has neither B- nor I-, read as {tag} (B- for the first word of a run)"


def valid_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return the tags with `B-` at the first word of each run of the same slot and `I-` at the others."""
    valid: list[str] = []
    previous = ""
    for tag in tags:
        slot = "" if tag == OUTSIDE else tag[2:]
        valid.append(OUTSIDE if not slot else f"{'I' if slot == previous else 'B'}-{slot}")
        previous = slot
    return tuple(valid)
