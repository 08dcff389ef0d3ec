"""Matching against the book: what an order gets at once, and when the price reaches one that rests.

An aggressive order walks the opposite side of the book, best level first, up to its limit. What it takes is
gone until the clock moves: the same moment never sells the same depth twice.

A resting order is filled as a whole, at its own limit, when the opposite best quote reaches it: the last
price's path (see `view`) shifted by the distance between last price and quote when the order came to rest.
The path does not depend on who looks or when, so neither do the fills.
"""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from math import ceil

import numpy as np

from paper_exchange.book import Level
from paper_exchange.candles import INTERVALS_MS, Floats, Kind
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.orders import Order, Side, Ticket, TimeInForce
from paper_exchange.thinning import thinned
from paper_exchange.view import MarketView

_BOOK_LEVELS = (10, 60, 500)  # each a prefix of the next
_ZERO = Decimal(0)
KIND_OF = {Venue.SPOT: Kind.SPOT, Venue.PERP: Kind.PERP}


@dataclass(slots=True)
class Liquidity:
    """The depth that is left of each book at the clock's present moment."""

    view: MarketView
    _at_ms: int = -1
    _taken: dict[tuple[Venue, str, Decimal], Decimal] = field(default_factory=dict)

    def levels(
        self, item: Instrument, side: Side, now_ms: int, enough_qty: Decimal | None = None
    ) -> list[Level]:
        """Return what an order of `side` can take, best price first; empty before the first candle.

        The levels beyond `enough_qty` (base units) may be left out; None: all of them.
        """
        if now_ms != self._at_ms:
            self._at_ms, self._taken = now_ms, {}
        for count in _BOOK_LEVELS if enough_qty is not None else _BOOK_LEVELS[-1:]:
            left = self._left(item, side, now_ms, count)
            if enough_qty is not None and sum((level.qty for level in left), _ZERO) >= enough_qty:
                break
        return left

    def _left(self, item: Instrument, side: Side, now_ms: int, count: int) -> list[Level]:
        """Return what is left of the first `count` levels."""
        book = self.view.book(item, now_ms, count)
        if book is None:
            return []
        found = book.asks if side is Side.BUY else book.bids
        left = [
            Level(level.px, level.qty - self._taken.get((item.venue, item.name, level.px), _ZERO))
            for level in found
        ]
        return [level for level in left if level.qty > 0]

    def take(self, item: Instrument, level: Level) -> None:
        """Remove a price and quantity from the book until the clock moves."""
        key = (item.venue, item.name, level.px)
        self._taken[key] = self._taken.get(key, _ZERO) + level.qty


def executions(
    levels: list[Level],
    side: Side,
    *,
    qty: Decimal | None,
    spend_notional: Decimal | None = None,
    limit_px: Decimal | None = None,
    lot: Decimal,
) -> list[Level]:
    """Return price and quantity of each execution, best first.

    Bounded by `qty` (base units) or else by `spend_notional` (quote units, whole lots only), and by
    `limit_px`; less than wanted when the levels do not hold it.
    """
    found: list[Level] = []
    left = qty
    money = spend_notional
    for level in levels:
        if limit_px is not None and not crosses(side, limit_px, level.px):
            break
        amount = level.qty
        if left is not None:
            amount = min(amount, left)
            left -= amount
        elif money is not None:
            amount = min(amount, (money / level.px / lot).to_integral_value(ROUND_DOWN) * lot)
            money -= amount * level.px
        if not amount:
            break
        found.append(Level(level.px, amount))
    return found


def immediate(ticket: Ticket, levels: list[Level], qty: Decimal | None) -> list[Level]:
    """Return what a ticket gets at once of `qty` (base units; None: as the ticket's quote amount buys).

    Nothing for FOK unless it is everything.
    """
    found = executions(
        levels,
        ticket.side,
        qty=qty,
        spend_notional=ticket.spend_notional,
        limit_px=ticket.limit_px,
        lot=ticket.item.filters.lot,
    )
    found = thinned(found, ticket.item.filters.lot)
    whole = qty is None or sum((level.qty for level in found), _ZERO) == qty
    return found if whole or ticket.tif is not TimeInForce.FOK else []


