"""initrds of cpio and the formats' own programs, looked through as Linux unpacks them."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim.initramfs.contents import Contents
from pvgrub_sim.initramfs.look import look
from tests.initramfs.archives import BLKFRONT, PACKERS, RELEASE, cpio, packed
from tests.tools import require, run

FILES = {
    "init": "#!/bin/sh\n",
    "sbin/lvm": "x",
    BLKFRONT: "module",
    f"lib/modules/{RELEASE}/kernel/fs/ext4/ext4.ko.xz": "module",
    f"lib/modules/{RELEASE}/modules.builtin": "kernel/fs/fuse/fuse.ko\nkernel/drivers/md/dm-mod.ko\n",
    "big": bytes(range(256)) * 9000,
}
EARLY = {"kernel/x86/microcode/GenuineIntel.bin": "microcode"}


def seen(data: bytes, piece: int = 1 << 20) -> Contents:
    return look(data[at : at + piece] for at in range(0, len(data), piece))


def is_all_there(found: Contents) -> bool:
    return (
        not found.trouble
        and not found.beyond
        and found.has_init
        and found.programs == {"init", "lvm"}
        and found.modules == {"xen_blkfront", "ext4"}
        and dict(found.versions) == {RELEASE: 2}
        and found.built_in == {RELEASE: {"fuse", "dm_mod"}}
    )


@pytest.mark.parametrize("piece", [1 << 20, 4099])
@pytest.mark.parametrize("form", PACKERS)
def test_each_compression(form: str, piece: int, tmp_path: Path) -> None:
    archive = cpio(tmp_path, FILES)
    found = seen(packed(form, archive), piece)
    assert is_all_there(found)
    assert [(one.offset, one.format, one.unpacked) for one in found.segments] == [(0, form, len(archive))]


@pytest.mark.parametrize("form", PACKERS)
def test_early_microcode_comes_before_it(form: str, tmp_path: Path) -> None:
    early, archive = cpio(tmp_path, EARLY), cpio(tmp_path, FILES)
    found = seen(early + packed(form, archive))
    assert is_all_there(found)
    assert [one.format for one in found.segments] == ["none", form]


def test_bare_archives_and_several_behind_each_other(tmp_path: Path) -> None:
    early, archive = cpio(tmp_path, EARLY), cpio(tmp_path, FILES)
    assert is_all_there(seen(archive))
    both = seen(early + bytes(512) + archive + packed("zstd", early) + packed("xz", early) + bytes(4096))
    assert is_all_there(both)
    assert [one.format for one in both.segments] == ["none", "zstd", "xz"]
    assert both.formats == {"zstd", "xz"}


@pytest.mark.parametrize("form", PACKERS)
def test_what_is_cut_short_is_told(form: str, tmp_path: Path) -> None:
    data = packed(form, cpio(tmp_path, {"x": (Path(sys.executable).read_bytes() * 2)[: 12 << 20]}))
    # lz4's frames have no end of their own, so that one which is cut between two chunks is whole.
    for cut in (len(data) // 3, len(data) - 9):
        assert "ends in the middle" in seen(data[:cut]).trouble


@pytest.mark.parametrize("form", PACKERS)
def test_what_is_damaged_is_told(form: str, tmp_path: Path) -> None:
    data = bytearray(packed(form, cpio(tmp_path, {"x": Path(sys.executable).read_bytes()[: 3 << 20]})))
    data[len(data) // 2 : len(data) // 2 + 64] = b"\xff" * 64
    assert seen(bytes(data)).trouble


def test_what_linux_does_not_take(tmp_path: Path) -> None:
    archive = cpio(tmp_path, FILES)
    assert "--check=crc32" in seen(run("xz", stdin=archive)).trouble
    assert "old format" in seen(cpio(tmp_path, FILES, "odc")).trouble
    assert "something else" in seen(archive + b"junk behind it").trouble
    assert "something else" in seen(packed("gzip", archive + b"junk behind it")).trouble
    assert "empty" in seen(b"").trouble and "zeros" in seen(bytes(5000)).trouble


@pytest.mark.parametrize("data", [b"x" * 2000, b"070701 an initrd in name only" * 9, b"\x5d\0\0\0 no lzma at all"])
def test_what_does_not_begin_as_an_initramfs_is_not_judged(data: bytes) -> None:
    assert not seen(data).known and not seen(data).trouble


def entry(name: bytes, mode: bytes = b"000081a4", size: bytes = b"00000000", length: bytes | None = None) -> bytes:
    """An entry with fields as they are given, of a file without content."""
    fields = [b"00000001", mode, *[b"00000000"] * 2, b"00000001", b"00000000", size, *[b"00000000"] * 4]
    head = b"070701" + b"".join(fields) + (length or b"%08x" % (len(name) + 1)) + b"00000000" + name + b"\0"
    return head + bytes(-len(head) % 4)


INIT, END, LAST = entry(b"init"), entry(b"TRAILER!!!"), entry(b"lib/modules/6.1.0/x.ko")


def test_fields_are_read_as_linux_reads_them() -> None:
    # lib/kstrtox.c: up to the first byte that is no digit, behind 0x; neither a blank nor a sign nor an underscore is.
    for size in (
        b" 0000004",
        b"+0000004",
        b"-0000004",
        b"_0000004",
        b"0_000004",
        b"gggggggg",
        b"0x00000_",
        b"        ",
    ):
        found = seen(INIT + entry(b"x", size=size) + LAST + END)
        assert not found.trouble and found.modules == {"x"} and found.entries == 3, size
    for size in (b"4_______", b"00000004", b"0x000004", b"0X4 0000", b"004\0\0\0\0\0"):
        found = seen(INIT + entry(b"x", size=size) + b"0707" + LAST + END)
        assert not found.trouble and found.modules == {"x"} and found.entries == 3, size


@pytest.mark.parametrize("length", [b"00000000", b"ffffffff", b"00001001", b" 0000002", b"-0000001"])
def test_an_entry_without_a_name_is_passed_over(length: bytes) -> None:
    nameless = entry(b"", length=length)[:110]
    size = int(length, 16) if length.isalnum() else 0
    if size > 1 << 20:
        assert "middle" in seen(INIT + nameless + LAST + END).trouble
        return
    found = seen(INIT + nameless + bytes((size + 1 & ~3) + 2) + LAST + END)
    assert not found.trouble and found.modules == {"x"}


def test_an_old_ram_disk_is_not_judged() -> None:
    assert not seen(packed("gzip", bytes(1080) + b"\x53\xef" + bytes(5000))).known
    assert not seen(packed("gzip", b"-rom1fs-" + bytes(5000))).known


BOMB = """
import sys
import zlib
from pvgrub_sim.initramfs.look import look
import tests.initramfs.test_look as made
# Not ru_maxrss, which begins with the size of the process that started this one.
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
found = look(made.bomb(sys.argv[1]))
print(found.beyond or found.trouble)
print(peak() - before)
"""


def bomb(form: str) -> Iterator[bytes]:
    """An archive of one file of 2 GiB of zeros, in a few KiB or MiB."""
    header = b"070701" + b"%08X" % 1 + b"%08X" % 0o100644 + b"%08X" * 4 % (0, 0, 1, 0) + b"%08X" % (2 << 30)
    header += b"%08X" * 4 % (0, 0, 0, 0) + b"%08X" % 2 + bytes(8) + b"x\0"
    if form == "gzip":
        # What zlib makes of a MiB again and again, which it would make each time anew.
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        yield packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
        zeros = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
        for _ in range(2048):
            yield zeros
        return
    tool, *options = {
        **PACKERS,
        "zstd": ("zstd", "-q", "-3"),
        "xz": ("xz", "-0", "--check=crc32"),
    }[form]
    with subprocess.Popen([tool, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        import threading

        assert process.stdin is not None and process.stdout is not None

        def feed() -> None:
            assert process.stdin is not None
            try:
                process.stdin.write(header)
                for _ in range(2048):
                    process.stdin.write(bytes(1 << 20))
                process.stdin.close()
            except BrokenPipeError:
                pass

        thread = threading.Thread(target=feed)
        thread.start()
        while data := process.stdout.read(1 << 20):
            yield data
        thread.join()


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_bomb_ends_in_little_memory(form: str) -> None:
    require(form)
    done = subprocess.run([sys.executable, "-c", BOMB, form], capture_output=True, text=True, check=True)
    said, kib = done.stdout.splitlines()
    assert "more than 1024 MiB" in said
    assert int(kib) < 64 << 10


def test_a_large_window_is_not_taken(tmp_path: Path) -> None:
    noise = cpio(tmp_path, FILES) * 30
    data = run("zstd", "-q", "-19", "--long=27", stdin=noise)
    assert "window of 128 MiB" in seen(data).beyond


def test_lists_of_built_in_modules_take_a_list_s_room_together(tmp_path: Path) -> None:
    text = "".join(f"{number:x}\n" for number in range(70_000))
    lists: dict[str, bytes | str] = {f"lib/modules/{release}/modules.builtin": text for release in "abcdefgh"}
    found = seen(cpio(tmp_path, lists))
    assert set(found.versions) == set("abcdefgh") and not found.beyond
    assert set(found.built_in) == {"a", "b"}
    assert all(len(names) == 70_000 for names in found.built_in.values())
