"""`pvgrub-sim extract`: the unpacked ELF file of a kernel."""

from __future__ import annotations

import argparse

from pvgrub_sim.cli.kernel_source import HELP, read_kernel


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("kernel", metavar="KERNEL", help=HELP)
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="where the ELF file goes; - is standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Write the ELF file; 0, or an exception for a kernel without one."""
    from pvgrub_sim.cli.output import write_file
    from pvgrub_sim.xen.repack import extract_elf

    write_file(args.output, extract_elf(args.kernel, read_kernel(args.kernel)))
    return 0
