"""The options of every command that takes an image: how to read it, and what may be opened besides."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pvgrub_sim import Access


class ImageOptions(TypedDict):
    """What the options come to, as keyword arguments of the public functions."""

    image_format: str
    access: Access | None


def configure_image(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--image-format",
        metavar="FORMAT",
        default="auto",
        help="raw, qcow2, vmdk, vhd, vhdx, vdi …; auto (default): told by the content; raw takes the bytes as they are",
    )
    parser.add_argument(
        "--allow-backing",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder, besides the image's own, whose files the image may name as backing files, parents or extents",
    )


def image_options(args: argparse.Namespace) -> ImageOptions:
    """The options as keyword arguments."""
    if not args.allow_backing:
        return {"image_format": args.image_format, "access": None}
    from pvgrub_sim import Access

    return {"image_format": args.image_format, "access": Access(allow_backing=tuple(args.allow_backing))}
