"""Writers of machines and bundles after their formats' descriptions, and second readers of them by other means."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import xxhash

from pvgrub_sim.media import Disk
from tests.rounds import rounds
from tests.tools import require, run

MIB = 1 << 20


def _value(value: object) -> str:
    if isinstance(value, dict):
        members = "".join(f"<member><name>{key}</name>{_value(one)}</member>" for key, one in value.items())
        return f"<value><struct>{members}</struct></value>"
    if isinstance(value, list):
        return f"<value><array><data>{''.join(map(_value, value))}</data></array></value>"
    if isinstance(value, bool):
        return f"<value><boolean>{int(value)}</boolean></value>"
    return f"<value>{value}</value>"


def ova_xml(disks: Sequence[tuple[str, str, int]], **machine: str) -> bytes:
    """ova.xml of a machine; disks: device number, reference and size in bytes."""
    vm = {"uuid": "1", "is_a_template": False, "is_a_snapshot": False, "VBDs": [f"Ref:1{n}" for n, *_ in disks]}
    objects: list[object] = [{"class": "VM", "id": "Ref:0", "snapshot": {**vm, **machine}}]
    for number, reference, size in disks:
        drive = {"VM": "Ref:0", "VDI": reference, "userdevice": number, "type": "Disk", "bootable": number == "0"}
        objects.append({"class": "VBD", "id": f"Ref:1{number}", "snapshot": drive})
        objects.append({"class": "VDI", "id": reference, "snapshot": {"virtual_size": str(size), "SR": "Ref:99"}})
    empty = {"VM": "Ref:0", "VDI": "OpaqueRef:NULL", "userdevice": "3", "type": "CD", "empty": True}
    objects.append({"class": "VBD", "id": "Ref:90", "snapshot": empty})
    return _value({"version": {"hostname": "xen", "export_vsn": "2"}, "objects": objects}).encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def write_xva(
    path: Path,
    disks: Sequence[tuple[str, str, bytes]],
    *,
    checksum: str = "checksum",
    keepalive: int = 0,
    **machine: str,
) -> None:
    """An XVA. disks: device number, reference and content. keepalive: after every so many chunks one without bytes."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "ova.xml", ova_xml([(number, ref, len(data)) for number, ref, data in disks], **machine))
        for _, reference, data in sorted(disks, key=lambda disk: disk[1]):
            number = written = 0
            for at in range(0, len(data), MIB):
                chunk = data[at : at + MIB]
                first_or_last = at == 0 or at + MIB >= len(data)
                if keepalive and written >= keepalive and not first_or_last:
                    _chunk(archive, f"{reference}/{number:08d}", b"", checksum)
                    number, written = number + 1, 0
                if first_or_last or any(chunk):
                    _chunk(archive, f"{reference}/{number:08d}", chunk, checksum)
                    written += 1
                number += 1


def _chunk(archive: tarfile.TarFile, name: str, data: bytes, checksum: str) -> None:
    _add(archive, name, data)
    digest = hashlib.sha1(data).hexdigest() if checksum == "checksum" else xxhash.xxh64(data).hexdigest().upper()
    _add(archive, f"{name}.{checksum}", digest.encode())


def read_xva(path: Path, folder: Path) -> dict[str, bytes]:
    """The disks of an XVA by reference, by Debian's tar and xva-img; cut to the sizes that ova.xml tells."""
    require("xva-img")
    folder.mkdir()
    run("tar", "-xf", path, "-C", folder)
    sizes: dict[str, int] = {}
    tree = ElementTree.fromstring((folder / "ova.xml").read_bytes())
    for value in tree.iterfind(".//array/data/value"):
        texts = [text.strip() for text in value.itertext()]
        if "VDI" in texts and "virtual_size" in texts:
            sizes[texts[texts.index("id") + 1]] = int(texts[texts.index("virtual_size") + 1])
    found: dict[str, bytes] = {}
    for reference, size in sizes.items():
        sums = sorted((folder / reference).glob("*.xxhash"))
        if sums:
            # Debian 12's xva-img knows SHA-1 only: xxh64sum and sha1sum stand in for what it does not know.
            chunks = [file.with_suffix("") for file in sums]
            told = [line.split()[0] for line in run("xxh64sum", *chunks).decode().splitlines()]
            assert told == [file.read_text().lower() for file in sums]
            for chunk in chunks:
                chunk.with_suffix(".checksum").write_bytes(run("sha1sum", chunk)[:40])
        run("xva-img", "-p", "disk-export", folder / reference, folder / f"{reference}.raw")
        found[reference] = (folder / f"{reference}.raw").read_bytes()[:size]
    return found


OVF = """\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:citrix="http://schemas.citrix.com/ovf/envelope/1">
  <References>{files}</References>
  <DiskSection><Info>disks</Info>{disks}</DiskSection>
  <VirtualSystem ovf:id="vm"><Info>one</Info>
    <VirtualHardwareSection><Info>hardware</Info>
      <Item><rasd:Address>0</rasd:Address><rasd:InstanceID>3</rasd:InstanceID>
        <rasd:ResourceType>6</rasd:ResourceType></Item>
      {items}
    </VirtualHardwareSection>
    {settings}
  </VirtualSystem>
</Envelope>
"""


