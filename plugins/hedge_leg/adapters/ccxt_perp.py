"""The perp side of a live exchange, over the ccxt client that freqtrade itself trades with.

Amounts of contracts become base units by the market's contract size. One-way mode only: a position has one
sign. Orders are told with exact books: value and fee come from the account's trades, which must add up to the
filled quantity, or the order counts as not readable.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

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
from hedge_leg.adapters.ccxt_funding import funding_now, payments, settlements_since
from hedge_leg.adapters.ccxt_refusals import Kind, perp_refusals
from hedge_leg.core.amounts import ZERO, exact
from hedge_leg.core.events import PerpPart
from hedge_leg.core.market import Book
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import Clock, FundingNow, FundingPayment, PerpOrder

_SHARED = ("markets", "markets_by_id", "symbols", "ids", "currencies", "currencies_by_id")
_FINAL = frozenset({"closed", "canceled", "expired", "rejected"})
_LIVE = frozenset({"open", "canceling"})
_CLEARING = frozenset({"binance", "binanceusdm"})
_CLEARED_MS = 60_000  # how far from the last execution the clearance of a liquidation may be stamped


class CcxtPerpVenue:
    """The account's perp side of one exchange; satisfies `ports.PerpVenue`."""

    def __init__(self, client: Any, clock: Clock, *, margin_mode: str = "isolated") -> None:
        """Read with a strict copy of `client`; its markets stay those of `client`, which reloads them.

        VenueUnavailable when `client` has no markets yet and they cannot be loaded.
        """
        self._source = client
        self._client = strict(client)
        self._clock = clock
        self._dialect = dialect_of(self._client.id)
        self._client.options = {**self._client.options, **self._dialect.options}
        self._calls = Calls(self._client, perp_refusals(self._client.id))
        self._prices = Prices(self._calls, clock)
        self._order_params = dict(self._dialect.order_params)
        if self._dialect.margin_mode_in_orders:
            self._order_params["marginMode"] = margin_mode
        if not self._client.markets:
            self._calls.read("markets", self._client.load_markets)

    def short_qty(self, pair: str) -> Decimal:
        """Return the position in base units, short positive, long negative, 0 flat."""
        return self._calls.read(f"position of {pair}", lambda: self._read_position(pair))

    def orders_since(self, pair: str, since_ms: int) -> Sequence[PerpOrder]:
        """Return the account's perp orders of the pair created from `since_ms` on, oldest first."""
        return self._calls.read(f"orders of {pair}", lambda: self._read_orders(pair, since_ms))

    def funding_since(self, pair: str, since_ms: int) -> Sequence[FundingPayment]:
        """Return the settlements paid from `since_ms` on, oldest first; the key is the venue's own id."""
        return self._calls.read(f"funding of {pair}", lambda: self._read_funding(pair, since_ms))

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:
        """Buy `qty` base units reduce-only at market, once. Raises VenueRefused or OutcomeUnknown.

        Only an order that is at its end is returned; one that still works is unknown until `find` tells.
        """
        amount = self._contracts(pair, qty)
        try:
            wire_id = self._dialect.client_ids.sent(client_id)
        except ValueError as error:
            raise VenueRefused(f"not sent: {error}", f"{Kind.LOCAL}:client-id") from None
        params = {"reduceOnly": True, "clientOrderId": wire_id, **self._order_params, **NO_RETRY}
        self._calls.act(lambda: self._client.create_order(pair, "market", "buy", amount, None, params))
        # market orders are often answered before they fill, and never with their fees
        try:
            order = self.find(pair, client_id)
            reason = "taken, but not readable yet" if order is None else "taken, and still working"
        except VenueUnavailable as error:
            order, reason = None, f"taken, but its fills are not known: {error}"
        if order is None or order.open:
            raise OutcomeUnknown(f"close of {pair}: {reason}")
        return order

    def book(self, pair: str) -> Book:
        """Return the best 50 levels of either side in base units; VenueUnavailable when a side is empty."""
        sides = self._calls.read(
            f"book of {pair}", lambda: book_sides(self._client.fetch_order_book(pair, 50), self._size(pair))
        )
        return Book(*sides, at_ms=self._clock.now_ms())

    def funding_now(self, pair: str) -> FundingNow:
        """Return the rate predicted for the next settlement and its time, where the venue tells them."""
        return self._calls.read(
            f"funding rate of {pair}",
            lambda: funding_now(self._client, self._market(pair)["symbol"], self._clock.now_ms()),
        )

    def settlements_since(self, pair: str, since_ms: int) -> Sequence[Settlement]:
        """Return the public settlements stamped from `since_ms` on, oldest first, to the minute."""
        return self._calls.read(
            f"funding rates of {pair}",
            lambda: settlements_since(
                self._calls, self._market(pair)["symbol"], since_ms, self._dialect.page
            ),
        )

    def find(self, pair: str, client_id: str) -> PerpOrder | None:
        """Look one of our perp orders up by client id; None when the venue does not know it."""
        what = f"perp order {client_id}"
        wire_id = self._dialect.client_ids.sent(client_id)
        order = self._calls.look_up(what, lambda: self._dialect.look_up(self._client, pair, wire_id))
        if order is None:
            return None
        if (order.get("clientOrderId") or wire_id) != wire_id:
            raise VenueUnavailable(f"{what}: the answer is about another order")
        return self._calls.read(what, lambda: self._with_trades(pair, order))

    def _market(self, pair: str) -> Any:
        """Return a pair's market as freqtrade's client has it now; ValueError when there is no such perp."""
        for name in _SHARED:
            if getattr(self._source, "markets", None):
                setattr(self._client, name, getattr(self._source, name))
        market = self._client.markets.get(pair)
        if market is None or not market.get("swap"):
            raise ValueError(f"{self._client.id} has no perpetual {pair}")
        return market

    def _size(self, pair: str) -> Decimal:
        return exact(self._market(pair).get("contractSize") or 1)

    def _contracts(self, pair: str, qty: Decimal) -> str:
        """Return `qty` as contracts to the last digit; VenueRefused when it is no whole number of lots."""
        wrong = ""
        try:
            amount = qty / self._size(pair)
            sent = exact(self._client.amount_to_precision(pair, format(amount, "f")))
            if sent != amount or sent <= 0:
                wrong = f"{qty} is not in whole lots"
        except Exception as error:  # nothing has left yet: whatever is wrong, there is no order
            wrong = f"{type(error).__name__} at {qty}"
        if wrong:
            raise VenueRefused(f"not sent: {pair}: {wrong}", f"{Kind.LOCAL}:precision")
        return format(sent, "f")

    def _read_position(self, pair: str) -> Decimal:
        size, short = self._size(pair), ZERO
        for row in self._calls.rows(lambda: self._client.fetch_positions([pair])):
            if row.get("symbol") != pair:
                continue
            contracts = abs(number(row, "contracts")) * size
            if not contracts:
                continue
            if row.get("hedged"):
                raise ValueError("the account is in hedge mode")
            short += {"short": contracts, "long": -contracts}[text(row, "side")]
        return short

    def _read_orders(self, pair: str, since_ms: int) -> tuple[PerpOrder, ...]:
        """Return the orders with their trades, each read as one history."""
        self._market(pair)
        client, has = self._client, self._client.has
        if has.get("fetchOrders"):
            rows = self._history(pair, client.fetch_orders, since_ms)
        else:
            named = self._dialect.ended or (
                "fetch_canceled_and_closed_orders"
                if has.get("fetchCanceledAndClosedOrders")
                else "fetch_closed_orders"
            )
            closed = getattr(client, named)
            # open ones first: an order that ends in between is then in both, and read as ended
            open_rows = self._calls.rows(lambda: client.fetch_open_orders(pair))
            ended = {
                text(row, "id"): row
                for row in self._history(pair, closed, since_ms, self._dialect.ended_kinds)
            }
            rows = [row for row in open_rows if row["id"] not in ended and row["timestamp"] >= since_ms]
            rows += ended.values()
            rows.sort(key=lambda row: int(number(row, "timestamp")))
        if not any(number(row, "filled") for row in rows):
            return tuple(self._order(pair, row, []) for row in rows)
        trades: dict[str, list[Row]] = {}
        for trade in self._trades(pair, since_ms):
            trades.setdefault(text(trade, "order"), []).append(trade)
        return tuple(self._order(pair, row, trades.get(text(row, "id"), [])) for row in rows)

    def _trades(self, pair: str, since_ms: int) -> list[Row]:
        return self._history(pair, self._client.fetch_my_trades, since_ms, self._dialect.perp_trade_kinds)

    def _history(
        self, pair: str, fetch: Any, since_ms: int, kinds: Sequence[Mapping[str, Any]] = ({},)
    ) -> list[Row]:
        """Return the rows of every kind, each kind read as one history."""
        first_ms, last_ms = span_ms(self._clock, since_ms, self._dialect.reach_ms)
        size = {"page": self._dialect.page, "window_ms": self._dialect.perp_window_ms}

        def page(kind: Mapping[str, Any], start: int, end: int, limit: int) -> Sequence[Row]:
            return self._calls.rows(lambda: fetch(pair, start, limit, {**kind, "until": end}))

        return [row for kind in kinds for row in history(partial(page, kind), first_ms, last_ms, **size)]

    def _with_trades(self, pair: str, order: Row) -> PerpOrder:
        """Return one order with the trades that the venue has of it."""
        self._market(pair)
        if not number(order, "filled"):
            return self._order(pair, order, [])
        order_id = text(order, "id")
        rows: list[Row] = []
        fetch, page = self._client.fetch_my_trades, self._dialect.page
        for kind in self._dialect.perp_trade_kinds:
            params = {self._dialect.order_trades: order_id, **kind}
            rows += self._calls.rows(partial(fetch, pair, None, page, params))
        if len(rows) >= self._dialect.page:
            rows = self._trades(pair, int(number(order, "timestamp")))
        return self._order(pair, order, [row for row in rows if row.get("order") == order_id])

    def _order(self, pair: str, order: Row, trades: Sequence[Row]) -> PerpOrder:
        """Return an order with exact books; ValueError when the trades do not add up to what it filled."""
        size, quote = self._size(pair), self._market(pair)["quote"]
        filled_qty, status = number(order, "filled") * size, order.get("status")
        if status not in _FINAL | _LIVE:
            raise ValueError(f"an order has the state {status!r}")
        qty = value = fee = ZERO
        sign = {"buy": 1, "sell": -1}[text(order, "side")]
        parts: list[PerpPart] = []
        for trade in {text(trade, "id"): trade for trade in trades}.values():
            amount = number(trade, "amount") * size
            cost, asset = fee_of(trade, self._dialect.fees)
            qty += amount
            value += amount * number(trade, "price")
            fee += cost * self._prices.px(asset or quote, quote) if cost else ZERO
            at_ms = int(number(trade, "timestamp"))
            parts.append(PerpPart(at_ms, sign * amount, number(trade, "price")))
        if qty != filled_qty:
            raise ValueError(f"trades of {qty} do not add up to {filled_qty} of order {order.get('id')}")
        info = order.get("info")
        info = info if isinstance(info, dict) else {}
        if parts and self._dialect.forced(info):
            fee += self._cleared(pair, {text(trade, "id") for trade in trades}, parts[-1].filled_ms)
        return PerpOrder(
            order_id=text(order, "id"),
            client_id=self._dialect.client_ids.read(str(order.get("clientOrderId") or "")),
            qty=sign * qty,
            value=value,
            fee=fee,
            created_ms=int(number(order, "timestamp")),
            filled_ms=max((part.filled_ms for part in parts), default=0),
            open=status in _LIVE,
            reduce_only=bool(order.get("reduceOnly")),
            liquidation=self._dialect.forced(info),
            parts=tuple(sorted(parts, key=lambda part: part.filled_ms)),
        )

    def _cleared(self, pair: str, trade_ids: set[str], filled_ms: int) -> Decimal:
        """Return what the venue's insurance fund took for closing a position (paid positive), in quote.

        It is no commission: Binance books it as income INSURANCE_CLEAR, received where margin was not enough.
        """
        if self._client.id not in _CLEARING:
            return ZERO
        span = {"startTime": filled_ms - _CLEARED_MS, "endTime": filled_ms + _CLEARED_MS}
        params = {"symbol": self._market(pair)["id"], "incomeType": "INSURANCE_CLEAR", "limit": 1000, **span}
        rows = self._calls.rows(lambda: self._client.fapiPrivateGetIncome(params))
        own = (row for row in rows if str(row.get("tradeId") or "") in trade_ids | {""})
        return -sum((number(row, "income") for row in own), ZERO)

    def _read_funding(self, pair: str, since_ms: int) -> tuple[FundingPayment, ...]:
        market, dialect = self._market(pair), self._dialect
        fetch = self._client.fetch_funding_history

        def page(first_ms: int, last_ms: int, limit: int) -> Sequence[Row]:
            span = dialect.funding_span(market["id"], first_ms, last_ms)
            return self._calls.rows(lambda: fetch(pair, first_ms, limit, {**span}))

        size = {"page": dialect.page, "window_ms": dialect.perp_window_ms}
        rows = history(page, *span_ms(self._clock, since_ms, dialect.reach_ms), **size)
        return payments(rows, market["quote"], dialect.funding_fee)
