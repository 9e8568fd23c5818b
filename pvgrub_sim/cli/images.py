"""The options of every command that takes an image: how to read it, and what may be opened besides."""

from __future__ import annotations

import argparse
import os
import sys

from pvgrub_sim import UsageError
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypedDict

    from pvgrub_sim import Access

    class ImageOptions(TypedDict):
        """What the options come to, as keyword arguments of the public functions."""

        image_format: str
        access: Access


def configure_image(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--image-format",
        metavar="FORMAT",
        default="auto",
        help="raw, qcow2, vmdk, vhd, vhdx, vdi … of all images, those of --disk as well; auto (default): told by each "
        "one's content; raw takes the bytes as they are",
    )
    parser.add_argument(
        "--allow-backing",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder, besides the image's own, whose files the image may name as backing files, parents or extents",
    )
    parser.add_argument(
        "--spool-limit",
        metavar="SIZE",
        help="the most that a compressed image may unpack to: a number of bytes, or with K, M, G, T (default: 64G, "
        "of which 8G, or a hundred times the compressed size, may be anything but zeros)",
    )
    parser.add_argument("--cache", metavar="DIR", help="a folder that keeps what is fetched over the network")
    if not any(action.dest == "region" for action in parser._actions):
        parser.add_argument(
            "--region", metavar="R", help="the AWS region of ebs: and ami: (default: as for the AWS CLI)"
        )
    parser.add_argument(
        "--bundle-key", metavar="FILE", help="the private key (PEM) that an EC2 bundle is decrypted with"
    )


def image_options(args: argparse.Namespace) -> ImageOptions:
    """The options as keyword arguments; raises UsageError."""
    from pvgrub_sim import Access

    for folder in args.allow_backing:
        if not os.path.isdir(folder):  # noqa: PTH112  (pathlib would slow down every start)
            raise UsageError(f"--allow-backing {folder}: no such folder")
    # Most images want no key, and it would not be missed.
    if args.bundle_key is not None and not os.path.exists(args.bundle_key):  # noqa: PTH110  (as above)
        raise UsageError(f"--bundle-key {args.bundle_key}: no such file")
    access = Access(
        allow_backing=tuple(args.allow_backing),
        spool_limit=_size(args.spool_limit),
        progress=_progress if _on_terminal() else None,
        cache=args.cache,
        region=args.region,
        key=args.bundle_key,
    )
    return {"image_format": args.image_format, "access": access}


def _size(text: str | None) -> int | None:
    """A number of bytes, with or without a letter behind it."""
    if text is None:
        return None
    digits, letter = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if letter not in ("", "K", "M", "G", "T") or not digits.isdecimal() or len(digits) > 18:
        raise UsageError(f"--spool-limit wants a size (500M, 20G), not {text!r}")
    return int(digits) << 10 * " KMGT".index(letter or " ")


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _progress(done: int, total: int | None) -> None:
    """Show on the terminal how far unpacking is; nothing of it stays."""
    share = f" of {total >> 20}" if total is not None else ""
    line = "" if done == total else f"unpacking: {done >> 20}{share} MiB"
    sys.stderr.write(f"\r\x1b[K{line}")
    sys.stderr.flush()
