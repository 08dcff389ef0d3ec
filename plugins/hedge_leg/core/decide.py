"""What to do next with one carry: a pure function of its facts, what is seen, and the policy.

`decide` returns the events to journal and at most one effect. The engine journals, performs the effect,
journals its outcome, and asks again; so every decision is taken on durable facts, and a crash anywhere in
between is the same as asking again. While an order's fate is unknown nothing else is decided: it is never
resent, and the other leg is not undone.
"""

from decimal import Decimal
from typing import assert_never

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, entry_notional, exposure
from hedge_leg.core.amounts import ZERO, lots_down, nearest_lots
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account
from hedge_leg.core.market import MarketRules, buy_limit, sell_limit
from hedge_leg.core.orders import (
    InFlight,
    OrderIntent,
    Purpose,
    Sent,
    Side,
    Unknown,
    Working,
    client_order_id,
)
from hedge_leg.core.plan import (
    Cancel,
    ClosePerp,
    Decision,
    Look,
    LookPerp,
    Place,
    Policy,
    Prove,
    ProveNoPerp,
    ReadBook,
    Rest,
    Sight,
)
from hedge_leg.core.states import REMEDIES, Mode, PerpLeg, Remedy, SpotLeg, State

_WORKING_GRACES = 12  # grace times that freqtrade may wait for an entry before the exchange is asked


def decide(carry: Carry, sight: Sight, policy: Policy) -> Decision:
    """Return what to do next; an empty decision means that the carry needs nothing."""
    mode = carry.mode
    if carry.order is not None:  # while HALTED, too: what was sent must become known
        return _pursue(carry.order, sight, policy)
    if carry.perp_close is not None:
        return Decision(effect=LookPerp(carry.perp_close.client_id))
    if mode is None:
        return Decision()
    legs = joint_legs(carry, sight, policy, mode)
    return _remedied(REMEDIES[mode, *legs], carry, sight, policy)


def _pursue(order: InFlight, sight: Sight, policy: Policy) -> Decision:
    """Find out what became of an order. Nothing else is done meanwhile."""
    client_id = order.intent.client_id
    match order:
        case Sent():
            why = "no answer was recorded"
            return Decision((ev.SpotOutcomeUnknown(sight.now_ms, client_id, why),))
        case Unknown(absent_ms=absent_ms):
            proven = absent_ms is not None and sight.now_ms - absent_ms >= policy.grace_ms
            return Decision(effect=Prove(order.intent) if proven else Look(order.intent))
        case Working():
            late = sight.now_ms - order.since_ms > policy.order_timeout_ms
            return Decision(effect=Cancel(order.intent) if late else Look(order.intent))
        case _:
            assert_never(order)


def joint_legs(carry: Carry, sight: Sight, policy: Policy, mode: Mode) -> tuple[PerpLeg, SpotLeg]:
    """Return both legs as the joint table names them."""
    short, held, rules = carry.short_qty, carry.spot_qty, sight.rules
    perp = PerpLeg.FLAT if not short else PerpLeg.SHORT if short > 0 else PerpLeg.LONG
    px = reference_px(carry, sight)
    sale_px = px * (1 - policy.retry_slippage)  # a venue values a limit order at its limit
    if not rules.tradable(lots_down(max(held, ZERO), rules.lot), sale_px):
        return perp, SpotLeg.FLAT
    gap = held - short
    if abs(gap) <= tolerance(carry, rules, policy, mode):
        return perp, SpotLeg.EQUAL
    if not rules.tradable(_lots_of(gap, held, rules.lot), sale_px if gap > 0 else px):
        return perp, SpotLeg.EQUAL  # no order could make it smaller
    return perp, SpotLeg.UNDER if gap < 0 else SpotLeg.OVER


def _lots_of(gap: Decimal, held: Decimal, lot: Decimal) -> Decimal:
    """Return the order (base units, >= 0) that brings a gap nearest to zero; never more than is held."""
    return min(nearest_lots(gap, lot), lots_down(held, lot)) if gap > 0 else nearest_lots(-gap, lot)


def tolerance(carry: Carry, rules: MarketRules, policy: Policy, mode: Mode | None) -> Decimal:
    """Return the imbalance (base units) that counts as hedged: a lot, or a share once it is open."""
    share = policy.rebalance_threshold if mode is Mode.ACTIVE else ZERO
    return max(rules.lot, share * carry.short_qty)


def reference_px(carry: Carry, sight: Sight) -> Decimal:
    """Return a price for minimum notionals: the book's middle, else what the perp was opened at."""
    if sight.book is not None and sight.book.bids and sight.book.asks:
        return sight.book.mid_px
    return carry.facts.reference_px


