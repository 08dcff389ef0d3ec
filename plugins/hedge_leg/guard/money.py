"""What the pairs and the accounts are worth, for the daily loss limit and the advice to move margin."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, exact
from hedge_leg.core.carry import Carry
from hedge_leg.core.guard.breakers import GuardRow, Judgement, RowKind
from hedge_leg.core.guard.limits import Wallets, judge_day
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.errors import HedgeError
from hedge_leg.guard.memory import Memory
from hedge_leg.guard.sights import Prices, Worth

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000
_PRICE_AGE_MS = 300_000  # how old a price may be that a pair is valued at


@dataclass(slots=True)
class Money:
    """The worth of one engine's carries. `account`: (equity, free) of freqtrade's wallet, quote.

    `one_pot`: that wallet pays for both legs.
    """

    engine: Engine
    memory: Memory
    prices: dict[str, Prices]
    spot_px: Callable[[str], Decimal | None]
    account: Callable[[], tuple[Decimal, Decimal]]
    quote: str
    one_pot: bool
    worth: Worth = field(default_factory=Worth)

    def judge_day(self) -> Judgement | None:
        """Judge the day; its first look becomes the row that the rest of it is compared with."""
        limits, now_ms, day = self.memory.limits, self.memory.now_ms(), self.memory.breakers.day
        if limits.daily_loss <= 0:
            return None
        total = self._total(now_ms)
        if total is None:
            return judge_day(limits, None, None)
        if day is None or day.at_ms // DAY_MS != now_ms // DAY_MS:
            wallets = self.wallets()
            if wallets is None:
                return judge_day(limits, None, None)
            bound = limits.daily_loss * (wallets.perp_equity + wallets.spot_equity)
            day = GuardRow(now_ms, RowKind.DAY, "day", amount=total, bound=bound)
            self.memory.write(day)
        return judge_day(limits, total - (day.amount or ZERO), day.bound)

    def _total(self, now_ms: int) -> Decimal | None:
        """Return what all carries have earned and would earn at present prices; None if not known."""
        total = ZERO
        for carry in self.engine.carries.values():
            if carry.announced is not None:
                prices = self.prices.get(carry.facts.pair, Prices()).latest(now_ms, _PRICE_AGE_MS)
                worth = self.worth.now(carry, prices)
                if worth is None:
                    return None
                total += worth
        return total

    def wallets(self) -> Wallets | None:
        """Return what both accounts are worth now; None where one cannot be read."""
        try:
            held = self.engine.spot.balances()
            perp_equity, perp_free = self.account()
        except HedgeError as error:
            logger.warning("the guard cannot read the accounts: %s", error)
            return None
        if self.one_pot:
            return Wallets(perp_equity, perp_free, ZERO, ZERO)
        free, worth = held.get(self.quote, (ZERO, ZERO))
        for carry in self.engine.alive():
            px = self.spot_px(carry.facts.symbol)
            if px is None:
                return None
            worth += carry.spot_qty * px
        return Wallets(perp_equity, perp_free, worth, free)

    def held(self) -> list[tuple[str, Decimal]]:
        """Return (coin, notional in quote) of each living carry, planned quantities while it opens."""
        return [(one.facts.base, self._notional(one)) for one in self.engine.alive()]

    def _notional(self, carry: Carry) -> Decimal:
        planned = carry.facts.planned_qty if carry.state is State.OPENING else ZERO
        samples = self.prices.get(carry.facts.pair, Prices()).samples
        px = exact(samples[-1][1]) if samples else carry.facts.reference_px
        return max(carry.short_qty, planned) * px
