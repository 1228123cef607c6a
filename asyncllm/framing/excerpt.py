"""What an error may show of a body."""

EXCERPT_BYTES = 64 * 1024
"""The most bytes of a body that an error may show."""


def excerpt_of(body: bytes | bytearray) -> str:
    """Return the beginning of `body` as text: as much as an error may show.

    It is neither masked nor cut to a readable size, which is done in this order, and where an error
    leaves.
    """
    return body[:EXCERPT_BYTES].decode("utf-8", "replace")
