"""What came of mending an image: for people and for programs."""

from __future__ import annotations

import json
import re

from pvgrub_sim.model import FixedDisk, FixedImage, FixStep, ProfileInfo
from pvgrub_sim.report import words
from pvgrub_sim.report.json_report import as_json
from pvgrub_sim.report.text import wrapped
from pvgrub_sim.safetext import disarmed, disarmed_json, one_line
from pvgrub_sim.typed import Any

_PLAIN = re.compile(r"[\w./][\w./@%+:-]*")
"""What means itself to every shell and in xl's configuration."""
_CONFIG = re.compile(r"[\w./@%+:(),-]*")
"""What means itself between single quotes."""
_LETTER = re.compile(r"(?:/dev/)?(?:sd|xvd|hd)([a-p])\d*")


def render(fixed: FixedImage, *, as_text: bool = True) -> str:
    """The report, ending in a newline. as_text: for people; else JSON."""
    return _text(fixed) if as_text else disarmed_json(json.dumps(_json(fixed), indent=2)) + "\n"


def _json(fixed: FixedImage) -> dict[str, Any]:
    return {
        "input": fixed.input,
        "output": fixed.output[0] if fixed.output else None,
        "boot_disk": fixed.output[1] if len(fixed.output) > 1 else None,
        "disks": [disk._asdict() for disk in fixed.disks],
        "config": fixed.config,
        "mended": fixed.mended,
        "before": as_json(fixed.before),
        "steps": [_step(step) for step in fixed.steps],
        "after": as_json(fixed.after),
    }


def _step(step: FixStep) -> dict[str, Any]:
    fields = step._asdict()
    return fields | {"rule": step.rules[0], "rules": list(step.rules), "commands": list(step.commands)}


def _text(fixed: FixedImage) -> str:
    lines = [f"{one_line(fixed.input)}: {words.status(fixed.before)}", *wrapped(words.headline(fixed.before))]
    for number, step in enumerate(fixed.steps, 1):
        lines += ["", f"Step {number}: {', '.join(step.rules)}", *wrapped(one_line(step.why))]
        lines += wrapped(f"what: {one_line(step.what)}", "    ")
        lines += [f"    ran:  {one_line(command)}" for command in step.commands]
        lines += wrapped(f"{'result' if step.ok else 'failed'}: {one_line(step.result)}", "    ")
    if fixed.steps:
        lines += ["", f"Afterwards: {words.status(fixed.after)}", *wrapped(words.headline(fixed.after))]
    lines += ["", *_outcome(fixed)]
    return disarmed("\n".join(lines)) + "\n"


def _outcome(fixed: FixedImage) -> list[str]:
    if not fixed.steps and fixed.mended:
        lines = ["Nothing to mend: the default entry boots as it is."]
    elif fixed.mended:
        lines = ["Mended: the default entry boots."]
    else:
        lines = ["Not mended."]
        plan = fixed.after.plan or fixed.before.plan
        for text in plan.unmended if plan else ():
            lines += wrapped(f"- {one_line(text)}")
    if fixed.output:
        lines.append(f"Written: {', '.join(map(one_line, fixed.output))}")
        if fixed.unwrapped:
            lines.append("What was written is a raw image, which the input was not.")
    elif fixed.steps:
        lines.append("Nothing was written.")
    if len(fixed.output) > 1:
        lines += _pair(fixed)
    others = [one.device for one in fixed.disks if one.origin == "machine"]
    if others and fixed.steps:
        told = f"Of the machine only the first disk is mended ({fixed.disks[0].device}): its other disks"
        told = f"{told} ({one_line(', '.join(others))}) stay as they are, and took part in the boot."
        lines += wrapped(told, "")
    return lines


def _pair(fixed: FixedImage) -> list[str]:
    """How a boot disk and the image behind it are booted."""
    first, second = fixed.disks[:2]
    # A command that is shown will be pasted, and the image's name may be a stranger's choice.
    named = _PLAIN.fullmatch(first.image) and _PLAIN.fullmatch(second.image)
    boot, image = (first.image, second.image) if named else ("BOOT-DISK", "IMAGE")
    words = [_version(fixed.after.profile), boot]
    if first.device != "/dev/sda1":
        words.append(f"--device {first.device}")
    words.append(f"--disk {second.device}={image}")
    words += [f"--disk {one.device}={_plain(one.image)}" for one in fixed.disks[2:]]
    if fixed.config is not None:
        words.append(f"--config '{fixed.config if _CONFIG.fullmatch(fixed.config) else 'CONFIG'}'")
    return [
        "The boot disk comes first and the image behind it:",
        f"  pvgrub-sim boot {' '.join(words)}",
        f"  Xen:  disk = ['file:{boot},{_front(first)},r', 'file:{image},{_front(second)},w']",
        f"  EC2:  the boot disk's snapshot is RootDeviceName ({first.device}), the image's is {second.device}",
        "The kernel finds its root by LABEL= or UUID=; a root= that names a device has to name the new one.",
    ]


def _plain(name: str) -> str:
    """The name of one of the other disks, where it can be pasted and opened: not of one within an archive."""
    return name if _PLAIN.fullmatch(name) and (":" not in name or name.startswith("ebs:")) else "DISK"


def _front(disk: FixedDisk) -> str:
    """What Xen's configuration calls a device: /dev/sda1 is xvda, since a disk is what is attached there."""
    letter = _LETTER.fullmatch(disk.device)
    return f"xvd{letter[1]}" if letter else disk.device.removeprefix("/dev/")


def _version(profile: ProfileInfo) -> str:
    """The option for the PV-GRUB that was asked; a build of Amazon's by its name where several AKIs have it."""
    if profile.aki is None and profile.device is not None:
        return f"--aki pv-grub-{profile.device}_{profile.name.removeprefix('amazon-')}-{profile.arch}"
    return f"--aki {profile.aki}" if profile.aki is not None else f"--pvgrub {profile.name}"
