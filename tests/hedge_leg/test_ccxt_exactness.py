"""Numbers go out and come back to the last digit; fees in any coin; histories without gaps."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedge_leg.adapters.ccxt_calls import fee_of, history, number
from hedge_leg.adapters.ccxt_client import build_client, strict
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from tests.hedge_leg.fakes import FakeClock
from tests.hedge_leg.wire import Reply, Sent, Wire

NOW_MS = 1_700_000_000_000


def symbol(base: str, lot: str, tick: str) -> dict[str, Any]:
    """Return a row of Binance's `exchangeInfo`."""
    kinds: list[dict[str, str]] = [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "100000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000000.00000000", "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.0", "maxQty": "1000000.00000000", "stepSize": "0.0"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000.00000000"},
    ]
    return {
        "symbol": f"{base}USDT",
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "filters": kinds,
    }


class FakeBinance:
    """Takes every order as filled at its limit; `fees` are (amount, asset) of its one or more equal fills."""

    def __init__(self, fees: list[tuple[str, str]], price: Reply = (200, '{"lastPrice": "300.25"}')) -> None:
        self.fees = fees
        self.price = price
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, sent: Sent) -> Reply:
        parts = urlsplit(sent.url)
        params = {name: values[0] for name, values in parse_qs(sent.body or parts.query).items()}
        path = parts.path.rsplit("/", 1)[-1]
        self.asked.append((path, params))
        if path == "exchangeInfo":
            coins = [symbol("AAA", "0.00000001", "0.00000001"), symbol("BTC", "0.00001000", "0.01000000")]
            return 200, json.dumps({"symbols": [*coins, symbol("BNB", "0.001", "0.1")]})
        if path == "time":
            return 200, json.dumps({"serverTime": NOW_MS})
        if path == "24hr":
            return self.price
        assert path == "order", path
        return 200, json.dumps(self.filled(params))

    def filled(self, params: dict[str, str]) -> dict[str, Any]:
        share = Decimal(params["quantity"]) / max(len(self.fees), 1)
        return {
            "symbol": params["symbol"],
            "orderId": 5,
            "clientOrderId": params["newClientOrderId"],
            "transactTime": NOW_MS,
            "price": params["price"],
            "origQty": params["quantity"],
            "executedQty": params["quantity"],
            "cummulativeQuoteQty": "1",
            "status": "FILLED",
            "timeInForce": "IOC",
            "type": "LIMIT",
            "side": params["side"],
            "fills": [
                {
                    "price": params["price"],
                    "qty": format(share, "f"),
                    "commission": fee,
                    "commissionAsset": asset,
                    "tradeId": index,
                }
                for index, (fee, asset) in enumerate(self.fees, start=1)
            ],
        }


def venue_on(fake: FakeBinance) -> CcxtSpotVenue:
    client = build_client("binance", Credentials("k" * 8, "s" * 8))
    client.session = Wire(fake)
    client.enableRateLimit = False
    return CcxtSpotVenue(client, FakeClock(NOW_MS))


def intent(qty: Decimal, px: Decimal, coin: str = "AAA") -> OrderIntent:
    return OrderIntent("hl-x-1", f"{coin}/USDT", Side.BUY, qty, px, 0, Purpose.OPEN)


