"""What must hold after every step and at the end of a run, against the exchanges' own truth.

Invariants (word for word from RELIABILITY; the numbers stand at the checks):
1. Every ledger entry's postings sum to zero per asset, exactly.
2. The journal versions of a carry are 1..n without a gap.
3. No order leaves without a committed intent that holds its client order id, side, quantity, limit price and attempt.
4. ACTIVE implies |spot quantity - perp quantity| within one lot step (or `rebalance_threshold`, whichever is larger).
5. Replaying a journal, or delivering any event twice or out of order, changes nothing.
6. Change of cash per asset = price P&L + funding - fees - borrow - fixed costs.
7. From every reachable state, once the venue answers, finitely many steps lead to IDLE, ACTIVE or HALTED.
8. Unhedged notional x seconds of a carry is measured from fills, stored with it, and within its configured bound unless HALTED.
2 and 3 are checked by `monitor` at the moment of each append and each order.
"""  # noqa: E501

from collections import defaultdict
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, entry_notional, exposure
from hedge_leg.core.amounts import ZERO, money
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import tolerance
from hedge_leg.core.ledger import Account, Ledger
from hedge_leg.core.position import evolve, replay
from hedge_leg.core.states import Mode, State
from hedge_leg.gate import remainder
from hedge_leg.simulation.monitor import Broken, Monitor
from hedge_leg.simulation.world import World

_EXACT = Decimal("1e-6")  # average costs are rounded to 1e-12 per fill; the exchange's own are not
_LOOP_MS = 5_000  # a bound that is crossed between two loops is acknowledged by the next
_PRICE_MOVE = Decimal("0.05")  # both measures price a gap at the last fill of either leg, not the same one


def after_step(monitor: Monitor) -> None:
    """Check what must hold whenever a loop has ended without trouble."""
    engine = monitor.world.host.engine
    if engine.broken:
        return
    for carry in engine.alive():
        if carry.version != monitor.told[carry.carry_id].version:
            raise Broken(5, f"carry {carry.carry_id} knows {carry.version} events, the journal more")
    for gap in monitor.gaps.values():
        gap.until(monitor.world.clock.now_ms())


def at_end(monitor: Monitor) -> None:
    """Check everything, after faults have stopped and the venues have told the truth for long enough."""
    world, engine = monitor.world, monitor.world.host.engine
    for carry in engine.carries.values():
        _settled(monitor, carry)
        _replayed(world, carry)
        _balanced(carry)
        _bounded(world, carry)
    for pair in monitor.gaps:
        _positions(monitor, pair)
        _measured(monitor, pair)
    _cash(world)
    _orders(monitor)


def _settled(monitor: Monitor, carry: Carry) -> None:
    # 7. From every reachable state, once the venue answers, finitely many steps lead to IDLE, ACTIVE or
    #    HALTED.
    state = carry.state
    monitor.tally.add("end", str(state))
    if state not in (State.IDLE, State.ACTIVE, State.HALTED):
        raise Broken(7, f"carry {carry.carry_id} is still {state} ({carry.why}, misses {carry.misses})")
    if state is State.HALTED:
        if not any(carry.carry_id in text for _at, text in monitor.world.alarms):
            raise Broken(7, f"carry {carry.carry_id} is halted and nobody was told")
        return
    if carry.order is not None or carry.perp_close is not None:
        raise Broken(7, f"carry {carry.carry_id} is {state} with an order of unknown fate")


def _positions(monitor: Monitor, pair: str) -> None:
    """Compare the living carry of a pair, or its absence, with both exchanges."""
    world, gap = monitor.world, monitor.gaps[pair]
    carry, short = world.host.engine.of_pair(pair), world.perp.short_qty(pair)
    gap.until(world.clock.now_ms())
    if carry is None:
        if short and not _strangers(world, pair):
            raise Broken(4, f"{pair} is short {short} and no carry lives")
        return
    if carry.state is not State.ACTIVE:
        return
    # 4. ACTIVE implies |spot quantity - perp quantity| within one lot step (or `rebalance_threshold`).
    if short != carry.short_qty:
        raise Broken(4, f"{pair} is short {short}, carry {carry.carry_id} believes {carry.short_qty}")
    there = world.spot.balances.get(carry.facts.base, ZERO)
    rules = gap.market.rules  # a hand may have sold a remainder, too: less than an order's worth
    swept = max(rules.lot, rules.min_notional / gap.market.spot_px())
    swept = swept if world.spot.by_hand.get(carry.facts.base) else ZERO
    left, _cost = remainder(world.host.engine, carry.facts.base)
    if abs(there - left - carry.spot_qty) > swept + _EXACT:
        raise Broken(4, f"{there} {carry.facts.base} on the account, carry believes {carry.spot_qty}")
    if gap.counts(abs(carry.spot_qty - short)):
        raise Broken(4, f"{pair} is ACTIVE with spot {carry.spot_qty} against short {short}")


