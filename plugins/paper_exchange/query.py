"""Request parameters the way Binance checks them: by name, with its error codes and wording."""

from collections.abc import Mapping
from typing import Protocol

from paper_exchange.candles import INTERVALS_MS
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.store import CandleStore

_ILLEGAL_CHARACTERS = -1100
_MISSING_PARAMETER = -1102
_INVALID_INTERVAL = -1120
_INVALID_SYMBOL = -1121
_INVALID_PARAMETER = -1130


class Parameters(Protocol):
    """Anything that carries a request's parameters: a public request, or a signed one after its check."""

    @property
    def query_params(self) -> Mapping[str, str]:
        """Return the parameters by name."""
        ...


def required(request: Parameters, name: str) -> str:
    """Return a mandatory parameter; -1102 when it is absent or empty."""
    value = request.query_params.get(name, "")
    if not value:
        raise RefusedRequestError(
            _MISSING_PARAMETER,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return value


def integer(request: Parameters, name: str) -> int | None:
    """Return an optional non-negative integer parameter; -1100 when it is not one."""
    value = request.query_params.get(name)
    if value is None or value == "":
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 20):
        raise RefusedRequestError(
            _ILLEGAL_CHARACTERS,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(value)


def boolean(request: Parameters, name: str) -> bool:
    """Return a mandatory "true" or "false" of any case; -1102 when it is absent, -1130 for another word."""
    text = required(request, name).lower()
    if text not in {"true", "false"}:
        raise RefusedRequestError(_INVALID_PARAMETER, f"Data sent for parameter '{name}' is not valid.")
    return text == "true"


def limit(request: Parameters, *, default: int, most: int, strict: bool) -> int:
    """Return `limit`: at least 1, at most `most`.

    Above `most` the futures API refuses (`strict`, -1130), the spot API answers with `most` rows.
    """
    value = integer(request, "limit")
    if value is None:
        return default
    if value < 1 or (strict and value > most):
        raise RefusedRequestError(_INVALID_PARAMETER, "Data sent for parameter 'limit' is not valid.")
    return min(value, most)


def interval(request: Parameters) -> str:
    """Return the kline interval; -1120 for one that Binance does not have."""
    value = required(request, "interval")
    if value not in INTERVALS_MS:
        raise RefusedRequestError(_INVALID_INTERVAL, "Invalid interval.")
    return value


def listed(store: CandleStore, venue: Venue, name: str) -> Instrument:
    """Return the instrument of a symbol; -1121 when the exchange does not list it."""
    item = store.instrument(venue, name)
    if item is None:
        raise RefusedRequestError(_INVALID_SYMBOL, "Invalid symbol.")
    return item


def symbol(request: Parameters, store: CandleStore, venue: Venue, name: str = "symbol") -> Instrument:
    """Return the instrument of the mandatory symbol parameter called `name`."""
    return listed(store, venue, required(request, name))
