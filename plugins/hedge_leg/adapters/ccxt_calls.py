"""Calls into ccxt whose every end is ours: a value, or an error of `hedge_leg.errors`.

Errors are raised outside of the handler that caught ccxt's: neither as cause nor as context does an exception
with a signed address leave this package.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from hedge_leg.adapters.ccxt_dialects import Fees, dialect_of
from hedge_leg.adapters.ccxt_errors import answer_of, classify, is_absent, is_clock, told
from hedge_leg.adapters.ccxt_refusals import Refusals
from hedge_leg.core.amounts import exact
from hedge_leg.errors import HedgeError, OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import Clock

_T = TypeVar("_T")
Row = Mapping[str, Any]
Levels = tuple[tuple[Decimal, Decimal], ...]
Gone = Callable[[BaseException, Refusals], bool]
_PRICE_AGE_MS = 60_000
_AHEAD_MS = 60_000  # how far the venue's clock may be ahead of ours: histories are read up to there


class Calls:
    """One strict client with the allow-list that its order errors are judged by."""

    def __init__(self, client: Any, refusals: Refusals) -> None:
        """Hide the client's own keys in every text."""
        self.client = client
        self._is_list = dialect_of(client.id).is_list
        self._refusals = refusals
        keys = (getattr(client, name, None) for name in ("apiKey", "secret", "password", "uid"))
        self._secrets = tuple(key for key in keys if key)
        self._clock_off = False

    def read(self, what: str, call: Callable[[], _T]) -> _T:
        """Return what `call` reads; VenueUnavailable whatever goes wrong."""
        try:
            self._set_clock()
            return call()
        except HedgeError:
            raise
        except Exception as error:  # a wrong answer can fail in ccxt's parser or in ours in any way at all
            failure = self._unavailable(what, error)
        raise failure

    def look_up(self, what: str, call: Callable[[], _T], gone: Gone = is_absent) -> _T | None:
        """Return what `call` finds; None when there is no such order; VenueUnavailable otherwise."""
        try:
            self._set_clock()
            return call()
        except HedgeError:
            raise
        except Exception as error:  # as above
            if gone(error, self._refusals):
                return None
            failure = self._unavailable(what, error)
        raise failure

    def act(self, call: Callable[[], _T]) -> _T:
        """Return the answer to an order; VenueRefused with proof that there is none, else OutcomeUnknown."""
        try:
            return call()
        except Exception as error:  # after sending, everything that is not proof is "unknown"
            self._clock_off = self._clock_off or is_clock(error, self._refusals)
            failure: VenueRefused | OutcomeUnknown = classify(error, self._refusals, self._secrets)
        raise failure

    def rows(self, call: Callable[[], Sequence[Row]]) -> Sequence[Row]:
        """Return the rows that `call` reads in one request; ValueError when the raw answer was no list."""
        found = call()
        if not self._is_list(self.client.last_answer):
            raise ValueError("the answer is not a list of rows")
        return found

    def _unavailable(self, what: str, error: Exception) -> VenueUnavailable:
        self._clock_off = self._clock_off or is_clock(error, self._refusals)
        return VenueUnavailable(f"{what}: {told(error, answer_of(error), self._secrets)}")

    def _set_clock(self) -> None:
        """Measure the venue's clock again after it refused ours; never in `act`: that is one request."""
        if self._clock_off and self.client.options.get("adjustForTimeDifference"):
            self.client.load_time_difference()
        self._clock_off = False


def number(row: Row, name: str) -> Decimal:
    """Return an amount of an answer; ValueError when it is missing: never a guess, never zero."""
    value = row.get(name)
    if value is None or value == "":
        raise ValueError(f"the answer has no {name}")
    return exact(value)


def text(row: Row, name: str) -> str:
    """Return an identifier of an answer; ValueError when it is missing or empty."""
    value = row.get(name)
    if value is None or value == "":
        raise ValueError(f"the answer has no {name}")
    return str(value)


