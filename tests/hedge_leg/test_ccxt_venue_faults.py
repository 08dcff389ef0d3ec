"""The live spot venue when HTTP goes wrong: the fault plan of the paper exchange, real ccxt in between."""

import logging
import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.core.orders import OrderIntent, OrderReport
from hedge_leg.errors import HedgeError, OutcomeUnknown, VenueRefused, VenueUnavailable
from paper_exchange.signing import REHEARSAL
from tests.hedge_leg.spot_rig import QTY, SYMBOL, Rig
from tests.paper_exchange.conftest import RunningExchange

ORDER, ACCOUNT = "/api/v3/order", "/api/v3/account"


@pytest.fixture
def rig(fresh: RunningExchange) -> Rig:
    return Rig(fresh)


TAKEN: list[str | dict[str, Any]] = [
    "lose_answer",
    "drop_mid_answer",
    {"kind": "unparsable"},
    {"kind": "unparsable", "form": "html"},
    {"kind": "delay_answer", "hold_ms": 900},
    *(
        {"kind": "error_after", "preset": name}
        for name in ("spot-1000", "spot-1001", "spot-1006", "spot-1007", "spot-502", "spot-503", "spot-504")
    ),
]
NOT_TAKEN: list[str | dict[str, Any]] = [
    "lose_request",
    {"kind": "unparsable", "handled": False},
    {"kind": "error_before", "preset": "spot-1007"},
    {"kind": "error_before", "preset": "spot-1008"},
    {"kind": "error_before", "preset": "spot-503"},
]


@pytest.mark.parametrize("fault", TAKEN, ids=str)
def test_order_that_was_taken_without_an_answer_is_unknown_then_found(rig: Rig, fault: Any) -> None:
    rig.plan(fault, method="POST", path=ORDER)
    with pytest.raises(OutcomeUnknown):
        rig.venue.place(rig.intent())
    assert rig.filled() == QTY
    found = rig.venue.find(rig.intent())
    assert found is not None
    assert (found.filled_qty, found.final) == (QTY, True)
    assert rig.posts() == 1, "sent once"


@pytest.mark.parametrize("fault", NOT_TAKEN, ids=str)
def test_order_that_was_lost_is_unknown_then_not_found(rig: Rig, fault: Any) -> None:
    rig.plan(fault, method="POST", path=ORDER)
    with pytest.raises(OutcomeUnknown):
        rig.venue.place(rig.intent())
    assert rig.filled() == 0
    assert rig.venue.find(rig.intent()) is None
    assert rig.posts() == 0, "not sent again"


@pytest.mark.parametrize(
    ("preset", "code"),
    [
        ("spot-2010", "-2010"),
        ("spot-1013", "-1013"),
        ("spot-1015", "rate-limit:-1015"),
        ("spot-1021", "clock:-1021"),
        ("spot-429", "rate-limit:-1003"),
        ("spot-418", "rate-limit:-1003"),
    ],
)
def test_refusal_with_proof_is_refused(rig: Rig, preset: str, code: str) -> None:
    rig.plan({"kind": "refuse", "preset": preset}, method="POST", path=ORDER)
    with pytest.raises(VenueRefused) as caught:
        rig.venue.place(rig.intent())
    assert caught.value.code == code
    assert rig.filled() == 0


def test_client_id_in_use_is_unknown_and_found_by_looking(rig: Rig) -> None:
    resting = rig.client.create_order(
        SYMBOL, "limit", "buy", "0.01", "10000", {"clientOrderId": "hl-f-1", "timeInForce": "GTC"}
    )
    with pytest.raises(OutcomeUnknown):
        rig.venue.place(rig.intent())
    found = rig.venue.find(rig.intent())
    assert found == OrderReport("hl-f-1", resting["id"], Decimal(0), False)
    assert rig.venue.open_client_ids(SYMBOL) == {"hl-f-1"}
    rig.venue.cancel(rig.intent())
    assert rig.venue.open_client_ids(SYMBOL) == frozenset()
    assert rig.venue.find(rig.intent()) == OrderReport("hl-f-1", resting["id"], Decimal(0), True)


