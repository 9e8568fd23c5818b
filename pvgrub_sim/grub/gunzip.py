"""GRUB's transparent gunzip (stage2/gunzip.c)."""

from __future__ import annotations

from pvgrub_sim.grub.machine import Machine


class GunzipFile:
    """An open file that is being gunzipped."""

    def read(self, length: int) -> bytes:
        """Up to `length` unpacked bytes at the machine's filepos."""
        raise NotImplementedError


def gunzip_test_header(m: Machine) -> None:
    """Look at the open file's first bytes and set m.compressed_file when it is gzip'd."""