@pytest.mark.parametrize(
    ("qty", "px", "sent_qty", "sent_px"),
    [
        (Decimal("0.1") + Decimal("0.2"), Decimal("0.7"), "0.3", "0.7"),
        (Decimal("0.29") * 100, Decimal("1.1") * 3, "29", "3.3"),
        (Decimal("1E-8"), Decimal("1E-8"), "0.00000001", "0.00000001"),
        (Decimal("0.00000003"), Decimal("7E+2"), "0.00000003", "700"),
        (Decimal("123456789.12345678"), Decimal("98765.43210987"), "123456789.12345678", "98765.43210987"),
        (Decimal("9007199254740.99300001"[:18]), Decimal("1.00000000"), "9007199254740.9930", "1"),
        (Decimal("5.10000000"), Decimal("0.50"), "5.1", "0.5"),
    ],
)
def test_order_goes_out_to_the_last_digit(qty: Decimal, px: Decimal, sent_qty: str, sent_px: str) -> None:
    fake = FakeBinance([("0", "AAA")])
    report = venue_on(fake).place(intent(qty, px))
    [params] = [params for path, params in fake.asked if path == "order"]
    assert Decimal(params["quantity"]) == Decimal(sent_qty) == qty
    assert Decimal(params["price"]) == Decimal(sent_px) == px
    assert "E" not in params["quantity"] + params["price"]
    assert (report.filled_qty, report.fills[0].px) == (qty, px)
    kinds = (params["type"], params["timeInForce"], params["newClientOrderId"], params["newOrderRespType"])
    assert kinds == ("LIMIT", "IOC", "hl-x-1", "FULL")


AMOUNTS = st.integers(min_value=1, max_value=10**17).map(lambda steps: Decimal(steps).scaleb(-8))
VENUE = FakeBinance([("0.00000001", "AAA")])


@settings(max_examples=150, deadline=None)
@given(qty=AMOUNTS, px=AMOUNTS)
def test_every_amount_survives_the_round_trip(qty: Decimal, px: Decimal) -> None:
    venue = _shared()
    report = venue.place(intent(qty, px))
    assert (report.filled_qty, report.fills[0].qty, report.fills[0].px) == (qty, qty, px)
    assert report.fills[0].fee == Decimal("0.00000001")


_venues: list[CcxtSpotVenue] = []


def _shared() -> CcxtSpotVenue:
    if not _venues:
        _venues.append(venue_on(VENUE))
    return _venues[0]


@pytest.mark.parametrize(
    ("qty", "px"),
    [("0.000015", "50000"), ("0.1", "50000.001"), ("0", "1"), ("-0.1", "50000"), ("0.000001", "1")],
)
def test_amount_that_is_not_in_lots_and_ticks_never_leaves(qty: str, px: str) -> None:
    fake = FakeBinance([("0", "BTC")])
    with pytest.raises(VenueRefused) as caught:
        venue_on(fake).place(intent(Decimal(qty), Decimal(px), "BTC"))
    assert caught.value.code == "local:precision"
    assert "order" not in [path for path, _ in fake.asked]


def test_fee_in_a_third_coin_is_valued_at_its_present_price_once_a_minute() -> None:
    fake = FakeBinance([("0.00012", "BNB"), ("0.00013", "BNB")])
    venue = venue_on(fake)
    report = venue.place(intent(Decimal(2), Decimal(10)))
    assert [(fill.fee, fill.fee_asset, fill.fee_value) for fill in report.fills] == [
        (Decimal("0.00012"), "BNB", Decimal("0.03603")),
        (Decimal("0.00013"), "BNB", Decimal("0.0390325")),
    ]
    venue.place(intent(Decimal(2), Decimal(10)))
    assert [path for path, _ in fake.asked].count("24hr") == 1
    venue._clock.sleep(61)
    venue.place(intent(Decimal(2), Decimal(10)))
    assert [path for path, _ in fake.asked].count("24hr") == 2


@pytest.mark.parametrize(
    "price", [(503, "busy"), (200, "{}"), (200, '{"lastPrice": "0"}'), (200, '{"a": 1}')]
)
def test_fee_that_cannot_be_valued_makes_no_report(price: Reply) -> None:
    with pytest.raises(OutcomeUnknown, match="fills are not known"):
        venue_on(FakeBinance([("0.00012", "BNB")], price)).place(intent(Decimal(2), Decimal(10)))


def test_fee_in_a_coin_without_a_market_makes_no_report() -> None:
    with pytest.raises(OutcomeUnknown, match="no market prices ZZZ"):
        venue_on(FakeBinance([("0.1", "ZZZ")])).place(intent(Decimal(2), Decimal(10)))


