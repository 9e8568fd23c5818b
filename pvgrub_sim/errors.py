"""Host-side exceptions: what goes wrong outside the emulated machine.

PvgrubSimError
├── UsageError          the caller asked for something that makes no sense
├── ImageError          an image cannot be opened or read (names the file and, where there is one, the offset)
├── ImageFileError      a file or directory on an image cannot be read (with GRUB's error number, where it has one)
├── KernelFormatError   a file is not a kernel this tool can unpack, inspect or repack
├── IsolationError      the child process that looked at an image died, or made no sense
└── RepairError         a step of a repair cannot be carried out (names the tool and its last words)

What PV-GRUB itself does with a bad image is no exception of this tree: it is an outcome.
"""

from __future__ import annotations

LONGEST_REASON = 4000
"""Characters of what is wrong with an image; a message is one line that can be read."""


class PvgrubSimError(Exception):
    """Base of every error that a caller may want to catch.

    Its text quotes what somebody has written, but no user, password or query of an address in it.
    """

    def __str__(self) -> str:
        text = super().__str__()
        if "http" not in text.lower():
            return text
        # Only where there may be one, for a quick start, and with little memory, of everything else.
        from pvgrub_sim.addresses import without_secrets

        return without_secrets(text)


class UsageError(PvgrubSimError):
    """The request itself is wrong: an unknown profile, a bad device name, options that exclude each other."""


class ImageError(PvgrubSimError):
    """An image cannot be opened or read.

    path: the file, as the caller named it. reason: what is wrong, in words.
    offset: where in the file, in bytes, or None when the file cannot be opened at all.
    """

    def __init__(self, path: str, reason: str, offset: int | None = None) -> None:
        if len(reason) > LONGEST_REASON:
            # Whatever words of the image are in it.
            reason = f"{reason[: LONGEST_REASON // 2]}…{reason[-LONGEST_REASON // 4 :]}"
        self.path = path
        self.reason = reason
        self.offset = offset
        where = "" if offset is None else f" at offset {offset}"
        super().__init__(f"{path}{where}: {reason}")


class ImageFileError(PvgrubSimError):
    """A file or directory on an image cannot be read: by PV-GRUB's drivers, or by the survey.

    image: the image. path: what was asked for. reason: what is wrong, in words. number: GRUB's error number, or None
    where the reason is another.
    """

    def __init__(self, image: str, path: str, reason: str, number: int | None = None) -> None:
        self.image = image
        self.path = path
        self.reason = reason
        self.number = number
        super().__init__(f"{image}: {path}: {reason}")


class IsolationError(PvgrubSimError):
    """The child process that looked at an image died, or gave no answer that makes sense.

    path: the image, as the caller named it. reason: what happened, in words.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class KernelFormatError(PvgrubSimError):
    """A file is not a kernel that can be unpacked, inspected or repacked.

    path: the file, as the caller named it. reason: what is wrong, in words. offset: where in the file, in bytes.
    """

    def __init__(self, path: str, reason: str, offset: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.offset = offset
        where = "" if offset is None else f" at offset {offset}"
        super().__init__(f"{path}{where}: {reason}")


class RepairError(PvgrubSimError):
    """A step of a repair cannot be carried out.

    reason: why, in words. missing: the tool that is not installed, where it is that; else empty. ran: the tool that
    failed (repair.tools.Ran), or None. image: what to call the image that is mended, once that is known.
    """

    image = ""

    def __init__(self, reason: str, *, missing: str = "", ran: object = None) -> None:
        self.reason = reason
        self.missing = missing
        self.ran = ran
        super().__init__(reason)


class EngineError(PvgrubSimError):
    """The engine of a scan is gone: its scheduler is lost, or its workers cannot be started."""