def _remedied(remedy: Remedy, carry: Carry, sight: Sight, policy: Policy) -> Decision:
    match remedy:
        case Remedy.NOTHING:
            return Decision(events=_acknowledged(carry, sight, policy))
        case Remedy.MARK_HEDGED:
            return Decision((ev.Hedged(sight.now_ms), *_acknowledged(carry, sight, policy)))
        case Remedy.BUY:
            return _buy(carry, sight, policy)
        case Remedy.SELL:
            return _sell(carry, sight, policy, carry.spot_qty - max(carry.short_qty, ZERO))
        case Remedy.SELL_ALL:
            return _sell_all(carry, sight, policy)
        case Remedy.AWAIT_PERP:
            return _await_perp(carry, sight, policy)
        case Remedy.PROVE_NO_PERP | Remedy.CLOSE:
            return _close(carry, sight, policy)
        case Remedy.HALT:
            return Decision((ev.Halted(sight.now_ms, f"the perp is long {-carry.short_qty}: nobody's plan"),))
        case _:
            assert_never(remedy)


def _buy(carry: Carry, sight: Sight, policy: Policy) -> Decision:
    """Buy up to the perp; after the attempts, or late, roll the pair back."""
    now, short, held = sight.now_ms, carry.short_qty, carry.spot_qty
    gap, opening = short - held, carry.state is State.OPENING
    late = now - carry.perp_known_ms > policy.open_timeout_ms and carry.misses > 0
    small = held > ZERO and gap <= policy.small_gap * short and not opening
    spent = carry.misses >= policy.attempts or (opening and late)
    over_bound = exceeds_bound(carry, sight, policy) and carry.misses > 0
    if over_bound or (spent and not small):
        return Decision((ev.RollbackStarted(now, f"spot short of {gap} after {carry.misses} attempts"),))
    if carry.misses and now < carry.last_miss_ms + policy.backoff_ms(carry.misses):
        return Decision(effect=Rest(carry.last_miss_ms + policy.backoff_ms(carry.misses)))
    if not sight.rules.active:
        if (opening and not sight.perp_working) or exceeds_bound(carry, sight, policy):
            return Decision((ev.RollbackStarted(now, f"the spot market {sight.rules.symbol} is halted"),))
        return Decision(effect=Rest(now + policy.poll_ms))
    if sight.book is None or not sight.book.asks:
        if sight.blind and exceeds_bound(carry, sight, policy):
            return Decision((ev.RollbackStarted(now, "the spot book could not be read in time"),))
        return Decision(effect=ReadBook())
    rules = sight.rules
    gross = gap / (1 - rules.fee_rate) if rules.fee_in_base else gap
    qty = nearest_lots(gross, rules.lot)
    px = buy_limit(sight.book.asks[0][0], _slippage(carry, policy), rules.tick)
    if not rules.tradable(qty, sight.book.asks[0][0]):
        if sight.perp_working:
            return Decision(effect=Rest(now + policy.poll_ms))
        return Decision((ev.RollbackStarted(now, f"{gap} is below what the spot market takes"),))
    purpose = Purpose.OPEN if opening else Purpose.REBALANCE
    return Decision(effect=_order(carry, rules, policy, Side.BUY, qty, px, purpose))


def _sell_all(carry: Carry, sight: Sight, policy: Policy) -> Decision:
    """Sell the whole spot leg before the perp leaves; give the exit up if that does not work."""
    if carry.misses >= policy.attempts:
        return Decision((ev.ExitAbandoned(sight.now_ms, f"spot was not sold in {carry.misses} attempts"),))
    if not sight.rules.active:
        text = f"the spot market {sight.rules.symbol} is halted"
        return Decision((ev.ExitAbandoned(sight.now_ms, text),))
    if sight.now_ms - carry.closing_since_ms > policy.close_timeout_ms:
        return Decision((ev.ExitAbandoned(sight.now_ms, "spot was not sold in time"),))
    return _sell(carry, sight, policy, carry.spot_qty)


def _sell(carry: Carry, sight: Sight, policy: Policy, excess: Decimal) -> Decision:
    """Sell `excess` base units, wider after each miss; halt when it cannot be done."""
    now, rules = sight.now_ms, sight.rules
    if carry.misses >= policy.most_misses:
        return Decision((ev.Halted(now, f"spot {excess} cannot be sold: {carry.misses} attempts"),))
    if carry.misses and now < carry.last_miss_ms + policy.backoff_ms(carry.misses):
        return Decision(effect=Rest(carry.last_miss_ms + policy.backoff_ms(carry.misses)))
    if not rules.active:
        if exceeds_bound(carry, sight, policy):
            return Decision((ev.Halted(now, f"the spot market {rules.symbol} is halted: {excess} unsold"),))
        return Decision(effect=Rest(now + policy.poll_ms))
    if sight.book is None or not sight.book.bids:
        return Decision(effect=ReadBook())
    qty = _lots_of(excess, carry.spot_qty, rules.lot)
    px = sell_limit(sight.book.bids[0][0], _slippage(carry, policy), rules.tick)
    purpose = Purpose.CLOSE if carry.mode is Mode.EXITING else Purpose.UNWIND
    return Decision(effect=_order(carry, rules, policy, Side.SELL, qty, px, purpose))


