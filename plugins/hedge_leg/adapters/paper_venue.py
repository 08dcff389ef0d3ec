"""The spot side of a dry-run: IOC orders filled from the real book with a pretended account.

It never leaves an outcome unknown: an order is durable before it is answered, or it does not exist. Like an
exchange it pays what the book asks, level by level, and takes its fee; unlike one, its orders do not use the
book up.
"""

import json
import os
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Protocol

from hedge_leg.adapters.ccxt_refusals import Kind
from hedge_leg.core.amounts import SMALLEST_LOT, ZERO, exact
from hedge_leg.core.orders import OrderIntent, OrderReport, Side, SpotFill, total_qty
from hedge_leg.errors import ConfigError, VenueRefused, VenueUnavailable
from hedge_leg.ports import Book, Clock, MarketRules, SpotTrade

_MOST_ORDERS = 1000  # older ones are forgotten


class MarketData(Protocol):
    """Where prices and filters come from: any `SpotVenue`, used without keys."""

    def rules(self, symbol: str) -> MarketRules:
        """Return the market's filters."""
        ...

    def book(self, symbol: str) -> Book:
        """Return the present book."""
        ...

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        """Return candles from then on."""
        ...


@dataclass(slots=True)
class _Account:
    """What is kept: balances per asset, and the newest orders with their symbols, oldest first."""

    balances: dict[str, Decimal]
    orders: list[tuple[str, OrderReport]] = field(default_factory=list)
    next_id: int = 1


