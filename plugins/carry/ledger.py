"""The two-leg arithmetic of one carry, in float64 (docs/accounting.md is the contract).

    net = basis_pnl + funding_pnl - fees_perp - fees_spot - borrow - fixed

`fold_carry` takes the perp fills of one trade and a tape of recorded prices; everything about the spot leg
follows from them. Quantities are signed base units (+ bought or long, - sold or short); money is in quote
currency, received is positive, costs are positive numbers that are subtracted. Positions are summed as
decimals, because floor(0.003 / 0.001) is 2 in binary floats; prices and money are float64.
"""

from dataclasses import dataclass, fields
from decimal import ROUND_FLOOR, Decimal

import numpy as np

from carry.costs import BPS, CostModel
from carry.errors import DataError
from carry.tape import DAY_NS, Bools, Floats, Ints, Tape, iso, require_coverage

# freqtrade fills these inside the candle; every other order of a backtest fills at the candle's open.
OFF_OPEN_TAGS = frozenset({"liquidation", "stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "roi"})
DEFAULT_SPOT_LOT = 1e-8


@dataclass(frozen=True, slots=True)
class Fills:
    """Perp fills of one trade, arrays of shape (n,), ascending `at_ns`; order within an instant is free.

    `qty` signed (+ buy), `px` raw fill price, `fee_rate` a fraction, `off_open` True where the fill was
    inside the candle that opened at `at_ns` instead of at its open.
    """

    at_ns: Ints
    qty: Floats
    px: Floats
    fee_rate: Floats
    off_open: Bools


@dataclass(frozen=True, slots=True)
class Parts:
    """Profit of a carry by origin, in quote currency. `slippage` is inside `basis_pnl`: attribution only."""

    basis_pnl: float = 0.0
    funding_pnl: float = 0.0
    fees_perp: float = 0.0
    fees_spot: float = 0.0
    slippage: float = 0.0
    fixed: float = 0.0
    borrow: float = 0.0

    @property
    def net(self) -> float:
        """Return the profit of both legs after all costs."""
        costs = self.fees_perp + self.fees_spot + self.borrow + self.fixed
        return self.basis_pnl + self.funding_pnl - costs

    def __add__(self, other: "Parts") -> "Parts":
        """Return the sum, part by part."""
        return Parts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Parts)))


@dataclass(frozen=True, slots=True)
class FoldedCarry:
    """A carry recomputed: its parts, and its path for the equity curve.

    Arrays over the k instants with fills: `at_ns`, `perp_qty` and `spot_qty` held *after* them, `cash` =
    running sum of price cash flows, fees and fixed costs (funding and borrow left out), `borrow_daily` =
    quote per day that accrues from then on. Over the m settlements received: `settle_ns`, `funding`.
    `perp_notional` and `spot_notional` are raw traded values, `entry_notional` the perp's on the entry side.
    """

    parts: Parts
    at_ns: Ints
    perp_qty: Floats
    spot_qty: Floats
    cash: Floats
    borrow_daily: Floats
    settle_ns: Ints
    funding: Floats
    perp_notional: float
    spot_notional: float
    entry_notional: float


def floor_to_lot(qty: Decimal, lot: Decimal) -> Decimal:
    """Return the largest multiple of `lot` that is not above `qty` (>= 0)."""
    return (qty / lot).to_integral_value(rounding=ROUND_FLOOR) * lot


def decimal_qty(qty: float) -> Decimal:
    """Return a float quantity as the decimal it stands for: 3 x 0.1 = 0.30000000000000004 is 0.3.

    A double carries 15 decimal digits; what stands beyond is binary noise of contract multiples.
    """
    return Decimal(f"{qty:.15g}")


def positions(qty: Floats, group: Ints, spot_lot: float) -> tuple[Floats, Floats]:
    """Return (perp, spot) quantities held after each instant, both of shape (k,).

    `group` maps each fill to its instant, 0..k-1 ascending. The spot has the opposite sign of the perp and is
    floored to whole lots; what is below one lot stays unhedged until the next instant.
    """
    lot = Decimal(repr(float(spot_lot)))
    size = int(group[-1]) + 1
    change = [Decimal(0)] * size
    for row, fill_qty in zip(group.tolist(), qty.tolist(), strict=True):
        change[row] += decimal_qty(fill_qty)
    perp, spot = np.empty(size), np.empty(size)
    held = Decimal(0)
    for row, delta in enumerate(change):
        held += delta
        hedge = floor_to_lot(abs(held), lot)
        perp[row], spot[row] = float(held), float(hedge if held < 0 else -hedge)
    return perp, spot


def spot_fill_prices(tape: Tape, at_ns: Ints, perp_off_px: Floats) -> Floats:
    """Return the raw spot price of a fill at each instant; shape (k,), quote per base.

    The open of the spot candle opened then; in an outage the open of the next traded candle, or the close of
    the last one if none follows. Where `perp_off_px` is not NaN, the perp filled inside the candle: its
    price times spot open / perp open, kept within the spot candle's low and high.
    Raises DataError where the perp's candle is needed and absent.
    """
    rows = np.searchsorted(tape.spot_ns, at_ns)
    ended = rows == tape.spot_ns.size
    rows = np.minimum(rows, tape.spot_ns.size - 1)
    px = np.where(ended, tape.spot_close[rows], tape.spot_open[rows])
    for k in np.flatnonzero(~np.isnan(perp_off_px) & (tape.spot_ns[rows] == at_ns)):
        perp_row = int(np.searchsorted(tape.perp_ns, at_ns[k]))
        if perp_row == tape.perp_ns.size or tape.perp_ns[perp_row] != at_ns[k]:
            raise DataError(f"perp candle {iso(int(at_ns[k]))} of {tape.pair} is missing: download it")
        moved = perp_off_px[k] * px[k] / tape.perp_open[perp_row]
        px[k] = min(max(moved, tape.spot_low[rows[k]]), tape.spot_high[rows[k]])
    return px


