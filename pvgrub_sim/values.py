"""The values that everything here is told in: NamedTuple, Enum and IntEnum, whose classes are made in no time.

What typing does for a named tuple takes as long as importing a small module, most of it to compile a constructor;
`boot` imports some eighty of them and makes values of most. Here a constructor is made when the first value is, and
compiled once for each number of fields. A class of enum's costs as much for each of its members, of which there are
more than a hundred on the way to a verdict. For a type checker they are typing's and enum's own; kinds that are texts,
which others write into their own records, are made with enum itself.
"""

from __future__ import annotations

from pvgrub_sim.typed import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from enum import Enum, IntEnum
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
        """The constructor, as collections.namedtuple() compiles it; once for all classes of as many fields."""
        count = len(fields)
        if count not in _OF_COUNT:
            items = "".join(f"_{number}, " for number in range(count))
            _OF_COUNT[count] = eval(f"lambda _kind, {items}: _tuple(_kind, ({items}))", {"_tuple": tuple.__new__})
        code = _OF_COUNT[count].__code__.replace(co_varnames=("_kind", *fields))
        made = type(_compiled)(code, _OF_COUNT[count].__globals__, "__new__", tuple(defaults.values()))
        made.__qualname__ = f"{name}.__new__"
        return made

    _OF_COUNT: dict[int, Any] = {}

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

    class _NamesAreMembers(type):
        """Makes a class whose public names, methods and properties aside, are its members."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            methods = {key: item for key, item in namespace.items() if key[0] == "_" or hasattr(item, "__get__")}
            kind = super().__new__(cls, name, bases, methods)
            kind._of_value = {}
            for key, value in namespace.items():
                if key not in methods:
                    setattr(kind, key, kind._of_value[value] if value in kind._of_value else kind._member(key, value))
            return kind

        def _member(cls, name: str, value: Any) -> object:
            member = int.__new__(cls, value) if issubclass(cls, int) else object.__new__(cls)
            member.name, member.value = name, value
            if "__init__" in cls.__dict__:
                member.__init__(*value)
            cls._of_value[value] = member
            return member

        def __call__(cls, value):
            """The member of a value."""
            if value not in cls._of_value:
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}")
            return cls._of_value[value]

        def __getitem__(cls, name):
            """The member of a name."""
            member = cls.__dict__[name]
            if type(member) is not cls:
                raise KeyError(name)
            return member

        def __iter__(cls):
            return iter(cls._of_value.values())

        def __len__(cls):
            return len(cls._of_value)

    class Enum(metaclass=_NamesAreMembers):
        """One of a few kinds, as enum.Enum."""

        def __repr__(self):
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __str__(self):
            return f"{type(self).__name__}.{self.name}"

        def __reduce__(self):
            return type(self), (self.value,)

    class IntEnum(int, Enum):
        """One of a few numbers, as enum.IntEnum."""

        __repr__ = Enum.__repr__
        __str__ = int.__repr__
        __reduce__ = Enum.__reduce__


__all__ = ["Enum", "IntEnum", "NamedTuple"]