@pytest.mark.parametrize(
    ("trade", "expected"),
    [
        ({"fee": {"cost": "1.5", "currency": "BTC"}}, (Decimal("1.5"), "BTC")),
        ({"fees": [{"cost": "1", "currency": "A"}, {"cost": "2", "currency": "A"}]}, (Decimal(3), "A")),
        ({"fees": [{"cost": "0", "currency": "A"}, {"cost": "2", "currency": "B"}]}, (Decimal(2), "B")),
        ({"fees": [], "fee": {"cost": "0", "currency": None}}, (Decimal(0), "")),
        ({"fee": {"cost": "-0.1", "currency": "A"}}, (Decimal("-0.1"), "A")),
    ],
)
def test_fee_is_read(trade: dict[str, Any], expected: tuple[Decimal, str]) -> None:
    assert fee_of(trade) == expected


@pytest.mark.parametrize(
    "trade",
    [
        {},
        {"fee": None, "fees": []},
        {"fee": {"cost": None, "currency": "A"}},
        {"fee": {"cost": "1", "currency": None}},
        {"fees": [{"cost": "1", "currency": "A"}, {"cost": "1", "currency": "B"}]},
    ],
)
def test_fee_that_is_not_told_is_an_error_never_zero(trade: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fee|cost|currency"):
        fee_of(trade)


@pytest.mark.parametrize("value", [None, "", "nan", "inf", "x"])
def test_amount_that_is_none_is_an_error(value: Any) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        number({"qty": value}, "qty")


@settings(max_examples=100, deadline=None)
@given(
    stamps=st.lists(st.integers(0, 5000), max_size=120),
    since=st.integers(0, 5000),
    newest_first=st.booleans(),
    window=st.sampled_from([50, 1000, 10_000]),
)
def test_history_has_every_row_once_whichever_end_a_page_shows(
    stamps: list[int], since: int, newest_first: bool, window: int
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": str(index), "timestamp": stamp} for index, stamp in enumerate(sorted(stamps))
    ]
    crowded = any(stamps.count(stamp) >= 7 for stamp in stamps if stamp >= since)

    def fetch(start: int, end: int, limit: int) -> list[dict[str, Any]]:
        found = [row for row in rows if start <= row["timestamp"] <= end]
        return found[::-1][:limit] if newest_first else found[:limit]

    if crowded:
        with pytest.raises(ValueError, match="more than 7 rows"):
            history(fetch, since, 5000, page=7, window_ms=window)
        return
    found = history(fetch, since, 5000, page=7, window_ms=window)
    assert sorted(row["id"] for row in found) == sorted(r["id"] for r in rows if r["timestamp"] >= since)
    assert [row["timestamp"] for row in found] == sorted(row["timestamp"] for row in found)


def test_redirect_of_an_order_is_not_followed() -> None:
    client = strict(ccxt.binance())
    assert client.session.max_redirects == 0
    assert strict(client) is client


def test_strict_copy_leaves_the_original_client_alone() -> None:
    original = ccxt.binance({"apiKey": "k", "secret": "s"})
    copied = strict(original)
    assert (original.number, copied.number) == (float, str)
    assert copied.session is not original.session
    assert "fetch" not in vars(original)
    assert copied.options is original.options, "the measured clock difference is shared"


def test_nothing_that_is_not_json_passes() -> None:
    client = strict(ccxt.binance())
    for text in ("", "null", "{}", "<html>", '"x"', '["x"]', "7"):
        client.session = Wire(lambda _asked, text=text: (200, text))  # type: ignore[misc]
        with pytest.raises(ccxt.BadResponse):
            client.fetch("https://a.b/c")
    client.session = Wire(lambda _asked: (200, "[]"))
    assert client.fetch("https://a.b/c") == []


def test_unreadable_markets_are_unavailable_at_construction() -> None:
    client = build_client("binance", None)
    client.session = Wire(lambda _asked: (503, "busy"))
    with pytest.raises(VenueUnavailable):
        CcxtSpotVenue(client, FakeClock(NOW_MS))