def funding_flows(tape: Tape, at_ns: Ints, perp_qty: Floats) -> tuple[Ints, Floats]:
    """Return settlements in (first, last] instant and what each paid: (m,) instants, (m,) quote.

    rate x mark open x short quantity, with the quantity held before the fills at the settlement's own
    instant. `perp_qty` (k,) is held after each instant.
    """
    begin, end = np.searchsorted(tape.settle_ns, [at_ns[0], at_ns[-1]], side="right")
    settle_ns = tape.settle_ns[begin:end]
    held = perp_qty[np.searchsorted(at_ns, settle_ns, side="left") - 1]
    return settle_ns, -held * tape.settle_rate[begin:end] * tape.settle_mark_px[begin:end]


def spot_costs(change: Floats, px: Floats) -> Floats:
    """Return the cost of the spot held after each instant at average cost; shape (k,), quote, >= 0.

    `change` signed quantity bought or sold, `px` effective price. A reduction keeps the average, an
    increase adds at its own price, a reversal starts anew.
    """
    cost = np.empty(change.shape)
    held, average = 0.0, 0.0
    for k, (delta, price) in enumerate(zip(change.tolist(), px.tolist(), strict=True)):
        after = held + delta
        if held * delta >= 0.0 and after != 0.0:
            average = (abs(held) * average + abs(delta) * price) / abs(after)
        elif held * after < 0.0:
            average = price
        held = after
        cost[k] = abs(held) * average
    return cost


def _by_instant(values: Floats, group: Ints, size: int) -> Floats:
    sums: Floats = np.bincount(group, weights=values, minlength=size).astype(np.float64)
    return sums


def fold_carry(fills: Fills, tape: Tape, costs: CostModel, spot_lot: float = DEFAULT_SPOT_LOT) -> FoldedCarry:
    """Recompute one carry from its perp fills and recorded prices.

    Perp fees are charged per order at `fills.fee_rate`; spot trades, slippage and positions on what is left
    after netting equal instants, whose price is the quantity-weighted one of their fills.
    Raises DataError where the tape does not cover the trade; nothing missing counts as zero.
    """
    at_ns, group = np.unique(fills.at_ns, return_inverse=True)
    size = at_ns.size
    require_coverage(tape, at_ns)
    perp_qty, spot_qty = positions(fills.qty, group, spot_lot)
    notional = np.abs(fills.qty) * fills.px
    gross_qty = _by_instant(np.abs(fills.qty), group, size)
    perp_px = _by_instant(notional, group, size) / gross_qty
    perp_slip = np.abs(np.diff(perp_qty, prepend=0.0)) * perp_px * (costs.perp_slippage_bps * BPS)
    perp_fee = _by_instant(notional * fills.fee_rate, group, size)
    perp_cash = -_by_instant(fills.qty * fills.px, group, size) - perp_slip

    spot_change = np.diff(spot_qty, prepend=0.0)
    inside = _by_instant(fills.off_open.astype(np.float64), group, size) > 0.0
    spot_px = spot_fill_prices(tape, at_ns, np.where(inside, perp_px, np.nan))
    effective_px = spot_px * (1.0 + np.sign(spot_change) * (costs.spot_slippage_bps * BPS))
    spot_slip = np.abs(spot_change) * spot_px * (costs.spot_slippage_bps * BPS)
    spot_fee = np.abs(spot_change) * effective_px * costs.spot_fee_rate
    spot_cash = -spot_change * effective_px
    borrow_daily = spot_costs(spot_change, effective_px) * (costs.borrow_daily_bps * BPS)

    settle_ns, funding = funding_flows(tape, at_ns, perp_qty)
    fixed = np.zeros(size)
    fixed[0] = costs.fixed_per_trade
    entry_side = np.sign(fills.qty) == np.sign(
        perp_qty[np.flatnonzero(perp_qty)[0]] if perp_qty.any() else -1.0
    )
    return FoldedCarry(
        parts=Parts(
            basis_pnl=float(perp_cash.sum() + spot_cash.sum()),
            funding_pnl=float(funding.sum()),
            fees_perp=float(perp_fee.sum()),
            fees_spot=float(spot_fee.sum()),
            slippage=float(perp_slip.sum() + spot_slip.sum()),
            fixed=costs.fixed_per_trade,
            borrow=float((borrow_daily[:-1] * (np.diff(at_ns) / DAY_NS)).sum()),
        ),
        at_ns=at_ns,
        perp_qty=perp_qty,
        spot_qty=spot_qty,
        cash=np.cumsum(perp_cash + spot_cash - perp_fee - spot_fee - fixed),
        borrow_daily=borrow_daily,
        settle_ns=settle_ns,
        funding=funding,
        perp_notional=float(notional.sum()),
        spot_notional=float((np.abs(spot_change) * spot_px).sum()),
        entry_notional=float(notional[entry_side].sum()),
    )
