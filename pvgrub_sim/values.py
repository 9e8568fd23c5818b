"""The values that everything here is told in: typing's NamedTuple, whose classes are made in a tenth of the time.

What typing does for a class takes as long as importing a small module, most of it to compile a constructor; `boot`
imports some eighty of them and makes values of half. Here the constructor is compiled when the first value is made.
For a type checker it is typing's own.
"""

from __future__ import annotations

from pvgrub_sim.typed import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from _collections import _tuplegetter

    class _FieldsAreItems(type):
        """Makes a class whose annotated names are the items of a tuple."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if tuple in bases or NamedTuple not in bases:
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            for number, field in enumerate(fields):
                namespace[field] = _tuplegetter(number, None)
            made: list[type] = []

            def constructor(kind: type, /, *items: object, **named: object) -> object:
                made[0].__new__ = staticmethod(_compiled(name, fields, defaults))
                return made[0].__new__(kind, *items, **named)

            namespace.update(
                __slots__=(), __match_args__=fields, _fields=fields, _field_defaults=defaults, __new__=constructor
            )
            made.append(super().__new__(cls, name, bases, namespace))
            return made[0]

        @property
        def __signature__(cls) -> object:
            """What inspect.signature() tells of the class."""
            from inspect import signature

            compiled = signature(_compiled(cls.__name__, cls._fields, cls._field_defaults))
            return compiled.replace(parameters=list(compiled.parameters.values())[1:])

    def _compiled(name: str, fields: tuple[str, ...], defaults: dict[str, Any]) -> Any:
        """The constructor, as collections.namedtuple() compiles it."""
        items = "".join(f"{field}, " for field in fields)
        made = eval(f"lambda _kind, {items}: _tuple(_kind, ({items}))", {"_tuple": tuple.__new__})
        made.__defaults__ = tuple(defaults.values())
        made.__name__, made.__qualname__ = "__new__", f"{name}.__new__"
        return made

    class NamedTuple(tuple, metaclass=_FieldsAreItems):
        """A tuple whose items have names, as typing.NamedTuple."""

        __slots__ = ()
        _fields = ()
        _field_defaults: ClassVar[dict[str, Any]] = {}

        @classmethod
        def _make(cls, items):
            """A value of these items, in the order of the fields."""
            made = tuple.__new__(cls, items)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **changed):
            """The same value but for these fields."""
            made = self._make(map(changed.pop, self._fields, self))
            if changed:
                raise ValueError(f"Got unexpected field names: {list(changed)!r}")
            return made

        def _asdict(self):
            """The fields by name."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            told = ", ".join(f"{field}={item!r}" for field, item in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({told})"

        def __getnewargs__(self):
            return tuple(self)


__all__ = ["NamedTuple"]
