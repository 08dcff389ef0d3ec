"""The live perp venue against the real paper exchange, over HTTP with real ccxt."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import httpx
import pytest

from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from paper_exchange.signing import REHEARSAL
from tests.hedge_leg.venues import perp_on
from tests.paper_exchange.clients import PATHS
from tests.paper_exchange.conftest import RunningExchange

PAIR, ORDER = "BTC/USDT:USDT", "/fapi/v1/order"
HOUR_MS = 3_600_000
FEE_RATE = Decimal("0.0005")


class Rig:
    """A perp venue over a client as freqtrade makes it: float numbers, markets loaded."""

    def __init__(self, exchange: RunningExchange) -> None:
        self.exchange = exchange
        urls = {"api": {name: exchange.url + path for name, path in PATHS.items()}}
        self.host = ccxt.binance(
            {
                "apiKey": REHEARSAL.key,
                "secret": REHEARSAL.secret,
                "enableRateLimit": False,
                "timeout": 10_000,
                "urls": urls,
                "options": {"defaultType": "swap", "fetchMarkets": {"types": ["spot", "linear"]}},
            }
        )
        self.host.nonce = exchange.clock.now_ms
        self.host.load_markets()
        self.venue: CcxtPerpVenue = perp_on(exchange, self.host)

    def sell(self, qty: float, **params: Any) -> Any:
        """Sell at market as freqtrade does."""
        return self.host.create_order(PAIR, "market", "sell", qty, None, params)

    def plan(self, fault: str | dict[str, Any], **match: Any) -> None:
        if isinstance(fault, dict) and fault["kind"] == "delay_answer":
            self.venue._client.timeout = 300
        rules = {"rules": [{"match": match, "fault": fault}], "replace": True}
        assert httpx.post(f"{self.exchange.url}/_control/faults", json=rules).status_code == 200

    def now_ms(self) -> int:
        return self.exchange.clock.now_ms()


@pytest.fixture
def rig(fresh: RunningExchange) -> Rig:
    return Rig(fresh)


def test_position_is_short_positive_and_flat_is_zero(rig: Rig) -> None:
    assert rig.venue.short_qty(PAIR) == 0
    rig.sell(0.123)
    assert rig.venue.short_qty(PAIR) == Decimal("0.123")
    rig.host.create_order(PAIR, "market", "buy", 0.2)
    assert rig.venue.short_qty(PAIR) == Decimal("-0.077")


def test_orders_are_told_with_exact_books(rig: Rig) -> None:
    start_ms = rig.now_ms()
    rig.sell(0.5, newClientOrderId="mine")
    rig.exchange.clock.advance_ms(60_000)
    rig.host.create_order(PAIR, "limit", "sell", 0.01, 18000)
    rig.exchange.clock.advance_ms(60_000)
    first, second = rig.venue.orders_since(PAIR, start_ms)
    trades = rig.exchange.get("/_control/audit").json()["events"]
    fills = [row for row in trades if row["event"] == "filled"]
    value = sum(Decimal(row["px"]) * Decimal(row["qty"]) for row in fills)
    assert (first.qty, first.value, first.client_id) == (Decimal("-0.5"), value, "mine")
    assert first.fee == sum(Decimal(row["fee"]) for row in fills) == value * FEE_RATE
    assert (first.open, first.reduce_only, first.liquidation) == (False, False, False)
    assert (first.created_ms, first.filled_ms) == (start_ms, start_ms)
    nothing = Decimal(0)
    assert (second.qty, second.value, second.fee, second.open) == (nothing, nothing, nothing, True)
    assert rig.venue.orders_since(PAIR, start_ms + 1) == (second,)
    assert rig.venue.find(PAIR, "mine") == first


def test_pair_held_for_longer_than_the_venue_s_search_window_is_still_read(rig: Rig) -> None:
    rig.sell(0.01)
    long_ago_ms = rig.now_ms() - 200 * 24 * HOUR_MS
    [order] = rig.venue.orders_since(PAIR, long_ago_ms)
    assert order.qty == Decimal("-0.01")
    assert list(rig.venue.funding_since(PAIR, long_ago_ms)) == []


def test_close_buys_back_reduce_only(rig: Rig) -> None:
    rig.sell(0.3)
    closed = rig.venue.close(PAIR, Decimal("0.1"), "hl-c-1")
    assert (closed.qty, closed.client_id, closed.reduce_only, closed.open) == (
        Decimal("0.1"),
        "hl-c-1",
        True,
        False,
    )
    assert closed.fee == closed.value * FEE_RATE
    assert rig.venue.short_qty(PAIR) == Decimal("0.2")
    assert rig.venue.find(PAIR, "hl-c-1") == closed
    assert rig.venue.find(PAIR, "hl-c-2") is None


@pytest.mark.parametrize("qty", ["0.0001", "0", "-0.1", "0.10005"])
def test_close_that_is_not_in_lots_never_leaves(rig: Rig, qty: str) -> None:
    rig.sell(0.3)
    with pytest.raises(VenueRefused) as caught:
        rig.venue.close(PAIR, Decimal(qty), "hl-c-1")
    assert caught.value.code == "local:precision"
    assert rig.venue.short_qty(PAIR) == Decimal("0.3")


def test_reduce_only_without_a_position_is_refused(rig: Rig) -> None:
    with pytest.raises(VenueRefused) as caught:
        rig.venue.close(PAIR, Decimal("0.1"), "hl-c-1")
    assert caught.value.code == "-2022"


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        ("lose_answer", True),
        ("lose_request", False),
        ("drop_mid_answer", True),
        ({"kind": "error_after", "preset": "usdm-503-unknown"}, True),
        ({"kind": "error_before", "preset": "usdm-503-unknown"}, False),
        ({"kind": "error_after", "preset": "usdm-1007"}, True),
        ({"kind": "unparsable"}, True),
        ({"kind": "delay_answer", "hold_ms": 900}, True),
    ],
    ids=str,
)
def test_close_without_an_answer_is_unknown_and_looked_up(rig: Rig, fault: Any, taken: bool) -> None:
    rig.sell(0.3)
    rig.host.options["maxRetriesOnFailure"] = 2  # must not reach our order
    rig.plan(fault, method="POST", path=ORDER)
    with pytest.raises(OutcomeUnknown):
        rig.venue.close(PAIR, Decimal("0.3"), "hl-c-1")
    found = rig.venue.find(PAIR, "hl-c-1")
    assert (found is not None) is taken
    assert rig.venue.short_qty(PAIR) == (0 if taken else Decimal("0.3"))


@pytest.mark.parametrize(
    ("preset", "code"),
    [
        ("usdm-503-unavailable", "503"),
        ("usdm-503-internal", "-1001"),
        ("usdm-1008", "-1008"),
        ("usdm-2022", "-2022"),
        ("usdm-429", "rate-limit:-1003"),
    ],
)
def test_documented_refusal_of_a_close_is_refused(rig: Rig, preset: str, code: str) -> None:
    rig.sell(0.3)
    rig.plan({"kind": "refuse", "preset": preset}, method="POST", path=ORDER)
    with pytest.raises(VenueRefused) as caught:
        rig.venue.close(PAIR, Decimal("0.3"), "hl-c-1")
    assert caught.value.code == code


def test_taken_close_that_cannot_be_read_is_unknown(rig: Rig) -> None:
    rig.sell(0.3)
    rig.plan("not_found", method="GET", path="/fapi/v1/userTrades")
    with pytest.raises(OutcomeUnknown, match="fills are not known"):
        rig.venue.close(PAIR, Decimal("0.1"), "hl-c-1")
    rig.plan("not_found", method="GET", path=ORDER)
    with pytest.raises(OutcomeUnknown, match="not readable yet"):
        rig.venue.close(PAIR, Decimal("0.1"), "hl-c-2")


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/fapi/v[23]/positionRisk", lambda venue: venue.short_qty(PAIR)),
        (ORDER, lambda venue: venue.find(PAIR, "mine")),
        ("/fapi/v1/allOrders", lambda venue: venue.orders_since(PAIR, venue._clock.now_ms())),
        ("/fapi/v1/userTrades", lambda venue: venue.orders_since(PAIR, venue._clock.now_ms())),
        ("/fapi/v1/income", lambda venue: venue.funding_since(PAIR, venue._clock.now_ms() - HOUR_MS)),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        "lose_answer",
        {"kind": "unparsable"},
        {"kind": "unparsable", "form": "html"},
        {"kind": "error_before", "preset": "usdm-503-unavailable"},
        {"kind": "error_before", "status": 400, "body": "{}"},
    ],
    ids=str,
)
def test_failed_read_is_unavailable_never_flat(rig: Rig, fault: Any, path: str, call: Any) -> None:
    rig.sell(0.3, newClientOrderId="mine")
    rig.plan(fault, method="GET", path=path)
    with pytest.raises(VenueUnavailable):
        call(rig.venue)
    call(rig.venue)


@pytest.mark.parametrize("text", ["", "null", "{}", "<html>", '[""]', '{"foo":1}', '{"foo":{}}'])
def test_meaningless_position_is_unavailable_never_flat(rig: Rig, text: str) -> None:
    answer = rig.venue._client.session.request

    def told(*args: Any, **options: Any) -> Any:
        response = answer(*args, **options)
        response._content = text.encode()
        return response

    rig.venue._client.session.request = told
    with pytest.raises(VenueUnavailable):
        rig.venue.short_qty(PAIR)


def test_funding_is_told_by_the_venue_s_own_id(rig: Rig) -> None:
    start_ms = rig.now_ms()
    rig.sell(0.3)
    for _ in range(5):
        rig.exchange.clock.advance_ms(8 * HOUR_MS)
    paid = rig.venue.funding_since(PAIR, start_ms)
    assert len(paid) == 5
    assert len({payment.key for payment in paid}) == 5
    events = rig.exchange.get("/_control/audit").json()["events"]
    assert [payment.amount for payment in paid] == [
        Decimal(row["amount"]) for row in events if row["event"] == "funded"
    ]
    assert rig.venue.funding_since(PAIR, paid[2].paid_ms) == paid[2:]


def test_unknown_pair_is_unavailable_and_never_flat(rig: Rig) -> None:
    for call in (rig.venue.short_qty, lambda pair: rig.venue.orders_since(pair, 0)):
        with pytest.raises(VenueUnavailable):
            call("NOPE/USDT:USDT")
    with pytest.raises(VenueRefused):
        rig.venue.close("NOPE/USDT:USDT", Decimal("0.1"), "hl-c-1")


def test_venue_follows_the_markets_that_freqtrade_reloads(rig: Rig) -> None:
    markets = dict(rig.host.markets)
    del markets[PAIR]
    rig.host.markets = markets
    with pytest.raises(VenueUnavailable):
        rig.venue.short_qty(PAIR)
    rig.host.load_markets(True)
    assert rig.venue.short_qty(PAIR) == 0


@pytest.mark.parametrize(
    ("client_id", "forced"),
    [("autoclose-1700", True), ("adl_autoclose", True), ("settlement_autoclose-1", True), ("web_1", False)],
)
def test_orders_of_the_venue_itself_are_recognised(rig: Rig, client_id: str, forced: bool) -> None:
    rig.sell(0.3, newClientOrderId=client_id)
    [order] = rig.venue.orders_since(PAIR, rig.now_ms())
    assert order.liquidation is forced


def test_forced_reduction_is_told_with_its_books(rig: Rig) -> None:
    rig.sell(0.4)
    rig.exchange.clock.advance_ms(60_000)
    body = {"symbol": "BTCUSDT", "share": "0.5"}
    assert httpx.post(f"{rig.exchange.url}/_control/adl", json=body).status_code == 200
    forced = rig.venue.orders_since(PAIR, rig.now_ms())[-1]
    assert (forced.qty, forced.liquidation, forced.open) == (Decimal("0.2"), True, False)
    assert rig.venue.short_qty(PAIR) == Decimal("0.2")


def test_public_funding_is_told_by_the_venue_s_own_history_page_by_page(rig: Rig) -> None:
    since_ms = rig.now_ms() - 10 * 24 * HOUR_MS
    query: dict[str, str | int] = {"symbol": "BTCUSDT", "startTime": since_ms, "limit": 1000}
    rows = httpx.get(f"{rig.exchange.url}/fapi/v1/fundingRate", params=query).json()
    assert len(rows) > 20
    rig.venue._dialect = replace(rig.venue._dialect, page=7)
    found = rig.venue.settlements_since(PAIR, since_ms)
    told = [(one.at_ms, one.rate, one.mark_px) for one in found]
    assert told == [
        (row["fundingTime"], Decimal(row["fundingRate"]), Decimal(row["markPrice"])) for row in rows
    ]
    now = rig.venue.funding_now(PAIR)
    assert now.next_ms is not None
    assert 0 < now.next_ms - rig.now_ms() <= 8 * HOUR_MS
    assert now.predicted_rate == found[-1].rate
    rig.plan("lose_answer", path="/fapi/v1/premiumIndex")
    with pytest.raises(VenueUnavailable, match="funding rate of BTC"):
        rig.venue.funding_now(PAIR)
