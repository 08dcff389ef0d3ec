"""Binance's errors by name, with its HTTP status, code and text.

Sources: Binance's error code and "General Info" pages of spot and USD-M. The two 503 texts without a code
come that way.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """An error answer: `body` as it stands, or {"code", "msg"}; `retry_after_s` becomes a header."""

    status: int
    code: int | None = None
    msg: str = ""
    body: str | None = None
    retry_after_s: int | None = None


_INTERNAL = "Internal error; unable to process your request. Please try again."
_UNEXPECTED = "An unexpected response was received from the message bus. Execution status unknown."
_TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_LATE = "Timestamp for this request is outside of the recvWindow."
_WEIGHT = (
    "Too much request weight used; current limit is {most} request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
_BANNED = (
    "Way too much request weight used; IP banned until {until_ms}. "
    "Please use WebSocket Streams for live updates to avoid bans."
)


def too_much_weight(most: int) -> str:
    """Return the text of a 429; `most`: the limit per minute."""
    return _WEIGHT.format(most=most)


def banned_until(until_ms: int) -> str:
    """Return the text of a 418."""
    return _BANNED.format(until_ms=until_ms)


def _page(status: int, title: str) -> Preset:
    return Preset(
        status,
        body=f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n",
    )


def _both(market: str, most: int) -> dict[str, Preset]:
    """Return what spot and USD-M have in common."""
    return {
        f"{market}-1000": Preset(500, -1000, "An unknown error occurred while processing the request."),
        f"{market}-1001": Preset(503, -1001, _INTERNAL),
        f"{market}-1006": Preset(500, -1006, _UNEXPECTED),
        f"{market}-1007": Preset(408, -1007, _TIMEOUT),
        f"{market}-1021": Preset(400, -1021, _LATE),
        f"{market}-429": Preset(429, -1003, too_much_weight(most), retry_after_s=10),
        f"{market}-418": Preset(418, -1003, _BANNED, retry_after_s=120),
        f"{market}-2011": Preset(400, -2011, "Unknown order sent."),
        f"{market}-2013": Preset(400, -2013, "Order does not exist."),
        f"{market}-502": _page(502, "Bad Gateway"),
        f"{market}-503": _page(503, "Service Temporarily Unavailable"),
        f"{market}-504": _page(504, "Gateway Time-out"),
    }


_SPOT = {
    "spot-1008": Preset(
        503,
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    "spot-1013": Preset(400, -1013, "Market is closed."),
    "spot-1015": Preset(
        429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", retry_after_s=10
    ),
    "spot-2010": Preset(400, -2010, "Account has insufficient balance for requested action."),
    "spot-2010-duplicate": Preset(400, -2010, "Duplicate order sent."),
}
_USDM = {
    "usdm-503-unknown": Preset(
        503, msg="Unknown error, please check your request or try again later."
    ),  # may have been executed
    "usdm-503-unavailable": Preset(503, msg="Service Unavailable."),  # was not executed
    "usdm-503-internal": Preset(503, -1001, _INTERNAL),  # was not executed
    "usdm-1008": Preset(
        503,
        -1008,
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
        "Please try again.",
    ),
    "usdm-1015": Preset(
        429, -1015, "Too many new orders; current limit is 300 orders per 10 SECOND.", retry_after_s=10
    ),
    "usdm-2019": Preset(400, -2019, "Margin is insufficient."),
    "usdm-2022": Preset(400, -2022, "ReduceOnly Order is rejected."),
    "usdm-4164": Preset(
        400, -4164, "Order's notional must be no smaller than 100 (unless you choose reduce only)."
    ),
}
PRESETS = _both("spot", 6_000) | _SPOT | _both("usdm", 2_400) | _USDM
