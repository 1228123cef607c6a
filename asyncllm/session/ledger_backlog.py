"""What is still to be written to a ledger's file."""

from __future__ import annotations


class Backlog:
    """Texts by their keys that a file should hold, and what of it has changed since it did.

    It is true where something is to be written. It never holds more than the file does or should:
    what was never written, and is not wanted any more, is forgotten.

    Attributes:
        wanted: what the file should hold.

    """

    def __init__(self) -> None:
        self.wanted: dict[str, str] = {}
        self._changed: dict[str, None] = {}
        self._in_file: set[str] = set()  # or may be, as it is being written
        self._batch: dict[str, str | None] = {}
        self._new: set[str] = set()  # what the file did not hold before the batch
        self._leaving: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._changed or self._leaving)

    def put(self, key: str, text: str) -> None:
        """Have a text written under its key."""
        self.wanted[key] = text
        self._changed[key] = None
        self._leaving.pop(key, None)

    def adopt(self, key: str, text: str) -> None:
        """Count as ours what the file holds already."""
        self.wanted[key] = text
        self._in_file.add(key)

    def drop(self, key: str) -> None:
        """Have what is under a key struck out."""
        self.wanted.pop(key, None)
        self._leaving.pop(key, None)
        if key in self._in_file:
            self._changed[key] = None
        else:
            self._changed.pop(key, None)

    def leave(self, key: str) -> None:
        """Have what is under a key forgotten, once the file holds it for somebody else."""
        if key in self.wanted:
            self._leaving[key] = None

    @property
    def leaving(self) -> list[str]:
        """The keys that the file holds, and which are to be forgotten once they were left."""
        return [key for key in self._leaving if self.is_written(key)]

    def forget(self, keys: list[str]) -> None:
        """Take note that so much of what was `leaving` was left, unless it is wanted again."""
        for key in self._leaving.keys() & {*keys}:
            del self._leaving[key], self.wanted[key]
            self._in_file.discard(key)

    def is_written(self, key: str) -> bool:
        """Tell whether the file holds what it should under a key."""
        return key in self.wanted and key not in self._changed

    def begin(self, *, is_new: bool) -> dict[str, str | None]:
        """Return what to write now, by its keys; None is to be struck out.

        `end` must follow before the next one.

        Args:
            is_new: whether the file may hold nothing of what it should.

        """
        if is_new:
            self._changed = dict.fromkeys([*self.wanted, *self._changed])
        self._batch = {key: self.wanted.get(key) for key in self._changed}
        self._new = self._batch.keys() - self._in_file
        self._in_file |= self._new
        return self._batch

    def end(self, *, is_written: bool) -> None:
        """Take note that all of what `begin` returned was written, or nothing."""
        batch, self._batch = self._batch, {}
        if not is_written:
            self._in_file -= self._new
            for key in self._new - self.wanted.keys():
                self._changed.pop(key, None)
            return
        for key, text in batch.items():
            if self.wanted.get(key) == text:
                self._changed.pop(key, None)
            if text is None:
                self._in_file.discard(key)
