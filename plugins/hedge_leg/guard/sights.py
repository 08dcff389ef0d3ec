"""What the guard sees, gathered from the engine's carries and from what the host tells in passing."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isfinite, nan
from typing import Any

from hedge_leg.core.accounts import books, entry_notional
from hedge_leg.core.amounts import ZERO, exact
from hedge_leg.core.books import PairBooks
from hedge_leg.core.carry import Carry
from hedge_leg.core.guard.breakers import Judgement, Limit
from hedge_leg.core.ledger import Ledger
from hedge_leg.core.rebalancing import earned_since, rebalancing_cost
from hedge_leg.recorded import SignalRows
from hedge_leg.trade_view import liquidation_distance

_BY_PRICE = frozenset({Limit.MARGIN_SHRINK, Limit.MARGIN_LEAVE, Limit.PRICE_JUMP, Limit.BASIS})
_APART = 0.03  # of spot: a perp price further away may be one bad quote
_HORIZON = 2_000  # samples of one pair; a loop gives one


def _apart(sample: tuple[int, float, float]) -> bool:
    return abs(sample[1] / sample[2] - 1) > _APART


@dataclass(slots=True)
class Prices:
    """The latest prices of both legs of a pair: (ms, perp, spot), at most one sample a loop.

    A perp price far from spot's may be one bad quote: it is believed when the next look shows one, too.
    """

    samples: list[tuple[int, float, float]] = field(default_factory=list)

    def note(self, at_ms: int, perp_px: float, spot_px: float, since_ms: int) -> None:
        """Remember a sample; forget what is older than `since_ms`."""
        first = bisect_left(self.samples, (since_ms, float("-inf"), float("-inf")))
        self.samples = [*self.samples[first:], (at_ms, perp_px, spot_px)][-_HORIZON:]

    def latest(self, now_ms: int, most_age_ms: int) -> tuple[float, float] | None:
        """Return the newest (perp, spot) if it is not too old and not in doubt."""
        if not self.samples or self.doubted or now_ms - self.samples[-1][0] > most_age_ms:
            return None
        return self.samples[-1][1:]

    @property
    def doubted(self) -> bool:
        """Return whether the newest sample's legs are far apart and those before were not."""
        return [_apart(one) for one in self.samples[-2:]] in ([True], [False, True])

    def largest_move(self, since_ms: int, rows: SignalRows | None) -> float | None:
        """Return the largest move of either leg from any price since then to now, as a fraction of it.

        Not from a perp price that was far from spot's. Closes of candles that ended since then count too: a
        restart must not forget a jump.
        """
        if not self.samples:
            return None
        _at_ms, perp_now, spot_now = self.samples[-1]
        earlier = [
            (nan if _apart(one) else one[1], one[2]) for one in self.samples[:-1] if one[0] >= since_ms
        ]
        if rows is not None:
            first = int(rows.at_ms.searchsorted(since_ms - rows.step_ms))
            closes = zip(rows.perp_close[first:], rows.spot_close[first:], strict=True)
            earlier += [(float(perp), float(spot)) for perp, spot in closes]
        moves = [
            now / then - 1
            for pair in earlier
            for now, then in zip((perp_now, spot_now), pair, strict=True)
            if then > 0 and isfinite(then) and isfinite(now)
        ]
        return max(moves, key=abs, default=0.0)


def in_doubt(judged: Sequence[Judgement]) -> list[Judgement]:
    """Return judgements with what a doubted price has broken as unknown."""
    return [replace(one, breached=None) if one.limit in _BY_PRICE and one.breached else one for one in judged]


def margin_sight(trade: Any, rate: float) -> tuple[float | None, float | None]:
    """Return the distance to liquidation now and at the entry; None while no liquidation price is known."""
    if not trade.liquidation_price or not rate > 0:
        return None, None
    return liquidation_distance(trade, rate), liquidation_distance(trade, trade.open_rate)


def candle_age(rows: SignalRows | None, now_ms: int) -> float | None:
    """Return the time since the last closed candle ended, in candles; None without any."""
    if rows is None or not len(rows.at_ms):
        return None
    return (now_ms - int(rows.at_ms[-1]) - rows.step_ms) / rows.step_ms


@dataclass(slots=True)
class Worth:
    """What carries have earned and are worth; each version of a carry is reckoned once."""

    _open: dict[str, tuple[int, PairBooks]] = field(default_factory=dict)
    _closed: dict[str, tuple[int, Decimal]] = field(default_factory=dict)

    def kept(self, carry: Carry) -> PairBooks:
        """Return a carry's books."""
        version, found = self._open.get(carry.carry_id, (-1, None))
        if found is None or version != carry.version:
            found = books(carry)
            self._open[carry.carry_id] = (carry.version, found)
        return found

    def now(self, carry: Carry, prices: tuple[float, float] | None) -> Decimal | None:
        """Return realized and unrealized result; None where an open carry's prices are not known."""
        if carry.closed is not None:
            version, net = self._closed.get(carry.carry_id, (-1, ZERO))
            if version != carry.version:
                self._open.pop(carry.carry_id, None)
                net = books(carry).ledger.net
                self._closed[carry.carry_id] = (carry.version, net)
            return net
        ledger = self.kept(carry).ledger
        if not carry.short_qty and not carry.spot_qty:
            return ledger.net
        if prices is None or not all(isfinite(px) and px > 0 for px in prices):
            return None
        return ledger.net + self.kept(carry).unrealized(exact(prices[0]), exact(prices[1]))


def rebalancing_sight(carry: Carry, ledger: Ledger, since_ms: int) -> tuple[Decimal, Decimal, Decimal]:
    """Return (cost of rebalancing, what was earned beside it, entry notional) since a time, quote."""
    return rebalancing_cost(carry, since_ms), earned_since(ledger, since_ms), entry_notional(carry)


def entry_slippage(carry: Carry) -> Decimal | None:
    """Return how far the perp's entry slipped from what freqtrade asked for; None before there is one."""
    first = min(
        (one for one in carry.perp.values() if one.qty < 0), key=lambda one: one.filled_ms, default=None
    )
    if first is None or not carry.facts.reference_px:
        return None
    return 1 - first.value / abs(first.qty) / carry.facts.reference_px
