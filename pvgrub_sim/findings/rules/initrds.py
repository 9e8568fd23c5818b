"""The initrd that the kernel is given, as the kernel will find it."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity


@rule(
    "initrd-unreadable",
    Severity.WARNING,
    "The kernel cannot unpack its initrd",
    """
PV-GRUB hands an initrd over as it is, and the kernel unpacks it: cpio archives (newc), each bare or compressed, one
behind the other. Where gzip begins the file PV-GRUB unpacks that itself: of several parts the first alone, in the
length that the last four bytes say, and what the kernel gets of such a file is looked at. One that ends too early, is
damaged, holds nothing, or is compressed in a way that this kernel's configuration (`CONFIG_RD_…`) does not know ends in
`Initramfs unpacking failed`, and then in a kernel that finds no root. xz is to be made with `--check=crc32`: Linux
knows no other checksum. What does not begin as an initramfs (an old RAM disk's image, say) is not judged. One that
would take more than 1 GiB, or a dictionary of more than 40 MiB, is not looked at to its end, which is a note.

**Remedy.** Make it anew on the running system or in a chroot: `update-initramfs -u -k VERSION`, `dracut --force`,
`mkinitfs`; compressed with gzip, which every kernel knows.

**Source.** Linux, `init/initramfs.c:unpack_to_rootfs`, `lib/decompress.c`, `Documentation/staging/xz.rst`; GRUB 0.97,
`stage2/gunzip.c:gunzip_test_header`.
""",
    outside=True,
)
def initrd_unreadable(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    if start is None or start.initrd is None:
        return
    from pvgrub_sim.findings.facts.initrds import contents_of

    contents = contents_of(case, start.initrd)
    if contents is None or not contents.known:
        return
    from pvgrub_sim.findings.facts.initrd_needs import not_unpacked

    path, where = start.initrd.path, start.initrd.where()
    remedy = remedies.initrds.make_initrd(case, start)
    shown = ", ".join(f"{one.format} at byte {one.offset}" for one in contents.segments)
    if start.initrd.seen.packed and not contents.formats:
        shown += " of what PV-GRUB unpacks"
    if contents.trouble:
        told = f"up to byte {contents.at}; {shown}" if shown else f"{contents.at} bytes"
        yield Draft(f"The kernel cannot unpack the initrd {path}: {contents.trouble}.", remedy, where, told)
    if contents.beyond:
        yield Draft(
            f"The initrd {path} is not looked at to its end: {contents.beyond}.", (), where, shown, Severity.NOTE
        )
    for form in not_unpacked(case, start, contents):
        severity = None if form.sure else Severity.NOTE
        yield Draft(f"The initrd {path} is compressed with {form.format}, {form.why}.", remedy, where, shown, severity)


@rule(
    "initrd-not-for-this-kernel",
    Severity.WARNING,
    "The initrd belongs to another kernel",
    """
The modules of an initrd lie in a folder that is called after the kernel's release, and modprobe looks in that of the
running kernel only. An initrd with the modules of another release is as one without any. It is a warning where the
kernel is known to need one of them (its driver of Xen's disks, its root's filesystem), a note where that is not known,
and nothing where both are known to be built in.

**Remedy.** The initrd that goes with the kernel by its name, where it is there; else make it:
`update-initramfs -c -k VERSION`, `dracut --kver VERSION`.

**Source.** kmod, `modprobe(8)`: `/lib/modules/VERSION`.
""",
    outside=True,
)
def initrd_not_for_this_kernel(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    if start is None or start.initrd is None or not start.release:
        return
    from pvgrub_sim.findings.facts.initrds import contents_of, is_for

    contents = contents_of(case, start.initrd)
    if contents is None or contents.trouble or contents.beyond or is_for(contents, start.release):
        return
    from pvgrub_sim.findings.facts.drivers import Built, knowledge_of, needed

    known = knowledge_of(case, start, contents)
    built = [known.has_any(names) for _, names in needed(case, start)]
    if all(one is Built.IN for one in built):
        return
    sure = any(one is Built.MODULE for one in built)
    found = ", ".join(sorted(contents.versions))
    yield Draft(
        f"The initrd {start.initrd.path} has the modules of {found}, and the kernel {start.kernel.path} is "
        f"{start.release}: it finds none of them.",
        remedies.initrds.use_right_initrd(case, start),
        start.initrd.where(),
        known.source or "there is no modules.builtin or configuration of this kernel",
        None if sure else Severity.NOTE,
    )


@rule(
    "initrd-without-block-front-end",
    Severity.WARNING,
    "The kernel gets no driver for the disks, or for its root on them",
    """
A paravirtual guest has no other disks than those of Xen's block front end: `xen-blkfront` in mainline, `xenblk` in
XenSource's old tree. A kernel that has it as a module gets it from its initrd or not at all; then it waits for its root
and gives up, `ALERT! … does not exist` or `Unable to mount root fs`. initramfs-tools leaves it out with `MODULES=dep`
or `list` on a host that is no Xen guest, dracut with `hostonly`. The same holds for the root's filesystem,
and for LVM's, RAID's or LUKS's programs where the root is on these. The rule speaks where `modules.builtin` or the
configuration of this very kernel is there (on any of the disks, or in the initrd) and says that it is a module; else it
is silent.

**Remedy.** Name the initrd that is there for the kernel; make it with the module: `xen-blkfront` in
`/etc/initramfs-tools/modules`, `dracut --add-drivers xen-blkfront`.

**Source.** Linux, `drivers/block/Kconfig` (XEN_BLKDEV_FRONTEND), `Documentation/kbuild/kbuild.rst` (modules.builtin).
""",
    outside=True,
)
def initrd_without_block_front_end(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.findings.facts.starts import the_start

    start = the_start(case)
    if start is None or not start.release:
        return
    from pvgrub_sim.findings.facts.initrds import contents_of, is_for

    contents = contents_of(case, start.initrd) if start.initrd else None
    if start.initrd is not None and (contents is None or not contents.known or contents.trouble or contents.beyond):
        return
    if contents is not None and not is_for(contents, start.release):
        return
    from pvgrub_sim.findings.facts.drivers import Built, knowledge_of, needed
    from pvgrub_sim.findings.facts.initrd_needs import missing_programs

    known = knowledge_of(case, start, contents)
    kernel = f"{start.kernel.path} ({start.release})"
    for what, names in needed(case, start):
        built = known.has_any(names)
        if built not in (Built.MODULE, Built.NOT) or (contents is not None and contents.modules & set(names)):
            continue
        module = names[0].replace("_", "-")
        if built is Built.NOT:
            message = f"The kernel {kernel} is built without {module}, {what}."
            remedy = remedies.menus.use_other_kernel(case, start.kernel)
        elif start.initrd is None:
            message = f"The kernel {kernel} has {module}, {what}, as a module, and {start.entry.name} has no initrd."
            remedy = remedies.initrds.use_right_initrd(case, start)
        else:
            message = f"The initrd {start.initrd.path} has no {module}, {what}, which {kernel} has as a module."
            remedy = remedies.initrds.make_initrd(case, start, module)
        yield Draft(message, remedy, case.at(start.kernel.line), known.source)
    for message in missing_programs(case, start, contents):
        yield Draft(message, remedies.initrds.make_initrd(case, start), case.at(start.kernel.line))