class PaperSpotVenue:
    """A pretended spot account; satisfies `ports.SpotVenue`."""

    def __init__(
        self,
        market: MarketData,
        clock: Clock,
        balances: Mapping[str, Decimal],
        *,
        fee_rate: Decimal | None = None,
        fee_in_base: bool = True,
        latency_ms: int = 0,
        path: Path | None = None,
    ) -> None:
        """Open the account that `path` holds, or a new one with `balances`; None keeps it in memory.

        `fee_rate`: fraction of what is received; None: the market's. `fee_in_base`: buys pay it in base, else
        in quote. ConfigError when the file cannot be read.
        """
        self._market = market
        self._clock = clock
        self._fee_rate = fee_rate
        self._fee_in_base = fee_in_base
        self._latency_ms = latency_ms
        self._path = path
        self._account = (_load(path) if path is not None else None) or _Account(dict(balances))

    def rules(self, symbol: str) -> MarketRules:
        """Return the real market's filters with this account's fee."""
        found = self._market.rules(symbol)
        rate = found.fee_rate if self._fee_rate is None else self._fee_rate
        return MarketRules(
            found.symbol,
            found.base,
            found.quote,
            found.lot,
            found.tick,
            found.min_qty,
            found.max_qty,
            found.min_notional,
            rate,
            self._fee_in_base,
            found.active,
        )

    def book(self, symbol: str) -> Book:
        """Return the real market's book."""
        return self._market.book(symbol)

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        """Return the real market's candles."""
        return self._market.candles(symbol, timeframe, since_ms)

    def balances(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Return (free, total) per asset; nothing is ever locked."""
        return {asset: (held, held) for asset, held in self._account.balances.items()}

    def place(self, intent: OrderIntent) -> OrderReport:
        """Fill an IOC limit order from the present book. VenueRefused, or an answer that is durable."""
        self._clock.sleep(self._latency_ms / 1000)
        try:
            rules, book = self.rules(intent.symbol), self.book(intent.symbol)
        except VenueUnavailable as error:
            raise VenueRefused(f"not sent: no market data: {error}", f"{Kind.LOCAL}:market-data") from error
        needed_asset, needed = self._checked(intent, rules)
        if needed > self._account.balances.get(needed_asset, ZERO):
            raise VenueRefused(f"balance of {needed_asset} is less than {needed}", "insufficient-balance")
        account = _Account(dict(self._account.balances), list(self._account.orders), self._account.next_id)
        report = self._executed(intent, rules, book, account)
        account.orders = [*account.orders, (intent.symbol, report)][-_MOST_ORDERS:]
        try:
            self._keep(account)
        except OSError as error:
            refused = f"not executed: cannot write {self._path}: {error.strerror}"
            raise VenueRefused(refused, f"{Kind.LOCAL}:disk") from error
        self._account = account
        return report

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Look an order up by its client id: the newest of that id."""
        for _, report in reversed(self._account.orders):
            if report.client_id == intent.client_id:
                return report
        return None

    def cancel(self, intent: OrderIntent) -> None:
        """Do nothing: an IOC order has ended before it could be cancelled."""

    def open_client_ids(self, symbol: str) -> frozenset[str]:  # noqa: ARG002 - the port's signature
        """Return nothing: an IOC order never rests."""
        return frozenset()

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> Sequence[OrderReport]:  # noqa: ARG002
        """Return the kept orders of the client ids; nothing repeats a request here."""
        return tuple(
            report
            for name, report in self._account.orders
            if name == symbol and report.client_id in client_ids
        )

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[SpotTrade]:
        """Return the account's trades of the market from `since_ms` on, oldest first."""
        return tuple(
            SpotTrade(fill.trade_id, report.venue_id, fill.qty, fill.px, fill.filled_ms)
            for name, report in self._account.orders
            for fill in report.fills
            if name == symbol and fill.filled_ms >= since_ms
        )

    def _checked(self, intent: OrderIntent, rules: MarketRules) -> tuple[str, Decimal]:
        """Return the asset and amount an order needs; VenueRefused when it breaks a filter."""
        qty, px = intent.qty, intent.limit_px
        wrong = ""
        if not rules.active:
            wrong = "the market is closed"
        elif qty % rules.lot or px % rules.tick or not rules.min_qty <= qty <= rules.max_qty:
            wrong = f"{qty} at {px} breaks the lot, tick or quantity limits"
        elif qty * px < rules.min_notional:
            wrong = f"{qty} at {px} is below the minimum notional {rules.min_notional}"
        if wrong:
            raise VenueRefused(f"{intent.symbol}: {wrong}", "filter")
        if intent.side is Side.SELL:
            return rules.base, qty
        return rules.quote, qty * px * (1 if rules.fee_in_base else 1 + rules.fee_rate)

    def _executed(
        self, intent: OrderIntent, rules: MarketRules, book: Book, account: _Account
    ) -> OrderReport:
        """Take the levels that the limit allows and settle them in `account`."""
        buying, left = intent.side is Side.BUY, intent.qty
        fills: list[SpotFill] = []
        order_id, at_ms = account.next_id, self._clock.now_ms()
        account.next_id += 1
        for px, size in book.asks if buying else book.bids:
            if not left or (px > intent.limit_px if buying else px < intent.limit_px):
                break
            qty = min(left, size // rules.lot * rules.lot)
            if not qty:
                continue
            left -= qty
            fee, asset = self._fee(rules, intent.side, qty, px)
            worth = fee * px if asset == rules.base else fee
            trade_id = f"paper-{order_id}-{len(fills) + 1}"
            fills.append(SpotFill(trade_id, intent.side, qty, px, fee, asset, worth, at_ms))
            sign = 1 if buying else -1
            for of, amount in ((rules.base, sign * qty), (rules.quote, -sign * qty * px), (asset, -fee)):
                account.balances[of] = account.balances.get(of, ZERO) + amount
        done = tuple(fills)
        return OrderReport(intent.client_id, f"paper-{order_id}", total_qty(done), True, done)

    @staticmethod
    def _fee(rules: MarketRules, side: Side, qty: Decimal, px: Decimal) -> tuple[Decimal, str]:
        """Return a fill's fee, rounded down to 8 decimals, and its asset."""
        in_base = side is Side.BUY and rules.fee_in_base
        fee = (qty if in_base else qty * px) * rules.fee_rate
        return fee.quantize(SMALLEST_LOT, ROUND_FLOOR), rules.base if in_base else rules.quote

    def _keep(self, account: _Account) -> None:
        """Make an account durable: a new file is flushed to the disk, then takes the old one's place."""
        if self._path is None:
            return
        scratch = self._path.with_name(self._path.name + ".new")
        with scratch.open("w", encoding="utf-8") as file:
            json.dump(_plain(account), file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._path)
        with suppress(OSError):  # the order is written; only a power cut could still undo the renaming
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _plain(account: _Account) -> dict[str, Any]:
    return {
        "balances": {asset: str(held) for asset, held in account.balances.items()},
        "next_id": account.next_id,
        "orders": [
            {
                "symbol": symbol,
                "client_id": report.client_id,
                "venue_id": report.venue_id,
                "fills": [
                    {
                        "trade_id": fill.trade_id,
                        "side": fill.side,
                        "qty": str(fill.qty),
                        "px": str(fill.px),
                        "fee": str(fill.fee),
                        "fee_asset": fill.fee_asset,
                        "fee_value": str(fill.fee_value),
                        "filled_ms": fill.filled_ms,
                    }
                    for fill in report.fills
                ],
            }
            for symbol, report in account.orders
        ],
    }


def _load(path: Path) -> _Account | None:
    """Read an account; None when there is no file yet, ConfigError when it is not one."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        orders = [(order["symbol"], _report(order)) for order in row["orders"]]
        balances = {asset: exact(held) for asset, held in row["balances"].items()}
        return _Account(balances, orders, int(row["next_id"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"paper account {path} cannot be read ({error}): move it away") from error


def _report(order: Mapping[str, Any]) -> OrderReport:
    fills = tuple(
        SpotFill(
            trade_id=row["trade_id"],
            side=Side(row["side"]),
            qty=exact(row["qty"]),
            px=exact(row["px"]),
            fee=exact(row["fee"]),
            fee_asset=row["fee_asset"],
            fee_value=exact(row["fee_value"]),
            filled_ms=int(row["filled_ms"]),
        )
        for row in order["fills"]
    )
    return OrderReport(order["client_id"], order["venue_id"], total_qty(fills), True, fills)
