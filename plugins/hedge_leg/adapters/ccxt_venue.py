"""The spot side of a live exchange, over any synchronous ccxt client with spot markets.

`place` sends one order request, never again; what it cannot learn from the answer it looks up with reads. A
report is given only when its fills add up to the filled quantity exactly; until then the order is unknown.
"""

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import Any

from hedge_leg.adapters import ccxt_markets
from hedge_leg.adapters.ccxt_calls import (
    Calls,
    Prices,
    Row,
    book_sides,
    fee_of,
    history,
    number,
    span_ms,
    text,
)
from hedge_leg.adapters.ccxt_client import NO_RETRY, strict
from hedge_leg.adapters.ccxt_dialects import dialect_of
from hedge_leg.adapters.ccxt_errors import is_not_open
from hedge_leg.adapters.ccxt_refusals import Kind, spot_refusals
from hedge_leg.core.amounts import exact
from hedge_leg.core.orders import OrderIntent, OrderReport, Purpose, Side, SpotFill, total_qty
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import Book, Clock, MarketRules, SpotTrade

HOUR_MS = 3_600_000
CANDLES = 1000  # of one request
_STALE_RULES_MS = 24 * HOUR_MS  # filters that old are not served any more
_RETRY_RULES_MS = 60_000
_BOOK_LEVELS = 50
_FINAL = frozenset({"closed", "canceled", "expired", "rejected"})
_LIVE = frozenset({"open", "canceling"})


