"""The audit log: every order, fill, end, refusal and funding payment, in the order it happened.

One event is one JSON object with `seq` (1, 2, ..), `at_ms`, `venue` and `event`:

    taken    an order was accepted: its ids, side, type, limits
    filled   an execution of it: trade id, price, quantity, fee, realized profit
    ended    it was canceled or expired with `filled_qty` executed
    refused  an order was not accepted: Binance's code and message, no order exists
    funded   a funding payment of a position; received is positive
    liquidated, deleveraged  the exchange closed a position: its order, price and mark, `insurance` received
    fault    a rule of the fault plan fired: its index and kind, the request, whether that was `handled`
    deposited, withdrawn  a balance was changed by hand (see `hand_routes`) or by a transfer

Amounts are decimal strings. A request whose parameters are malformed never was an order and is not told.
What is not in the log did not happen, whatever a client was told.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from paper_exchange.errors import RefusedRequestError, UsageError
from paper_exchange.orders import Fill, Order, Status, Ticket
from paper_exchange.perp_wallet import Income
from paper_exchange.rows import JsonObject, plain


class AuditLog:
    """Events in memory and, where wanted, as JSON lines in a file."""

    def __init__(self, path: Path | None = None) -> None:
        """Start empty; append to `path` if given, one flushed line per event; UsageError when it cannot."""
        self._events: list[JsonObject] = []
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                raise UsageError(f"cannot write --audit {path}: {error.strerror}") from error

    def events(self, after_seq: int = 0) -> list[JsonObject]:
        """Return the events after a sequence number (>= 0)."""
        return self._events[after_seq:]

    def taken(self, order: Order) -> None:
        """Record an accepted order."""
        own: JsonObject = {"order_id": order.order_id, "qty": plain(order.qty)}
        self._add(order.created_ms, "taken", _ticket(order.ticket) | {"client_id": order.client_id} | own)

    def filled(self, order: Order, fill: Fill) -> None:
        """Record an execution."""
        self._add(
            fill.at_ms,
            "filled",
            _order(order)
            | {
                "trade_id": fill.trade_id,
                "side": fill.side.value,
                "px": plain(fill.px),
                "qty": plain(fill.qty),
                "fee": plain(fill.fee),
                "fee_asset": fill.fee_asset,
                "maker": fill.maker,
                "realized_pnl": plain(fill.realized_pnl),
            },
        )

    def ended(self, order: Order, status: Status, at_ms: int) -> None:
        """Record a cancelation or expiry."""
        own: JsonObject = {"status": status.value, "filled_qty": plain(order.filled_qty)}
        self._add(at_ms, "ended", _order(order) | own)

    def refused(self, ticket: Ticket, refusal: RefusedRequestError, at_ms: int) -> None:
        """Record an order that was not accepted."""
        self._add(at_ms, "refused", _ticket(ticket) | {"code": refusal.code, "msg": refusal.message})

    def funded(self, income: Income) -> None:
        """Record a funding payment."""
        paid: JsonObject = {"amount": plain(income.amount), "asset": income.asset}
        self._add(income.at_ms, "funded", {"venue": "perp", "symbol": income.name} | paid)

    def forced(self, event: str, order: Order, mark_px: Decimal, insurance: Decimal, at_ms: int) -> None:
        """Record that the exchange closed (a part of) a position; `insurance`: received, quote units."""
        own: JsonObject = {
            "side": order.ticket.side.value,
            "qty": plain(order.filled_qty),
            "px": plain(order.fills[0].px),
            "mark_px": plain(mark_px),
            "insurance": plain(insurance),
        }
        self._add(at_ms, event, _order(order) | own)

    def fault(self, at_ms: int, fields: JsonObject) -> None:
        """Record a fired fault."""
        self._add(at_ms, "fault", fields)

    def refused_request(self, at_ms: int, params: Mapping[str, str], body: bytes, *, perp: bool) -> None:
        """Record an order that a fault refused: its parameters as sent, and the answer's body."""
        try:
            told = json.loads(body)
        except ValueError:
            told = {"msg": body.decode("utf-8", "replace")}
        names = {"client_id": "newClientOrderId", "side": "side", "type": "type"}
        names |= {"qty": "quantity", "limit_px": "price"}
        own: JsonObject = {"venue": "perp" if perp else "spot", "symbol": params.get("symbol")}
        own |= {name: params.get(sent) for name, sent in names.items()}
        self._add(at_ms, "refused", own | {"code": told.get("code"), "msg": told.get("msg")})

    def moved(self, at_ms: int, wallet: str, asset: str, amount: Decimal) -> None:
        """Record a deposit (amount > 0) or withdrawal (< 0)."""
        event = "deposited" if amount > 0 else "withdrawn"
        self._add(at_ms, event, {"venue": wallet, "asset": asset, "amount": plain(abs(amount))})

    def _add(self, at_ms: int, event: str, fields: JsonObject) -> None:
        row: JsonObject = {"seq": len(self._events) + 1, "at_ms": at_ms, "event": event} | fields
        self._events.append(row)
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


def _order(order: Order) -> JsonObject:
    item = order.ticket.item
    return {
        "venue": item.venue.value,
        "symbol": item.name,
        "order_id": order.order_id,
        "client_id": order.client_id,
    }


def _ticket(ticket: Ticket) -> JsonObject:
    amounts = {"qty": ticket.qty, "spend_notional": ticket.spend_notional, "limit_px": ticket.limit_px}
    return {
        "venue": ticket.item.venue.value,
        "symbol": ticket.item.name,
        "client_id": ticket.client_id,
        "side": ticket.side.value,
        "type": ticket.order_type.value,
        "tif": ticket.tif.value,
        "reduce_only": ticket.reduce_only,
        **{name: None if amount is None else plain(amount) for name, amount in amounts.items()},
    }
