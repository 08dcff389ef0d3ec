"""The error classifier: every answer goes through real ccxt; what is unknown must never become refused."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ccxt
import pytest
import requests

from hedge_leg.adapters.ccxt_errors import REFUSAL_CLASSES, classify, is_absent, is_clock, scrub
from hedge_leg.adapters.ccxt_refusals import (
    BINANCE_SPOT,
    BINANCE_USDM,
    GENERIC,
    Refusals,
    spot_refusals,
)
from hedge_leg.errors import OutcomeUnknown, VenueRefused
from tests.hedge_leg.wire import Wire, always, failing

KEY, SECRET, PASSWORD = "the-key-0123456789", "the-secret-abcdefgh", "the-pass/phrase"
TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
INTERNAL = "Internal error; unable to process your request. Please try again."
UNKNOWN_503 = "Unknown error, please check your request or try again later."
MARKETS = {"spot": BINANCE_SPOT, "usdm": BINANCE_USDM}
HOSTS = {
    "real": {"spot": "https://api.binance.com/api/v3", "usdm": "https://fapi.binance.com/fapi/v1"},
    "loopback": {"spot": "http://127.0.0.1:1/api/v3", "usdm": "http://127.0.0.1:1/fapi/v1"},
}


def client(host: str = "loopback", exchange: str = "binance") -> Any:
    config: dict[str, Any] = {"apiKey": KEY, "secret": SECRET, "password": PASSWORD, "enableRateLimit": False}
    if exchange == "binance":
        urls = HOSTS[host]
        config["urls"] = {"api": {"private": urls["spot"], "fapiPrivate": urls["usdm"]}}
    return getattr(ccxt, exchange)(config)


def raised(market: str, wire: Wire, host: str = "loopback", method: str = "POST") -> BaseException:
    """Return what ccxt raises for an order request that is answered by `wire`."""
    found = client(host)
    found.session = wire
    call = {
        ("spot", "POST"): "private_post_order",
        ("usdm", "POST"): "fapiprivate_post_order",
        ("spot", "GET"): "private_get_order",
    }[market, method]
    with pytest.raises(Exception) as caught:
        getattr(found, call)({"symbol": "BTCUSDT", "newClientOrderId": "hl-1"})
    assert len(wire.sent) == 1, "the request went out, once"
    return caught.value


def body(code: int | None, msg: str) -> str:
    return json.dumps({"msg": msg} if code is None else {"code": code, "msg": msg})


Row = tuple[str, int, int | None, str]
# Every answer that must stay unknown: moving one to refused is the mistake that costs money.
UNKNOWN: list[Row] = [
    ("spot", 408, -1007, TIMEOUT),
    ("spot", 400, -1007, TIMEOUT),
    (
        "spot",
        500,
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    (
        "spot",
        400,
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    ("spot", 400, -1000, "An unknown error occurred while processing the request."),
    ("spot", 400, -1001, INTERNAL),
    ("spot", 400, -1004, "Server is busy, please wait and try again"),
    ("spot", 400, -1008, "Server is currently overloaded with other requests."),
    ("spot", 400, -1010, "Error message received."),
    ("spot", 400, -1016, "This service is no longer available."),
    ("spot", 400, -2011, "Unknown order sent."),
    ("spot", 400, -2013, "Order does not exist."),
    ("spot", 400, -2021, "Order cancel-replace partially failed."),
    ("spot", 400, -2026, "Order was archived."),
    ("spot", 400, -9999, "A code of next year."),
    ("spot", 400, -2010, "Duplicate order sent."),
    ("spot", 500, -2010, "Account has insufficient balance for requested action."),
    ("spot", 502, -1013, "Filter failure: LOT_SIZE"),
    ("spot", 503, -1003, "Too many requests."),
    ("spot", 503, -1008, "Server is currently overloaded with other requests."),
    ("spot", 503, -1001, INTERNAL),
    ("spot", 503, None, "Service Unavailable."),
    ("spot", 504, -1021, "Timestamp for this request is outside of the recvWindow."),
    ("spot", 408, -2015, "Invalid API-key, IP, or permissions for action."),
    ("usdm", 503, None, UNKNOWN_503),
    ("usdm", 503, -1000, UNKNOWN_503),
    ("usdm", 500, None, "Service Unavailable."),
    ("usdm", 502, -1001, INTERNAL),
    ("usdm", 400, -1001, INTERNAL),
    ("usdm", 408, -1007, TIMEOUT),
    ("usdm", 400, -1007, TIMEOUT),
    ("usdm", 400, -1006, "Execution status unknown."),
    ("usdm", 400, -1000, "An unknown error occurred while processing the request."),
    ("usdm", 500, -1008, "Request throttled by system-level protection."),
    ("usdm", 500, -2019, "Margin is insufficient."),
    ("usdm", 400, -2010, "Duplicate order sent."),
    ("usdm", 400, -4116, "ClientOrderId is duplicated"),
    ("usdm", 400, -4015, "Client order id is not valid."),
    ("usdm", 400, -2013, "Order does not exist."),
    ("usdm", 400, -4999, "A code of next year."),
]
REFUSED: list[tuple[str, int, int | None, str, str]] = [
    ("spot", 400, -1013, "Filter failure: LOT_SIZE", "-1013"),
    ("spot", 400, -1013, "Filter failure: NOTIONAL", "-1013"),
    ("spot", 400, -1013, "Market is closed.", "-1013"),
    ("spot", 400, -1100, "Illegal characters found in parameter 'quantity'.", "-1100"),
    ("spot", 400, -1111, "Parameter 'quantity' has too much precision.", "-1111"),
    ("spot", 400, -1121, "Invalid symbol.", "-1121"),
    ("spot", 400, -2010, "Account has insufficient balance for requested action.", "-2010"),
    ("spot", 400, -1021, "Timestamp for this request is outside of the recvWindow.", "clock:-1021"),
    ("spot", 429, -1003, "Too much request weight used.", "rate-limit:-1003"),
    ("spot", 418, -1003, "Way too much request weight used.", "rate-limit:-1003"),
    ("spot", 429, -1015, "Too many new orders.", "rate-limit:-1015"),
    ("spot", 401, -2014, "API-key format invalid.", "auth:-2014"),
    ("spot", 401, -2015, "Invalid API-key, IP, or permissions for action.", "auth:-2015"),
    ("spot", 400, -1022, "Signature for this request is not valid.", "auth:-1022"),
    ("usdm", 400, -2019, "Margin is insufficient.", "-2019"),
    ("usdm", 400, -2022, "ReduceOnly Order is rejected.", "-2022"),
    ("usdm", 400, -4164, "Order's notional must be no smaller than 100.", "-4164"),
    ("usdm", 400, -1111, "Precision is over the maximum defined for this asset.", "-1111"),
    ("usdm", 503, None, "Service Unavailable.", "503"),
    ("usdm", 503, -1001, INTERNAL, "-1001"),
    ("usdm", 503, -1008, "Request throttled by system-level protection.", "-1008"),
    ("usdm", 400, -1008, "Request throttled by system-level protection.", "-1008"),
    ("usdm", 400, -1021, "Timestamp for this request is outside of the recvWindow.", "clock:-1021"),
    ("usdm", 429, -1003, "Too many requests.", "rate-limit:-1003"),
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("market", "status", "code", "msg"), UNKNOWN)
def test_unlisted_answer_leaves_the_outcome_unknown(
    market: str, status: int, code: int | None, msg: str, host: str
) -> None:
    error = raised(market, Wire(always(status, body(code, msg))), host)
    assert isinstance(error, ccxt.BaseError)
    assert isinstance(classify(error, MARKETS[market]), OutcomeUnknown)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("market", "status", "code", "msg", "shown"), REFUSED)
def test_listed_answer_proves_that_no_order_exists(
    market: str, status: int, code: int | None, msg: str, shown: str, host: str
) -> None:
    found = classify(raised(market, Wire(always(status, body(code, msg))), host), MARKETS[market])
    assert isinstance(found, VenueRefused)
    assert found.code == shown


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("text", ["<html>502 Bad Gateway</html>", "", "null", "Service Unavailable", "{"])
@pytest.mark.parametrize("status", [403, 408, 500, 502, 503, 504])
def test_error_status_with_a_page_is_unknown(market: str, text: str, status: int) -> None:
    assert isinstance(classify(raised(market, Wire(always(status, text))), MARKETS[market]), OutcomeUnknown)


@pytest.mark.parametrize(
    "failure",
    [
        requests.Timeout("Read timed out."),
        requests.ConnectTimeout("slow"),
        requests.ConnectionError("('Connection aborted.', RemoteDisconnected(..))"),
        requests.exceptions.ChunkedEncodingError("Connection broken: IncompleteRead(5 bytes read)"),
        requests.exceptions.ContentDecodingError("garbage"),
        requests.TooManyRedirects("again"),
        requests.exceptions.SSLError("certificate"),
        ConnectionResetError("reset"),
        ValueError("anything else"),
    ],
)
@pytest.mark.parametrize("market", MARKETS)
def test_failure_of_the_connection_is_unknown(market: str, failure: Exception) -> None:
    assert isinstance(classify(raised(market, Wire(failing(failure))), MARKETS[market]), OutcomeUnknown)


def all_classes(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith("ccxt"):
            yield from all_classes(child)


@pytest.mark.parametrize("refusals", [BINANCE_SPOT, BINANCE_USDM, GENERIC, spot_refusals("bitget")])
@pytest.mark.parametrize("found", sorted(set(all_classes(ccxt.BaseError)), key=str))
def test_only_the_listed_classes_refuse_without_a_code(
    found: type[BaseException], refusals: Refusals
) -> None:
    listed = {
        ccxt.InsufficientFunds,
        ccxt.AuthenticationError,
        ccxt.PermissionDenied,
        ccxt.AccountNotEnabled,
        ccxt.AccountSuspended,
    }
    assert set(REFUSAL_CLASSES) == listed
    verdict = classify(found("somewhere said something"), refusals)
    assert isinstance(verdict, VenueRefused if found in listed else OutcomeUnknown)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x"), OSError("x")])
def test_foreign_exception_is_unknown(error: BaseException) -> None:
    assert isinstance(classify(error, BINANCE_SPOT), OutcomeUnknown)


@pytest.mark.parametrize(
    ("market", "code", "msg"),
    [(market, str(code), msg) for market, status, code, msg in UNKNOWN if status == 400],
)
def test_listing_a_code_by_mistake_would_be_noticed(market: str, code: str, msg: str) -> None:
    """Every row above hangs on the lists alone: with its code on one, the verdict would turn."""
    listed = replace(MARKETS[market], plain=MARKETS[market].plain | {code}, not_if_text={})
    error = raised(market, Wire(always(400, body(int(code), msg))))
    assert isinstance(classify(error, MARKETS[market]), OutcomeUnknown)
    assert isinstance(classify(error, listed), VenueRefused)


def test_no_code_is_both_refused_and_absent_or_known_to_be_unknown() -> None:
    for market, refusals in MARKETS.items():
        silent = {str(code) for place, _, code, _ in UNKNOWN if place == market and code is not None}
        spared = set(refusals.not_if_text) | set(refusals.unavailable_codes)
        statuses = {"-1003", "-1013", "-1021", "-2015", "-2019"}  # unknown by their HTTP status only
        listed = refusals.plain | refusals.rate_limit | refusals.clock | refusals.auth
        assert not (silent - spared - statuses) & listed
        assert not refusals.absent & listed


def test_an_outer_exception_s_answer_is_not_taken_for_this_one_s() -> None:
    refused = raised("spot", Wire(always(400, body(-2010, "Account has insufficient balance."))))
    try:
        raise refused
    except ccxt.BaseError:
        lost = raised("spot", Wire(failing(requests.Timeout("slow"))))
    assert isinstance(classify(lost, BINANCE_SPOT), OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "code", "absent"),
    [(400, -2013, True), (400, -2011, False), (500, -2013, False), (408, -2013, False), (400, -1003, False)],
)
def test_only_the_venue_s_own_no_means_absent(status: int, code: int, absent: bool) -> None:
    error = raised("spot", Wire(always(status, body(code, "Some text."))), method="GET")
    assert is_absent(error, BINANCE_SPOT) is absent


def test_time_out_of_a_look_up_is_not_absence() -> None:
    error = raised("spot", Wire(failing(requests.Timeout("slow"))), method="GET")
    assert not is_absent(error, BINANCE_SPOT)
    assert not is_clock(error, BINANCE_SPOT)
    assert is_clock(raised("spot", Wire(always(400, body(-1021, "late")))), BINANCE_SPOT)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "wire",
    [
        failing(requests.Timeout("Read timed out.")),
        failing(requests.ConnectionError("aborted")),
        always(502, "<html>bad</html>"),
        always(404, "no"),
        always(400, body(-1022, f"Signature for {KEY} {SECRET} is not valid.")),
    ],
)
def test_texts_hold_no_key_secret_signature_or_query(wire: Any, host: str) -> None:
    error = raised("spot", Wire(wire), host, method="GET")
    text = str(classify(error, BINANCE_SPOT, (KEY, SECRET, PASSWORD)))
    assert text
    for secret in (KEY, SECRET, "signature=", "timestamp=", "recvWindow="):
        assert secret not in text


def test_scrub_hides_secrets_in_every_form() -> None:
    text = (
        f"GET https://a.b/c?x=1&signature={'ab' * 32} then {PASSWORD} and the-pass%2Fphrase "
        f"{'0123456789abcdef' * 4} apiKey={KEY}x secret: nothing"
    )
    shown = scrub(text, (KEY, SECRET, PASSWORD))
    for secret in ("ab" * 20, PASSWORD, "the-pass%2Fphrase", "0123456789abcdef" * 3, KEY, "nothing"):
        assert secret not in shown
    assert "https://a.b/c?***" in shown
    assert len(scrub("x" * 1000)) == 300
    assert "\n" not in scrub("a\nb")


def test_half_a_unicode_pair_in_a_venues_text_can_still_be_journaled() -> None:
    text = scrub("rejected \ud83d here")
    assert text.encode() == b"rejected ? here"
