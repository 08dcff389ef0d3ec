"""The two-leg arithmetic against a naive second opinion, and its rules one by one."""

from dataclasses import astuple, replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.costs import CostModel
from carry.equity import build_equity
from carry.errors import DataError
from carry.ledger import Fills, decimal_qty, floor_to_lot, fold_carry, positions, spot_costs
from carry.tape import require_coverage, settlement_holes

from .cases import HOURS, START_NS, Case, cases, make_tape
from .synthetic import HOUR_NS, naive_parts

FREE = CostModel(spot_taker_bps=0.0, perp_slippage_bps=0.0, spot_slippage_bps=0.0)


def fills_at(rows: list[tuple[int, float, float]], off_open: bool = False) -> Fills:
    """Return fills from (hour, signed quantity, price); only the last may be inside its candle."""
    inside = np.zeros(len(rows), dtype=np.bool_)
    inside[-1] = off_open
    return Fills(
        at_ns=START_NS + np.array([row[0] for row in rows], dtype=np.int64) * HOUR_NS,
        qty=np.array([row[1] for row in rows]),
        px=np.array([row[2] for row in rows]),
        fee_rate=np.zeros(len(rows)),
        off_open=inside,
    )


@given(cases())
def test_fold_equals_booking_step_by_step(case: Case) -> None:
    parts = fold_carry(case.fills, case.tape, case.costs, case.lot).parts
    naive = naive_parts(case.fills, case.tape, case.costs, case.lot)
    assert astuple(parts) == pytest.approx(astuple(naive), abs=1e-9)


@given(cases())
def test_net_is_basis_and_funding_less_costs(case: Case) -> None:
    parts = fold_carry(case.fills, case.tape, case.costs, case.lot).parts
    costs = parts.fees_perp + parts.fees_spot + parts.borrow + parts.fixed
    assert parts.net == pytest.approx(parts.basis_pnl + parts.funding_pnl - costs, abs=1e-12)
    assert min(parts.fees_perp, parts.fees_spot, parts.slippage, parts.borrow, parts.fixed) >= 0.0


@given(cases(), st.randoms(use_true_random=False))
def test_order_of_fills_within_an_instant_does_not_matter(case: Case, random: "np.random.Generator") -> None:
    rows = list(range(case.fills.at_ns.size))
    random.shuffle(rows)
    rows.sort(key=lambda row: int(case.fills.at_ns[row]))
    shuffled = Fills(
        case.fills.at_ns[rows],
        case.fills.qty[rows],
        case.fills.px[rows],
        case.fills.fee_rate[rows],
        case.fills.off_open[rows],
    )
    one = fold_carry(case.fills, case.tape, case.costs, case.lot)
    other = fold_carry(shuffled, case.tape, case.costs, case.lot)
    assert astuple(one.parts) == pytest.approx(astuple(other.parts), abs=1e-9)
    assert np.array_equal(one.spot_qty, other.spot_qty)


@given(cases())
def test_hedge_is_short_by_less_than_a_lot_and_flat_at_the_end(case: Case) -> None:
    folded = fold_carry(case.fills, case.tape, case.costs, case.lot)
    gap = -folded.perp_qty - folded.spot_qty
    assert (gap > -1e-12).all() and (gap < case.lot).all()
    assert folded.perp_qty[-1] == folded.spot_qty[-1] == 0.0


@given(cases())
def test_last_equity_is_start_plus_net(case: Case) -> None:
    folded = fold_carry(case.fills, case.tape, case.costs, case.lot)
    curve = build_equity(
        {"BTC/USDT:USDT": [folded]},
        {"BTC/USDT:USDT": case.closes},
        1000.0,
        START_NS,
        START_NS + HOURS * HOUR_NS,
    )
    assert curve.equity[-1] == pytest.approx(1000.0 + folded.parts.net, abs=1e-9)
    assert np.isfinite(curve.equity).all()
    assert not curve.invested[-1]


