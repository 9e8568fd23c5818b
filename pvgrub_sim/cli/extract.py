"""`pvgrub-sim extract`: the unpacked ELF file of a kernel."""

from __future__ import annotations

import argparse

from pvgrub_sim.cli.images import configure_image, image_options
from pvgrub_sim.cli.output import KERNEL_HELP, write_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("kernel", metavar="KERNEL", help=KERNEL_HELP)
    configure_image(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="where the ELF file goes; - is standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Write the ELF file; 0, or an exception for a kernel without one."""
    from pvgrub_sim import extract_kernel

    write_file(args.output, extract_kernel(args.kernel, **image_options(args)))
    return 0
