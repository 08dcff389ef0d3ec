"""Events survive JSON exactly, and nothing else is read as one."""

from dataclasses import MISSING, dataclass, fields, replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedge_leg.core import codec
from hedge_leg.core import events as ev
from hedge_leg.core.orders import OrderIntent, Purpose, Side, SpotFill
from hedge_leg.errors import JournalError
from tests.hedge_leg.event_strategies import EVENT_CLASSES, any_event, records_of

D = Decimal
INTENT = OrderIntent("hl-c1-1", "BTC/USDT", Side.BUY, D("0.10"), D("42000.5"), 0, Purpose.OPEN)
FILL = SpotFill("t1", Side.BUY, D("0.1"), D("42000"), D("0.0001"), "BTC", D("4.2"), 1_700_000_000_000)
FILLED = ev.PerpFilled(1, "7", D("-0.1"), D("42000"), D("1.26"), 2, ev.PerpSource.HOST, 3)
ANSWERED = ev.SpotAnswered(5, "hl-c1-1", "v1", (FILL,), True)


def _through_json(event: ev.Event) -> ev.Event:
    return codec.decode(codec.kind_of(event), orjson.loads(orjson.dumps(codec.encode(event))))


def _decimals(value: Any) -> list[Any]:
    """Return every Decimal inside as sign, digits and exponent: equality alone forgives 1.0 for 1.00."""
    if isinstance(value, Decimal):
        return [value.as_tuple()]
    if isinstance(value, tuple):
        return [part for item in value for part in _decimals(item)]
    names = [field.name for field in fields(value)] if hasattr(value, "__dataclass_fields__") else []
    return [part for name in names for part in _decimals(getattr(value, name))]


@pytest.mark.parametrize("cls", EVENT_CLASSES, ids=lambda cls: cls.__name__)
def test_every_event_comes_back_equal_to_the_last_digit(cls: type) -> None:
    @settings(max_examples=40, deadline=None)
    @given(records_of(cls))
    def check(event: Any) -> None:
        back = _through_json(event)
        assert back == event
        assert type(back) is cls
        assert _decimals(back) == _decimals(event)

    check()


def test_event_is_written_as_plain_json_with_texts_for_decimals_and_values_for_enums() -> None:
    assert codec.kind_of(ev.SpotIntended(5, INTENT)) == "SpotIntended"
    assert codec.encode(ev.SpotIntended(5, INTENT)) == {
        "at_ms": 5,
        "intent": {
            "client_id": "hl-c1-1",
            "symbol": "BTC/USDT",
            "side": "buy",
            "qty": "0.10",
            "limit_px": "42000.5",
            "attempt": 0,
            "purpose": "open",
        },
    }


def test_absent_field_with_a_default_is_read_as_the_default() -> None:
    data = codec.encode(FILLED)
    del data["trade_id"]
    assert codec.decode("PerpFilled", data) == replace(FILLED, trade_id=None)


