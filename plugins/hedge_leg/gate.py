"""The two gates that freqtrade asks: may this pair be opened, may its perp be closed now.

Both answer with a verdict and its reason; a refused exit tells the user why. Entry fails closed: whatever
could not be read refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.core.carry import Carry, new_carry_id
from hedge_leg.core.decide import joint_legs
from hedge_leg.core.market import MarketRules, average_px
from hedge_leg.core.plan import Sight
from hedge_leg.core.states import Mode, SpotLeg, State
from hedge_leg.engine import Engine
from hedge_leg.errors import HedgeError, JournalError, VenueUnavailable

_DAY_MS = 24 * 3_600_000
_SERIES_MS = 2 * _DAY_MS  # troubles further apart have nothing to do with each other
BY_HAND = "force_exit"  # freqtrade's reason of an exit that a person asked for: it does not wait
OBSERVED = "observer mode: recorded, not entered"  # the only refusal of what would have been opened


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may be done, and why (not)."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """What freqtrade is about to open: `qty` base units of `pair` at `px`; `symbol` is the spot market."""

    pair: str
    symbol: str
    qty: Decimal
    px: Decimal
    leverage: Decimal
    fixed_cost: Decimal = ZERO


def announce(engine: Engine, plan: EntryPlan, *, observe_only: bool = False) -> Verdict:
    """Let an entry pass, journaled as OPENING, or refuse it with the reason. Never raises HedgeError."""
    with engine.lock:
        try:
            return _announce(engine, plan, observe_only=observe_only)
        except JournalError as error:
            return Verdict(False, f"the journal failed: {error}")
        except HedgeError as error:
            return Verdict(False, str(error))


def _announce(engine: Engine, plan: EntryPlan, *, observe_only: bool) -> Verdict:
    refusal = _unsettled(engine, plan.pair)
    if refusal:
        return Verdict(False, refusal)
    rules = engine.spot.rules(plan.symbol)
    balances = engine.spot.balances()
    free_quote = balances.get(rules.quote, (ZERO, ZERO))[0] - _promised(engine, rules.quote)
    refusal = _untradable(engine, plan, rules, free_quote)
    if refusal:
        return Verdict(False, refusal)
    short = engine.perp.short_qty(plan.pair)
    if short:
        return Verdict(False, f"{plan.pair} has a position of {-short} that nobody journaled: close it first")
    if observe_only:
        return Verdict(False, OBSERVED)
    total = balances.get(rules.base, (ZERO, ZERO))[1]
    dust_qty, dust_cost = remainder(engine, rules.base)
    if dust_qty > total:  # somebody swept it away: it stays in the books, it is not ours to count on
        dust_qty, dust_cost = ZERO, ZERO
    now_ms = engine.clock.now_ms()
    carry_id = new_carry_id(rules.base, plan.pair, now_ms, len(engine.carries))
    announced = ev.Announced(
        *(now_ms, plan.pair, plan.symbol, rules.base, rules.quote, plan.qty, plan.px, plan.leverage),
        base_before=total - dust_qty,
        inherited_qty=dust_qty,
        inherited_cost=dust_cost,
    )
    first: list[ev.Event] = [announced]
    if plan.fixed_cost:
        first.append(ev.CostCharged(now_ms, "fixed", "fixed", plan.fixed_cost))
    engine.record(Carry(carry_id), *first)
    return Verdict(True, carry_id)


def _unsettled(engine: Engine, pair: str) -> str:
    """Return what forbids any entry now: an unsettled past."""
    if engine.broken:
        return f"the journal failed: {engine.broken}"
    if not engine.recovered:
        return "the carries of the last run are not reconciled yet"
    for carry in engine.alive():
        if carry.order is not None or carry.perp_close is not None:
            return f"carry {carry.carry_id} has an order whose fate is not known yet"
        if carry.facts.pair == pair:
            return f"{pair} has carry {carry.carry_id}, which is {carry.state}: {carry.why or 'open'}"
    ended = [one for one in engine.carries.values() if one.announced is not None and one.closed is not None]
    until_ms, why = _cools_until([one for one in ended if one.facts.pair == pair])
    left_ms = until_ms - engine.clock.now_ms()
    return f"{pair} cools down for {left_ms / 1000:.0f} s after: {why}" if left_ms > 0 else ""


def _cools_until(ended: Sequence[Carry]) -> tuple[int, str]:
    """Return until when (ms) a pair is not opened, and why, from its ended carries, oldest first.

    Each trouble costs both legs' fees: the cool-down doubles with every one that follows another within two
    days, up to a day. A carry that left in order ends the series.
    """
    until_ms, why, series, before_ms = 0, "", 0, 0
    for carry in ended:
        end = carry.closed
        assert end is not None
        pause_ms = end.cool_down_until_ms - end.at_ms
        if not carry.perp:  # never opened: free, and says nothing of the pair
            ends_ms = end.cool_down_until_ms
        elif pause_ms <= 0:
            series, ends_ms = 0, 0
        else:
            series = series + 1 if end.at_ms - before_ms <= _SERIES_MS else 1
            before_ms = end.at_ms
            ends_ms = end.at_ms + max(pause_ms, min(pause_ms * 2 ** (series - 1), _DAY_MS))
        if ends_ms > until_ms:
            until_ms, why = ends_ms, carry.why
    return until_ms, why


def _untradable(engine: Engine, plan: EntryPlan, rules: MarketRules, free_quote: Decimal) -> str:
    """Return what the spot market would refuse of this plan."""
    if not rules.active:
        return f"the spot market {plan.symbol} is halted"
    qty = lots_down(plan.qty, rules.lot)
    if not rules.tradable(qty, plan.px):
        return f"{plan.qty} {rules.base} is below what the spot market {plan.symbol} takes"
    book = engine.spot.book(plan.symbol)
    if not book.asks or not book.bids:
        return f"the spot book of {plan.symbol} is empty"
    limit = engine.policy.slippage
    average = average_px(book.asks, plan.qty)
    if average is None or average > book.asks[0][0] * (1 + limit):
        return f"the spot book of {plan.symbol} does not fill {plan.qty} within {limit * 10_000} bps"
    cost = plan.qty * book.asks[0][0] * (1 + rules.fee_rate + engine.policy.retry_slippage)
    payer, need = "the spot account", "the leg needs"
    if engine.shared_pot:  # the perp is sold first, and its margin is gone then
        cost += plan.qty * plan.px * (1 / plan.leverage + rules.fee_rate)
        payer, need = "the account", "both legs need"
    if free_quote < cost:
        return f"{payer} has {free_quote} {rules.quote} free, {need} {cost:.2f}"
    return ""


def _promised(engine: Engine, quote: str) -> Decimal:
    """Return the quote cash that living carries still need to buy what they have announced or sold short."""
    wanted = ZERO
    for carry in engine.alive():
        planned = carry.facts.planned_qty if carry.state is State.OPENING else ZERO
        gap = max(planned, carry.short_qty) - carry.spot_qty
        if carry.facts.quote == quote and gap > 0:
            wanted += gap * carry.facts.reference_px * (1 + engine.policy.retry_slippage)
    return wanted


def request_exit(engine: Engine, pair: str, reason: str) -> Verdict:
    """Sell the spot leg so that freqtrade may close the perp; refuse while spot is not sold.

    A carry that is rolled back leaves perp first: allowed at once. Never raises HedgeError.
    """
    with engine.lock:
        carry = engine.of_pair(pair)
        if carry is None:
            return Verdict(True, "no spot leg is held")
        if engine.broken:
            return Verdict(False, f"the journal failed: {engine.broken}")
        try:
            return _request_exit(engine, carry, reason)
        except HedgeError as error:
            return Verdict(False, str(error))


def _request_exit(engine: Engine, carry: Carry, reason: str) -> Verdict:
    patience_ms = engine.policy.open_timeout_ms
    if carry.order is not None:
        carry = engine.pump(carry.carry_id, patience_ms=patience_ms)
    if carry.order is not None:
        return Verdict(False, f"spot order {carry.order.intent.client_id} has no known outcome yet")
    now_ms = engine.clock.now_ms()
    again_ms = carry.abandoned_ms + engine.policy.exit_pause_ms(carry.undone_exits)
    if carry.abandoned_ms and carry.state is State.ACTIVE and now_ms < again_ms and reason != BY_HAND:
        at = f"{datetime.fromtimestamp(again_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return Verdict(False, f"an exit was given up; the next one begins after {at}; the pair stays hedged")
    if carry.state is State.OPENING:
        carry = engine.record(carry, ev.RollbackStarted(now_ms, f"exit asked while opening: {reason}"))
    elif carry.state is State.ACTIVE:
        carry = engine.record(carry, ev.ExitAsked(now_ms, reason))
    if carry.mode is Mode.EXITING:
        # never as far as the time-out: there the pump would buy back what it has just sold
        left_ms = carry.closing_since_ms + engine.policy.close_timeout_ms - engine.clock.now_ms()
        carry = engine.pump(carry.carry_id, patience_ms=min(patience_ms, left_ms))
    return _exit_verdict(engine, carry)


def _exit_verdict(engine: Engine, carry: Carry) -> Verdict:
    """Say whether the perp may leave, from where the spot leg stands."""
    if engine.broken:
        return Verdict(False, f"the journal failed: {engine.broken}")
    if carry.state is State.HALTED:
        return Verdict(False, f"halted: {carry.why}; see hedge-leg reconcile, or hedge-leg unwind")
    if carry.mode is Mode.ROLLING_BACK:
        return Verdict(True, "the perp leaves first, spot follows")
    if carry.state is State.IDLE:
        return Verdict(True, "both legs are flat")
    if carry.mode is Mode.EXITING and carry.order is None and _sold(engine, carry):
        return Verdict(True, "spot is sold")
    return Verdict(False, f"spot is not sold: {carry.why or 'the order is pending'}; the pair stays hedged")


def _sold(engine: Engine, carry: Carry) -> bool:
    try:
        rules = engine.spot.rules(carry.facts.symbol)
    except VenueUnavailable:
        return False
    sight = Sight(now_ms=engine.clock.now_ms(), rules=rules)
    return joint_legs(carry, sight, engine.policy, Mode.EXITING)[1] is SpotLeg.FLAT


def remainder(engine: Engine, base: str) -> tuple[Decimal, Decimal]:
    """Return (quantity, cost) of what earlier carries left below a lot and no later one took over."""
    qty = cost = ZERO
    for carry in engine.carries.values():
        if carry.announced is not None and carry.facts.base == base:
            qty -= carry.facts.inherited_qty
            cost -= carry.facts.inherited_cost
            if carry.closed is not None:
                qty += carry.closed.dust_qty
                cost += carry.closed.dust_cost
    return max(qty, ZERO), max(cost, ZERO) if qty > 0 else ZERO
