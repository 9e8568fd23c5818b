"""Hand-built verdicts to render: they test formats, not what PV-GRUB does."""

from __future__ import annotations

from pvgrub_sim.model import (
    BootError,
    Event,
    EventKind,
    Finding,
    LayoutPart,
    LoadedFile,
    Outcome,
    ProfileInfo,
    Severity,
    Verdict,
)

MIB = 1 << 20
AMAZON = ProfileInfo("amazon-1.05", "x86_64", aki="aki-1234abcd", device="hd0")
XEN = ProfileInfo("xen-4.17", "x86_64")
CONFIG = "(hd0,0)/boot/grub/menu.lst"
KERNEL = LoadedFile(
    "/boot/vmlinuz-6.1", 8_247_232, 0x7A1C794E, {"payload": "xz", "guest_type": "xen-3.0-x86_64", "protocol": 0x20F}
)
INITRD = LoadedFile("/boot/initrd.img-6.1", 300_000, 0x00CE079B)
CMDLINE = "root=LABEL=/ console=hvc0"


def _entry(number: int, title: str, *commands: str) -> list[Event]:
    return [
        Event(EventKind.ENTRY, title, entry=number, menu=CONFIG),
        *(Event(EventKind.COMMAND, line, entry=number, menu=CONFIG) for line in commands),
    ]


def boots() -> Verdict:
    """The default entry boots."""
    return Verdict(
        image="images/good.img",
        profile=AMAZON,
        outcome=Outcome.BOOTS,
        entry=0,
        default_entry=0,
        config=CONFIG,
        errors=(),
        kernel=KERNEL,
        initrd=INITRD,
        cmdline=CMDLINE,
        console="  Booting 'Amazon Linux'\n\nroot (hd0,0)\n Filesystem type is ext2fs, partition type 0x83\n"
        "kernel /boot/vmlinuz-6.1 root=LABEL=/ console=hvc0\ninitrd /boot/initrd.img-6.1\n",
        events=(
            Event(EventKind.CONFIG, path=CONFIG),
            *_entry(0, "Amazon Linux", "root (hd0,0)", "kernel /boot/vmlinuz-6.1 root=LABEL=/ console=hvc0"),
            Event(EventKind.FILE, path="/boot/vmlinuz-6.1", size=8_247_232),
            Event(EventKind.COMMAND, "initrd /boot/initrd.img-6.1", entry=0),
            Event(EventKind.FILE, path="/boot/initrd.img-6.1", size=300_000),
            Event(EventKind.HANDOVER, path="/boot/vmlinuz-6.1", size=8_247_232),
        ),
        layout=(
            LayoutPart("(hd0)", 0, 8192 * MIB, "disk", "8 GiB, MBR partition table"),
            LayoutPart("", 0, MIB, "table", "MBR"),
            LayoutPart("(hd0,0)", MIB, 7000 * MIB, "partition", "ext4 LABEL=/, type 0x83"),
            LayoutPart("(hd0,1)", 7001 * MIB, 1191 * MIB, "extended", "type 0x05"),
            LayoutPart("(hd0,4)", 7002 * MIB, 512 * MIB, "swap", "swap, type 0x82"),
            LayoutPart("(hd0,5)", 7515 * MIB, 677 * MIB, "lvm", "LVM physical volume, type 0x8e"),
            LayoutPart("(hd1)", 0, 64 * MIB, "disk", "64 MiB, no partition table: swap"),
        ),
    )


def fallback() -> Verdict:
    """Entry 0 fails, entry 1 boots, with findings of each severity."""
    return Verdict(
        image="images/old kernel,50%.img",
        profile=XEN,
        outcome=Outcome.BOOTS,
        entry=1,
        default_entry=0,
        config=CONFIG,
        errors=(BootError(0, 15, "File not found", "kernel /boot/vmlinuz-4.3 root=/dev/xvda1 ro", menu=CONFIG),),
        kernel=KERNEL,
        initrd=None,
        cmdline="",
        console="  Booting 'Vanilla Linux 4.3'\n\nroot (hd0,0)\n Filesystem type is ext2fs, partition type 0x83\n"
        "kernel /boot/vmlinuz-4.3 root=/dev/xvda1 ro\n\nError 15: File not found\n  Booting 'Fallback'\n\n"
        "root (hd0,0)\n Filesystem type is ext2fs, partition type 0x83\nkernel /boot/vmlinuz-6.1\n",
        writes=(63, 64),
        events=(
            Event(EventKind.CONFIG, path=CONFIG),
            *_entry(0, "Vanilla Linux 4.3", "root (hd0,0)", "kernel /boot/vmlinuz-4.3 root=/dev/xvda1 ro"),
            Event(EventKind.ERROR, "File not found", entry=0, number=15),
            Event(EventKind.FALLBACK, entry=1),
            *_entry(1, "Fallback", "root (hd0,0)", "savedefault", "kernel /boot/vmlinuz-6.1"),
            Event(EventKind.WRITE, number=63, path="hd0"),
            Event(EventKind.WRITE, number=64, path="hd0"),
            Event(EventKind.FILE, path="/boot/vmlinuz-6.1", size=8_247_232),
            Event(EventKind.HANDOVER, path="/boot/vmlinuz-6.1", size=8_247_232),
        ),
        findings=(
            Finding("no-console-hvc0", Severity.NOTE, "The kernel gets no console=hvc0, so the console stays empty."),
            Finding(
                "default-entry-fails",
                Severity.WARNING,
                "The default entry 0 'Vanilla Linux 4.3' fails, and only the fallback entry 1 boots, in which case an "
                "update of the default kernel goes unnoticed until the day on which the fallback is broken as well.",
                remedy="ls -l /boot\nsed -i 's/^default.*/default 1/' /boot/grub/menu.lst",
                where="(hd0,0)/boot/grub/menu.lst line 1",
            ),
            Finding(
                "kernel-missing",
                Severity.ERROR,
                "/boot/vmlinuz-4.3 is not on (hd0,0).",
                where="(hd0,0)/boot/grub/menu.lst line 7",
                evidence="kernel /boot/vmlinuz-4.3 root=/dev/xvda1 ro",
            ),
        ),
    )


