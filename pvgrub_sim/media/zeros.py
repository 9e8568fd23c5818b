"""A disk that does not exist yet: zeros, as many as it will have."""

from __future__ import annotations


class ZeroDisk:
    """A disk of zeros. name: what to call it in messages. size: in bytes."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        """`length` zeros, wherever they are wanted."""
        return bytes(length)

    def close(self) -> None:
        """Nothing to release."""
