"""When positions are liquidated, and at which mark price.

A pool is the money that answers for some positions: an isolated position's own margin, or the wallet without
the isolated margins for all cross positions of a settlement asset. Its health is

    cash + sum(unrealized profit) - sum(maintenance margin)      at the marks of one moment

and the pool is liquidated at the first millisecond at which that is not above zero. Along a straight line of
the marks the health is concave (maintenance margins are convex in the notional), so its sign at both ends of
a line tells whether it falls to zero on it. Source of the price formula: Binance, "How to Calculate
Liquidation Price of USD-M Futures Contracts".
"""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

import numpy as np

from paper_exchange.brackets import brackets
from paper_exchange.candles import Floats
from paper_exchange.mark_path import Lines, mark_lines
from paper_exchange.perp_margin import Mark, isolated
from paper_exchange.perp_position import MONEY_STEP, Position
from paper_exchange.perp_wallet import PerpWallet
from paper_exchange.view import MarketView

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Pool:
    """Money (units of `asset`) and the positions (at least one) it answers for."""

    asset: str
    cash: Decimal
    positions: tuple[Position, ...]
    isolated: bool


@dataclass(frozen=True, slots=True)
class Breach:
    """A pool that is worth no more than its maintenance margin, when, and each position's mark then."""

    at_ms: int
    pool: Pool
    marks: tuple[Decimal, ...]


def pools(wallet: PerpWallet) -> list[Pool]:
    """Return the pools that have positions: isolated ones by symbol, then cross ones by asset."""
    held = wallet.open_positions()
    apart = [p for p in held if isolated(wallet, p)]
    found = [Pool(p.item.quote, p.isolated_margin, (p,), isolated=True) for p in apart]
    for asset in sorted({p.item.quote for p in held if not isolated(wallet, p)}):
        aside = sum((p.isolated_margin for p in held if p.item.quote == asset), _ZERO)
        cross = tuple(p for p in held if p.item.quote == asset and not isolated(wallet, p))
        found.append(Pool(asset, wallet.balance(asset) - aside, cross, isolated=False))
    return found


def first_breach(view: MarketView, wallet: PerpWallet, after_ms: int, until_ms: int) -> Breach | None:
    """Return the first liquidation due in [after_ms, until_ms], if nothing else happens; None for none."""
    found = [_breach(view, pool, after_ms, until_ms) for pool in pools(wallet)]
    return min((breach for breach in found if breach), key=lambda breach: breach.at_ms, default=None)


def liquidation_px(wallet: PerpWallet, position: Position, mark: Mark) -> Decimal | None:
    """Return the mark (quote) at which a position is liquidated, other marks as they are; None for none."""
    pool = next(pool for pool in pools(wallet) if position in pool.positions)
    others = [p for p in pool.positions if p is not position]
    cash = pool.cash + sum(
        (p.unrealized_pnl(mark(p.item)) - p.maintenance_margin(mark(p.item)) for p in others), _ZERO
    )
    qty, table = position.qty, brackets(position.item.base)
    for bracket in table:
        px = (position.entry_notional - cash - bracket.cum_margin) / (
            qty - abs(qty) * bracket.maintenance_rate
        )
        notional = abs(qty) * px
        if bracket.floor_notional <= notional and (notional < bracket.cap_notional or bracket is table[-1]):
            return px if px > 0 else None
    return None


def _breach(view: MarketView, pool: Pool, after_ms: int, until_ms: int) -> Breach | None:
    lines = mark_lines(view, [p.item for p in pool.positions], after_ms, until_ms)
    health_first, health_last = _health(pool, lines.first_px), _health(pool, lines.last_px)
    for line in np.flatnonzero((health_first <= 0.0) | (health_last <= 0.0)).tolist():
        at_ms = _first_ms(pool, lines, line)
        if at_ms is None:
            continue
        marks = lines.at(line, at_ms).tolist()
        return Breach(at_ms, pool, tuple(Decimal(repr(px)).quantize(MONEY_STEP) for px in marks))
    return None


def _first_ms(pool: Pool, lines: Lines, line: int) -> int | None:
    """Return the first whole millisecond on a line at which the pool is due; None when it has none."""
    start_ms, end_ms = (float(edge) for edge in lines.edges_ms[line : line + 2])

    def due(moment_ms: float) -> bool:
        return bool(_health(pool, lines.at(line, moment_ms)[:, None])[0] <= 0.0)

    low, high = ceil(start_ms), ceil(end_ms) - 1  # the end is the next line's
    if low > high or due(low):
        return low if low <= high else None
    if not due(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if due(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _health(pool: Pool, marks: Floats) -> Floats:
    """Return the pool's health; `marks`: shape (k, n), the result (n,), units of the asset."""
    total = np.full(marks.shape[1], float(pool.cash))
    for position, px in zip(pool.positions, marks, strict=True):
        table = brackets(position.item.base)
        notional = np.abs(float(position.qty)) * px
        floors = [float(bracket.floor_notional) for bracket in table]
        found = np.maximum(np.searchsorted(floors, notional, side="right") - 1, 0)
        rate = np.array([float(bracket.maintenance_rate) for bracket in table])[found]
        cum = np.array([float(bracket.cum_margin) for bracket in table])[found]
        total += float(position.qty) * px - float(position.entry_notional) - (notional * rate - cum)
    return total
