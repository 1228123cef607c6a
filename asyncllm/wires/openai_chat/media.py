"""Images and sounds in OpenAI's chat wire: OpenRouter's `images`, and OpenAI's `audio`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Media
from asyncllm.wires.loose import as_bytes, as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMED_AUDIO = "audio/pcm"  # the only form in which OpenAI streams it
_UNKNOWN_IMAGE = "image/*"
_IMAGES = {"jpg": "image/jpeg"} | {kind: f"image/{kind}" for kind in ("jpeg", "png", "webp", "gif")}


def images_of(said: object) -> Iterator[Media]:
    """Yield the images of a delta's `images`, or of the content's parts of that form."""
    for each in as_list(said):
        image = as_mapping(each).get("image_url")
        url = as_text(as_mapping(image).get("url")) or as_text(image)
        if url:
            yield _image(url)


def heard_in(said: dict[str, object]) -> Iterator[str | Media]:
    """Yield what is said in a delta's `audio`, and how it sounds."""
    if spoken := as_text(said.get("transcript")):
        yield spoken
    if sound := as_bytes(said.get("data")):
        yield Media(_STREAMED_AUDIO, sound)


def _image(url: str) -> Media:
    head, comma, rest = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        data = as_bytes(rest)
        if data is not None:
            return Media(head[len("data:") :].partition(";")[0] or _UNKNOWN_IMAGE, data)
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    return Media(_IMAGES.get(ending, _UNKNOWN_IMAGE), url=url)
