"""Rate limits: who asks too much is answered with 429 for a while, and who goes on asking with 418.

Binance's documented limits: 6,000 (spot) and 2,400 (USD-M) request weight per minute, 100 and 300 orders per
10 seconds, 200,000 orders per day (spot) and 1,200 per minute (USD-M). Windows and waits are the exchange's
clock's. Binance does not say how many requests after a 429 make a ban: here it is `PATIENCE`.
"""

from dataclasses import dataclass

from paper_exchange.clock import Clock
from paper_exchange.fault_presets import banned_until, too_much_weight
from paper_exchange.symbol_rows import PERP_WEIGHT_LIMIT, SPOT_WEIGHT_LIMIT

PATIENCE = 5
BAN_MS = 120_000
MINUTE_MS = 60_000
WEIGHT_LIMITS = {"api": SPOT_WEIGHT_LIMIT, "fapi": PERP_WEIGHT_LIMIT}
# by market: (window in ms, its name, most orders in it)
_ORDER_LIMITS = {
    "api": ((10_000, "10 SECOND", 100), (86_400_000, "1 DAY", 200_000)),
    "fapi": ((10_000, "10 SECOND", 300), (MINUTE_MS, "1 MINUTE", 1_200)),
}


@dataclass(frozen=True, slots=True)
class TooMuch:
    """A refusal to serve: HTTP status, Binance's code and text, whole seconds (>= 1) to wait."""

    status: int
    code: int
    message: str
    retry_after_s: int


@dataclass(slots=True)
class _Wait:
    until_ms: int
    patience: int | None  # refusals left before the ban; None: no ban
    ban_ms: int
    banned: bool = False


class Limiter:
    """Which markets refuse to serve at the moment."""

    def __init__(self, clock: Clock) -> None:
        """Start with all markets serving."""
        self._clock = clock
        self._waits: dict[str, _Wait] = {}

    def limit(
        self, market: str, until_ms: int, patience: int | None = PATIENCE, ban_ms: int = BAN_MS
    ) -> None:
        """Refuse a market's ("api", "fapi") requests with 429 until `until_ms`.

        After the first, `patience` more are answered so; the next one is banned for `ban_ms`: 418.
        """
        self._waits[market] = _Wait(until_ms, None if patience is None else patience + 1, ban_ms)

    def clear(self) -> None:
        """Serve every market again."""
        self._waits = {}

    def refusal(self, market: str) -> TooMuch | None:
        """Count a request and return why it is not served, or None."""
        wait = self._waits.get(market)
        if wait is None:
            return None
        now_ms = self._clock.now_ms()
        if now_ms >= wait.until_ms:
            del self._waits[market]
            return None
        if not wait.banned and wait.patience == 0:
            wait.banned, wait.until_ms = True, now_ms + wait.ban_ms
        elif wait.patience:
            wait.patience -= 1
        wait_s = -(-(wait.until_ms - now_ms) // 1000)
        if wait.banned:
            return TooMuch(418, -1003, banned_until(wait.until_ms), wait_s)
        return TooMuch(429, -1003, too_much_weight(WEIGHT_LIMITS[market]), wait_s)


class OrderCounter:
    """New orders per market and window."""

    def __init__(self, clock: Clock) -> None:
        """Start with nothing counted."""
        self._clock = clock
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}  # (market, window): (number, orders)

    def refusal(self, market: str) -> TooMuch | None:
        """Count a new order and return why it is not taken (-1015), or None."""
        now_ms = self._clock.now_ms()
        for window_ms, name, most in _ORDER_LIMITS[market]:
            number, count = self._counts.get((market, window_ms), (-1, 0))
            count = count if number == now_ms // window_ms else 0
            if count >= most:
                left_s = -(-(window_ms - now_ms % window_ms) // 1000)
                text = f"Too many new orders; current limit is {most} orders per {name}."
                return TooMuch(429, -1015, text, left_s)
            self._counts[market, window_ms] = (now_ms // window_ms, count + 1)
        return None
