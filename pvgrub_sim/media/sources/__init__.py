"""Sources: where an image's bytes lie, by the word before the first colon of what a user names."""

from __future__ import annotations

import os
from importlib import import_module

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

SOURCES: Final[dict[str, tuple[str, str]]] = {
    "http": ("http", "open_http"),
    "https": ("http", "open_http"),
    "s3": ("s3", "open_s3"),
    "gs": ("filesystems", "open_filesystem"),
    "gcs": ("filesystems", "open_filesystem"),
    "abfs": ("filesystems", "open_filesystem"),
    "abfss": ("filesystems", "open_filesystem"),
    "az": ("filesystems", "open_filesystem"),
    "ebs": ("ebs", "open_ebs"),
    "ami": ("ami", "open_ami"),
}
"""Prefix: module of this package, and its function `open(name, context) -> Disk`. Imported when it is asked for."""


def is_own_file(name: str) -> bool:
    """Whether a word that could mean a volume or a list is a file of the working directory.

    In a stranger's folder `boot *` would else ask AWS for what a file's name says.
    """
    return "/" not in name and os.path.lexists(name)


def in_small_letters(name: str) -> str:
    """An address whose scheme is written in other letters, `HTTP://…`, as it is written here; any other name as it is.

    Case does not count in a scheme (RFC 3986, section 3.1). A path of that very name is the path.
    """
    scheme, mark, rest = name.partition("://")
    if not mark or scheme.islower() or scheme.lower() not in (*SOURCES, "file") or os.path.lexists(name):
        return name
    return f"{scheme.lower()}://{rest}"


def local_path(name: str) -> str:
    """The path that a `file:` name stands for, itself a name of that file, and any other name as it is."""
    name = in_small_letters(name)
    if not name.startswith("file:") or is_own_file(name):
        return name
    path = name.removeprefix("file:")
    if path.startswith(("///", "//localhost/")) and not os.path.lexists(path):
        path = path.removeprefix("//").removeprefix("localhost")
        if "%" in path and not os.path.lexists(path):
            # An address (RFC 8089), in which a space is %20.
            from urllib.parse import unquote

            path = unquote(path, errors="surrogateescape")
        return path
    if path.startswith("///"):
        return path.removeprefix("//")
    # What it is called may look like an address.
    return f"./{path}" if path.partition(":")[0] in ("file", *SOURCES) else path


def shown_source(name: str) -> str:
    """What to call an image, or a kernel on one: a URL without user, password and query, anything else as it is."""
    name = in_small_letters(name)
    if not name.startswith(("http:", "https:")) or is_own_file(name):
        return _shown_word(name)
    from pvgrub_sim.media.sources.transport import display_name

    at = min((found for mark in (":(hd", ":(fd") if (found := name.find(mark)) >= 0), default=len(name))
    url, path = name[:at], name[at:]
    try:
        return display_name(url) + path
    except UsageError:
        if "@" not in name and "?" not in name:
            return name
        # Where in it a password stands is not to be told.
        return f"{url.partition(':')[0]}:… (no URL){path}"


def _shown_word(name: str) -> str:
    """The same of what is no address that can be read, and may have secrets all the same."""
    if "http" in name.lower():
        # It may be meant as one: `file:http://…`, or with a blank before it.
        from pvgrub_sim.addresses import without_secrets

        shown = without_secrets(name)
    elif "://" in name and name.partition(":")[0] not in SOURCES:
        from pvgrub_sim.media.sources.meant import bare_address

        shown = bare_address(name)
    else:
        return name
    return name if shown == name or os.path.lexists(name) else shown


def kept_source(name: str) -> str:
    """What a file keeps of an image's source: as shown_source(), and what tells URLs of other queries apart."""
    name = in_small_letters(name)
    shown = shown_source(name)
    query = name.partition("#")[0].partition("?")[2] if shown != name else ""
    if not query:
        return shown
    from hashlib import sha256

    return f"{shown} {sha256(query.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def open_source(name: str, context: Context) -> Disk:
    """The bytes that a name stands for, as they lie; raises ImageError when they cannot be had."""
    name = in_small_letters(name)
    prefix, colon, _ = name.partition(":")
    if colon and prefix in SOURCES and not is_own_file(name):
        module, function = SOURCES[prefix]
        disk: Disk = getattr(import_module(f"{__name__}.{module}"), function)(name, context)
        return disk
    path = local_path(name)
    try:
        return RawDisk(path)
    except ImageError:
        if os.path.lexists(path):
            raise
        from pvgrub_sim.media.sources.meant import meant_by

        if words := meant_by(name if path.startswith("//") else path):
            raise ImageError(shown_source(name), words) from None
        raise
