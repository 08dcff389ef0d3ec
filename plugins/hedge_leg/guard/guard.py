"""The guard of a running bot: it judges at every loop, remembers in its table, and asks freqtrade to act.

It owns no order. Shrinking goes through `adjust_trade_position`, leaving through `should_exit`: the ways
that every resize and exit of both legs takes. What cannot be read blocks entries and rings; nothing is
traded on it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.guard.breakers import (
    ALL,
    Action,
    GuardRow,
    Judgement,
    Limit,
    RowKind,
    breaker_name,
    limit_of,
    scope_of,
)
from hedge_leg.core.guard.limits import (
    GuardLimits,
    PairSight,
    entry_refusal,
    judge_pair,
    judge_rebalancing,
    judge_slippage,
    judge_transfer,
    judge_venue,
)
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.gate import EntryPlan
from hedge_leg.guard import sights
from hedge_leg.guard.memory import Memory
from hedge_leg.guard.money import DAY_MS, Money
from hedge_leg.guard.probes import Health, HeardSpot
from hedge_leg.guard.sights import Prices
from hedge_leg.recorded import SignalRows

logger = logging.getLogger(__name__)

SPOT, PERP = "spot", "perp"
PnlOf = Callable[[SignalRows, int], float]  # of the pair at the last close, net, bps of the entry notional
_BOOKS_MS = 60_000
_TRANSFER_MS = 600_000
_ASK_MS = 30_000  # freqtrade may decline to shrink (its minimum); it is not asked at every loop
_UNSEEN_LOOPS = 3  # so many loops without a word of freqtrade about an open pair: it has no price of it
_NO_PRICE = "freqtrade has no price of the perp"
_SMALL = Decimal("0.002")  # a share of the size that is not worth an order
_OF_A_POSITION = frozenset({Limit.MARGIN_SHRINK, Limit.MARGIN_LEAVE, Limit.FUNDING_FLIP, Limit.REBALANCING})


@dataclass(slots=True)
class Guard:
    """The risk guard of one bot. `cost_bps`: of leaving with both legs.

    `adjusts`: told at every look whether freqtrade has to ask for position adjustment now.
    """

    engine: Engine
    memory: Memory
    money: Money
    spot: HeardSpot
    perp_health: Health
    spot_px: Callable[[str], Decimal | None]
    rows_of: Callable[[str], SignalRows | None]
    leverage: Decimal
    cost_bps: float
    adjusts: Callable[[bool], None]
    _readable: set[str] = field(default_factory=set)  # pairs whose inputs could be read at the last look
    _unseen: dict[str, int] = field(default_factory=dict)  # pair -> loops since freqtrade asked about it
    _asked_ms: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)  # pair -> why the guard itself failed
    _entered: set[str] = field(init=False)
    _next: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the entries of an earlier run as judged."""
        self._entered = {one.carry_id for one in self.engine.carries.values() if one.perp}

    @property
    def limits(self) -> GuardLimits:
        """Return the guard's numbers."""
        return self.memory.limits

    def tick(self) -> None:
        """Judge venues, own orders, rebalancing, the day and the accounts. Never raises HedgeError."""
        memory, limits = self.memory, self.limits
        with self.engine.lock:
            memory.catch_up()
            living = [one for one in self.engine.alive() if one.perp]
            memory.judge(SPOT, judge_venue(limits, self.spot.health.sight(account_due=True)))
            due = any(one.state is not State.OPENING for one in living)
            memory.judge(PERP, judge_venue(limits, self.perp_health.sight(account_due=due)))
            self._judge_unseen(living)
            self._judge_orders(living)
            if self._due("books", _BOOKS_MS):
                self._judge_rebalancing(living)
            self._end_without_position()
            memory.note(self.money.judge_day())
            if not self.money.one_pot and self._due("transfer", _TRANSFER_MS):
                wallets = self.money.wallets()
                if wallets is not None:
                    memory.note(judge_transfer(limits, wallets, self.leverage))
            self._arm()

    def entry_refusal(self, plan: EntryPlan) -> str:
        """Return why a pair must not be opened now, "" if nothing forbids it. Never raises HedgeError."""
        with self.engine.lock:
            self.memory.catch_up()
            if self.memory.error:
                return f"the guard cannot write its table: {self.memory.error}"
            for pair, error in self._failed.items():
                return f"the guard failed on {pair}: {error}"
            rows = self.rows_of(plan.pair)
            age = sights.candle_age(rows, self._now())
            if age is None:
                return "the guard has seen no candle of the pair"
            prices = self._look(plan.pair, plan.symbol, rows, float(plan.px))
            negative_h = self._negative_h(rows)  # where nothing is held, leaving costs nothing
            sight = PairSight(plan.pair, 1.0, 1.0, *prices, age, negative_h, 0.0, 0.0)
            judged = judge_pair(self.limits, sight)
            day = self.money.judge_day()
            self.memory.judge(plan.pair, judged)
            self.memory.note(day)
            unknown = [one for one in [*judged, day] if one is not None and one.breached is None]
            if unknown:
                return f"the guard cannot see: {unknown[0].text}"
            trips = self.memory.breakers.open_in(_scopes(plan.pair))
            if trips:
                return f"breaker {trips[0].row.breaker} is tripped: {trips[0].row.text}"
            coin, notional = plan.symbol.partition("/")[0], plan.qty * plan.px
            return entry_refusal(self.limits, coin, notional, self.money.held())

    def exit_reason(
        self, trade: Any, rows: SignalRows | None, rate: float, now_ms: int, pnl_bps: PnlOf
    ) -> str | None:
        """Judge an open pair, once a loop; return why it must be left now, None to hold it. Never raises."""
        try:
            reason = self._exit_reason(trade, rows, rate, now_ms, pnl_bps)
            self._failed.pop(trade.pair, None)
            return reason
        except Exception as error:  # freqtrade lets what `should_exit` raises through: the loop would end
            logger.exception("pair=%s the guard failed", trade.pair)
            self._readable.discard(trade.pair)
            if trade.pair not in self._failed:
                text = f"{trade.pair}: the guard failed, no new entries until it works: {error}"
                self.engine.notify(text)
            self._failed[trade.pair] = str(error)
            return None

    def _exit_reason(
        self, trade: Any, rows: SignalRows | None, rate: float, now_ms: int, pnl_bps: PnlOf
    ) -> str | None:
        with self.engine.lock:
            pair, carry = trade.pair, self.engine.of_pair(trade.pair)
            self._unseen[pair] = 0
            if carry is None:
                return None
            prices = self._look(pair, carry.facts.symbol, rows, rate)
            if carry.state not in (State.ACTIVE, State.HALTED):
                return None
            negative_h = self._negative_h(rows)
            age = sights.candle_age(rows, self._now())
            flips = 0 < self.limits.funding_flip_h <= negative_h
            pnl = pnl_bps(rows, now_ms) if rows is not None and flips else float("nan")
            costs = (negative_h, pnl, self.cost_bps)
            sight = PairSight(pair, *sights.margin_sight(trade, rate), *prices, age, *costs)
            judged = judge_pair(self.limits, sight)
            if prices[1] is not None and self.money.prices[pair].doubted:
                judged = sights.in_doubt(judged)
            if carry.state is State.HALTED:  # it rings, and nothing is asked for
                told = "; the carry is halted, the bot does nothing about it"
                self.memory.judge(pair, [replace(one, text=one.text + told) for one in judged])
                return None
            self.memory.judge(pair, judged)
            self._see(pair, judged, known=age is not None)
            self._arm()
            for trip in self.memory.breakers.open_in(_scopes(pair), Action.LEAVE):
                # a margin that is seen to be short does not wait for anything else
                if pair in self._readable or trip.row.breaker == breaker_name(Limit.MARGIN_LEAVE, pair):
                    return f"guard_{limit_of(trip.row.breaker)}"
            return None

    def _negative_h(self, rows: SignalRows | None) -> float:
        return float("nan") if rows is None else float(rows.negative_funding_h[rows.last_closed(self._now())])

    def _see(self, pair: str, judged: Sequence[Judgement], *, known: bool) -> None:
        """Remember whether everything that a trade of this pair relies on could be read just now."""
        blind = any(one.breached is None for one in judged if one.limit is not Limit.FUNDING_FLIP)
        stale = any(one.limit is Limit.STALE_DATA and one.breached for one in judged)
        failing = self.engine.broken or not (self.spot.health.answers and self.perp_health.answers)
        self._readable.discard(pair)
        if known and not (blind or stale or failing):
            self._readable.add(pair)

    def size_limit(self, pair: str, held: float) -> float:
        """Return the most base units that a pair may have: inf, `held` (no growth), or less (shrink)."""
        with self.engine.lock:
            target = self._shrink_to(pair)
            if target is not None:
                return float(target)
            blocked = self.memory.error or self.memory.breakers.open_in(_scopes(pair))
            return held if blocked else float("inf")

    def _shrink_to(self, pair: str) -> Decimal | None:
        breakers, now_ms, carry = self.memory.breakers, self._now(), self.engine.of_pair(pair)
        if carry is None or carry.state is not State.ACTIVE or pair not in self._readable:
            return None
        for trip in breakers.open_in(_scopes(pair), Action.SHRINK):
            name = trip.row.breaker
            if trip.action is Action.SHRINK and (name, carry.carry_id) not in breakers.targets:
                wanted = carry.short_qty * self.limits.shrink_to
                row = GuardRow(now_ms, RowKind.SHRUNK, name, carry_id=carry.carry_id, amount=wanted)
                self.memory.write(row)
        target = breakers.target(_scopes(pair), carry.carry_id)
        if target is None or carry.short_qty <= target * (1 + _SMALL):
            return None
        if now_ms - self._asked_ms.get(carry.carry_id, 0) < _ASK_MS:
            return None
        self._asked_ms[carry.carry_id] = now_ms
        return target

    def _look(
        self, pair: str, symbol: str, rows: SignalRows | None, rate: float
    ) -> tuple[float | None, float | None]:
        """Note both prices; return (largest move in the window, basis), None where they are not known."""
        spot, now_ms, prices = self.spot_px(symbol), self._now(), self.money.prices.setdefault(pair, Prices())
        if spot is None or spot <= 0 or not rate > 0:
            return None, None
        since_ms = now_ms - self.limits.price_jump_window_ms
        prices.note(now_ms, rate, float(spot), since_ms)
        since_ms = self.memory.breakers.since_ms(breaker_name(Limit.PRICE_JUMP, pair), since_ms)
        return prices.largest_move(since_ms, rows), rate / float(spot) - 1

    def _judge_unseen(self, living: Sequence[Carry]) -> None:
        """Take a pair as unknown that freqtrade does not ask about: it could not read the perp's price."""
        for carry in living:
            pair = carry.facts.pair
            self._unseen[pair] = self._unseen.get(pair, 0) + 1
            if carry.state is State.ACTIVE and self._unseen[pair] > _UNSEEN_LOOPS:
                self._readable.discard(pair)
                self.memory.judge(pair, [Judgement(Limit.MARGIN_LEAVE, pair, None, Action.LEAVE, _NO_PRICE)])

    def _arm(self) -> None:
        """Let freqtrade ask for position adjustment while a breaker that shrinks or leaves is tripped."""
        self.adjusts(self.memory.breakers.act)

    def _judge_orders(self, living: Sequence[Carry]) -> None:
        """Judge how far own orders slipped: those on spot since the last loop, and perp entries."""
        tripped = [name for name in self.memory.breakers.trips if limit_of(name) == Limit.SLIPPAGE]
        slipped = {scope_of(name): [ZERO] for name in tripped}  # none that slipped: the breaker can end
        for symbol, paid in self.spot.slipped():
            carries = [one for one in self.engine.carries.values() if one.announced]
            pair = next((one.facts.pair for one in reversed(carries) if one.facts.symbol == symbol), symbol)
            slipped.setdefault(pair, []).append(paid)
        for carry in living:
            entry = sights.entry_slippage(carry) if carry.carry_id not in self._entered else None
            if entry is not None:
                self._entered.add(carry.carry_id)
                slipped.setdefault(carry.facts.pair, []).append(entry)
        for pair, paid_all in slipped.items():
            self.memory.note(judge_slippage(self.limits, pair, paid_all))

    def _judge_rebalancing(self, living: Sequence[Carry]) -> None:
        for carry in living:
            pair = carry.facts.pair
            name = breaker_name(Limit.REBALANCING, pair)
            since_ms = self.memory.breakers.since_ms(name, self._now() - DAY_MS)
            sight = sights.rebalancing_sight(carry, self.money.worth.kept(carry).ledger, since_ms)
            self.memory.note(judge_rebalancing(self.limits, pair, *sight))

    def _end_without_position(self) -> None:
        """Let breakers end that judge a position, where there is none any more."""
        held = {one.facts.pair for one in self.engine.alive()}
        for name in list(self.memory.breakers.trips):
            limit, scope = limit_of(name), scope_of(name)
            if limit in _OF_A_POSITION and scope not in held:
                self.memory.note(Judgement(Limit(limit), scope, False, Action.BLOCK))

    def _due(self, what: str, interval_ms: int) -> bool:
        now_ms = self._now()
        if now_ms < self._next.get(what, 0):
            return False
        self._next[what] = now_ms + interval_ms
        return True

    def _now(self) -> int:
        return self.memory.now_ms()


def _scopes(pair: str) -> tuple[str, ...]:
    return (pair, SPOT, PERP, ALL)