@given(cases(off_open=False))
@settings(max_examples=50)
def test_equity_along_the_way_is_the_carry_closed_at_that_close(case: Case) -> None:
    """Marking at a close equals selling both legs there, free of costs, one instant later."""
    folded = fold_carry(case.fills, case.tape, case.costs, case.lot)
    curve = build_equity({"x": [folded]}, {"x": case.closes}, 0.0, START_NS, START_NS + HOURS * HOUR_NS)
    for at_ns, equity in zip(curve.at_ns.tolist(), curve.equity.tolist(), strict=True):
        row = int(np.searchsorted(folded.at_ns, at_ns)) - 1
        if row < 0:
            assert equity == 0.0
            continue
        bar = int(np.flatnonzero(case.closes.close_ns == at_ns)[0])
        legs = folded.perp_qty[row] * case.closes.perp_close[bar]
        if folded.spot_qty[row] != 0.0:
            legs += folded.spot_qty[row] * case.closes.spot_close[bar]
        funding = folded.funding[folded.settle_ns <= at_ns].sum()
        borrow = 0.0
        for k in range(row + 1):
            until = min(at_ns, int(folded.at_ns[k + 1])) if k + 1 < folded.at_ns.size else at_ns
            borrow += folded.borrow_daily[k] * (until - folded.at_ns[k]) / HOUR_NS / 24
        assert equity == pytest.approx(folded.cash[row] + legs + funding - borrow, abs=1e-8)


def test_floor_is_decimal_not_binary() -> None:
    assert floor_to_lot(decimal_qty(0.003), Decimal("0.001")) == Decimal("0.003")
    assert floor_to_lot(decimal_qty(3 * 0.1), Decimal("0.1")) == Decimal("0.3")
    assert floor_to_lot(decimal_qty(0.7 - 1e-17), Decimal("0.001")) == Decimal("0.700")
    assert floor_to_lot(decimal_qty(0.0029999), Decimal("0.001")) == Decimal("0.002")


def test_remainder_below_a_lot_is_carried_to_the_next_fill() -> None:
    perp, spot = positions(np.array([-0.0015, -0.0015, 0.003]), np.array([0, 1, 2]), 0.001)
    assert perp.tolist() == [-0.0015, -0.003, 0.0]
    assert spot.tolist() == [0.001, 0.003, 0.0]


def test_long_perp_is_hedged_by_short_spot() -> None:
    _, spot = positions(np.array([2.0, -2.0]), np.array([0, 1]), 0.5)
    assert spot.tolist() == [-2.0, 0.0]


def test_settlement_at_entry_is_not_paid_and_at_exit_is() -> None:
    tape, _ = make_tape(1)
    px = tape.perp_open
    folded = fold_carry(fills_at([(8, -2.0, px[8]), (16, 2.0, px[16])]), tape, FREE)
    assert folded.settle_ns.tolist() == [START_NS + 16 * HOUR_NS]
    assert folded.parts.funding_pnl == pytest.approx(2.0 * tape.settle_rate[2] * tape.settle_mark_px[2])


def test_settlement_at_an_adjustment_pays_the_quantity_held_before() -> None:
    tape, _ = make_tape(1)
    px = tape.perp_open
    rows = [(7, -2.0, px[7]), (8, -1.0, px[8]), (9, 3.0, px[9])]
    folded = fold_carry(fills_at(rows), tape, FREE)
    assert folded.parts.funding_pnl == pytest.approx(2.0 * tape.settle_rate[1] * tape.settle_mark_px[1])


def test_outage_fills_at_the_next_traded_open_or_else_the_last_close() -> None:
    outages = frozenset({5, 6, *range(90, HOURS)})
    tape, _ = make_tape(2, outages)
    full, _ = make_tape(2)
    px = tape.perp_open
    folded = fold_carry(fills_at([(5, -1.0, px[5]), (92, 1.0, px[92])]), tape, FREE)
    spot_gain = full.spot_close[89] - full.spot_open[7]
    assert folded.parts.basis_pnl == pytest.approx(px[5] - px[92] + spot_gain)


