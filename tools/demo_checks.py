"""What must be true at the end of the demonstration: four independent books say the same.

The exchange's accounts (asked by a client of their own), its audit log, freqtrade's trades over REST, and
the journal's ledger. A check is a line with what was compared; the first that fails ends the demonstration.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tools.demo_world import PAIR, PaperExchange

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.config import HedgeLegConfig
from hedge_leg.core.carry import Carry
from hedge_leg.statement import Statement, statement
from paper_exchange.signing import REHEARSAL

_CLOSE = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what it is about, what was seen, what was expected, and whether they agree."""

    about: str
    seen: str
    expected: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the exchange itself shows: totals per asset of both wallets, and the perp position."""

    totals: Mapping[str, Decimal]
    position: Decimal


def accounts(ccxt_config: Mapping[str, Any]) -> Accounts:
    """Ask the exchange with a client of its own, which knows nothing of the bot."""
    keys = Credentials(REHEARSAL.key, REHEARSAL.secret)
    spot = build_client("binance", keys, ccxt_config, market="spot")
    swap = build_client("binance", keys, ccxt_config, market="swap")
    total: dict[str, Decimal] = {}
    for client, kind in ((spot, "spot"), (swap, "swap")):
        client.load_markets()
        for asset, amount in client.fetch_balance({"type": kind})["total"].items():
            total[asset] = total.get(asset, Decimal(0)) + Decimal(str(amount))
    rows = swap.fetch_positions([PAIR])
    return Accounts(total, sum((Decimal(str(row["contracts"])) for row in rows), Decimal(0)))


def checks(
    exchange: PaperExchange,
    before: Accounts,
    after: Accounts,
    carries: Iterable[Carry],
    trades: Iterable[Mapping[str, Any]],
    settings: HedgeLegConfig,
) -> list[Check]:
    """Return every comparison of the demonstration, in the order it is shown."""
    told = [statement(carry, settings, exchange.now_ms()) for carry in carries]
    profits = {int(trade["trade_id"]): trade for trade in trades}
    found = [_flat(after), *_dust(after, told)]
    for one in told:
        found += _of_carry(one, profits, settings)
    found += _balances(before, after, told)
    found.append(_orders(exchange, told))
    return found


def short(amount: Decimal) -> str:
    """Return an amount without idle zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _flat(after: Accounts) -> Check:
    return Check("perp position on the exchange", short(after.position), "0", not after.position)


def _dust(after: Accounts, told: list[Statement]) -> list[Check]:
    """Compare the coins that are left with the remainders that the carries name."""
    left = sum(
        (one.carry.closed.dust_qty if one.carry.closed else one.carry.spot_qty for one in told[-1:]),
        Decimal(0),
    )
    there = after.totals.get(told[-1].carry.facts.base, Decimal(0))
    what = "coins left on the exchange = named remainder"
    return [Check(what, short(there), short(left), there == left)]


def _of_carry(one: Statement, profits: Mapping[int, Any], settings: HedgeLegConfig) -> list[Check]:
    carry, result = one.carry, one.result
    name = carry.carry_id
    sums = ", ".join(f"{asset} {short(amount)}" for asset, amount in one.residuals.items())
    trade = profits.get(carry.trade_id or -1, {})
    shown = Decimal(str(trade.get("profit_abs") or "NaN"))
    same = shown.is_finite() and not trade.get("is_open") and abs(shown - result.net) <= _CLOSE
    bound = carry_bound(carry, settings)
    unhedged = one.exposure.total_usd_s
    return [
        Check(f"{name}: postings sum to zero", sums, "0 each", not any(one.residuals.values())),
        Check(f"{name}: basis + funding - costs = net", f"{result.net:.8f}", "exact", not result.residual),
        Check(f"{name}: freqtrade's profit = net", f"{shown:.8f}", f"{result.net:.8f}", same),
        Check(
            f"{name}: unhedged USD x s in bound", f"{unhedged:,.0f}", f"<= {bound:,.0f}", unhedged <= bound
        ),
    ]


def carry_bound(carry: Carry, settings: HedgeLegConfig) -> Decimal:
    """Return the configured bound of a carry's unhedged notional x seconds."""
    entered = sum((one.value for one in carry.perp.values() if one.qty < 0), Decimal(0))
    return entered * Decimal(str(settings.execution.max_unhedged_sec))


def _balances(before: Accounts, after: Accounts, told: list[Statement]) -> list[Check]:
    """Compare what the accounts gained, asset by asset, with what the ledgers say."""
    found: list[Check] = []
    for asset in sorted({asset for one in told for asset in one.cash}):
        gained = after.totals.get(asset, Decimal(0)) - before.totals.get(asset, Decimal(0))
        booked = sum((one.cash.get(asset, Decimal(0)) for one in told), Decimal(0))
        same = abs(gained - booked) <= _CLOSE
        found.append(Check(f"{asset} gained on the exchange = ledger", short(gained), short(booked), same))
    return found


def _orders(exchange: PaperExchange, told: list[Statement]) -> Check:
    """Compare the spot orders that the exchange took with the intents of the journal: none twice."""
    taken = [row["client_id"] for row in exchange.audit("taken", "spot")]
    intents = {client_id for one in told for client_id in one.carry.sent}
    holds = len(taken) == len(set(taken)) and set(taken) <= intents
    expected = f"{len(intents)} intents at most"
    return Check("spot orders: no double, each with an intent", str(len(taken)), expected, holds)