def test_partial_fill_is_reported_exactly(rig: Rig) -> None:
    rig.plan({"kind": "partial_fill", "share": "0.5"}, method="POST", path=ORDER)
    report = rig.venue.place(rig.intent())
    assert (report.filled_qty, report.final) == (QTY / 2, True)
    assert rig.venue.find(rig.intent()) == report


BROKEN: list[str | dict[str, Any]] = [
    "lose_request",
    "lose_answer",
    "drop_mid_answer",
    {"kind": "unparsable"},
    {"kind": "unparsable", "form": "html"},
    {"kind": "delay_answer", "hold_ms": 900},
    {"kind": "error_before", "preset": "spot-1007"},
    {"kind": "error_before", "preset": "spot-503"},
    {"kind": "error_before", "preset": "spot-429"},
    {"kind": "error_before", "preset": "spot-1021"},
    {"kind": "error_before", "status": 500, "code": -2013, "msg": "Order does not exist."},
    {"kind": "error_before", "status": 400, "body": "{}"},
    {"kind": "error_before", "status": 403, "body": "<html>WAF</html>"},
]
READS: dict[str, tuple[str, Callable[[CcxtSpotVenue, OrderIntent], object]]] = {
    "find": (ORDER, lambda venue, intent: venue.find(intent)),
    "balances": (ACCOUNT, lambda venue, _: venue.balances()),
    "open orders": ("/api/v3/openOrders", lambda venue, _: venue.open_client_ids(SYMBOL)),
    "trades": ("/api/v3/myTrades", lambda venue, _: venue.trades_since(SYMBOL, venue._clock.now_ms() - 1)),
    "book": ("/api/v3/depth", lambda venue, _: venue.book(SYMBOL)),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("fault", BROKEN, ids=str)
def test_failed_read_is_unavailable_never_empty(rig: Rig, fault: Any, read: str) -> None:
    rig.venue.place(rig.intent())
    path, call = READS[read]
    rig.plan(fault, method="GET", path=path)
    with pytest.raises(VenueUnavailable):
        call(rig.venue, rig.intent())
    call(rig.venue, rig.intent())


MEANINGLESS = ("", "null", "{}", "[]", '"ok"', '{"foo":1}', '{"foo":{}}', "<html>", "[{", '[""]')


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read, text)
        for read in READS
        for text in MEANINGLESS
        if text != "[]" or read not in ("open orders", "trades")  # there an empty list is an answer
    ],
)
def test_meaningless_answer_with_status_200_is_unavailable(rig: Rig, read: str, text: str) -> None:
    answer = rig.venue._client.session.request

    def told(*args: Any, **options: Any) -> Any:
        response = answer(*args, **options)
        response._content = text.encode()
        return response

    rig.venue._client.session.request = told
    with pytest.raises(VenueUnavailable):
        READS[read][1](rig.venue, rig.intent())


@pytest.mark.parametrize(
    "text", ["", "null", "{}", "[]", '{"foo":1}', '{"foo":{}}', "<html>", '{"orderId":7}', "{"]
)
def test_meaningless_answer_to_an_order_is_unknown(rig: Rig, text: str) -> None:
    answer = rig.venue._client.session.request

    def told(*args: Any, **options: Any) -> Any:
        response = answer(*args, **options)
        response._content = text.encode()
        return response

    rig.venue._client.session.request = told
    with pytest.raises(OutcomeUnknown):
        rig.venue.place(rig.intent())


def test_answer_about_another_order_is_not_taken(rig: Rig) -> None:
    answer = rig.venue._client.session.request

    def told(*args: Any, **options: Any) -> Any:
        response = answer(*args, **options)
        response._content = response.content.replace(b"hl-f-1", b"hl-f-9")
        return response

    rig.venue._client.session.request = told
    with pytest.raises(OutcomeUnknown, match="another order"):
        rig.venue.place(rig.intent())
    with pytest.raises(VenueUnavailable, match="another order"):
        rig.venue.find(rig.intent())


