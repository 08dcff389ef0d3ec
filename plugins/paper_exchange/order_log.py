"""Every order of one market, found the ways Binance lets one look: by id, by client id, open, by symbol."""

from collections.abc import Iterator
from itertools import count

from paper_exchange.audit import AuditLog
from paper_exchange.orders import Fill, Order, Status
from paper_exchange.thinning import idle_until_ms

_FIRST_ID = 1


class OrderLog:
    """Orders in the order they were taken; nothing is ever removed.

    Every change of an order goes through here, and so into the audit log.
    """

    def __init__(self, audit: AuditLog) -> None:
        """Start empty; tell `audit` of every change."""
        self._audit = audit
        self._orders: dict[int, Order] = {}
        self._open: dict[int, Order] = {}
        self._by_name: dict[str, list[Order]] = {}
        self._by_client_id: dict[tuple[str, str], Order] = {}
        self.order_ids: Iterator[int] = count(_FIRST_ID)
        self.trade_ids: Iterator[int] = count(_FIRST_ID)

    def add(self, order: Order) -> None:
        """Take an order in; the latest one answers to its client id."""
        order.idle_until_ms = idle_until_ms(order.created_ms)
        self._orders[order.order_id] = order
        self._open[order.order_id] = order
        self._by_name.setdefault(order.ticket.item.name, []).append(order)
        self._by_client_id[order.ticket.item.name, order.client_id] = order
        self._audit.taken(order)

    def fill(self, order: Order, fill: Fill) -> None:
        """Book an execution of an open order."""
        order.add(fill)
        self._audit.filled(order, fill)

    def end(self, order: Order, status: Status, at_ms: int) -> None:
        """Close an open order as CANCELED or EXPIRED."""
        order.end(status, at_ms)
        self._audit.ended(order, status, at_ms)

    def find(self, name: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return the symbol's order with an id, or the latest with a client id; None when there is none."""
        if order_id is None:
            return self._by_client_id.get((name, client_id or ""))
        order = self._orders.get(order_id)
        return order if order is not None and order.ticket.item.name == name else None

    def open(self, name: str | None = None) -> list[Order]:
        """Return the open orders, oldest first, of a symbol or of all."""
        self._open = {key: order for key, order in self._open.items() if order.open}
        return [order for order in self._open.values() if name in {None, order.ticket.item.name}]

    def of(self, name: str) -> list[Order]:
        """Return every order of a symbol, oldest first."""
        return list(self._by_name.get(name, []))

    def fills(self, name: str) -> list[Fill]:
        """Return every fill of a symbol by trade id."""
        found = (fill for order in self.of(name) for fill in order.fills)
        return sorted(found, key=lambda fill: fill.trade_id)
