"""What annotations are written with: typing's own names for a type checker, and next to nothing at run time.

typing is the largest module that a start would import, and nobody looks at the annotations then. Modules that do
look at them, or that no verdict passes, import typing itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import (
        Any,
        BinaryIO,
        ClassVar,
        Final,
        Literal,
        NoReturn,
        Protocol,
        Self,
        TypeVar,
        cast,
        runtime_checkable,
    )
else:

    class _Name:
        """A name that stands in annotations only; what is made of it there means nothing."""

        def __class_getitem__(cls, _item):
            return object

    class ClassVar(_Name):
        """typing.ClassVar."""

    class Final(_Name):
        """typing.Final."""

    class Literal(_Name):
        """typing.Literal."""

    Any = BinaryIO = NoReturn = Self = object

    def TypeVar(name):
        """typing.TypeVar."""
        return name

    def cast(_kind, value):
        """typing.cast()."""
        return value

    class _Offers(type):
        """Of protocols: an instance is what offers their names, whatever it is called."""

        def __instancecheck__(cls, instance):
            offered = cls.__dict__.get("_offered")
            if offered is None:
                return super().__instancecheck__(instance)
            # As Python 3.12 has it, without evaluating a property: a disk's size may cost all of a stream.
            kind, own = type(instance), getattr(instance, "__dict__", ())
            return all(name in own or hasattr(kind, name) for name in offered)

    class Protocol(metaclass=_Offers):
        """typing.Protocol."""

    def runtime_checkable(cls):
        """typing.runtime_checkable()."""
        cls._offered = tuple(
            name
            for kind in cls.__mro__[:-2]
            for name in (*vars(kind), *vars(kind).get("__annotations__", ()))
            if not name.startswith("_")
        )
        return cls


__all__ = [
    "TYPE_CHECKING",
    "Any",
    "BinaryIO",
    "ClassVar",
    "Final",
    "Literal",
    "NoReturn",
    "Protocol",
    "Self",
    "TypeVar",
    "cast",
    "runtime_checkable",
]
