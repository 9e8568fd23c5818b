"""NamedTuple: what typing's does, class by class made the quick way."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing

import pytest

from pvgrub_sim.values import NamedTuple


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
