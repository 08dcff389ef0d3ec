"""Events as plain text-able values and back, driven by the dataclasses' own fields: no second list of them.

A decoder is compiled once per class. Decimals travel as text, enums as their values, records as objects.
An old journal may lack a field that has a default; anything else that does not fit raises JournalError.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hedge_leg.core.events import Event
from hedge_leg.errors import JournalError

Plain = dict[str, Any]


def encode(event: Event) -> Plain:
    """Return an event's fields as values that JSON can hold; its kind is its class's name."""
    return _encoded_record(event)


def decode(kind: str, values: Mapping[str, Any]) -> Event:
    """Return the event that `encode` made. JournalError names the kind and what does not fit."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise JournalError(f"event {kind!r} is not known to this version of hedge_leg: update it")
    try:
        event: Event = decoder(values)
    except (TypeError, ValueError, KeyError, InvalidOperation) as error:
        raise JournalError(f"event {kind} in the journal does not fit: {error!r}") from error
    return event


def _encoded_record(record: Any) -> Plain:
    return {name: _encoded(getattr(record, name)) for name in _field_names(type(record))}


def _encoded(value: Any) -> Any:
    match value:
        case Decimal():
            return str(value)
        case Enum():
            return value.value
        case tuple():
            return [_encoded(item) for item in value]
        case None | bool() | int() | str():
            return value
        case _:
            return _encoded_record(value)


_NAMES: dict[type[Any], tuple[str, ...]] = {}


def _field_names(kind: type[Any]) -> tuple[str, ...]:
    if kind not in _NAMES:
        _NAMES[kind] = tuple(field.name for field in fields(kind))
    return _NAMES[kind]


def _record_decoder(kind: type[Any]) -> Callable[[Mapping[str, Any]], Any]:
    hints = get_type_hints(kind)
    parts = [(field.name, _decoder(hints[field.name])) for field in fields(kind)]
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    names = {name for name, _ in parts}

    def build(values: Mapping[str, Any]) -> Any:
        if len(values) == len(parts):
            return kind(*[part(values[name]) for name, part in parts])
        extra, absent = sorted(set(values) - names), [name for name in needed if name not in values]
        if extra or absent:
            raise ValueError(f"field {(extra or absent)[0]!r} {'is not known' if extra else 'is missing'}")
        return kind(**{name: part(values[name]) for name, part in parts if name in values})

    return build


def _decoder(hint: Any) -> Callable[[Any], Any]:
    """Return what makes a field's value from its plain form; TypeError or ValueError if it cannot."""
    if get_origin(hint) is UnionType:
        inner = _decoder(next(arg for arg in get_args(hint) if arg is not NoneType))
        return lambda value: None if value is None else inner(value)
    if get_origin(hint) is tuple:
        item = _decoder(get_args(hint)[0])
        return lambda values: tuple([item(value) for value in values])
    if hint is Decimal:
        return _decimal
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return _record_decoder(hint)
    return _exactly(hint)


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not an amount")
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError(f"{value!r} is not an amount")
    return amount


def _exactly(kind: type[Any]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is not {kind.__name__}")
        return value

    return check


_DECODERS = {kind.__name__: _record_decoder(kind) for kind in get_args(Event)}
