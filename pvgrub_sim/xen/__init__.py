"""libxc's kernel loader: what it takes for a kernel, what it unpacks and refuses, in its words; kernels examined, repacked.

Not here: how PV-GRUB reads a kernel from a disk (`grub/file`), and what to do about one that is refused (`findings/`).
"""
