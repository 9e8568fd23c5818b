"""libxc's kernel loader: what it unpacks and takes for a kernel, and its words; kernels examined and repacked.

Not here: how PV-GRUB reads a kernel from a disk (`grub/file`), and what to do about one that is refused (`findings/`).
"""
