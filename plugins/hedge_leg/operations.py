"""What an operator may order while the bot is stopped: bring carries in order, accept a hand's work, unwind.

Each order is journaled like everything else and carried out by the same engine; nothing is decided here that
the joint table does not decide. The caller holds the journal's lease, so no bot drives it meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.core.carry import Carry
from hedge_leg.core.market import Book, average_px
from hedge_leg.core.reconcile import Finding, Kind, Snapshot, findings
from hedge_leg.core.states import State
from hedge_leg.engine import Engine, HostPair
from hedge_leg.errors import ConfigError, VenueUnavailable
from hedge_leg.watch import Watch

_ROUNDS = 12  # of looking and acting; each waits for the grace time at the most
_PATIENCE_MS = 30_000


@dataclass(frozen=True, slots=True)
class UnwindPlan:
    """What an unwind would do: base units and expected average prices (quote per base) of both legs.

    A price is None where its book does not hold all of it. `spread_cost`: what the expected prices lose
    against the middle of the books; `fees`: of both legs, both in quote.
    """

    carry_id: str
    pair: str
    symbol: str
    perp_qty: Decimal
    spot_qty: Decimal
    perp_px: Decimal | None
    spot_px: Decimal | None
    spread_cost: Decimal
    fees: Decimal


def look(engine: Engine, pairs: Iterable[str]) -> list[Finding]:
    """Return every difference between the journal and both venues; VenueUnavailable when one cannot be read.

    `pairs`: perp pairs to look at besides those of living carries, for positions that nobody journaled.
    """
    living = engine.alive()
    wanted = sorted({carry.facts.pair for carry in living} | set(pairs))
    balances = {asset: amounts[1] for asset, amounts in engine.spot.balances().items()}
    shorts = {pair: engine.perp.short_qty(pair) for pair in wanted}
    lots = {carry.facts.pair: engine.spot.rules(carry.facts.symbol).lot for carry in living}
    return findings(living, Snapshot(balances, shorts), lots)


def apply_findings(engine: Engine, watch: Watch, found: Sequence[Finding]) -> None:
    """Do what `reconcile` showed, nothing else: accept, release, then let every carry come to rest.

    Spot is accepted as missing only where a second look, after the grace time, tells the same.
    """
    if any(finding.kind is Kind.SPOT_MISSING for finding in found):
        engine.clock.sleep(engine.policy.grace_ms / 1000)
        again = [one for one in look(engine, ()) if one.kind is Kind.SPOT_MISSING]
        for finding in found:
            carry = engine.carries.get(finding.carry_id)
            if carry is not None and finding in again:
                accept_spot(engine, carry)
    for finding in found:
        carry = engine.carries.get(finding.carry_id)
        if finding.kind is Kind.HALTED and carry is not None and carry.state is State.HALTED:
            engine.record(carry, ev.Released(engine.clock.now_ms(), "operator: reconcile --apply"))
    for _ in range(_ROUNDS):
        watch.tick_alone()
        if not _busy(engine.alive(), {one.carry_id: one.kind for one in look(engine, ())}):
            return
        engine.clock.sleep(engine.policy.grace_ms / 1000)


def _busy(living: Iterable[Carry], found: Mapping[str, Kind]) -> bool:
    pending = any(one.order is not None or one.perp_close is not None for one in living)
    return pending or any(kind is not Kind.HALTED for kind in found.values())


def accept_spot(engine: Engine, carry: Carry) -> None:
    """Take the account's coins over as what the carry holds, at the book's present price."""
    base = carry.facts.base
    there = engine.spot.balances().get(base, (ZERO, ZERO))[1]
    held = sum((one.spot_qty for one in engine.alive() if one.facts.base == base), ZERO)
    if there >= held:
        return
    now_ms, px = engine.clock.now_ms(), engine.spot.book(carry.facts.symbol).mid_px
    change = max(there - held, -carry.spot_qty)
    text = "operator accepted the account's quantity"
    engine.record(carry, ev.InventoryAdjusted(now_ms, f"operator-{now_ms}", change, px, text))


def plan_unwind(engine: Engine, carry_id: str, perp_book: Book, perp_fee_rate: Decimal) -> UnwindPlan:
    """Return what an unwind of a carry would trade. ConfigError for a carry that does not live."""
    carry = living(engine, carry_id)
    facts, rules = carry.facts, engine.spot.rules(carry.facts.symbol)
    short, held = max(carry.short_qty, ZERO), lots_down(max(carry.spot_qty, ZERO), rules.lot)
    spot_book = engine.spot.book(facts.symbol)
    perp_px = average_px(perp_book.asks, short) if short else None
    spot_px = average_px(spot_book.bids, held) if held else None
    spread = fees = ZERO
    if perp_px is not None:
        spread += (perp_px - perp_book.mid_px) * short
        fees += perp_px * short * perp_fee_rate
    if spot_px is not None:
        spread += (spot_book.mid_px - spot_px) * held
        fees += spot_px * held * rules.fee_rate
    return UnwindPlan(carry_id, facts.pair, facts.symbol, short, held, perp_px, spot_px, spread, fees)


def unwind(engine: Engine, carry_id: str) -> Carry:
    """Close the perp reduce-only and sell the spot; return the carry as it is then (IDLE when it worked)."""
    carry = living(engine, carry_id)
    now_ms = engine.clock.now_ms()
    if carry.order is not None:
        carry = engine.pump(carry_id, patience_ms=_PATIENCE_MS)
    if carry.order is not None:
        raise VenueUnavailable(
            f"carry {carry_id} has an order whose fate is not known: hedge-leg reconcile first"
        )
    if carry.state is State.HALTED:
        carry = engine.record(carry, ev.Released(now_ms, "operator: unwind"))
    engine.host[carry.facts.pair] = HostPair()  # freqtrade does not run: nobody else closes the perp
    engine.record(carry, ev.RollbackStarted(now_ms, "unwound by the operator"))
    carry = engine.pump(carry_id, patience_ms=_PATIENCE_MS)
    try:  # the bot may not be started again before late facts are past taking
        Watch(engine).settle(carry)
    except VenueUnavailable as error:
        engine.notify(f"exact fees and funding are not known yet: {error}")
    return engine.carries[carry_id]


def living(engine: Engine, carry_id: str) -> Carry:
    """Return a living carry by id; ConfigError names those that there are."""
    carry = engine.carries.get(carry_id)
    if carry is None or not carry.alive:
        there = ", ".join(one.carry_id for one in engine.alive()) or "none"
        raise ConfigError(f"no living carry {carry_id}: there are {there}")
    return carry
