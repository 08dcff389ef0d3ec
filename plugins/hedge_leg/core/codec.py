"""Events as plain JSON-able dictionaries, exactly and both ways.

Driven by the dataclass fields and their type hints: there is no second list of fields to forget. Each class
gets its converters once, at import. What `encode` accepts, `decode` gives back equal; both are strict,
because a journal that cannot be read back is found when money is at stake.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from hedge_leg.core.events import Event
from hedge_leg.errors import JournalError

Plain = dict[str, Any]
_Convert = Callable[[Any], Any]
_Converters = tuple[_Convert, _Convert]  # encode, decode
_MOST_INT = 2**63 - 1  # what every JSON reader and database holds
_MOST_SHOWN = 60  # characters of a wrong value in an error


class _Ill(Exception):
    """A value is not of its type: where (grows from the inside out), and what is wrong."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what)
        self.what, self.where = what, where

    def inside(self, name: str) -> "_Ill":
        """Return the same complaint, seen from the record that holds the field."""
        inner = self.where if not self.where or self.where.startswith("[") else f".{self.where}"
        return _Ill(self.what, f"{name}{inner}")


def _expected(what: str, found: object) -> _Ill:
    shown = repr(found)
    return _Ill(
        f"expected {what}, found {shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + '..'}"
    )


def _encode_decimal(value: Any) -> str:
    if type(value) is not Decimal or not value.is_finite():
        raise _expected("a finite Decimal", value)
    return str(value)


def _decode_decimal(text: Any) -> Decimal:
    if type(text) is str:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise _expected("a decimal text", text) from None
        # Decimal() also reads "NaN", " 1 " and "1_0": only what `encode` writes is a journal's.
        if value.is_finite() and str(value) == text:
            return value
    raise _expected("a decimal text", text)


def _plain_int(value: Any) -> int:
    if type(value) is not int or not -_MOST_INT <= value <= _MOST_INT:
        raise _expected("a 64-bit integer", value)
    return value


def _plain_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise _expected("true or false", value)
    return value


