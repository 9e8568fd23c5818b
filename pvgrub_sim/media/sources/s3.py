"""s3://bucket/key: objects, read in ranges (GetObject with Range and If-Match)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.sources.aws import LONGEST_PAGE, Again, call, client, code_of, short, whole
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.media.sources.http import BLOCK
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

_LARGEST_OBJECT: Final = 1 << 50
"""Bytes, which is more than S3 and what speaks as it does have in one object."""


def open_s3(name: str, context: Context) -> Disk:
    """The bytes of an object as it is now; a later version of it is an error.

    Raises UsageError for what is no `s3://bucket/key`, ImageError in one line when it cannot be read.
    """
    bucket, _, key = name.removeprefix("s3:").removeprefix("//").partition("/")
    if not name.startswith("s3://") or not bucket or not key:
        raise UsageError(f"{name}: not of the form s3://bucket/key")
    with ExitStack() as stack:
        s3 = client(name, "s3", context, LONGEST_PAGE)
        stack.callback(s3.close)
        source = _Object(name, s3, bucket, key)
        stack.pop_all()
    cache = None
    if context.access.cache is not None:
        from pvgrub_sim.media.sources.block_cache import BlockCache

        cache = BlockCache(context.access.cache, ("s3", name, source.etag, source.size, BLOCK))
    layer = Layer("s3", name, source.size, "in ranges")
    return BlockDisk(name, source.size, BLOCK, source.fetch, (layer,), cache=cache, closing=source.close)


class _Object:
    """One version of an object."""

    def __init__(self, name: str, s3: Any, bucket: str, key: str) -> None:
        self.name = name
        self._s3 = s3
        self._which = {"Bucket": bucket, "Key": key}
        head = call(name, lambda: s3.head_object(**self._which))
        etag, size = head.get("ETag"), head.get("ContentLength")
        if not isinstance(etag, str) or not etag:
            raise ImageError(name, "S3 does not tell its ETag, by which one version is told from another")
        if not isinstance(size, int) or not 0 <= size <= _LARGEST_OBJECT:
            told = "its size" if size is None else f"a size that makes sense ({short(size, 30)} bytes)"
            raise ImageError(name, f"S3 does not tell {told}")
        if size == 0:
            raise ImageError(name, "is empty, not a disk image", 0)
        self.etag, self.size = etag, size

    def fetch(self, first: int, count: int) -> Sequence[bytes]:
        """Blocks, in one request."""
        offset = first * BLOCK
        length = min(count * BLOCK, self.size - offset)

        def ask() -> bytes:
            try:
                answer = self._s3.get_object(
                    **self._which, Range=f"bytes={offset}-{offset + length - 1}", IfMatch=self.etag
                )
            except Exception as error:  # botocore makes its errors at run time
                if code_of(error) in ("PreconditionFailed", "412", "InvalidRange", "416"):
                    raise ImageError(self.name, "changed while it was read", offset) from None
                raise
            data = whole(answer["Body"], length)
            if answer.get("ETag") != self.etag:
                raise ImageError(self.name, "changed while it was read", offset)
            told = answer.get("ContentRange")
            if len(data) != length or told != f"bytes {offset}-{offset + length - 1}/{self.size}":
                raise Again(f"{len(data)} bytes ({short(told)}) instead of {length}")
            return data

        data = call(self.name, ask, offset)
        return [data[at : at + BLOCK] for at in range(0, length, BLOCK)]

    def close(self) -> None:
        """Let go of the connections."""
        self._s3.close()
