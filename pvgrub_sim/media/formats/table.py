"""The formats that are recognised, a row each: their names, where they are read, and what to do where they are not."""

from __future__ import annotations

from pvgrub_sim.errors import ImageError
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple


class NoImage(ImageError):
    """A file that is known to be no disk image, as a kernel or a text."""


class Format(NamedTuple):
    """One format of images.

    words: what a file of it is, after "is". opener: `module:function` below pvgrub_sim.media.formats, which takes the
    disk below and the context and gives the disk inside; empty where the format is recognised and not read. wraps: what
    is inside may be an image of another format again (a compressed qcow2); the disk of a hypervisor's format is a disk.
    remedy: how to get a raw image by other means. image: False for what is no image, whatever is around it.
    """

    words: str
    opener: str = ""
    wraps: bool = False
    remedy: str = ""
    image: bool = True


_QEMU: Final = "`qemu-img convert -O raw IMAGE disk.raw` makes a raw image of it"
_UNPACK: Final = "`{} IMAGE` unpacks it"
_KERNEL: Final = "`pvgrub-sim kernel IMAGE` looks at a kernel; name the disk that it is on"
_NO_DISK: Final = "name the disk image that it goes with"
_STREAM: Final = "`{} < IMAGE > disk.img` unpacks it"
"""Whatever the file is called: these programs look at a name's suffix, and leave alone what has none of theirs."""

FORMATS: Final[dict[str, Format]] = {
    "qcow2": Format("a qcow2 image", "qcow2:open_qcow2", remedy=_QEMU),
    "vmdk": Format("a VMDK image", "vmdk:open_vmdk", remedy=_QEMU),
    "vhd": Format("a VHD image", "vhd:open_vhd", remedy=_QEMU),
    "vhdx": Format("a VHDX image", "vhdx:open_vhdx", remedy=_QEMU),
    "vdi": Format("a VDI image", "vdi:open_vdi", remedy=_QEMU),
    # Streams.
    "gzip": Format("gzip-compressed", opener="stream:open_gzip", wraps=True, remedy=_STREAM.format("gzip -dc")),
    "xz": Format("xz-compressed", opener="stream:open_xz", wraps=True, remedy=_STREAM.format("xz -dc")),
    "zstd": Format("zstd-compressed", opener="stream:open_zstd", wraps=True, remedy=_STREAM.format("zstd -dc")),
    "bzip2": Format("bzip2-compressed", opener="stream:open_bzip2", wraps=True, remedy=_STREAM.format("bzip2 -dc")),
    "lz4": Format("lz4-compressed", opener="stream:open_lz4", wraps=True, remedy=_STREAM.format("lz4 -dc")),
    # Archives.
    "tar": Format("a tar archive", "archive:open_tar", remedy=_UNPACK.format("tar -xf") + "; boot the image in it"),
    "zip": Format("a zip archive", "zip:open_zip", remedy=_UNPACK.format("unzip") + "; boot the image in it"),
    "xva": Format(
        "an XVA virtual machine",
        "xva:open_xva",
        remedy="`xva-img -p disk-export Ref:N disk.raw` makes a raw image of a disk",
    ),
    "bundle": Format(
        "the manifest of an EC2 bundle", "bundle:open_bundle", remedy="`ec2-unbundle` makes a raw image of it"
    ),
    # Recognised, and not read.
    "qcow": Format("a qcow image of version 1", remedy=_QEMU),
    "qed": Format("a QED image", remedy=_QEMU),
    "parallels": Format("a Parallels image", remedy=_QEMU),
    "dmg": Format("an Apple disk image", remedy=_QEMU),
    "bochs": Format("a Bochs image", remedy=_QEMU),
    "sesparse": Format(
        "an ESXi SEsparse extent", remedy="`vmkfstools -i IMAGE -d thin disk.vmdk` on the host clones the disk"
    ),
    "luks": Format(
        "a LUKS-encrypted volume, of which PV-GRUB sees nothing",
        remedy="`cryptsetup open IMAGE NAME` and a copy of /dev/mapper/NAME make a raw image of it",
    ),
    "ewf": Format("an EnCase (EWF) image", remedy="`ewfexport -f raw -t disk IMAGE` makes a raw image of it"),
    "vma": Format("a Proxmox backup", remedy="`vma extract IMAGE FOLDER` makes raw images of its disks"),
    "wim": Format("a WIM archive", remedy="`wimapply` unpacks it"),
    "android-sparse": Format("an Android sparse image", remedy="`simg2img IMAGE disk.raw` makes a raw image of it"),
    "lzma": Format("lzma-compressed, as xz's forerunner did it", remedy=_STREAM.format("xz -dc --format=lzma")),
    "compress": Format("packed by compress", remedy=_STREAM.format("gzip -dc")),
    "cpio": Format(
        "a cpio archive, as an initrd is", remedy="no disk is in one; name the disk that it goes with", image=False
    ),
    "zip-split": Format(
        "a part of a split zip archive", remedy="`zip -s 0 ARCHIVE.zip --out whole.zip` joins the parts"
    ),
    "lzop": Format("lzop-compressed", remedy=_STREAM.format("lzop -dc")),
    "lzip": Format("lzip-compressed", remedy=_STREAM.format("lzip -dc")),
    "lz4-legacy": Format("lz4-compressed in the legacy frame", remedy=_STREAM.format("lz4 -dc")),
    "7z": Format("a 7-Zip archive", remedy=_UNPACK.format("7z x") + "; boot the image in it"),
    "rar": Format("a RAR archive", remedy=_UNPACK.format("unrar x") + "; boot the image in it"),
    "lrzip": Format("lrzip-compressed", remedy=_UNPACK.format("lrzip -d")),
    # No images at all.
    "kernel": Format("a Linux kernel, not a disk", remedy=_KERNEL, image=False),
    "elf": Format("an ELF file, not a disk", remedy=_KERNEL, image=False),
    "package": Format("a Debian or RPM package, or a static library", remedy=_NO_DISK, image=False),
    "ovf": Format(
        "the description of a virtual machine",
        remedy="name the OVA, or the disk image that lies beside it",
        image=False,
    ),
    "html": Format("a web page", remedy="what the address leads to is no image: look at it in a browser", image=False),
}
"""Name: what it is. The names are those that --image-format takes, where there is an opener."""
