"""Makers of steps that give a kernel the initrd that it needs."""

from __future__ import annotations

from pvgrub_sim.findings.facts.boot_files import initrd_for
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.initrds import contents_of, is_for
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.findings.remedies.edits import edit_menu, insert_after, substitute
from pvgrub_sim.findings.remedies.names import shown_word
from pvgrub_sim.findings.remedies.steps import Remedy, advice


def make_initrd(case: Case, start: Start, module: str = "") -> Remedy:
    """How to make the initrd of a kernel anew, by a person. module: what it has to hold that it does not."""
    release = start.release or "VERSION"
    path = start.initrd.path if start.initrd else f"/boot/initramfs-{release}.img"
    listed = f"echo {module} >> /etc/initramfs-tools/modules; " if module else ""
    added = f"--add-drivers {module} " if module else ""
    return advice(
        "on the running system, or in a chroot of its root, make the initrd anew:",
        f"{listed}update-initramfs -u -k {release} (Debian, Ubuntu)",
        f"dracut --force {added}{shown_word(path)} {release} (Fedora, CentOS, Amazon Linux, SUSE)",
    )


def use_right_initrd(case: Case, start: Start) -> Remedy:
    """Name the initrd that goes with the kernel by its name, where there is one of the same release; else make it."""
    kernel = start.kernel
    right = initrd_for(kernel.place, kernel.path) if kernel.place else None
    if right is None or (start.initrd is not None and right == start.initrd.path):
        return make_initrd(case, start)
    seen = case.viewer.look(kernel.device, right)
    contents = contents_of(case, kernel._replace(path=right, seen=seen))
    if contents is None or contents.trouble or not contents.known or not is_for(contents, start.release):
        return make_initrd(case, start)
    if start.initrd is not None and start.initrd.device == kernel.device:
        return edit_menu(case, substitute(start.initrd.line, start.initrd.path, right))
    device = kernel.device if kernel.line.file.startswith("(") else ""
    if start.initrd is not None:
        return edit_menu(case, substitute(start.initrd.line, start.initrd.line.file, f"{kernel.device}{right}"))
    return edit_menu(case, insert_after(kernel.line, f"initrd {device}{right}"))
