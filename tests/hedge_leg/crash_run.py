"""One run of the crash matrix: tapped ports, freqtrade as a process that may be killed, loops until rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hedge_leg.core.decide import joint_legs
from hedge_leg.core.plan import Sight
from hedge_leg.core.states import Mode, State
from hedge_leg.errors import JournalError
from hedge_leg.gate import request_exit
from tests.hedge_leg.desk import Desk, Trade, as_told
from tests.hedge_leg.fakes import PAIR, RULES, Answer
from tests.hedge_leg.tap import Cut, FreqtradeToldNo, Killed, Tap, Tapped

MOST_LOOPS = 160
LEAST_LOOPS = 14  # a minute and more: every interval of the watch comes up
MUTE_LOOPS = 4
READS = frozenset({"find", "cancel", "book", "balances", "open_client_ids", "trades_since"})


class Then(StrEnum):
    """What follows, for the next orders or for a while."""

    NOTHING = "nothing"
    REFUSED = "refused"
    PARTLY = "partial, then refused"
    EXISTS = "unknown, exists"
    ABSENT = "unknown, does not exist"
    LATE = "appears late"
    HIDDEN = "not found, then found"
    READS_FAIL = "reads fail"
    DOWN = "venues down for 30 s"
    LONG_DOWN = "venues down for 5 min"
    JOURNAL = "journal fails twice"


class Scenario(StrEnum):
    """What freqtrade does."""

    OPEN = "open"
    PARTIAL_OPEN = "partial open"
    ROLLBACK = "open that is rolled back"
    GROW = "resize up"
    SHRINK = "resize down"
    CLOSE = "close"
    CLOSE_ASKED_AGAIN = "close, asked until it works"
    LIQUIDATION = "liquidation"
    SLICED_OPEN = "open in slices, fee in base"
    SLICED_CLOSE = "close in slices, fee in base"


@dataclass(frozen=True)
class Case:
    """One cell of the matrix; `cuts` by the number of the call."""

    scenario: Scenario
    cuts: tuple[tuple[int, Cut], ...] = ()
    then: Then = Then.NOTHING


_SCRIPTS: dict[Then, tuple[Answer, ...]] = {
    Then.REFUSED: (Answer.REFUSE,),
    Then.PARTLY: (Answer.PART, Answer.REFUSE),
    Then.EXISTS: (Answer.LOST,),
    Then.ABSENT: (Answer.NEVER,),
    Then.LATE: (Answer.LATE,),
    Then.HIDDEN: (Answer.HIDDEN,),
}


@dataclass
class Run:
    """One case being run: a desk whose ports are tapped, and freqtrade as a process that may be killed."""

    case: Case
    desk: Desk = field(init=False)
    tap: Tap = field(init=False)
    seen: set[tuple[Any, ...]] = field(default_factory=set)
    over_hedged: list[str] = field(default_factory=list)
    muted_loops: int = 0

    def __post_init__(self) -> None:
        """Build the desk; nothing is tapped yet."""
        self.tap = Tap(dict(self.case.cuts), self._trouble, look=self._look)
        self.desk = Desk(
            wrap=lambda journal, spot, perp: (
                Tapped(self.tap, "journal", journal),
                Tapped(self.tap, "spot", spot),
                Tapped(self.tap, "perp", perp),
            )
        )
        self.desk.spot.on_fill = self._filled

    def _look(self) -> None:
        """Remember what the newest carry looks like at this call."""
        if not self.desk.engine.carries:
            return
        carry, desk = self.desk.carry, self.desk
        sight = Sight(desk.clock.now_ms(), RULES)
        legs = joint_legs(carry, sight, desk.policy, carry.mode or Mode.ACTIVE)
        phase = type(carry.order).__name__ if carry.order is not None else "none"
        closing = "perp close" if carry.perp_close is not None else ""
        self.seen.add((carry.state.value, carry.mode, *legs, phase, closing))

    def _filled(self, side: Any) -> None:
        """Note a purchase beyond the perp that stands on the exchange."""
        held, short = self.desk.held(), self.desk.perp.short
        if held < 0 or (side == "buy" and held > short + RULES.lot):
            self.over_hedged.append(f"{side} to {held} spot against a short of {short}")

    def _trouble(self) -> None:
        desk, then = self.desk, self.case.then
        now_ms = desk.clock.now_ms()
        if then in _SCRIPTS:
            desk.spot.script = type(desk.spot.script)(_SCRIPTS[then])
            desk.perp.script = type(desk.perp.script)(_SCRIPTS[then][-1:])
        match then:
            case Then.READS_FAIL:
                desk.spot.mute, desk.perp.mute, self.muted_loops = set(READS), True, MUTE_LOOPS
            case Then.DOWN | Then.LONG_DOWN:
                down_ms = now_ms + (30_000 if then is Then.DOWN else 300_000)
                desk.spot.down_until_ms = desk.perp.down_until_ms = down_ms
            case Then.JOURNAL:
                desk.journal.failing = 2
            case _:
                pass

    # freqtrade

    def process(self, step: Callable[[], object]) -> None:
        """Let the process do a step; if it is killed, start it again ten seconds later."""
        try:
            step()
        except Killed:
            self.desk.clock.sleep(10)
            self.desk.restart()
        except (JournalError, FreqtradeToldNo):
            pass  # freqtrade swallows the first, and believes the second

    def order(self, qty: Decimal, *, working: bool = False) -> None:
        """Send a perp order of freqtrade's; its database knows of it only when the answer came."""
        desk = self.desk
        if desk.clock.now_ms() < desk.perp.down_until_ms:
            raise FreqtradeToldNo
        order = self.tap.call("freqtrade.order", lambda: desk.perp.trade(qty))
        if qty < 0 and (not desk.trades or not desk.trades[-1].open):
            desk.trades.append(Trade(len(desk.trades) + 1, working=working))
        desk.order_filled(order.order_id)

    def leave(self) -> None:
        """Ask the exit gate and close the perp if it allows."""
        desk = self.desk
        allowed = request_exit(desk.engine, PAIR, "signal").allowed
        if allowed and desk.perp.short > 0 and desk.trades and desk.trades[-1].open:
            self.order(desk.perp.short)

    def loop(self) -> None:
        """Turn freqtrade's loop once: its orders first, then the watch, then exits that are half done."""
        desk = self.desk
        if self.muted_loops:
            self.muted_loops -= 1
            if not self.muted_loops:
                desk.spot.mute, desk.perp.mute = set(), False
        if desk.trades and desk.clock.now_ms() >= desk.perp.down_until_ms:
            trade = desk.trades[-1]
            told = {order.order_id: as_told(order) for order in desk.perp.orders}
            trade.orders = {key: told[key] for key in trade.orders}
            trade.working = any(order.open for order in desk.perp.orders if order.order_id in trade.orders)
        desk.tick()
        carry = desk.engine.of_pair(PAIR)
        if carry is not None and carry.state is State.CLOSING and carry.short_qty > 0:
            self.leave()

    def rests(self) -> bool:
        """Return whether nothing is under way, in the engine and on the exchange."""
        desk = self.desk
        if desk.engine.broken or self.muted_loops or desk.clock.now_ms() < desk.spot.down_until_ms:
            return False
        living = desk.engine.alive()
        if any(carry.state is State.HALTED for carry in living):
            return True
        if any(one.order or one.perp_close or one.state is not State.ACTIVE for one in living):
            return False
        return desk.hedged() if living else desk.flat()

    def go(self, prepare: "Step", acts: "Sequence[Step]") -> "Run":
        """Run the case until it is at rest, at most `MOST_LOOPS` loops."""
        prepare(self)
        self.tap.armed = True
        for act in acts:
            self.process(lambda act=act: act(self))  # type: ignore[misc]
        for loops in range(MOST_LOOPS):
            if loops >= LEAST_LOOPS and self.rests():
                break
            self.process(self.loop)
            if self.case.scenario is Scenario.CLOSE_ASKED_AGAIN and self.desk.engine.alive():
                self.process(self.leave)
        self.tap.armed = False
        return self


Step = Callable[[Run], None]
