"""NamedTuple, Enum and IntEnum: what typing's and enum's do, class by class made the quick way."""

from __future__ import annotations

import copy
import enum
import inspect
import pickle
import typing
from typing import Any

import pytest

from pvgrub_sim.values import Enum, IntEnum, NamedTuple


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 2
    name: str = "a"

    @property
    def total(self) -> int:
        return self.x + self.y


class Near(Point):
    """A class of its own below one."""

    far: bool = False


class Typed(typing.NamedTuple):
    x: int
    y: int = 2
    name: str = "a"


@pytest.mark.parametrize("kind", [Point, Near])
def test_as_typing_has_it(kind: type[Point]) -> None:
    theirs = Typed(1, name="b")
    ours = kind(1, name="b")
    assert tuple(ours) == tuple(theirs) and ours == theirs and hash(ours) == hash(theirs)
    assert repr(ours) == repr(theirs).replace("Typed", kind.__name__)
    assert (ours.x, ours.y, ours.name, ours.total) == (1, 2, "b", 3)
    assert ours._asdict() == theirs._asdict()
    assert kind._fields == Typed._fields and kind._field_defaults == Typed._field_defaults
    assert kind.__match_args__ == Typed.__match_args__
    assert kind._make([1, 2, "b"]) == ours and type(kind._make([1, 2, "b"])) is kind
    assert ours._replace(y=5) == (1, 5, "b") and type(ours._replace(y=5)) is kind
    match ours:
        case Point(x, name=name):
            assert (x, name) == (1, "b")
        case _:
            pytest.fail("it matches no pattern")
    for same in (copy.copy(ours), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert same == ours and type(same) is kind


@pytest.mark.parametrize("kind", [Point, Typed])
def test_wrong_uses_are_told(kind: type) -> None:
    for items, named in (((), {}), ((1, 2, 3, 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})):
        with pytest.raises(TypeError):
            kind(*items, **named)
    value = kind(1)
    with pytest.raises(TypeError):
        kind._make([1])
    with pytest.raises((ValueError, TypeError)):
        value._replace(z=1)
    with pytest.raises(AttributeError):
        value.x = 2


def test_its_signature_is_told() -> None:
    assert str(inspect.signature(Point)) == "(x, y=2, name='a')"


def test_docstrings_stay() -> None:
    assert (Point.__doc__, Near.__doc__) == ("A place.", "A class of its own below one.")


class Colour(Enum):
    """Members with more than one value, a method and another name for one of them."""

    RED = 1, "warm"
    BLUE = 2, "cold"
    AZURE = 2, "cold"

    def __init__(self, number: int, feel: str) -> None:
        self.number = number
        self.feel = feel

    @property
    def warm(self) -> bool:
        return self is Colour.RED


class TheirColour(enum.Enum):
    RED = 1, "warm"
    BLUE = 2, "cold"
    AZURE = 2, "cold"


class Level(IntEnum):
    NONE = 0
    SOME = 1
    LOW = 1
    MOST = 7


class TheirLevel(enum.IntEnum):
    NONE = 0
    SOME = 1
    LOW = 1
    MOST = 7


@pytest.mark.parametrize(("ours", "theirs"), [(Colour, TheirColour), (Level, TheirLevel)])
def test_as_enum_has_it(ours: Any, theirs: Any) -> None:
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        assert (own.name, own.value) == (other.name, other.value)
        assert repr(own) == repr(other).replace(theirs.__name__, ours.__name__)
        assert str(own) == str(other).replace(theirs.__name__, ours.__name__)
        assert f"{own}" == f"{other}".replace(theirs.__name__, ours.__name__)
        assert isinstance(own, ours) and type(own) is ours and bool(own) == bool(other)
        assert ours(other.value) is ours[other.name] is getattr(ours, other.name) is own
        for same in (copy.copy(own), copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
            assert same is own
    with pytest.raises(ValueError, match=f"^99 is not a valid {ours.__name__}$"):
        ours(99)
    with pytest.raises(KeyError):
        ours["GREEN"]


def test_the_members_of_an_enum_have_their_own_attributes() -> None:
    red, blue, azure = (Colour[name] for name in ("RED", "BLUE", "AZURE"))
    assert azure is blue and blue != red
    assert (red.number, red.feel, red.warm, blue.warm) == (1, "warm", True, False)
    assert {Colour.RED: "a", Colour.BLUE: "b"}[azure] == "b"


def test_the_members_of_an_int_enum_are_numbers() -> None:
    none, some, low, most = (Level[name] for name in ("NONE", "SOME", "LOW", "MOST"))
    assert low is some and most == 7 and none < some
    assert (f"{most:03d}", most + 1, {7: "a"}[most], [5, 6][some]) == ("007", 8, "a", 6)
