"""Hypothesis strategies for every event, built from the dataclass fields themselves."""

from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from hedge_leg.core import events as ev

EVENT_CLASSES: tuple[type, ...] = get_args(ev.Event)
INT64 = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [Decimal(text) for text in ("-0", "0E-30", "1E+40", "1.10", "9" * 60 + ".000", "1E-400")]
    ),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of all values that a field of this type may have."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        Decimal: DECIMALS,
        int: INT64,
        bool: st.booleans(),
        str: TEXTS,
        type(None): st.none(),
    }
    if hint in plain:
        return plain[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    if isinstance(hint, type) and is_dataclass(hint):
        return records_of(hint)
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)
    return st.one_of([values_of(part) for part in get_args(hint)])


def records_of(cls: type) -> st.SearchStrategy[Any]:
    """Return a strategy of a dataclass, each field by its type hint."""
    hints = get_type_hints(cls)
    assert is_dataclass(cls)
    return st.builds(cls, **{field.name: values_of(hints[field.name]) for field in fields(cls)})


def any_event() -> st.SearchStrategy[ev.Event]:
    """Return a strategy over all event classes."""
    return st.one_of([records_of(cls) for cls in EVENT_CLASSES])