def fails() -> Verdict:
    """Two entries fail: the instance never comes up."""
    return Verdict(
        image="images/zstd.img",
        profile=AMAZON,
        outcome=Outcome.FAILS,
        entry=None,
        default_entry=0,
        config=CONFIG,
        errors=(
            BootError(0, 9, "Unknown boot failure", "boot", "this PV-GRUB does not unpack zstd payloads"),
            BootError(1, 17, "Cannot mount selected partition", "kernel /vmlinuz"),
        ),
        kernel=LoadedFile("/boot/vmlinuz-6.1", 9_000_000, 1, {"payload": "zstd"}),
        initrd=None,
        cmdline=CMDLINE,
        console="  Booting 'Debian'\n\nkernel /boot/vmlinuz-6.1\nxc_dom_parse_image returned -1\n\n"
        "Error 9: Unknown boot failure\n\nPress any key to continue...\n",
        events=(
            Event(EventKind.CONFIG, path=CONFIG),
            *_entry(0, "Debian", "kernel /boot/vmlinuz-6.1", "boot"),
            Event(EventKind.ERROR, "Unknown boot failure", entry=0, number=9),
            Event(EventKind.FALLBACK, entry=1),
            *_entry(1, "Rescue", "kernel /vmlinuz"),
            Event(EventKind.ERROR, "Cannot mount selected partition", entry=1, number=17),
            Event(EventKind.KEY, "Press any key to continue..."),
        ),
        findings=(
            Finding(
                "payload-unsupported",
                Severity.ERROR,
                "/boot/vmlinuz-6.1 has a zstd payload, and PV-GRUB amazon-1.05 unpacks gzip, bzip2, lzo and xz only.",
                remedy="pvgrub-sim repack --payload gzip vmlinuz-6.1 -o vmlinuz-6.1.gzip",
                where="(hd0,0)/boot/vmlinuz-6.1",
            ),
        ),
    )


def hostile() -> Verdict:
    """Names and texts that try to be markup, commands and control codes."""
    title = "</title><script>alert(1)</script> \x1b[31m\u202eevil ]]> ::error::x"
    return Verdict(
        image='evil "<img src=x>": 100%\n,.img',
        profile=XEN,
        outcome=Outcome.FAILS,
        entry=None,
        default_entry=0,
        config="(hd0)/<b>&amp;",
        errors=(BootError(0, 15, "File not found", f"kernel /{title}"),),
        kernel=None,
        initrd=None,
        cmdline=None,
        console=f"  Booting '{title}'\n::error::injected\n##[error]injected\n\x00\x7f\x9b\udc80\uffff\r\n",
        events=(
            Event(EventKind.CONFIG, path="(hd0)/<b>&amp;"),
            *_entry(0, title, f"kernel /{title}"),
            Event(EventKind.ERROR, "File not found", entry=0, number=15),
        ),
        findings=(Finding("rule", Severity.ERROR, f"message {title}", f"remedy {title}", f"where {title}", title),),
        layout=(
            LayoutPart("(hd0)", 0, 1000, "disk", title),
            LayoutPart("(hd0,0)", 0, 5000, "partition", title),
            LayoutPart("(hd0,1)", 100, 900, "nonsense", title),
            LayoutPart("(hd0,2)", 100, 0, "partition", "empty"),
        ),
        reason=title,
    )


def stuck(outcome: Outcome, reason: str = "", *events: Event, config: str | None = CONFIG) -> Verdict:
    """A run that ends without a kernel."""
    return Verdict(
        image="images/stuck.img",
        profile=AMAZON,
        outcome=outcome,
        entry=None,
        default_entry=None,
        config=config,
        errors=(),
        kernel=None,
        initrd=None,
        cmdline=None,
        console="",
        events=events,
        reason=reason,
    )
