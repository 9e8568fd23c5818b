"""Parents that an image names several times, as VHD and VHDX do: by a relative name, and by where it once lay."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.formats.beside import open_beside
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk


def open_named_parent(owner: Disk, names: Iterable[str], image_format: str, context: Context) -> tuple[str, Disk]:
    """The first parent that is there and may be opened, and its name.

    owner: the image's file. image_format: of the parent. Raises ImageError: the first of those of the names; or, where
    there is a file that is amiss, or one below it, that one, without a look at further names. They lead to the same
    file as a rule, and a chain would be gone down twice at each of its files.
    """
    failed: ImageError | None = None
    for name in dict.fromkeys(names):
        try:
            return name, open_beside(owner, name, image_format, context, "parent")
        except ImageError as error:
            if error.path != owner.name:
                raise
            failed = failed or error
    raise failed or ImageError(owner.name, f"damaged {image_format} image: it names no parent")