def test_liquidation_moves_the_spot_with_the_perp_within_its_candle() -> None:
    tape, _ = make_tape(3)
    px = tape.perp_open
    for moved, expected in [(1.001, None), (2.0, tape.spot_high[20]), (0.5, tape.spot_low[20])]:
        fill_px = px[20] * moved
        folded = fold_carry(fills_at([(10, -1.0, px[10]), (20, 1.0, fill_px)], off_open=True), tape, FREE)
        exit_px = tape.spot_open[20] * moved if expected is None else expected
        if expected is None:
            exit_px = min(max(exit_px, tape.spot_low[20]), tape.spot_high[20])
        assert folded.parts.basis_pnl == pytest.approx(px[10] - fill_px + exit_px - tape.spot_open[10])


def test_slippage_worsens_all_four_fills_and_is_not_subtracted_again() -> None:
    tape, _ = make_tape(4)
    px = tape.perp_open
    fills = fills_at([(10, -1.0, px[10]), (20, 1.0, px[20])])
    free = fold_carry(fills, tape, FREE).parts
    worse = fold_carry(fills, tape, replace(FREE, perp_slippage_bps=10.0, spot_slippage_bps=20.0)).parts
    paid = 1e-3 * (px[10] + px[20]) + 2e-3 * (tape.spot_open[10] + tape.spot_open[20])
    assert worse.slippage == pytest.approx(paid)
    assert free.net - worse.net == pytest.approx(paid)


def test_traded_values_are_raw_and_entry_notional_is_the_entry_side() -> None:
    tape, _ = make_tape(4)
    px, spot_px = tape.perp_open, tape.spot_open
    rows = [(10, -2.0, px[10]), (15, 0.5, px[15]), (20, 1.5, px[20])]
    folded = fold_carry(fills_at(rows), tape, replace(FREE, spot_slippage_bps=50.0))
    assert folded.entry_notional == pytest.approx(2.0 * px[10])
    assert folded.perp_notional == pytest.approx(2.0 * px[10] + 0.5 * px[15] + 1.5 * px[20])
    assert folded.spot_notional == pytest.approx(2.0 * spot_px[10] + 0.5 * spot_px[15] + 1.5 * spot_px[20])


def test_average_cost_stays_on_reduction_and_restarts_after_a_reversal() -> None:
    change = np.array([1.0, 1.0, -1.0, -3.0, 2.0])
    cost = spot_costs(change, np.array([10.0, 20.0, 99.0, 30.0, 5.0]))
    assert cost.tolist() == [10.0, 30.0, 15.0, 60.0, 0.0]


def test_one_missing_settlement_is_a_hole_and_a_changed_interval_is_not() -> None:
    hours = np.array([0, 8, 16, 32, 40, 44, 48, 52, 60, 68], dtype=np.int64) * HOUR_NS
    assert np.flatnonzero(settlement_holes(hours)).tolist() == [2]
    hourly = np.array([0, 1, 2, 4, 5], dtype=np.int64) * HOUR_NS
    assert settlement_holes(hourly).tolist() == [False, False, True, False]


def test_trade_beyond_the_recorded_range_is_refused() -> None:
    tape, _ = make_tape(5)
    with pytest.raises(DataError, match="BTC/USDT:USDT 2024-01-04T22"):
        require_coverage(tape, START_NS + np.array([94, 130], dtype=np.int64) * HOUR_NS)


def test_spot_silent_for_more_than_a_day_around_a_fill_is_missing_data() -> None:
    day, longer = frozenset(range(10, 34)), frozenset(range(10, 35))
    px = make_tape(6)[0].perp_open
    fills = fills_at([(10, -1.0, px[10]), (50, 1.0, px[50])])
    assert fold_carry(fills, make_tape(6, day)[0], FREE).parts.basis_pnl != 0.0
    with pytest.raises(DataError, match="spot data do not cover BTC/USDT:USDT 2024-01-01T10"):
        fold_carry(fills, make_tape(6, longer)[0], FREE)
