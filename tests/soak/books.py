"""Compare four books of one account: the exchange's, its audit log, the journal's, freqtrade's."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from freqtrade.persistence import Trade

from hedge_leg.core.accounts import books
from hedge_leg.core.carry import Carry
from hedge_leg.core.events import SpotIntended
from hedge_leg.core.ledger import Account
from hedge_leg.core.orders import OrderIntent
from hedge_leg.core.states import State
from tests.host.live_harness import Rig

START_USDT = Decimal(200_000)  # both wallets of the paper exchange
ZERO = Decimal(0)


def differences(rig: Rig) -> list[str]:
    """Return every difference between the books, a line each; nothing may be pending when this is asked."""
    carries = [carry for carry in rig.engine.carries.values() if carry.announced is not None]
    found = [*_orders(rig), *_legs(rig, carries)]
    if not any(carry.order is not None or carry.state is State.HALTED for carry in carries):
        found += [*_balances(rig, carries), *_freqtrade(carries)]
    return found


def _orders(rig: Rig) -> Iterable[str]:
    """Each of our orders on the venue has exactly one committed intent, and no client id was used twice."""
    intents: dict[str, OrderIntent] = {}
    for row in rig.engine.journal.stream():
        if isinstance(row.event, SpotIntended):
            intents[row.event.intent.client_id] = row.event.intent
    seen: set[str] = set()
    for event in rig.spot_exchange.audit("taken"):
        client_id = event["client_id"]
        if event["venue"] != "spot" or not client_id.startswith("hl-"):
            continue
        intent = intents.get(client_id)
        if client_id in seen:
            yield f"order {client_id} was taken twice"
        seen.add(client_id)
        if intent is None:
            yield f"order {client_id} has no intent"
        elif (Decimal(event["qty"]), Decimal(event["limit_px"])) != (intent.qty, intent.limit_px):
            yield f"order {client_id} is not what was intended"


def _legs(rig: Rig, carries: list[Carry]) -> Iterable[str]:
    """Each pair is hedged, flat, or halted with an alarm, by the exchange's own books."""
    balances = rig.engine.spot.balances()
    for pair in rig.config["exchange"]["pair_whitelist"]:
        own = [carry for carry in carries if carry.facts.pair == pair]
        halted = any(carry.state is State.HALTED for carry in own)
        short = rig.engine.perp.short_qty(pair)
        base = pair.split("/")[0]
        spot = balances.get(base, (ZERO, ZERO))[1]
        dust = sum((one.closed.dust_qty - one.facts.inherited_qty for one in own if one.closed), ZERO)
        dust -= sum((one.facts.inherited_qty for one in own if not one.closed), ZERO)
        lot = rig.engine.spot.rules(pair.split(":")[0]).lot
        loose = max(lot, short * Decimal("0.0021"))
        if abs(spot - dust - short) > loose and not halted:
            yield f"{pair}: spot {spot} (of it remainders {dust}) against short {short}: an orphan leg"
        for carry in own:
            if carry.alive and carry.order is not None and not halted:
                yield f"{pair}: the fate of order {carry.order.intent.client_id} is still not known"


def _balances(rig: Rig, carries: list[Carry]) -> Iterable[str]:
    """Change of cash per asset = what the ledgers say; the perp's unrealized P&L is not cash."""
    cash: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for carry in carries:
        ledger = books(carry).ledger
        cash["USDT"] += ledger.balance(Account.CASH)
        cash[carry.facts.base] += carry.spot_qty - carry.facts.inherited_qty
    balances = rig.engine.spot.balances()
    futures = Decimal(str(rig.bot.exchange._api.fetch_balance()["info"]["totalWalletBalance"]))  # type: ignore[union-attr]
    have, told = balances.get("USDT", (ZERO, ZERO))[1] + futures - START_USDT, cash.pop("USDT", ZERO)
    if abs(have - told) > Decimal("1e-5"):
        yield f"USDT: the exchange has {have:+} since the start, the ledgers say {told:+.8f}"
    for base, qty in cash.items():
        if balances.get(base, (ZERO, ZERO))[1] != qty:
            yield f"{base}: the exchange has {balances.get(base, (ZERO, ZERO))[1]}, the ledgers say {qty}"


def _freqtrade(carries: list[Carry]) -> Iterable[str]:
    """freqtrade's profit of each closed trade is its carry's net."""
    for carry in carries:
        if carry.closed is None or carry.trade_id is None:
            continue
        trade = Trade.get_trades([Trade.id == carry.trade_id]).first()
        net = float(books(carry).ledger.net)
        if trade is None:
            continue
        if trade.is_open:
            yield f"trade {trade.id} is open in freqtrade, carry {carry.carry_id} has closed"
        elif abs((trade.close_profit_abs or 0.0) - net) > 1e-8:
            yield f"trade {trade.id}: freqtrade says {trade.close_profit_abs}, carry {carry.carry_id} {net}"