def _await_perp(carry: Carry, sight: Sight, policy: Policy) -> Decision:
    """Wait for freqtrade to leave the perp; then help: buy the spot back, or close it ourselves."""
    now, since = sight.now_ms, carry.closing_since_ms
    late = now - since > policy.close_timeout_ms
    if carry.mode is Mode.EXITING:
        if late and not sight.perp_agreed:
            return Decision(effect=Rest())  # it may have left: nothing is bought for a perp that is not seen
        if late:
            return Decision((ev.ExitAbandoned(now, "the perp did not close in time: spot is bought back"),))
        return Decision(effect=Rest(since + policy.close_timeout_ms + 1))
    if carry.misses >= policy.most_misses:
        return Decision((ev.Halted(now, f"the perp cannot be closed: {carry.misses} attempts"),))
    if carry.misses and now < carry.last_miss_ms + policy.backoff_ms(carry.misses):
        return Decision(effect=Rest(carry.last_miss_ms + policy.backoff_ms(carry.misses)))
    if sight.perp_closable and (not sight.host_open or late):
        return Decision(effect=ClosePerp(carry.short_qty, carry.why))
    return Decision(effect=Rest(since + policy.close_timeout_ms + 1 if not late else 0))


def _prove_no_perp(carry: Carry, sight: Sight, policy: Policy) -> Decision:
    """End a carry that was announced and never got a perp order, once that is proven."""
    if sight.perp_absent:
        return Decision((_closed(carry, sight, policy),))
    patience = _WORKING_GRACES if sight.perp_working else 1  # freqtrade may wait for what is not there
    ripe_ms = carry.began_ms + patience * policy.grace_ms
    return Decision(effect=ProveNoPerp() if sight.now_ms >= ripe_ms else Rest(ripe_ms))


def _close(carry: Carry, sight: Sight, policy: Policy) -> Decision:
    """End a carry whose legs are flat, once the exchange's position and orders say so too."""
    if not carry.perp:
        return _prove_no_perp(carry, sight, policy)
    if not sight.perp_absent:
        ripe = sight.now_ms >= carry.perp_known_ms + _WORKING_GRACES * policy.grace_ms
        return Decision(effect=ProveNoPerp() if ripe or not sight.perp_working else Rest())
    told = _acknowledged(carry, sight, policy)
    return Decision((*told, _closed(carry, sight, policy, troubled=bool(told))))


def _closed(carry: Carry, sight: Sight, policy: Policy, *, troubled: bool = False) -> ev.Closed:
    cost = books(carry).ledger.balance(Account.SPOT_COST)
    reason, cool_down_ms = carry.why or "the perp has left", 0
    if not carry.perp:
        reason, cool_down_ms = "no perp order was placed", policy.refused_cool_down_ms
    elif carry.rollbacks or carry.halts or troubled:
        cool_down_ms = policy.cool_down_ms
    until_ms = sight.now_ms + cool_down_ms if cool_down_ms else 0
    return ev.Closed(sight.now_ms, reason, carry.spot_qty, cost, until_ms)


def _acknowledged(carry: Carry, sight: Sight, policy: Policy) -> tuple[ev.Event, ...]:
    """Return a halt and its release where a carry is whole again but stood unhedged beyond its bound."""
    if carry.halts or not exceeds_bound(carry, sight, policy):
        return ()
    text = f"unhedged beyond the bound of {policy.max_unhedged_s} s; both legs are in order again"
    return (
        ev.Halted(sight.now_ms, text),
        ev.Alarmed(sight.now_ms, "unhedged-bound", text),
        ev.Released(sight.now_ms, "both legs are in order"),
    )


def exceeds_bound(carry: Carry, sight: Sight, policy: Policy) -> bool:
    """Return whether the carry has stood unhedged longer than its bound allows."""
    if len(carry.perp) + len(carry.fills) == 0:
        return False
    loose = tolerance(carry, sight.rules, policy, Mode.ACTIVE)
    found = exposure(carry, sight.now_ms, loose)
    return found.total_usd_s > entry_notional(carry) * policy.max_unhedged_s


def _slippage(carry: Carry, policy: Policy) -> Decimal:
    return policy.slippage if not carry.misses else policy.retry_slippage


def _order(
    carry: Carry, rules: MarketRules, policy: Policy, side: Side, qty: Decimal, px: Decimal, purpose: Purpose
) -> Place:
    """Return the next order of a gap, cut to what one order may be; never leaving a crumb behind."""
    cap = rules.max_qty
    if policy.max_slice_notional is not None:
        least = 2 * max(rules.min_qty, rules.min_notional / px) + 2 * rules.lot  # so that a half is tradable
        cap = min(cap, max(policy.max_slice_notional / px, least))
    if qty > cap:
        part = lots_down(cap, rules.lot)
        qty = part if rules.tradable(qty - part, px) else lots_down(qty / 2, rules.lot)
    number = len(carry.sent) + 1
    client_id = client_order_id(carry.carry_id, number)
    return Place(OrderIntent(client_id, rules.symbol, side, qty, px, carry.misses, purpose))
