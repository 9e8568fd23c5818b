"""EC2 instance-store bundles: a manifest and its parts, as ec2-bundle-image and euca-bundle-image write them.

The image went through `tar -S`, gzip and AES-128-CBC and was split into parts of 10 MB; the manifest (version
2007-10-10) has the SHA-1 of each part and of the tar stream, and the key twice: encrypted for EC2, and for the user's
certificate.
As euca2ools/bundle/manifest.py and euca2ools/commands/bundle/unbundle.py of euca2ools.
"""

from __future__ import annotations

import re
from hashlib import sha1
from xml.etree.ElementTree import Element

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.inputs import read_input
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.formats.beside import open_beside
from pvgrub_sim.media.formats.decoders import Input, gzip_stream
from pvgrub_sim.media.formats.pieces import ForwardPieces
from pvgrub_sim.media.formats.spool import Spool
from pvgrub_sim.media.formats.tar import TarReader
from pvgrub_sim.media.formats.xml import parse_xml, text_of
from pvgrub_sim.media.machine import Booting, MachineDisk
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

LARGEST_PART: Final = 64 << 20
"""Bytes; parts have 10 MB."""
MOST_PARTS: Final = 100_000
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_PART_NAME: Final = re.compile(r"[^/\0]{1,255}")

LONGEST_KEY = 1 << 20
"""Bytes of a private key that are read."""


class Part(NamedTuple):
    """One part: its file's name, and its SHA-1 in hexadecimal digits."""

    name: str
    digest: str


class Manifest(NamedTuple):
    """What a manifest says.

    machine: architecture, AKI and ARI, under DescribeImages' names. size: of the image, in bytes. digest: SHA-1 of the
    tar stream. key, iv: encrypted, for the user first and then for EC2.
    """

    machine: dict[str, Any]
    size: int
    digest: str
    key: tuple[bytes, ...]
    iv: tuple[bytes, ...]
    parts: tuple[Part, ...]


def open_bundle(below: Disk, context: Context) -> Disk:
    """The image in a bundle, decrypted with the key that `--bundle-key` names. Raises ImageError and UsageError."""
    if below.size > LARGEST_PART:
        raise ImageError(below.name, "is too large for a bundle's manifest")
    manifest = read_manifest(below.name, below.read(0, below.size))
    if context.access.key is None:
        raise UsageError(
            f"{below.name}: is an EC2 bundle: --bundle-key FILE names the private key whose certificate it was made for"
        )
    key, iv = _secrets(below.name, manifest, context.access.key)
    parts = _Parts(below, manifest, context, key, iv)
    stream = _Digested(gzip_stream(Input(parts)), below.name, manifest.digest)
    unpacked = Spool(below.name, stream, Layer("bundle", below.name, 0, "AES-128-CBC, gzip"), context, below=parts)
    try:
        return _image(below.name, unpacked, manifest)
    except BaseException:  # Ctrl-C as well; it is passed on
        unpacked.close()
        raise


def _image(name: str, unpacked: Spool, manifest: Manifest) -> Disk:
    """The first file of the tar stream."""
    for member in TarReader(unpacked):
        if member.is_file:
            if member.size != manifest.size:
                raise ImageError(name, f"holds an image of {member.size} bytes, not {manifest.size} as it says")
            layer = Layer("bundle", name, member.size, "AES-128-CBC, gzip, tar")
            disk = ForwardPieces(unpacked, member.size, member.pieces, layer)
            return MachineDisk(name, [("/dev/sda1", disk)], Booting(), manifest.machine)
    raise ImageError(name, "is a bundle without an image in it")


def read_manifest(name: str, raw: bytes) -> Manifest:
    """Read a manifest; raises ImageError for what is none."""
    root = parse_xml(name, raw)
    image = root.find("image")
    if root.tag != "manifest" or image is None:
        raise ImageError(name, "is no manifest of an EC2 bundle")
    parts: dict[int, Part] = {}
    names: set[str] = set()
    for element in image.iterfind("parts/part"):
        index, file, digest = element.get("index", ""), text_of(element, "filename"), text_of(element, "digest")
        if not index.isdecimal() or len(index) > 6 or not _PART_NAME.fullmatch(file) or not _HEX.fullmatch(digest):
            raise ImageError(name, f"is a manifest with a part {index[:20]!r} that makes no sense")
        if int(index) in parts or file in names:
            raise ImageError(name, f"is a manifest with a part {index[:20]!r} that it has already")
        names.add(file)
        parts[int(index)] = Part(file, digest.lower())
    if not 0 < len(parts) <= MOST_PARTS or sorted(parts) != list(range(len(parts))):
        raise ImageError(name, f"is a manifest of {len(parts)} parts that are not numbered from 0 on")
    size = text_of(image, "size")
    if not size.isdecimal() or len(size) > 15:
        raise ImageError(name, "is a manifest without the image's size")
    digest = text_of(image, "digest").lower()
    if not _SHA1.fullmatch(digest):
        raise ImageError(name, "is a manifest without the image's SHA-1")
    return Manifest(
        _machine(root),
        int(size),
        digest,
        tuple(_encrypted(image, "key")),
        tuple(_encrypted(image, "iv")),
        tuple(parts[index] for index in range(len(parts))),
    )


def _encrypted(image: Element, what: str) -> list[bytes]:
    texts = (text_of(image, f"{who}_encrypted_{what}") for who in ("user", "ec2"))
    return [bytes.fromhex(text) for text in texts if _HEX.fullmatch(text)]