class CcxtSpotVenue:
    """The account's spot side of one exchange; satisfies `ports.SpotVenue`."""

    def __init__(self, client: Any, clock: Clock, *, fee_rate: Decimal | None = None) -> None:
        """Load the markets of `client`; VenueUnavailable when that fails.

        `fee_rate`: the account's taker fee as a fraction; None: what ccxt knows of the exchange.
        """
        self._client = strict(client)
        self._clock = clock
        self._fee_rate = fee_rate
        self._dialect = dialect_of(self._client.id)
        self._calls = Calls(self._client, spot_refusals(self._client.id))
        self._prices = Prices(self._calls, clock)
        self._calls.read("markets", self._client.load_markets)
        self._rules_ms = self._tried_ms = clock.now_ms()

    def shares_money_with(self, perp_client: Any) -> bool:
        """Return whether a perp client trades on the same account, and its margin on the same balance."""
        same = (perp_client.id, perp_client.apiKey) == (self._client.id, self._client.apiKey)
        return same and self._dialect.one_wallet

    def rules(self, symbol: str) -> MarketRules:
        """Return the market's filters; ConfigError without such a market.

        They are read again when older than an hour, or than a minute where the market was halted.
        When the exchange does not answer, filters of up to a day stand in: an order that breaks newer ones is
        refused by the venue, which is proof, while a hedge that waits for filters is a naked leg.
        """
        now_ms = self._clock.now_ms()
        halted = self._client.markets.get(symbol, {}).get("active") is False
        good_ms = _RETRY_RULES_MS if halted else HOUR_MS
        if now_ms - self._rules_ms >= good_ms and now_ms - self._tried_ms >= _RETRY_RULES_MS:
            self._tried_ms = now_ms
            try:
                self._calls.read("markets", lambda: self._client.load_markets(True))
                self._rules_ms = now_ms
            except VenueUnavailable:
                if now_ms - self._rules_ms >= _STALE_RULES_MS:
                    raise
        if now_ms - self._rules_ms >= _STALE_RULES_MS:
            raise VenueUnavailable(f"{symbol}: the filters are more than a day old")
        return ccxt_markets.spot_rules(self._client, symbol, self._fee_rate)

    def book(self, symbol: str) -> Book:
        """Return the best 50 levels of either side; VenueUnavailable when a side is empty."""
        row = self._calls.read(
            f"book of {symbol}", lambda: book_sides(self._client.fetch_order_book(symbol, _BOOK_LEVELS))
        )
        return Book(*row, at_ms=self._clock.now_ms())

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        """Return up to 1000 candles [ms, open, high, low, close, volume] from then on, oldest first."""
        rows = self._calls.read(
            f"candles of {symbol}", lambda: self._client.fetch_ohlcv(symbol, timeframe, since_ms, CANDLES)
        )
        return [[float(value) for value in row] for row in rows]

    def balances(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Return (free, total with what is locked) per asset."""
        return self._calls.read("balances", self._read_balances)

    def place(self, intent: OrderIntent) -> OrderReport:
        """Send an IOC limit order once. Raises VenueRefused or OutcomeUnknown."""
        qty, limit_px = self._checked(intent)
        params = {"clientOrderId": self._wire_id(intent), "timeInForce": "IOC", **NO_RETRY}
        order = self._calls.act(
            lambda: self._client.create_order(intent.symbol, "limit", intent.side, qty, limit_px, params)
        )
        try:
            report = self._calls.read("order", lambda: self._report(intent, order))
            if report is None:
                report = self.find(intent)
            reason = "taken, but not readable yet"
        except VenueUnavailable as error:
            report, reason = None, f"taken, but its fills are not known: {error}"
        if report is None:
            raise OutcomeUnknown(reason)
        return report

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Look an order up by its client id; None when the venue says that it does not know it."""
        wire_id = self._wire_id(intent)
        order = self._calls.look_up(
            f"order {intent.client_id}",
            lambda: self._dialect.look_up(self._client, intent.symbol, wire_id),
        )
        if order is None:
            return None
        report = self._calls.read(f"order {intent.client_id}", lambda: self._report(intent, order))
        if report is None:
            raise VenueUnavailable(f"order {intent.client_id}: the answer does not tell its state")
        return report

    def cancel(self, intent: OrderIntent) -> None:
        """Ask to cancel; an order that is not open any more is no error. VenueUnavailable otherwise."""
        params = {self._dialect.cancel_by: self._wire_id(intent), **NO_RETRY}
        self._calls.look_up(
            f"cancel {intent.client_id}",
            lambda: self._client.cancel_order(self._dialect.cancel_id, intent.symbol, params),
            gone=is_not_open,
        )

    def open_client_ids(self, symbol: str) -> frozenset[str]:
        """Return the client ids of the market's open orders."""
        rows = self._calls.read(
            f"open orders of {symbol}",
            lambda: self._calls.rows(lambda: self._client.fetch_open_orders(symbol)),
        )
        return frozenset(self._our_id(row) for row in rows if row.get("clientOrderId"))

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> Sequence[OrderReport]:
        """Return every order since then that bears one of the client ids: a repeated request made two."""
        return self._calls.read(
            f"orders of {symbol}", lambda: self._read_orders(symbol, client_ids, since_ms)
        )

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[SpotTrade]:
        """Return the account's trades of the market from `since_ms` on, oldest first."""
        return self._calls.read(f"trades of {symbol}", lambda: self._read_trades(symbol, since_ms))

    def _checked(self, intent: OrderIntent) -> tuple[str, str]:
        """Return quantity and price as they go out: the intent's to the last digit, or VenueRefused."""
        qty, px = format(intent.qty, "f"), format(intent.limit_px, "f")
        try:
            sent = (
                exact(self._client.amount_to_precision(intent.symbol, qty)),
                exact(self._client.price_to_precision(intent.symbol, px)),
            )
        except Exception as error:  # nothing has left yet: whatever is wrong, there is no order
            wrong = f"{intent.symbol}: {type(error).__name__}"
        else:
            if sent == (intent.qty, intent.limit_px) and min(sent) > 0:
                return qty, px
            wrong = f"{intent.symbol}: {qty} at {px} is not in whole lots and ticks"
        raise VenueRefused(f"not sent: {wrong}", f"{Kind.LOCAL}:precision")

    def _report(self, intent: OrderIntent, order: Row) -> OrderReport | None:
        """Return the report of an order's row; None when it does not tell enough, ValueError if wrong."""
        order_id = text(order, "id")
        if (self._our_id(order) or intent.client_id) != intent.client_id:
            raise ValueError("the answer is about another order")
        status = order.get("status")
        if status not in _FINAL | _LIVE or order.get("filled") is None:
            return None
        filled_qty = number(order, "filled")
        stamp_ms = order.get("lastTradeTimestamp") or order.get("timestamp")
        fills = self._fills(intent, order.get("trades") or [], stamp_ms)
        if total_qty(fills) != filled_qty:
            fills = self._fills(intent, self._trades_of(intent.symbol, order_id, order), stamp_ms)
        if total_qty(fills) != filled_qty:
            raise ValueError(f"fills of {total_qty(fills)} do not add up to {filled_qty}")
        return OrderReport(intent.client_id, order_id, filled_qty, status in _FINAL, fills)

    def _trades_of(self, symbol: str, order_id: str, order: Row) -> list[Row]:
        """Return the account's trades of one order; a full page is read again in spans."""
        params = {self._dialect.order_trades: order_id}
        page = self._dialect.page
        rows = self._calls.rows(lambda: self._client.fetch_my_trades(symbol, None, page, {**params}))
        if len(rows) >= page:
            rows = self._history(symbol, int(number(order, "timestamp")), params)
        return [row for row in rows if row.get("order") == order_id]

    def _fills(self, intent: OrderIntent, rows: Sequence[Row], stamp_ms: Any) -> tuple[SpotFill, ...]:
        """Return the fills of trades, each id once; `stamp_ms` for trades without a time of their own."""
        market = self._client.market(intent.symbol)
        found: dict[str, SpotFill] = {}
        for row in rows:
            fee, asset = fee_of(row, self._dialect.fees)
            px, qty, trade_id = number(row, "price"), number(row, "amount"), text(row, "id")
            asset = asset or market["quote"]
            worth = px if asset == market["base"] else self._prices.px(asset, market["quote"]) if fee else 0
            filled_ms = int(row.get("timestamp") or stamp_ms)
            found[trade_id] = SpotFill(trade_id, intent.side, qty, px, fee, asset, fee * worth, filled_ms)
        return tuple(found.values())

    def _read_balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        answer = self._client.fetch_balance({"type": "spot"})
        if not self._dialect.has_balances(answer.get("info")):
            raise ValueError("the answer lists no balances")
        return {
            asset: (number(answer["free"], asset), number(answer["total"], asset))
            for asset in answer["total"]
        }

    def _read_orders(self, symbol: str, client_ids: Set[str], since_ms: int) -> tuple[OrderReport, ...]:
        found: list[OrderReport] = []
        for row in self._ended(symbol, since_ms):
            client_id = self._our_id(row)
            if client_id not in client_ids:
                continue
            side, qty = Side(text(row, "side")), number(row, "amount")
            report = self._report(OrderIntent(client_id, symbol, side, qty, qty, 0, Purpose.OPEN), row)
            if report is None:
                raise ValueError(f"the state of order {client_id} is not told")
            found.append(report)
        return tuple(found)

    def _ended(self, symbol: str, since_ms: int) -> list[Row]:
        """Return the rows of ended orders (of all orders, where the venue tells all at once)."""
        client, named = self._client, self._dialect.ended
        if named:
            fetch = getattr(client, named)
        else:
            fetch = client.fetch_orders if client.has.get("fetchOrders") else client.fetch_closed_orders
        kinds = self._dialect.ended_kinds
        return [row for kind in kinds for row in self._history(symbol, since_ms, kind, fetch)]

    def _wire_id(self, intent: OrderIntent) -> str:
        """Return the client id as the venue takes it; VenueRefused, before anything left, when it cannot."""
        try:
            return self._dialect.client_ids.sent(intent.client_id)
        except ValueError as error:
            raise VenueRefused(f"not sent: {error}", f"{Kind.LOCAL}:client-id") from None

    def _our_id(self, order: Row) -> str:
        return self._dialect.client_ids.read(str(order.get("clientOrderId") or ""))

    def _read_trades(self, symbol: str, since_ms: int) -> tuple[SpotTrade, ...]:
        return tuple(
            SpotTrade(
                text(row, "id"),
                text(row, "order"),
                number(row, "amount"),
                number(row, "price"),
                int(number(row, "timestamp")),
            )
            for row in self._history(symbol, since_ms, {})
        )

    def _history(self, symbol: str, since_ms: int, params: Mapping[str, Any], fetch: Any = None) -> list[Row]:
        fetch = fetch or self._client.fetch_my_trades
        return history(
            lambda start, end, limit: self._calls.rows(
                lambda: fetch(symbol, start, limit, {**params, "until": end})
            ),
            *span_ms(self._clock, since_ms, self._dialect.reach_ms),
            page=self._dialect.page,
            window_ms=self._dialect.spot_window_ms,
        )
