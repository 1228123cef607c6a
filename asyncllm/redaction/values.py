"""Texts masked where they are parts of something: of a URL, of headers, of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multidict import CIMultiDict
from yarl import URL

from asyncllm.redaction.mask import MASK

if TYPE_CHECKING:
    from asyncllm.redaction.mask import Mask


def masked(value: object, mask: Mask) -> object:
    """Return `value` with its texts masked; what has none is returned as it is."""
    match value:
        case str():
            return mask(value)
        case URL():
            return _masked_url(value, mask)
        case CIMultiDict():
            return CIMultiDict((name, mask(text)) for name, text in value.items())
        case list():  # its notes
            return [masked(each, mask) for each in value]
    return value


def _masked_url(url: URL, mask: Mask) -> URL:
    try:
        return URL(mask(str(url)))
    except ValueError:  # what is left of it is none
        return URL(MASK)