def fee_of(trade: Row, told: Callable[[Row], Fees | None] | None = None) -> tuple[Decimal, str]:
    """Return amount (paid positive) and asset of a trade's fee; ValueError when missing or in several assets.

    `told`: the venue's own reading of a raw trade (`Dialect.fees`), which beats ccxt's.
    """
    info = trade.get("info")
    fees = told(info) if told is not None and isinstance(info, dict) else None
    if fees is None:
        rows = [fee for fee in (trade.get("fees") or [trade.get("fee")]) if fee]
        fees = [(number(row, "cost"), str(row.get("currency") or "")) for row in rows]
    if not fees:
        raise ValueError("the trade has no fee")
    assets = {asset for cost, asset in fees if cost}
    if len(assets) > 1:
        raise ValueError(f"the trade has fees in {', '.join(sorted(assets))}")
    if "" in assets:
        raise ValueError("the trade does not tell what its fee was paid in")
    return sum((cost for cost, _ in fees), Decimal(0)), assets.pop() if assets else fees[0][1]


def book_sides(row: Row, size: Decimal = Decimal(1)) -> tuple[Levels, Levels]:
    """Return (bids, asks) in base units, `size` of them a contract; ValueError when a side is empty."""
    bids, asks = (
        tuple((exact(level[0]), exact(level[1]) * size) for level in row[side]) for side in ("bids", "asks")
    )
    if not bids or not asks:
        raise ValueError("a side of the book is empty")
    return bids, asks


def history(
    fetch: Callable[[int, int, int], Iterable[Row]],
    since_ms: int,
    until_ms: int,
    *,
    page: int,
    window_ms: int,
) -> list[Row]:
    """Return all rows of [since, until], oldest first, each id once; rows need `id` and `timestamp`.

    `fetch(since, until, limit)` reads one page. Venues differ in which end of a span a full page shows, so a
    full page is never trusted: its span is halved until the pages are not full. ValueError when one
    millisecond holds a full page.
    """
    found: dict[str, Row] = {}
    spans = [
        (start, min(start + window_ms, until_ms + 1) - 1)
        for start in range(since_ms, until_ms + 1, window_ms)
    ]
    while spans:
        start_ms, end_ms = spans.pop(0)
        rows = list(fetch(start_ms, end_ms, page))
        if len(rows) >= page:
            if start_ms >= end_ms:
                raise ValueError(f"more than {page} rows at {start_ms}")
            middle_ms = (start_ms + end_ms) // 2
            spans[:0] = [(start_ms, middle_ms), (middle_ms + 1, end_ms)]
            continue
        found |= {text(row, "id"): row for row in rows if since_ms <= int(number(row, "timestamp"))}
    return sorted(found.values(), key=lambda row: int(number(row, "timestamp")))


def span_ms(clock: Clock, since_ms: int, reach_ms: int) -> tuple[int, int]:
    """Return first and last ms of a history from `since_ms` on: no older than the venue tells, up to now.

    Venues refuse a request that begins earlier, and a pair that is held for months would never be read again.
    The end leaves room for the venue's clock.
    """
    now_ms = clock.now_ms()
    return max(since_ms, now_ms - reach_ms), max(now_ms, since_ms) + _AHEAD_MS


class Prices:
    """Present prices of fee coins, at most a minute old."""

    def __init__(self, calls: Calls, clock: Clock) -> None:
        """Know no price yet."""
        self._calls = calls
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[int, Decimal]] = {}

    def px(self, asset: str, quote: str) -> Decimal:
        """Return the price of one `asset` in `quote`; VenueUnavailable when there is none: never zero."""
        if asset == quote:
            return Decimal(1)
        now_ms = self._clock.now_ms()
        at_ms, px = self._known.get((asset, quote), (0, Decimal(0)))
        if not px or not 0 <= now_ms - at_ms <= _PRICE_AGE_MS:
            px = self._calls.read(f"price of {asset}", lambda: self._ask(asset, quote))
            self._known[asset, quote] = (now_ms, px)
        return px

    def _ask(self, asset: str, quote: str) -> Decimal:
        client = self._calls.client
        for symbol, inverse in (
            (f"{asset}/{quote}", False),
            (f"{asset}/{quote}:{quote}", False),
            (f"{quote}/{asset}", True),
        ):
            if symbol in client.markets:
                px = number(client.fetch_ticker(symbol), "last")
                if px <= 0:
                    raise ValueError(f"{symbol} has no price")
                return 1 / px if inverse else px
        raise ValueError(f"no market prices {asset} in {quote}")
