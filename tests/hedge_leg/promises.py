"""What every case of the crash matrix must keep, read from the exchange, the journal and the books."""

from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, entry_notional, exposure
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import tolerance
from hedge_leg.core.ledger import Account
from hedge_leg.core.orders import Side
from hedge_leg.core.position import replay
from hedge_leg.core.states import Mode, State
from tests.hedge_leg.crash_run import Run
from tests.hedge_leg.desk import Desk
from tests.hedge_leg.fakes import RULES

START_CASH = Decimal(100_000)


def outcome(run: Run) -> str:
    """Return in one word where the run ended."""
    if any(carry.state is State.HALTED for carry in run.desk.engine.alive()):
        return "HALTED"
    return "ACTIVE" if run.desk.engine.alive() else "IDLE"


def broken(run: Run) -> list[str]:
    """Return the promises that a finished run has not kept."""
    desk = run.desk
    found = list(run.over_hedged)
    if not run.rests():
        found.append(f"not at rest: {desk.carry.state if desk.engine.carries else 'no carry'}")
    halted = outcome(run) == "HALTED"
    if halted and not any("HALTED" in bell for bell in desk.bells):
        found.append("halted without an alarm")
    if not halted and not desk.flat() and not desk.hedged():
        found.append(f"orphan: short {desk.perp.short}, spot {desk.held()}")
    return found + _orders(desk) + _journal(desk) + ([] if halted else _books(desk))


def _orders(desk: Desk) -> list[str]:
    """Compare what was sent with what was committed before."""
    rows = [row.event for row in desk.journal.rows]
    spot = [row.intent for row in rows if isinstance(row, ev.SpotIntended)]
    perp = [(row.client_id, row.qty) for row in rows if isinstance(row, ev.PerpCloseIntended)]
    found = [f"{one.client_id} was never committed" for one in desk.spot.sent if one not in spot]
    found += [f"{one} was never committed" for one in desk.perp.sent if one not in perp]
    ids = [one.client_id for one in desk.spot.sent] + [client_id for client_id, _ in desk.perp.sent]
    found += [f"{one} was sent twice" for one in set(ids) if ids.count(one) > 1]
    if len({intent.client_id for intent in spot}) != len(spot):
        found.append("a client order id was used for two intents")
    return found


def _journal(desk: Desk) -> list[str]:
    """Compare the journal with itself and with what the engine knows; replay and deliver twice."""
    found = []
    for carry_id, carry in desk.engine.carries.items():
        rows = desk.journal.read(carry_id)
        if [row.version for row in rows] != list(range(1, len(rows) + 1)):
            found.append(f"{carry_id} has a gap in its versions")
        again = replay(carry_id, [row.event for row in rows])
        if again != carry:
            found.append(f"{carry_id} is not what its journal says")
        for row in rows:
            if isinstance(row.event, ev.PerpFilled | ev.SpotAnswered | ev.FundingPaid):
                again = replay(carry_id, [*(one.event for one in rows), row.event])
                if (again.short_qty, again.spot_qty) != (carry.short_qty, carry.spot_qty):
                    found.append(f"{row.event} counts twice")
    return found


def _books(desk: Desk) -> list[str]:
    """Compare the books with the account: coins, cash, every perp order, and the exposure's bound."""
    found, carries = [], list(desk.engine.carries.values())
    coins = sum((carry.spot_qty for carry in carries), Decimal(0))
    if coins != desk.held():
        found.append(f"the books hold {coins}, the account {desk.held()}")
    cash = desk.spot.cash["USDT"] - START_CASH
    if _spot_cash(carries) != cash:
        found.append(f"the books moved {_spot_cash(carries)} USDT on spot, the account {cash}")
    known = {key: fact for carry in carries for key, fact in carry.perp.items()}
    for order in desk.perp.orders:
        fact = known.get(order.order_id)
        if fact is None or (fact.qty, fact.value, fact.fee) != (order.qty, order.value, order.fee):
            found.append(f"perp order {order} is {fact} in the books")
    for carry in carries:
        ledger = books(carry).ledger
        found += [
            f"{carry.carry_id}: {asset} does not sum to zero"
            for asset in (RULES.base, RULES.quote)
            if sum((ledger.balance(account, asset) for account in Account), Decimal(0))
        ]
        loose = tolerance(carry, RULES, desk.policy, Mode.ACTIVE)
        stood = exposure(carry, desk.clock.now_ms(), loose).total_usd_s
        if (
            stood > entry_notional(carry) * desk.policy.max_unhedged_s
            and "unhedged-bound" not in carry.alarms
        ):
            found.append(f"{carry.carry_id} stood unhedged for {stood} USDT x s and nobody was told")
    return found


def _spot_cash(carries: list[Carry]) -> Decimal:
    fills = [fill for carry in carries for fill in carry.fills.values()]
    paid = sum((fill.qty * fill.px * (-1 if fill.side is Side.BUY else 1) for fill in fills), Decimal(0))
    return paid - sum((fill.fee for fill in fills if fill.fee_asset == RULES.quote), Decimal(0))