def would_take(ticket: Ticket, levels: list[Level]) -> bool:
    """Return whether a limit order would trade at once."""
    return (
        ticket.limit_px is not None and bool(levels) and crosses(ticket.side, ticket.limit_px, levels[0].px)
    )


def quote_gap_px(view: MarketView, ticket: Ticket, last_px: Decimal, now_ms: int) -> Decimal:
    """Return how far the opposite best quote stands above (buy) or below (sell) the last price."""
    book = view.book(ticket.item, now_ms, 1)
    assert book is not None, "there is a last price, so there is a book"
    return book.asks[0].px - last_px if ticket.side is Side.BUY else book.bids[0].px - last_px


def reached(view: MarketView, orders: list[Order], after_ms: int, until_ms: int) -> list[tuple[int, Order]]:
    """Return the resting orders that are reached in [after_ms, until_ms], with when, by time.

    A halted symbol's orders, and idle ones, are not reached before that is over.
    """
    found: list[tuple[int, Order]] = []
    for order in orders:
        ticket = order.ticket
        assert ticket.limit_px is not None, "only limit orders rest"
        halted_ms = view.halts.until_ms(ticket.item.venue, ticket.item.name)
        since_ms = max(after_ms, order.idle_until_ms, halted_ms)
        if since_ms > until_ms:
            continue
        trigger_px = ticket.limit_px - order.quote_gap_px
        moment_ms = crossing_ms(
            view, ticket.item, ticket.side, trigger_px, after_ms=since_ms, until_ms=until_ms
        )
        if moment_ms is not None:
            found.append((moment_ms, order))
    return sorted(found, key=lambda pair: (pair[0], pair[1].order_id))


def crosses(side: Side, limit_px: Decimal, px: Decimal) -> bool:
    """Return whether an order of `side` may trade at `px`."""
    return px <= limit_px if side is Side.BUY else px >= limit_px


def crossing_ms(
    view: MarketView, item: Instrument, side: Side, trigger_px: Decimal, *, after_ms: int, until_ms: int
) -> int | None:
    """Return when the last price first is at `trigger_px` or beyond, in [after_ms, until_ms]; else None."""
    times_ms, prices = price_path(view, item, after_ms, until_ms)
    sign = 1.0 if side is Side.BUY else -1.0
    short = sign * (prices - float(trigger_px))  # how far the price is short of the trigger, along the path
    touched = np.flatnonzero((np.minimum(short[:-1], short[1:]) <= 0.0) & (times_ms[1:] >= after_ms))
    for turn in touched.tolist():
        (start_ms, end_ms), (before, after) = times_ms[turn : turn + 2], short[turn : turn + 2]
        since_ms = max(start_ms, float(after_ms))
        gone = 0.0 if end_ms == start_ms else (since_ms - start_ms) / (end_ms - start_ms)
        if before + (after - before) * gone > 0.0:  # not there yet when we start to look: on its way?
            if after > 0.0:
                continue
            since_ms = start_ms + (end_ms - start_ms) * (before / (before - after))
        return ceil(since_ms) if ceil(since_ms) <= until_ms else None
    return None


def price_path(view: MarketView, item: Instrument, after_ms: int, until_ms: int) -> tuple[Floats, Floats]:
    """Return the turning points (ms, price) of the last price's path around [after_ms, until_ms].

    Shapes (n,), times ascending: straight lines within a candle, flat from its close to the next open.
    """
    series = view.store.finest(KIND_OF[item.venue], item.name)
    if series is None:
        return np.empty(0), np.empty(0)
    window = series.rows(max(series.position(after_ms), 0), series.position(until_ms) + 1)
    if not len(window):
        return np.empty(0), np.empty(0)
    opens = window.open_ms.astype(np.float64)
    length_ms = float(INTERVALS_MS[series.interval])
    next_opens = np.append(opens[1:], max(opens[-1] + length_ms, float(until_ms)))
    first, high, low, last = window.ohlcv[:, :4].T
    rising = last >= first
    times = [opens, opens + length_ms / 3, opens + length_ms * 2 / 3, opens + length_ms, next_opens]
    prices = [first, np.where(rising, low, high), np.where(rising, high, low), last, last]
    return np.column_stack(times).ravel(), np.column_stack(prices).ravel()