def test_not_found_then_found_is_absent_then_there(rig: Rig) -> None:
    placed = rig.venue.place(rig.intent())
    rig.plan("not_found", method="GET", path=ORDER)
    assert rig.venue.find(rig.intent()) is None
    assert rig.venue.find(rig.intent()) == placed


def test_fills_that_do_not_add_up_yet_make_no_report(rig: Rig) -> None:
    placed = rig.venue.place(rig.intent())
    rig.plan("not_found", method="GET", path="/api/v3/myTrades")
    with pytest.raises(VenueUnavailable, match="do not add up"):
        rig.venue.find(rig.intent())
    assert rig.venue.find(rig.intent()) == placed


def test_acknowledgement_without_fills_is_completed_by_looking(rig: Rig) -> None:
    rig.venue._client.options["newOrderRespType"] = {"limit": "ACK"}
    report = rig.venue.place(rig.intent())
    assert (report.filled_qty, report.final, len(report.fills)) == (QTY, True, 1)
    rig.plan({"kind": "error_before", "preset": "spot-503"}, method="GET", path=ORDER)
    with pytest.raises(OutcomeUnknown, match="its fills are not known"):
        rig.venue.place(rig.intent("hl-f-2"))
    rig.plan("not_found", method="GET", path=ORDER)
    with pytest.raises(OutcomeUnknown, match="not readable yet"):
        rig.venue.place(rig.intent("hl-f-3"))


def test_order_replayed_by_the_network_is_seen_in_the_trades(rig: Rig) -> None:
    rig.plan("duplicate", method="POST", path=ORDER)
    report = rig.venue.place(rig.intent())
    trades = rig.venue.trades_since(SYMBOL, rig.exchange.clock.now_ms())
    assert sum(trade.qty for trade in trades) == 2 * report.filled_qty
    assert len({trade.order_id for trade in trades}) == 2


def test_clock_is_measured_again_after_a_refusal(rig: Rig) -> None:
    del rig.venue._client.nonce
    rig.venue._client.options["timeDifference"] = 0
    with pytest.raises(VenueRefused, match="-1021"):
        rig.venue.place(rig.intent())
    assert rig.venue.balances()["USDT"][1] == 100_000
    assert rig.venue.place(rig.intent()).filled_qty == QTY


@pytest.mark.parametrize("configured", [{"maxRetriesOnFailure": 3}, {"order": {"maxRetriesOnFailure": 3}}])
@pytest.mark.parametrize("fault", ["lose_answer", {"kind": "error_before", "preset": "spot-503"}], ids=str)
def test_configured_retries_never_reach_an_order(rig: Rig, configured: dict[str, Any], fault: Any) -> None:
    rig.venue._client.options.update(configured)
    rig.plan(fault, method="POST", path=ORDER)
    sent = rig.watch()
    with pytest.raises(OutcomeUnknown):
        rig.venue.place(rig.intent())
    assert sent == ["POST"]


def test_place_is_one_request(rig: Rig) -> None:
    sent = rig.watch()
    rig.exchange.clock.advance_ms(25 * 3_600_000)
    rig.px += 1000
    rig.venue.place(rig.intent())
    assert sent == ["POST"]


@pytest.mark.parametrize("fault", [*BROKEN, "lose_answer"], ids=str)
def test_no_error_shows_a_secret_or_keeps_ccxt_s_exception(
    rig: Rig, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.INFO)
    rig.plan(fault, times=None)
    for call in (
        lambda: rig.venue.place(rig.intent()),
        lambda: rig.venue.find(rig.intent()),
        rig.venue.balances,
        lambda: rig.venue.cancel(rig.intent()),
    ):
        with pytest.raises(HedgeError) as caught:
            call()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        text = "".join(traceback.format_exception(caught.value)) + str(caught.value)
        for secret in (REHEARSAL.key, REHEARSAL.secret, "signature="):
            assert secret not in text
            assert secret not in caplog.text