def _replayed(world: World, carry: Carry) -> None:
    # 5. Replaying a journal, or delivering any event twice or out of order, changes nothing.
    events = world.journal.rows[carry.carry_id]
    if replay(carry.carry_id, events) != carry:
        raise Broken(5, f"carry {carry.carry_id} differs from its journal")
    facts = [one for one in events if isinstance(one, ev.PerpFilled | ev.SpotAnswered | ev.FundingPaid)]
    again = carry
    for event in reversed(facts[-3:]):
        again = evolve(again, event)
    if (again.short_qty, again.spot_qty, again.funding) != (carry.short_qty, carry.spot_qty, carry.funding):
        raise Broken(5, f"a second delivery changes carry {carry.carry_id}")


def _balanced(carry: Carry) -> None:
    # 1. Every ledger entry's postings sum to zero per asset, exactly.
    ledger = books(carry).ledger
    for entry in ledger.entries:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for posting in entry.postings:
            sums[posting.asset] += posting.amount
        if any(sums.values()):
            raise Broken(1, f"entry {entry.text} of carry {carry.carry_id} leaves {dict(sums)}")
    # 6. Change of cash per asset = price P&L + funding - fees - borrow - fixed costs.
    invested = ledger.balance(Account.SPOT_COST) + ledger.balance(Account.REMAINDER)
    coins = ledger.balance(Account.COIN_VALUE)
    cash = ledger.balance(Account.CASH) + invested + coins
    if cash != ledger.net:
        raise Broken(6, f"carry {carry.carry_id}: cash {cash}, net {ledger.net}")


def _bounded(world: World, carry: Carry) -> None:
    # 8. Unhedged notional x seconds of a carry is measured from fills, stored with it, and within its
    #    configured bound unless HALTED.
    if not carry.perp or carry.halts or carry.announced is None:
        return
    rules = world.spot.markets[carry.facts.symbol].rules
    loose = tolerance(carry, rules, world.policy, Mode.ACTIVE)
    total = exposure(carry, world.clock.now_ms() - _LOOP_MS, loose).total_usd_s
    if total > entry_notional(carry) * world.policy.max_unhedged_s:
        raise Broken(8, f"carry {carry.carry_id} stood unhedged for {total} quote x s and was not halted")


def _measured(monitor: Monitor, pair: str) -> None:
    # 8, first half: every naked moment is in the measured exposure.
    world, gap = monitor.world, monitor.gaps[pair]
    if _strangers(world, pair):
        return
    measured, notional = ZERO, ZERO
    for carry in world.host.engine.carries.values():
        if carry.facts.pair == pair:
            loose = tolerance(carry, gap.market.rules, world.policy, Mode.ACTIVE)
            measured += exposure(carry, world.clock.now_ms(), loose).total_usd_s
            notional = max(notional, entry_notional(carry))
    skew = notional * abs(world.setting.skew_ms) * 2 / 1000
    if gap.total_usd_s > measured * (1 + _PRICE_MOVE) + skew + 1:
        raise Broken(8, f"{pair} was naked for {gap.total_usd_s:.3f} quote x s, measured {measured:.3f}")


def _strangers(world: World, pair: str) -> bool:
    """Return whether human hands have traded the perp in a way that no carry had to take over."""
    known = {key for carry in world.host.engine.carries.values() for key in carry.perp}
    return any(one.hands and one.order_id not in known for one in world.perp.deals.get(pair, ()))


def _cash(world: World) -> None:
    """Compare the change of both accounts with the sum of all ledgers, per asset."""
    booked: dict[str, Decimal] = defaultdict(Decimal)
    strangers = any(_strangers(world, pair) for pair in world.perp.deals)
    for carry in world.host.engine.carries.values():
        ledger: Ledger = books(carry).ledger
        base, quote = carry.facts.base, carry.facts.quote
        booked[base] += ledger.spot_qty + ledger.balance(Account.REMAINDER, base)
        for asset in {posting.asset for entry in ledger.entries for posting in entry.postings} - {base}:
            booked[asset] += ledger.balance(Account.CASH, asset)
        for one in carry.adjusted.values():
            booked[base] -= one.qty
            booked[quote] += money(one.qty * one.px)
    for asset in {*booked, *world.spot.balances}:
        change = world.spot.balances.get(asset, ZERO) - world.opening.get(asset, ZERO)
        change -= world.spot.by_hand.get(asset, ZERO)
        if asset == "USDT":
            if strangers:
                continue
            change += world.perp.wallet - world.opening_wallet
        if abs(change - booked[asset]) > _EXACT:
            raise Broken(6, f"{asset}: the accounts changed by {change}, the books say {booked[asset]}")


def _orders(monitor: Monitor) -> None:
    """Check that nothing is on the venue that was not intended, exactly as it was intended."""
    intents = {key: one for told in monitor.told.values() for key, one in told.intents.items()}
    seen: set[str] = set()
    for order in monitor.world.spot.orders:
        if intents.get(order.client_id) != order.intent:
            raise Broken(3, f"order {order.client_id} is on the venue without its intent")
        if order.client_id in seen:
            raise Broken(3, f"order {order.client_id} is on the venue twice")
        seen.add(order.client_id)