def _encode_str(value: Any) -> str:
    if type(value) is not str:
        raise _expected("a text", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _expected("a text that is valid Unicode", value) from None
    return value


def _decode_str(value: Any) -> str:
    if type(value) is not str:
        raise _expected("a text", value)
    return value


_PLAIN: dict[type, _Converters] = {
    Decimal: (_encode_decimal, _decode_decimal),
    int: (_plain_int, _plain_int),
    bool: (_plain_bool, _plain_bool),
    str: (_encode_str, _decode_str),
}


def _enum(cls: type[StrEnum]) -> _Converters:
    members = {member.value: member for member in cls}
    allowed = f"one of {', '.join(members)}"

    def encode_enum(value: Any) -> str:
        if type(value) is not cls:
            raise _expected(f"a {cls.__name__}", value)
        return value.value

    def decode_enum(text: Any) -> StrEnum:
        member = members.get(text) if type(text) is str else None
        if member is None:
            raise _expected(allowed, text)
        return member

    return encode_enum, decode_enum


def _each(convert: _Convert, values: Any) -> list[Any]:
    done: list[Any] = []
    try:
        for value in values:
            done.append(convert(value))  # noqa: PERF401 - its length says which one was wrong
    except _Ill as ill:
        raise ill.inside(f"[{len(done)}]") from None
    return done


def _sequence(item: _Converters) -> _Converters:
    def encode_tuple(values: Any) -> list[Any]:
        if type(values) is not tuple:
            raise _expected("a tuple", values)
        return _each(item[0], values)

    def decode_tuple(values: Any) -> tuple[Any, ...]:
        if type(values) is not list:
            raise _expected("a list", values)
        return tuple(_each(item[1], values))

    return encode_tuple, decode_tuple


def _optional(item: _Converters) -> _Converters:
    encode_item, decode_item = item
    return (
        lambda value: None if value is None else encode_item(value),
        lambda value: None if value is None else decode_item(value),
    )


def _in_field(name: str, convert: _Convert, value: Any) -> Any:
    try:
        return convert(value)
    except _Ill as ill:
        raise ill.inside(name) from None


def _default(field: Field[Any]) -> Any:
    """Return the value of a field that an older journal lacks; raises _Ill when it has no default."""
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    raise _Ill("is missing", field.name)


def _record(cls: type) -> _Converters:
    hints = get_type_hints(cls)
    plan = [(field, field.name, *_converters(hints[field.name])) for field in fields(cls)]
    encoders = [(name, encoder) for _, name, encoder, _ in plan]
    decoders = [(name, decoder) for _, name, _, decoder in plan]
    names = {name for name, _ in decoders}

    def encode_record(value: Any) -> Plain:
        if type(value) is not cls:
            raise _expected(f"a {cls.__name__}", value)
        try:
            return {name: convert(getattr(value, name)) for name, convert in encoders}
        except _Ill:  # once more, slowly, for the name of the field
            return {name: _in_field(name, convert, getattr(value, name)) for name, convert in encoders}

    def decode_record(data: Any) -> Any:
        if type(data) is not dict:
            raise _expected(f"the fields of {cls.__name__}", data)
        if len(data) == len(names):
            try:
                return cls(*[convert(data[name]) for name, convert in decoders])
            except (_Ill, KeyError):
                pass  # once more, slowly, for the name of the field
        if unknown := sorted(set(map(str, data)) - names):
            raise _Ill("is not known to this version", unknown[0])
        return cls(
            *[
                _in_field(name, convert, data[name]) if name in data else _default(field)
                for field, name, _, convert in plan
            ]
        )

    return encode_record, decode_record


def _converters(hint: Any) -> _Converters:
    """Return encoder and decoder of a type hint; TypeError for a type that a journal cannot hold."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    match get_origin(hint), get_args(hint):
        case origin, (item, last) if origin is tuple and last is ...:
            return _sequence(_converters(item))
        case origin, (item, last) if origin in {UnionType, Union} and last is type(None):
            return _optional(_converters(item))
    raise TypeError(f"an event cannot hold {hint}: use Decimal, int, str, bool, StrEnum, a record, a tuple")


def record_codec(cls: type) -> tuple[Callable[[object], Plain], Callable[[object], Any]]:
    """Return encoder and decoder of any record class; both raise JournalError, which names the field.

    The rules are those of events: exact, strict, a field with a default may be absent.
    """
    encode_record, decode_record = _record(cls)

    def checked(convert: _Convert) -> _Convert:
        def run(value: object) -> Any:
            try:
                return convert(value)
            except _Ill as ill:
                raise JournalError(f"{cls.__name__}.{ill.where}: {ill.what}") from None

        return run

    return checked(encode_record), checked(decode_record)


_CODECS: Mapping[str, _Converters] = {cls.__name__: _record(cls) for cls in get_args(Event)}
_KNOWN: frozenset[type] = frozenset(get_args(Event))


def kind_of(event: Event) -> str:
    """Return the name under which the event is journaled: that of its class. JournalError for no event."""
    if type(event) not in _KNOWN:
        raise JournalError(f"{type(event).__name__} is not an event: it was not journaled")
    return type(event).__name__


def encode(event: Event) -> Plain:
    """Return the event's fields as JSON-able values: a Decimal as its exact text, an enum by value.

    JournalError names the field whose value is not of its type; nothing is to be written then.
    """
    kind = kind_of(event)
    try:
        return cast(Plain, _CODECS[kind][0](event))
    except _Ill as ill:
        raise JournalError(f"{kind}.{ill.where}: {ill.what}: it was not journaled") from None


def decode(kind: str, data: object) -> Event:
    """Return the event that `encode` made the dictionary from.

    A field with a default may be absent (an older journal). JournalError for an unknown kind or field, a
    missing field, or a value of another type.
    """
    codec = _CODECS.get(kind)
    if codec is None:
        raise JournalError(
            f"event kind {kind[:_MOST_SHOWN]!r} is not known: update hedge_leg, or verify-journal"
        )
    try:
        return cast(Event, codec[1](data))
    except _Ill as ill:
        where = f"{kind}.{ill.where}" if ill.where else kind
        raise JournalError(f"{where}: {ill.what}: the journal cannot be read") from None
