"""Who is let in: keys, signatures and time stamps, refused with Binance's codes and texts."""

import ccxt
import httpx
import pytest

from paper_exchange.signing import REHEARSAL
from tests.paper_exchange.clients import send, sign, signed_client
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms

PATHS = ("/api/v3/account", "/fapi/v3/account", "/fapi/v2/balance", "/sapi/v1/capital/config/getall")
NOW_MS = at_ms(NOW)


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["msg"]


@pytest.mark.parametrize("path", PATHS)
def test_signed_request_is_let_in_and_nothing_else(exchange: RunningExchange, path: str) -> None:
    query = sign({"timestamp": NOW_MS})
    assert send(exchange.url + path, "GET", query).status_code == 200
    assert refusal(send(exchange.url + path, "GET", query, key=None)) == (
        401,
        -2014,
        "API-key format invalid.",
    )
    unknown = (401, -2015, "Invalid API-key, IP, or permissions for action.")
    assert refusal(send(exchange.url + path, "GET", query, key="someone-else")) == unknown


def test_every_private_endpoint_refuses_a_wrong_signature(exchange: RunningExchange) -> None:
    routes = {
        "GET": (
            *PATHS,
            *("/fapi/v2/account", "/fapi/v3/balance", "/fapi/v2/positionRisk", "/fapi/v3/positionRisk"),
            *("/fapi/v1/positionSide/dual", "/fapi/v1/multiAssetsMargin", "/fapi/v1/leverageBracket"),
            *("/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs"),
            *("/api/v3/order", "/api/v3/openOrders", "/api/v3/allOrders", "/api/v3/myTrades"),
            *("/fapi/v1/order", "/fapi/v1/openOrder", "/fapi/v1/openOrders", "/fapi/v1/allOrders"),
            *("/fapi/v1/userTrades", "/fapi/v1/income"),
        ),
        "POST": ("/fapi/v1/leverage", "/fapi/v1/marginType", "/api/v3/order", "/fapi/v1/order"),
        "DELETE": ("/api/v3/order", "/api/v3/openOrders", "/fapi/v1/order", "/fapi/v1/allOpenOrders"),
    }
    query = sign({"symbol": "BTCUSDT", "leverage": 3, "timestamp": NOW_MS}, secret="wrong")
    for method, paths in routes.items():
        for path in paths:
            answer = refusal(send(exchange.url + path, method, query))
            assert answer == (400, -1022, "Signature for this request is not valid."), path


def test_signature_covers_every_parameter(exchange: RunningExchange) -> None:
    query = sign({"timestamp": NOW_MS, "symbol": "BTCUSDT"})
    url = f"{exchange.url}/fapi/v2/positionRisk"
    assert send(url, "GET", query).status_code == 200
    assert refusal(send(url, "GET", query.replace("BTC", "SOL")))[1] == -1022
    assert refusal(send(url, "GET", f"{query}&recvWindow=9000"))[1] == -1022


def test_signature_covers_query_then_body(exchange: RunningExchange) -> None:
    def post(signature_of: str) -> httpx.Response:
        signature = REHEARSAL.signature(signature_of)
        return httpx.post(
            f"{exchange.url}/fapi/v1/leverage?symbol=BTCUSDT&leverage=3",
            content=f"timestamp={NOW_MS}&signature={signature}",
            headers={"X-MBX-APIKEY": REHEARSAL.key},
        )

    assert post(f"symbol=BTCUSDT&leverage=3timestamp={NOW_MS}").status_code == 200
    assert refusal(post(f"symbol=BTCUSDT&leverage=3&timestamp={NOW_MS}"))[1] == -1022


@pytest.mark.parametrize(
    ("params", "missing"), [({"timestamp": NOW_MS}, "signature"), ({"recvWindow": 5}, "timestamp")]
)
def test_missing_parameter_is_named(
    exchange: RunningExchange, params: dict[str, object], missing: str
) -> None:
    query = sign(params) if missing != "signature" else f"timestamp={NOW_MS}"
    message = f"Mandatory parameter '{missing}' was not sent, was empty/null, or malformed."
    assert refusal(send(f"{exchange.url}/api/v3/account", "GET", query)) == (400, -1102, message)


@pytest.mark.parametrize(
    ("offset_ms", "window_ms", "refused"),
    [
        (-5000, None, None),
        (-5001, None, "Timestamp for this request is outside of the recvWindow."),
        (-5001, 60_000, None),
        (-11, 10, "Timestamp for this request is outside of the recvWindow."),
        (999, None, None),
        (1000, None, "Timestamp for this request was 1000ms ahead of the server's time."),
        (1000, 60_000, "Timestamp for this request was 1000ms ahead of the server's time."),
    ],
)
def test_time_stamp_window_is_exact(
    exchange: RunningExchange, offset_ms: int, window_ms: int | None, refused: str | None
) -> None:
    params: dict[str, object] = {"timestamp": NOW_MS + offset_ms}
    if window_ms is not None:
        params["recvWindow"] = window_ms
    answer = send(f"{exchange.url}/api/v3/account", "GET", sign(params))
    if refused is None:
        assert answer.status_code == 200
    else:
        assert refusal(answer) == (400, -1021, refused)


def test_too_wide_a_window_is_refused(exchange: RunningExchange) -> None:
    answer = send(f"{exchange.url}/api/v3/account", "GET", sign({"timestamp": NOW_MS, "recvWindow": 60_001}))
    assert refusal(answer) == (400, -1131, "recvWindow must be less than 60000.")


def test_ccxt_raises_what_its_users_handle(exchange: RunningExchange) -> None:
    late = signed_client(exchange.url, exchange.clock)
    late.nonce = lambda: NOW_MS - 10_001  # one more than ccxt's recvWindow
    with pytest.raises(ccxt.InvalidNonce):
        late.private_get_account()
    with pytest.raises(ccxt.AuthenticationError):
        signed_client(exchange.url, exchange.clock, secret="wrong").private_get_account()
    with pytest.raises(ccxt.AuthenticationError):
        signed_client(exchange.url, exchange.clock, apiKey="wrong").fapiprivatev3_get_account()


def test_secret_is_not_shown() -> None:
    assert REHEARSAL.secret not in repr(REHEARSAL)
