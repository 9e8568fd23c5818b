"""How inputs are changed: with an eye for where structures lie and which numbers hurt."""

from __future__ import annotations

from random import Random

SECTOR = 512
NUMBERS = (
    0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x3FF, 0x400, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF,
    0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
PLACES = (
    446, 450, 454, 458, 462, 466, 470, 474, 510, 512, 584, 592, 596, 1024, 1028, 1044, 1048, 1056, 1064, 1080,
    1112, 1120, 1124, 1278, 2048, 3072, 4096, 32768, 32768 + 44, 65536, 65536 + 52,
)  # fmt: skip
"""Offsets in bytes at which tables, superblocks and their fields begin."""
STRINGS = (
    b"\n", b"\0", b"\x1b[2J", b"\x9b31m", b"::error::x", b"\n::error::x\n", b"##[error]x", b"\xff\xfe",
    b"$(id)", b"`id`", b"';id;'", b"\"\\", b"!id", b"-rf", b"../../x", b"\xe2\x80\xae", b"\xe2\x80\xa8",
    b"END\nid\n", b"a" * 300, b"%s%n", b"<script>", b"]]>", b"(hd0\xff)", b"\t\r",
)  # fmt: skip
COMMANDS = (
    b"default", b"timeout", b"fallback", b"title", b"root", b"kernel", b"initrd", b"module", b"boot", b"cat",
    b"cmp", b"blocklist", b"find", b"configfile", b"hiddenmenu", b"savedefault", b"rootnoverify",
    b"makeactive", b"chainloader", b"map", b"password", b"lock", b"pause", b"terminal", b"terminfo", b"color",
    b"geometry", b"partnew", b"parttype", b"hide", b"unhide", b"testload", b"read", b"debug", b"fstest",
    b"halt", b"reboot", b"uuid", b"help", b"modulenounzip", b"displaymem", b"setkey", b"md5crypt", b"clear",
    b"echo", b"quit", b"reset",
)  # fmt: skip
WORDS = (
    b"(hd0)", b"(hd0,0)", b"(hd0,1)", b"(hd1)", b"(nd)", b"(fd0)", b"(hd0,0,a)", b"/boot/vmlinuz",
    b"/boot/grub/menu.lst", b"(hd0)/boot/grub/menu.lst", b"/", b"0", b"1", b"-1", b"saved", b"0x7fffffff",
    b"99999999999", b"(hd0)0+1", b"(hd0)1+4194304", b"--force", b"--type=linux", b"root=LABEL=/",
    b"console=hvc0", b"/boot/initrd.img",
)  # fmt: skip


def number(random: Random) -> bytes:
    """A number that hurts, of 1 to 8 bytes, in either byte order."""
    width = random.choice((1, 2, 2, 4, 4, 4, 8))
    value = random.choice(NUMBERS) if random.random() < 0.7 else random.getrandbits(8 * width)
    order = "little" if random.random() < 0.8 else "big"
    return (value & (1 << 8 * width) - 1).to_bytes(width, order)  # type: ignore[arg-type]  # one of the two words


def patches(random: Random, data: bytes, used: list[int], other: bytes) -> list[tuple[int, bytes]]:
    """Changes to an image. used: its sectors that are not zeros, by offset. other: another image, for splices."""
    made: list[tuple[int, bytes]] = []
    for _ in range(random.choice((1, 1, 2, 3, 5, 12))):
        sector = random.choice(used)
        match random.randrange(8):
            case 0 | 1 | 2:
                made.append((sector + random.randrange(0, SECTOR - 8, 2), number(random)))
            case 3:
                made.append((random.choice(PLACES), number(random)))
            case 4:
                at = random.randrange(0, max(1, len(other) - SECTOR), SECTOR)
                made.append((sector, other[at : at + random.choice((SECTOR, 1024, 4096))]))
            case 5:
                second = random.choice(used)
                size = random.choice((SECTOR, 1024, 4096))
                made += [(sector, data[second : second + size]), (second, data[sector : sector + size])]
            case 6:
                made.append((sector + random.randrange(SECTOR), random.choice(STRINGS)))
            case 7:
                made.append((sector, bytes(random.choice((SECTOR, 1024, 4096)))))
    return [(at, new) for at, new in made if new]


def size(random: Random, whole: int) -> int:
    """The size of an image after a truncation or growth, mostly as it was."""
    match random.randrange(12):
        case 0:
            return max(SECTOR, random.randrange(whole))
        case 1:
            return max(SECTOR, random.choice((whole // 2, whole - 1, 1024, 2048, 63 * SECTOR)))
        case 2:
            return whole + random.choice((1, SECTOR, 1 << 20, 1 << 40, 1 << 41))
    return whole


def changed(random: Random, data: bytes) -> bytes:
    """Any bytes with some of them changed, put twice, taken out or replaced by what hurts."""
    plain = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 9))):
        at = random.randrange(len(plain) + 1)
        match random.randrange(6):
            case 0 | 1:
                new = number(random)
                plain[at : at + len(new)] = new
            case 2:
                plain[at:at] = random.choice(STRINGS)
            case 3:
                plain[at:at] = plain[at : at + random.randrange(64)]
            case 4:
                del plain[at : at + random.randrange(64)]
            case 5:
                plain[at : at + 1] = random.randbytes(1)
    return bytes(plain)


def menu(random: Random) -> bytes:
    """A menu.lst: commands and words that fit, words that do not, and bytes that never do."""
    lines = [b"default 0", b"timeout 0"] if random.random() < 0.7 else []
    for _ in range(random.randrange(1, 14)):
        words = [random.choice(COMMANDS)]
        words += [random.choice(WORDS if random.random() < 0.8 else STRINGS) for _ in range(random.randrange(4))]
        lines.append(random.choice((b" ", b" ", b"  ", b"=", b"\t")).join(words))
    text = random.choice((b"\n", b"\n", b"\n", b"\r\n", b"\\\n", b"\0")).join(lines) + b"\n"
    return changed(random, text) if random.random() < 0.5 else text
