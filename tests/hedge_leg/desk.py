"""One engine over fake venues, and freqtrade as far as the engine sees it: trades, callbacks, loops.

The trades in `trades` survive a restart, as freqtrade's database does; engine and watch do not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedge_leg.core.carry import Carry
from hedge_leg.core.plan import Policy
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.gate import EntryPlan, Verdict, announce, request_exit
from hedge_leg.ports import Journal, PerpOrder, PerpVenue, SpotVenue
from hedge_leg.watch import HostOrder, HostTrade, Watch, host_fills
from tests.hedge_leg.fake_perp import FakePerp
from tests.hedge_leg.fakes import PAIR, SYMBOL, FakeClock, FakeJournal, FakeSpot

ONE = Decimal(1)
LOOP_MS = 5_000


@dataclass
class Trade:
    """A row of freqtrade's database."""

    trade_id: int
    open: bool = True
    working: bool = False
    orders: dict[str, HostOrder] = field(default_factory=dict)

    def seen(self) -> HostTrade:
        """Return it as the watch is told of it."""
        return HostTrade(self.trade_id, self.open, self.working, tuple(self.orders.values()))


@dataclass
class Desk:
    """Everything of one pair. `wrap` stands between engine and outside, for faults."""

    policy: Policy = field(default_factory=Policy)
    clock: FakeClock = field(default_factory=FakeClock)
    journal: FakeJournal = field(default_factory=FakeJournal)
    bells: list[str] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    wrap: Callable[[Journal, SpotVenue, PerpVenue], tuple[Journal, SpotVenue, PerpVenue]] | None = None
    perp_closable: bool = True

    def __post_init__(self) -> None:
        """Open the venues and start."""
        self.spot, self.perp = FakeSpot(self.clock), FakePerp(self.clock)
        self.restart()
        self.engine.recovered = True

    def restart(self) -> None:
        """Start a new process on the same journal and database."""
        outside: tuple[Journal, SpotVenue, PerpVenue] = (self.journal, self.spot, self.perp)
        if self.wrap is not None:
            outside = self.wrap(*outside)
        self.engine = Engine(
            *outside, self.clock, self.policy, self.bells.append, perp_closable=self.perp_closable
        )
        self.watch = Watch(self.engine)
        self.engine.load()

    @property
    def carry(self) -> Carry:
        """Return the newest carry."""
        return list(self.engine.carries.values())[-1]

    def announce(self, qty: Decimal = ONE) -> Verdict:
        """Ask the entry gate."""
        return announce(self.engine, EntryPlan(PAIR, SYMBOL, qty, Decimal("100.5"), Decimal(2)))

    def enter(self, qty: Decimal = ONE, *, working: bool = False) -> Carry:
        """Open: gate, perp order, its fill."""
        verdict = self.announce(qty)
        assert verdict.allowed, verdict.reason
        self.trades.append(Trade(len(self.trades) + 1, working=working))
        return self.sell(qty)

    def enter_without_patience(self) -> Carry:
        """Open, and come back as soon as the first order has met its answer."""
        policy = self.policy
        self.policy = replace(policy, open_timeout_ms=0)
        carry = self.enter()
        self.policy = policy
        return carry

    def sell(self, qty: Decimal) -> Carry:
        """Let freqtrade's own perp order fill and freqtrade tell of it."""
        return self.order_filled(self.perp.trade(-qty).order_id)

    def order_filled(self, order_id: str) -> Carry:
        """Let freqtrade learn of an order of the exchange, and call back."""
        order = next(one for one in self.perp.orders if one.order_id == order_id)
        trade = self.trades[-1]
        trade.orders[order_id] = as_told(order)
        trade.open = sum((one.qty for one in trade.orders.values()), Decimal(0)) != 0
        carry = self.engine.of_pair(PAIR)
        if carry is None or self.engine.broken:
            return self.carry
        carry = host_fills(self.engine, carry, trade.seen())
        self.watch.note_host(PAIR, trade.seen())
        return self.engine.pump(carry.carry_id, patience_ms=self.policy.open_timeout_ms)

    def leave(self, reason: str = "signal") -> Verdict:
        """Ask the exit gate and, if it allows, let freqtrade close the perp."""
        verdict = request_exit(self.engine, PAIR, reason)
        if verdict.allowed and self.perp.short > 0:
            self.order_filled(self.perp.trade(self.perp.short).order_id)
        return verdict

    def loop(self, times: int = 1, step_ms: int = LOOP_MS) -> Carry:
        """Let freqtrade loop; the carry as it is then."""
        for _ in range(times):
            self.tick(step_ms)
        return self.carry

    def tick(self, step_ms: int = LOOP_MS) -> None:
        """Let freqtrade loop once."""
        self.clock.sleep(step_ms / 1000)
        self.watch.tick({PAIR: self.trades[-1].seen()} if self.trades else {})

    def flat(self) -> bool:
        """Return whether the account holds no perp and no spot that could be sold."""
        return not self.perp.short and self.held() < self.spot.market.lot

    def held(self) -> Decimal:
        """Return the coins on the account."""
        return self.spot.cash.get("BTC", Decimal(0))

    def hedged(self) -> bool:
        """Return whether the account's legs are equal within a lot."""
        return self.perp.short > 0 and abs(self.perp.short - self.held()) <= self.spot.market.lot


def as_told(order: PerpOrder) -> HostOrder:
    """Return an order of the exchange as freqtrade tells it."""
    px = order.value / abs(order.qty)
    return HostOrder(order.order_id, order.qty, px, order.fee, order.filled_ms)


def active(desk: Desk, qty: Decimal = ONE) -> Carry:
    """Open a pair on a desk."""
    carry = desk.enter(qty)
    assert carry.state is State.ACTIVE, carry.why
    return carry