def write_ova(path: Path, disks: Sequence[tuple[int, Path]], **settings: str) -> None:
    """An OVA. disks: place on the controller, and the file, in the order in which they stand in the archive."""
    files = "".join(
        f'<File ovf:href="{file.name}" ovf:id="file{n}" ovf:size="{file.stat().st_size}"/>'
        for n, (_, file) in enumerate(disks)
    )
    listed = "".join(
        f'<Disk ovf:capacity="1" ovf:diskId="disk{n}" ovf:fileRef="file{n}"/>' for n, _ in enumerate(disks)
    )
    items = "".join(
        f"<Item><rasd:AddressOnParent>{place}</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/disk{n}"
        f"</rasd:HostResource><rasd:InstanceID>{10 + n}</rasd:InstanceID><rasd:Parent>3</rasd:Parent>"
        "<rasd:ResourceType>17</rasd:ResourceType></Item>"
        for n, (place, _) in enumerate(disks)
    )
    told = "".join(
        f'<citrix:VirtualSystemOtherConfigurationData Name="{name}"><Value>{value}</Value>'
        "</citrix:VirtualSystemOtherConfigurationData>"
        for name, value in settings.items()
    )
    ovf = path.with_suffix(".ovf")
    ovf.write_text(OVF.format(files=files, disks=listed, items=items, settings=told))
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in (ovf, *(file for _, file in disks)):
            archive.add(file, file.name)


def make_key(folder: Path, name: str = "user") -> tuple[Path, Path]:
    """A private key and its certificate, by openssl."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
        "-subj", f"/CN={name}", "-days", "30")  # fmt: skip
    return key, certificate


def write_bundle(folder: Path, image: Path, certificate: Path, part: int = 1 << 20) -> Path:
    """A bundle as ec2-bundle-image writes it: tar, gzip, openssl enc, split; returns the manifest."""
    key, iv = os.urandom(16).hex(), os.urandom(16).hex()
    stream = run("tar", "-C", image.parent, "-cSh", image.name)
    packed = run("openssl", "enc", "-e", "-aes-128-cbc", "-K", key, "-iv", iv, stdin=run("gzip", "-9", stdin=stream))

    def hidden(text: str) -> str:
        words = ("pkeyutl", "-encrypt", "-certin", "-inkey", certificate, "-pkeyopt", "rsa_padding_mode:pkcs1")
        return run("openssl", *words, stdin=text.encode()).hex()

    parts = []
    for index, at in enumerate(range(0, len(packed), part)):
        data = packed[at : at + part]
        (folder / f"image.part.{index:02d}").write_bytes(data)
        digest = hashlib.sha1(data).hexdigest()
        parts.append(
            f"<part index='{index}'><filename>image.part.{index:02d}</filename>"
            f"<digest algorithm='SHA1'>{digest}</digest></part>"
        )
    manifest = folder / "image.manifest.xml"
    manifest.write_text(
        "<?xml version='1.0'?><manifest><version>2007-10-10</version><bundler><name>ec2-ami-tools</name></bundler>"
        "<machine_configuration><architecture>x86_64</architecture><kernel_id>aki-919dcaf8</kernel_id>"
        f"</machine_configuration><image><name>{image.name}</name><user>1</user><type>machine</type>"
        f"<digest algorithm='SHA1'>{hashlib.sha1(stream).hexdigest()}</digest><size>{image.stat().st_size}</size>"
        f"<bundled_size>{len(packed)}</bundled_size>"
        f"<ec2_encrypted_key algorithm='AES-128-CBC'>{os.urandom(256).hex()}</ec2_encrypted_key>"
        f"<user_encrypted_key algorithm='AES-128-CBC'>{hidden(key)}</user_encrypted_key>"
        f"<ec2_encrypted_iv>{os.urandom(256).hex()}</ec2_encrypted_iv>"
        f"<user_encrypted_iv>{hidden(iv)}</user_encrypted_iv>"
        f"<parts count='{len(parts)}'>{''.join(parts)}</parts></image><signature>00</signature></manifest>"
    )
    return manifest


def read_bundle(manifest: Path, key: Path) -> bytes:
    """The image in a bundle, by openssl, gzip and tar, as euca-unbundle does it."""
    tree = ElementTree.parse(manifest)

    def shown(what: str) -> str:
        raw = bytes.fromhex(tree.findtext(f"image/user_encrypted_{what}") or "")
        words = ("pkeyutl", "-decrypt", "-inkey", key, "-pkeyopt", "rsa_padding_mode:pkcs1")
        return run("openssl", *words, stdin=raw).decode()

    names = [part.findtext("filename") or "" for part in tree.iterfind("image/parts/part")]
    packed = b"".join((manifest.parent / name).read_bytes() for name in names)
    words = ("enc", "-d", "-aes-128-cbc", "-K", shown("key"), "-iv", shown("iv"))
    stream = run("gzip", "-d", stdin=run("openssl", *words, stdin=packed))
    return subprocess.run(["tar", "-xO"], input=stream, capture_output=True, check=True).stdout


def all_equal(disk: Disk, raw: bytes) -> None:
    """Every byte is right, in one read and in many."""
    assert disk.size == len(raw)
    rng = random.Random(7)
    for _ in range(rounds(300, otherwise=60)):
        offset = rng.randrange(len(raw))
        length = min(rng.choice((1, 512, 5000, 100_000, 3 * MIB)), len(raw) - offset)
        assert disk.read(offset, length) == raw[offset : offset + length]
    assert disk.read(0, len(raw)) == raw