WRONG: dict[str, tuple[ev.Event, dict[str, Any], str]] = {
    "missing field": (FILLED, {"qty": ...}, r"PerpFilled\.qty: is missing"),
    "unknown field": (FILLED, {"leverage": 2}, r"PerpFilled\.leverage: is not known"),
    "unknown field for a missing one": (FILLED, {"qty": ..., "size": "1"}, r"PerpFilled\.size: is not known"),
    "float for a decimal": (FILLED, {"qty": 0.1}, r"PerpFilled\.qty: expected a decimal text, found 0\.1"),
    "integer for a decimal": (FILLED, {"qty": 1}, r"PerpFilled\.qty: expected a decimal text"),
    "text that is no decimal": (FILLED, {"qty": "many"}, r"PerpFilled\.qty: expected a decimal text"),
    "not a number": (FILLED, {"qty": "NaN"}, r"PerpFilled\.qty: expected a decimal text"),
    "infinite": (FILLED, {"qty": "Infinity"}, r"PerpFilled\.qty: expected a decimal text"),
    "blank around a decimal": (FILLED, {"qty": " 1"}, r"PerpFilled\.qty: expected a decimal text"),
    "underscore in a decimal": (FILLED, {"qty": "1_0"}, r"PerpFilled\.qty: expected a decimal text"),
    "bool for an integer": (FILLED, {"at_ms": True}, r"PerpFilled\.at_ms: expected a 64-bit integer"),
    "float for an integer": (FILLED, {"at_ms": 1.0}, r"PerpFilled\.at_ms: expected a 64-bit integer"),
    "null for an integer": (FILLED, {"at_ms": None}, r"PerpFilled\.at_ms: expected a 64-bit integer"),
    "text for an optional integer": (FILLED, {"trade_id": "3"}, r"PerpFilled\.trade_id: expected a 64-bit"),
    "number for a text": (FILLED, {"order_id": 7}, r"PerpFilled\.order_id: expected a text"),
    "number for a bool": (ANSWERED, {"final": 1}, r"SpotAnswered\.final: expected true or false"),
    "unknown enum value": (FILLED, {"source": "rumour"}, r"source: expected one of host, venue, engine"),
    "list for an enum": (FILLED, {"source": ["host"]}, r"source: expected one of host, venue, engine"),
    "text for a list": (ANSWERED, {"fills": "none"}, r"SpotAnswered\.fills: expected a list"),
    "list for a record": (
        ANSWERED,
        {"fills": [[]]},
        r"SpotAnswered\.fills\[0\]: expected the fields of SpotFill",
    ),
    "text for a record": (
        ev.SpotIntended(5, INTENT),
        {"intent": "x"},
        r"intent: expected the fields of Order",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_ill_typed_dictionary_is_refused_with_the_field_and_the_reason(case: str) -> None:
    event, change, text = WRONG[case]
    data = {**codec.encode(event), **change}
    data = {name: value for name, value in data.items() if value is not ...}
    with pytest.raises(JournalError, match=text) as caught:
        codec.decode(codec.kind_of(event), data)
    assert "\n" not in str(caught.value)


def test_wrong_field_of_a_nested_record_is_named_by_its_whole_path() -> None:
    data = codec.encode(ANSWERED)
    data["fills"].append({**data["fills"][0], "px": None})
    with pytest.raises(JournalError, match=r"SpotAnswered\.fills\[1\]\.px: expected a decimal text"):
        codec.decode("SpotAnswered", data)


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_anything_but_a_dictionary_is_refused(data: object) -> None:
    with pytest.raises(JournalError, match="Hedged: expected the fields of Hedged"):
        codec.decode("Hedged", data)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(JournalError, match="event kind 'Teleported' is not known"):
        codec.decode("Teleported", {"at_ms": 1})


NOT_WRITABLE: dict[str, tuple[Any, str]] = {
    "float": (replace(FILLED, qty=0.1), r"PerpFilled\.qty: expected a finite Decimal"),  # type: ignore[arg-type]
    "NaN": (replace(FILLED, px=D("NaN")), r"PerpFilled\.px: expected a finite Decimal"),
    "signalling NaN": (replace(FILLED, px=D("sNaN")), r"PerpFilled\.px: expected a finite Decimal"),
    "infinity": (replace(FILLED, px=D("-Infinity")), r"PerpFilled\.px: expected a finite Decimal"),
    "text for an enum": (replace(FILLED, source="host"), r"source: expected a PerpSource"),  # type: ignore[arg-type]
    "list for a tuple": (replace(ANSWERED, fills=[FILL]), r"fills: expected a tuple"),  # type: ignore[arg-type]
    "fill of a fill": (
        replace(ANSWERED, fills=(FILL, replace(FILL, fee=1))),  # type: ignore[arg-type]
        r"SpotAnswered\.fills\[1\]\.fee: expected a finite Decimal",
    ),
    "integer beyond 64 bits": (replace(FILLED, at_ms=2**63), r"at_ms: expected a 64-bit integer"),
    "half a surrogate pair": (ev.ExitAsked(1, "\ud800"), r"reason: expected a text that is valid Unicode"),
}


@pytest.mark.parametrize("case", NOT_WRITABLE)
def test_event_that_could_not_be_read_back_is_not_encoded(case: str) -> None:
    event, text = NOT_WRITABLE[case]
    with pytest.raises(JournalError, match=text):
        codec.encode(event)


def test_what_is_no_event_is_not_encoded() -> None:
    with pytest.raises(JournalError, match="OrderIntent is not an event"):
        codec.encode(INTENT)  # type: ignore[arg-type]


def test_class_that_merely_has_the_name_of_an_event_is_not_encoded() -> None:
    @dataclass(frozen=True)
    class Hedged:
        at_ms: int

    with pytest.raises(JournalError, match="Hedged is not an event"):
        codec.encode(Hedged(1))  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(any_event(), st.data())
def test_any_single_missing_required_field_is_refused(event: ev.Event, data: st.DataObject) -> None:
    encoded = codec.encode(event)
    name = data.draw(st.sampled_from(sorted(encoded)))
    del encoded[name]
    defaults = {field.name: field.default for field in fields(event)}
    if defaults[name] is not MISSING:
        assert getattr(codec.decode(codec.kind_of(event), encoded), name) == defaults[name]
    else:
        with pytest.raises(JournalError, match=rf"\.{name}: is missing"):
            codec.decode(codec.kind_of(event), encoded)
