"""Device strings and numbers."""

from __future__ import annotations

import pytest

from pvgrub_sim.grub.disk.device import safe_parse_maxint, set_device
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import NETWORK_DRIVE, WHOLE_DISK
from tests.grub.machine_factory import machine_on

HD0 = 0x80


@pytest.mark.parametrize(
    ("text", "drive", "partition", "rest"),
    [
        (b"(hd0)", HD0, WHOLE_DISK, b""),
        (b"(hd0)/boot", HD0, WHOLE_DISK, b"/boot"),
        (b"(hd7,254)", HD0 + 7, 254 << 16 | 0xFFFF, b""),
        (b"(hd0,1)+1", HD0, 1 << 16 | 0xFFFF, b"+1"),
        (b"(hd0,0x10)", HD0, 16 << 16 | 0xFFFF, b""),
        (b"(hd0x0)", HD0, WHOLE_DISK, b""),
        (b"(0x80)", HD0, WHOLE_DISK, b""),
        (b"(hd0,1,a)", HD0, 1 << 16 | 0x00FF, b""),
        (b"(hd0,1,h)x", HD0, 1 << 16 | 0x07FF, b"x"),
        (b"(hd0,1a)", HD0, 1 << 16 | 0x00FF, b""),
        (b"(hd0,1,)", HD0, 1 << 16 | 0xFFFF, b""),
        (b"(hd0,b)", HD0, 0xFF01FF, b""),
        (b"(fd0)", 0, WHOLE_DISK, b""),
        (b"(cd)", 0, WHOLE_DISK, b""),
        (b"()", NETWORK_DRIVE, WHOLE_DISK, b""),
        (b"(hd0", None, None, b""),
        (b"hd0", None, None, b""),
        (b"", None, None, b""),
    ],
)
def test_device_strings(text: bytes, drive: int | None, partition: int | None, rest: bytes) -> None:
    m = machine_on(bytes(512))
    if drive is None:
        with pytest.raises(GrubError, match="Error 11"):
            set_device(m, text)
        return
    assert set_device(m, text) == rest
    assert (m.current_drive, m.current_partition) == (drive, partition)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"(hd0,0", ErrNum.DEV_FORMAT),
        (b"(hd0,255)", ErrNum.DEV_FORMAT),
        (b"(hd0,99999999999)", ErrNum.DEV_FORMAT),
        (b"(fd0,1)", ErrNum.DEV_FORMAT),
        (b"(hd0,,a)", ErrNum.DEV_FORMAT),
        (b"(hd0,i)", ErrNum.DEV_FORMAT),
        (b"(hd0,1,i)", ErrNum.DEV_FORMAT),
        (b"(hd0 )", ErrNum.DEV_FORMAT),
        (b"(hd8)", ErrNum.DEV_VALUES),
        (b"(hd0x80)", ErrNum.DEV_VALUES),
        (b"(127)", ErrNum.DEV_VALUES),
        (b"(hd)", ErrNum.NUMBER_PARSING),
        (b"(nd)", ErrNum.NUMBER_PARSING),
        (b"(HD0)", ErrNum.NUMBER_PARSING),
        (b"(xvda)", ErrNum.NUMBER_PARSING),
        (b"(hd-1)", ErrNum.NUMBER_PARSING),
        (b"(hd99999999999)", ErrNum.NUMBER_OVERFLOW),
        (b"UUID=1234", ErrNum.DEV_FORMAT),
        (b"/dev/sda1", ErrNum.DEV_FORMAT),
    ],
)
def test_errors(text: bytes, error: ErrNum) -> None:
    with pytest.raises(GrubError) as raised:
        set_device(machine_on(bytes(512)), text)
    assert raised.value.number == error


@pytest.mark.parametrize("text", [b"(", b"(h", b"(hd", b"(f", b"(fd"])
def test_letters_alone_stand_for_a_device_of_the_root_drive(text: bytes) -> None:
    m = machine_on(bytes(512))
    m.saved_drive = HD0
    assert set_device(m, text) == b""
    assert (m.current_drive, m.current_partition) == (HD0, WHOLE_DISK)


def test_quirk_a_bad_letter_is_error_23_but_a_number_too_large_behind_it_error_35() -> None:
    for text, error in ((b"(hx0)", ErrNum.NUMBER_PARSING), (b"(hx99999999999)", ErrNum.NUMBER_OVERFLOW)):
        with pytest.raises(GrubError) as raised:
            set_device(machine_on(bytes(512)), text)
        assert raised.value.number == error


def test_quirk_without_a_number_128_is_added_to_the_root_drive() -> None:
    m = machine_on(bytes(512))
    m.saved_drive = 3
    with pytest.raises(GrubError, match="Error 23"):
        set_device(m, b"(hd)")
    assert m.current_drive == HD0 + 3


def test_quirk_a_comma_alone_is_the_partition_of_the_root_device() -> None:
    m = machine_on(bytes(512))
    m.saved_partition = 3 << 16 | 0xFFFF
    assert set_device(m, b"(hd0,)/x") == b"/x"
    assert m.current_partition == 3 << 16 | 0xFFFF


@pytest.mark.parametrize(
    ("text", "value", "end"),
    [(b"0", 0, 1), (b"010x", 10, 3), (b"0x1F ", 31, 4), (b"0XfFg", 255, 4), (b"2147483647", (1 << 31) - 1, 10)],
)
def test_numbers(text: bytes, value: int, end: int) -> None:
    assert safe_parse_maxint(machine_on(bytes(512)), text) == (value, end)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", ErrNum.NUMBER_PARSING),
        (b" 1", ErrNum.NUMBER_PARSING),
        (b"-1", ErrNum.NUMBER_PARSING),
        (b"0x", ErrNum.NUMBER_PARSING),
        (b"0xg", ErrNum.NUMBER_PARSING),
        (b"2147483648", ErrNum.NUMBER_OVERFLOW),
        (b"0x80000000", ErrNum.NUMBER_OVERFLOW),
    ],
)
def test_bad_numbers(text: bytes, error: ErrNum) -> None:
    with pytest.raises(GrubError) as raised:
        safe_parse_maxint(machine_on(bytes(512)), text)
    assert raised.value.number == error
