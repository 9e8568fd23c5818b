"""Values that come from outside as JSON has them: made into those of our types, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

LARGEST = 1 << 64
"""No whole number of ours is larger; what divides one by another relies on it."""
DEEPEST = 8
"""Lists and objects within each other, where a type says nothing of what they hold."""


def of_type(kind: Any, value: Any) -> Any:
    """A value of that type; raises TypeError, ValueError or KeyError when it is none.

    kind: a type of ours with its annotations. value: as json.loads() has it, or of such types already: an object or
    named tuple for a named tuple, a list or tuple for a tuple, a text for a word of an enumeration or for bytes.
    """
    return _maker(kind)(value)


_Maker = Callable[[Any], Any]


@cache
def _maker(kind: Any) -> _Maker:
    """What makes values of a type: a type is taken apart once, for a scan reads a hundred thousand looks."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        inner = _maker(next(one for one in arguments if one is not NoneType))
        return (lambda value: None if value is None else inner(value)) if NoneType in arguments else inner
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and issubclass(origin, Mapping):
        each = _maker(arguments[1])
        return lambda value: {_of(str, name): each(one) for name, one in _of(Mapping, value).items()}
    if kind is bytes:
        return lambda value: value if isinstance(value, bytes) else _of(str, value).encode("latin-1")
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return lambda value: kind(_of(str, value))
    if hasattr(kind, "_fields"):
        return partial(_named, kind)
    if kind is Any or kind is object:
        return lambda value: _any(value, DEEPEST)
    if kind is str or kind is bool:
        return lambda value: value if type(value) is kind else _of(kind, value)
    return partial(_of, kind)


def _named(kind: Any, value: Any) -> Any:
    told = value._asdict() if isinstance(value, kind) else _of(Mapping, value)
    return kind._make([make(told[name]) for name, make in _fields(kind)])


@cache
def _fields(kind: Any) -> tuple[tuple[str, _Maker], ...]:
    hints = get_type_hints(kind)
    return tuple((name, _maker(hints[name])) for name in kind._fields)


def _tuple(kinds: tuple[Any, ...]) -> _Maker:
    makers = [_maker(kind) for kind in kinds if kind is not Ellipsis]
    if kinds[-1] is Ellipsis:
        return lambda value: tuple([makers[0](one) for one in _of((list, tuple), value)])
    return lambda value: tuple(make(one) for make, one in zip(makers, _of((list, tuple), value), strict=True))


def _any(value: Any, depth: int) -> Any:
    """What JSON has, not too deep."""
    if depth == 0:
        raise ValueError("lists within lists within lists")
    if isinstance(value, Mapping):
        return {_of(str, name): _any(one, depth - 1) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_any(one, depth - 1) for one in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    return _of((int, float), value)


def _of(kind: Any, value: Any) -> Any:
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{type(value).__name__} in the place of {kind}")
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise ValueError("a number that is too large")
    if isinstance(value, float) and not abs(value) < LARGEST:
        raise ValueError("a number that is none")
    return value