def _machine(root: Element) -> dict[str, Any]:
    """What the manifest says of the machine, as DescribeImages would."""
    found = {
        "KernelId": text_of(root, "machine_configuration/kernel_id"),
        "RamdiskId": text_of(root, "machine_configuration/ramdisk_id"),
        "Architecture": text_of(root, "machine_configuration/architecture"),
    }
    plain = {key: value for key, value in found.items() if re.fullmatch(r"[\w-]{1,40}", value, re.ASCII)}
    for key in ("KernelId", "RamdiskId"):
        if not re.fullmatch(r"[a-z]+-\w+", plain.get(key, ""), re.ASCII):
            plain.pop(key, None)
    return {"ImageId": "ami-bundle", "RootDeviceName": "/dev/sda1", "RootDeviceType": "instance-store", **plain}


def _secrets(name: str, manifest: Manifest, key_file: str) -> tuple[bytes, bytes]:
    """The AES key and the initialisation vector; raises ImageError when the private key is not the right one."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise UsageError(f"{name}: cryptography is not installed (pip install 'pvgrub-sim[bundle]')") from None
    try:
        private = load_pem_private_key(read_input(key_file, LONGEST_KEY), None)
    except ImageError as error:
        raise UsageError(str(error)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{key_file}: is no private key in PEM, or one that wants a password") from None
    if not isinstance(private, RSAPrivateKey):
        raise UsageError(f"{key_file}: is no RSA key")

    def decrypted(texts: tuple[bytes, ...]) -> bytes:
        for text in texts:
            try:
                plain = private.decrypt(text, PKCS1v15()).decode("ascii")
            except ValueError:
                continue
            if re.fullmatch(r"[0-9a-fA-F]{32}", plain):
                return bytes.fromhex(plain)
        raise ImageError(name, f"is a bundle for another key than the one in {key_file}")

    return decrypted(manifest.key), decrypted(manifest.iv)


class _Parts:
    """The bundle's bytes, decrypted: part by part, each checked before anything of it is believed.

    They are read once, from the beginning to the end, and kept nowhere. unpacked: how many have been read.
    """

    def __init__(self, below: Disk, manifest: Manifest, context: Context, key: bytes, iv: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CBC

        self.name = below.name
        self.unpacked = 0
        self._below = below
        self._parts = iter(manifest.parts)
        self._context = context
        self._decryptor = Cipher(AES(key), CBC(iv)).decryptor()
        self._part = memoryview(b"")
        """What is left of a part, encrypted."""
        self._held = b""
        self._ended = False

    @property
    def size(self) -> int:
        """Bytes that have been read; how many there are is known at the end."""
        return self.unpacked

    def read(self, offset: int, length: int) -> bytes:
        """The next bytes, all of them; raises ImageError when there are fewer."""
        data = self.read_upto(offset, length)
        if len(data) < length:
            raise ImageError(self.name, f"ends {length - len(data)} bytes short of a read", offset + len(data))
        return data

    def read_upto(self, offset: int, length: int) -> bytes:
        """The next bytes, fewer at the end; raises ImageError when a part is not there or not what was bundled."""
        if offset != self.unpacked:
            raise ImageError(self.name, "is a bundle, which is decrypted from its beginning to its end", offset)
        found: list[bytes] = []
        left = length
        while left and (data := self._decrypted(left)):
            found.append(data)
            left -= len(data)
        self.unpacked += length - left
        return b"".join(found)

    def _decrypted(self, most: int) -> bytes:
        """Some of the next bytes, none at the end."""
        while not self._ended:
            # The last 16 bytes are held back: their end is padding.
            if len(self._held) > 16:
                taken = min(len(self._held) - 16, most)
                data, self._held = self._held[:taken], self._held[taken:]
                return data
            if self._part:
                piece, self._part = self._part[:most], self._part[most:]
                self._held += self._decryptor.update(piece)
            elif (part := next(self._parts, None)) is not None:
                self._part = memoryview(self._checked(part))
            else:
                self._ended = True
                return self._without_padding(self._held)
        return b""

    def _checked(self, part: Part) -> bytes:
        """The bytes of a part."""
        file = open_beside(self._below, part.name, "raw", self._context, "part")
        try:
            if file.size > LARGEST_PART:
                raise ImageError(file.name, f"has {file.size} bytes, more than any part of a bundle")
            data = file.read(0, file.size)
        finally:
            file.close()
        if sha1(data, usedforsecurity=False).hexdigest() != part.digest:
            raise ImageError(file.name, f"does not have the SHA-1 that {self.name} tells")
        return data

    def _without_padding(self, held: bytes) -> bytes:
        """The last block, up to its padding."""
        try:
            held += self._decryptor.finalize()
        except ValueError:
            held = b""
        padding = held[-1] if held else 0
        if len(held) != 16 or not 1 <= padding <= 16 or held[-padding:] != bytes([padding]) * padding:
            raise ImageError(self.name, "is a bundle that does not decrypt to what was encrypted")
        return held[:-padding]

    def close(self) -> None:
        """Close the manifest."""
        self._below.close()


class _Digested:
    """A stream whose SHA-1 must come out at its end."""

    def __init__(self, stream: Any, name: str, wanted: str) -> None:
        self._stream = stream
        self._name = name
        self._wanted = wanted
        self._digest = sha1(usedforsecurity=False)

    def read(self) -> bytes:
        """The next bytes; raises ImageError at the end when the digest is another one."""
        data: bytes = self._stream.read()
        self._digest.update(data)
        if not data and self._digest.hexdigest() != self._wanted:
            raise ImageError(self._name, "is a bundle whose image does not have the SHA-1 that the manifest tells")
        return data

    def close(self) -> None:
        """Close the manifest."""
        self._stream.close()
