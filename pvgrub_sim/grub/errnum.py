"""GRUB's error numbers and words (stage2/shared.h:grub_error_t, stage2/common.c:err_list)."""

from __future__ import annotations

from pvgrub_sim.values import IntEnum


class ErrNum(IntEnum):
    """The numbers printed in `Error N: …`, under GRUB's names without the ERR_ prefix."""

    NONE = 0
    BAD_FILENAME = 1
    BAD_FILETYPE = 2
    BAD_GZIP_DATA = 3
    BAD_GZIP_HEADER = 4
    BAD_PART_TABLE = 5
    BAD_VERSION = 6
    BELOW_1MB = 7
    BOOT_COMMAND = 8
    BOOT_FAILURE = 9
    BOOT_FEATURES = 10
    DEV_FORMAT = 11
    DEV_VALUES = 12
    EXEC_FORMAT = 13
    FILELENGTH = 14
    FILE_NOT_FOUND = 15
    FSYS_CORRUPT = 16
    FSYS_MOUNT = 17
    GEOM = 18
    NEED_LX_KERNEL = 19
    NEED_MB_KERNEL = 20
    NO_DISK = 21
    NO_PART = 22
    NUMBER_PARSING = 23
    OUTSIDE_PART = 24
    READ = 25
    SYMLINK_LOOP = 26
    UNRECOGNIZED = 27
    WONT_FIT = 28
    WRITE = 29
    BAD_ARGUMENT = 30
    UNALIGNED = 31
    PRIVILEGED = 32
    DEV_NEED_INIT = 33
    NO_DISK_SPACE = 34
    NUMBER_OVERFLOW = 35


ERR_LIST: dict[ErrNum, str] = {
    ErrNum.BAD_FILENAME: "Filename must be either an absolute pathname or blocklist",
    ErrNum.BAD_FILETYPE: "Bad file or directory type",
    ErrNum.BAD_GZIP_DATA: "Bad or corrupt data while decompressing file",
    ErrNum.BAD_GZIP_HEADER: "Bad or incompatible header in compressed file",
    ErrNum.BAD_PART_TABLE: "Partition table invalid or corrupt",
    ErrNum.BAD_VERSION: "Mismatched or corrupt version of stage1/stage2",
    ErrNum.BELOW_1MB: "Loading below 1MB is not supported",
    ErrNum.BOOT_COMMAND: "Kernel must be loaded before booting",
    ErrNum.BOOT_FAILURE: "Unknown boot failure",
    ErrNum.BOOT_FEATURES: "Unsupported Multiboot features requested",
    ErrNum.DEV_FORMAT: "Unrecognized device string",
    ErrNum.DEV_VALUES: "Invalid device requested",
    ErrNum.EXEC_FORMAT: "Invalid or unsupported executable format",
    ErrNum.FILELENGTH: "Filesystem compatibility error, cannot read whole file",
    ErrNum.FILE_NOT_FOUND: "File not found",
    ErrNum.FSYS_CORRUPT: "Inconsistent filesystem structure",
    ErrNum.FSYS_MOUNT: "Cannot mount selected partition",
    ErrNum.GEOM: "Selected cylinder exceeds maximum supported by BIOS",
    ErrNum.NEED_LX_KERNEL: "Linux kernel must be loaded before initrd",
    ErrNum.NEED_MB_KERNEL: "Multiboot kernel must be loaded before modules",
    ErrNum.NO_DISK: "Selected disk does not exist",
    ErrNum.NO_PART: "No such partition",
    ErrNum.NUMBER_PARSING: "Error while parsing number",
    ErrNum.OUTSIDE_PART: "Attempt to access block outside partition",
    ErrNum.READ: "Disk read error",
    ErrNum.SYMLINK_LOOP: "Too many symbolic links",
    ErrNum.UNRECOGNIZED: "Unrecognized command",
    ErrNum.WONT_FIT: "Selected item cannot fit into memory",
    ErrNum.WRITE: "Disk write error",
    ErrNum.BAD_ARGUMENT: "Invalid argument",
    ErrNum.UNALIGNED: "File is not sector aligned",
    ErrNum.PRIVILEGED: "Must be authenticated",
    ErrNum.DEV_NEED_INIT: "Device not initialized yet",
    ErrNum.NO_DISK_SPACE: "No spare sectors on the disk",
    ErrNum.NUMBER_OVERFLOW: "Overflow while parsing number",
}


class GrubError(Exception):
    """A GRUB function set `errnum` and returned failure.

    Raised through Machine.fail(), which sets `errnum` as well: whoever catches this and goes on does what
    GRUB's caller does that ignores a return value, with `errnum` still set.
    """

    def __init__(self, number: ErrNum) -> None:
        self.number = number
        super().__init__(f"Error {int(number)}: {ERR_LIST.get(number, '')}")
