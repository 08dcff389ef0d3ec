"""Rotation: what the fold may do with any values, and what the values may know."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.costs import BPS
from carry.errors import UsageError
from carry.features import FEATURE_COLUMNS, carry_features
from carry.rotation import (
    PairSeries,
    RotationMarket,
    RotationRules,
    pair_series,
    rotate,
    rotation_market,
    targets,
)

HOUR = pd.Timedelta(1, unit="h")
START = pd.Timestamp("2024-01-01", tz="UTC")
COST = 34.0
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Floats, Bools, Bools, int]:
    """Draw values (T, P) with ties, gaps and NaN, both masks, and the number of slots."""
    rows, pairs = draw(st.integers(1, 60)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    value = np.cumsum(rng.normal(0.0, draw(st.sampled_from([5.0, 40.0])), (rows, pairs)), axis=0).round(-1)
    value += draw(st.sampled_from([-60.0, 0.0, 60.0]))
    value[rng.random((rows, pairs)) < 0.1] = np.nan
    traded = rng.random((rows, pairs)) < 0.9
    return value, traded, traded & (rng.random((rows, pairs)) < 0.8), draw(st.integers(1, 4))


def folded(value: Floats, traded: Bools, fill: Bools, slots: float, cost: float = COST) -> Bools:
    """Fold from an empty account."""
    return targets(value, traded, fill, cost, slots, first=0, held=np.zeros(value.shape[1], np.bool_))


@settings(deadline=None)  # the first example compiles
@given(matrices())
def test_no_change_earns_less_than_the_round_trips_it_costs(
    drawn: tuple[Floats, Bools, Bools, int],
) -> None:
    value, traded, fill, slots = drawn
    target = folded(*drawn)
    assert target.sum(axis=1).max() <= slots
    before = np.vstack((np.zeros((1, value.shape[1]), np.bool_), target[:-1]))
    for row, (was, now) in enumerate(zip(before, target, strict=True)):
        opened, closed = np.flatnonzero(now & ~was), np.flatnonzero(was & ~now)
        assert fill[row, opened].all()
        assert (value[row, opened] > COST).all()
        assert traded[row, closed].all()
        gain = value[row, opened].sum() - value[row, closed].sum()
        assert gain > COST * (len(opened) + len(closed)) or not len(opened) + len(closed)
        for left in value[row, closed]:  # into idle, or for one that is worth both round trips more
            assert left < -COST or value[row, opened].max() - left > 2 * COST


@settings(deadline=None)  # the first example compiles
@given(matrices())
def test_what_is_left_out_was_not_worth_it(drawn: tuple[Floats, Bools, Bools, int]) -> None:
    value, traded, fill, slots = drawn
    target = folded(*drawn)
    for row, held in enumerate(target):
        known = held & traded[row] & ~np.isnan(value[row])
        candidates = value[row, ~held & fill[row]]
        best = np.nanmax(candidates, initial=-np.inf)
        assert not (value[row, known] < -COST).any()
        if held.sum() < slots:
            assert not best > COST
        elif known.any() and best > COST:
            assert not best - value[row, known].min() > 2 * COST


@settings(deadline=None)  # the first example compiles
@given(matrices(), st.data())
def test_rows_do_not_depend_on_later_ones(
    drawn: tuple[Floats, Bools, Bools, int], data: st.DataObject
) -> None:
    value, traded, fill, slots = drawn
    cut = data.draw(st.integers(1, len(value)))
    np.testing.assert_array_equal(folded(value[:cut], traded[:cut], fill[:cut], slots), folded(*drawn)[:cut])


@settings(deadline=None)  # the first example compiles
@given(matrices(), st.data())
def test_the_last_step_from_what_is_held_is_the_last_row_of_the_replay(
    drawn: tuple[Floats, Bools, Bools, int], data: st.DataObject
) -> None:
    value, traded, fill, slots = drawn
    target = folded(*drawn)
    row = data.draw(st.integers(1, len(value))) - 1
    held = target[row - 1] if row else np.zeros(value.shape[1], np.bool_)
    stepped = targets(value, traded, fill, COST, slots, first=row, held=held)
    np.testing.assert_array_equal(stepped[row:], target[row:])
    assert (stepped[:row] == held).all()


@settings(deadline=None)  # the first example compiles
@given(matrices(), st.randoms())
def test_the_order_of_pairs_matters_only_for_ties(
    drawn: tuple[Floats, Bools, Bools, int], random: "object"
) -> None:
    value, traded, fill, slots = drawn
    value = value + np.random.default_rng(7).normal(0, 1e-6, value.shape)  # no ties
    order = list(range(value.shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = folded(value[:, order], traded[:, order], fill[:, order], slots)
    np.testing.assert_array_equal(moved, folded(value, traded, fill, slots)[:, order])


def test_of_equal_pairs_the_first_by_name_is_held_and_kept() -> None:
    value, free = np.full((20, 3), 80.0), np.ones((20, 3), np.bool_)
    np.testing.assert_array_equal(folded(value, free, free, 1), np.tile([True, False, False], (20, 1)))


@settings(deadline=None)
@given(st.integers(0, 2), st.floats(0.01, 200.0), st.integers(0, 2**32))
def test_a_pair_that_is_always_best_is_never_left(best: int, lead: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.normal(50.0, 60.0, (80, 3))
    value[:, best] = np.maximum(value.max(axis=1), 40.0) + lead
    free = np.ones(value.shape, np.bool_)
    assert folded(value, free, free, 1)[:, best].all()


def test_slots_without_a_limit_hold_every_pair_that_is_worth_it() -> None:
    value, free = np.tile([80.0, 20.0, 50.0], (5, 1)), np.ones((5, 3), np.bool_)
    for slots in (float("inf"), -1.0, 3.0):
        assert folded(value, free, free, slots)[-1].tolist() == [True, False, True]


def test_an_unknown_value_neither_opens_nor_closes() -> None:
    value = np.array([[90.0, np.nan], [np.nan, 500.0], [np.nan, 500.0]])
    free = np.ones(value.shape, np.bool_)
    assert folded(value, free, free, 1).tolist() == [[True, False]] * 3


def frame_of(rates: Floats, interval_h: int, first: pd.Timestamp = START, hours: int = 1440) -> PairSeries:
    """Return a pair with these rates, one per interval from `first` on, and a spread that hardly moves."""
    dates = pd.date_range(first, periods=hours, freq="h")
    close = np.full(hours, 100.0)
    spot = pd.DataFrame({"date": dates, "close": close, "volume": 1.0})
    perp = spot.assign(close=close * (1 + 1e-6 * np.sin(np.arange(hours))))
    stamps = first + pd.to_timedelta(np.arange(len(rates)) * interval_h, unit="h")
    funding = pd.DataFrame({"date": stamps, "funding_rate": rates})
    features = carry_features(perp, spot, funding, "1h").assign(date=dates)
    return pair_series(f"C{interval_h}/USDT:USDT", features, funding, "1h")


def test_one_rate_a_day_is_worth_the_same_at_any_interval() -> None:
    daily = 6.0
    series = [frame_of(np.full(1440 // h, daily * BPS * h / 24), h) for h in (1, 2, 4, 8)]
    rules = RotationRules(basis_weight=0.0)
    value = rotation_market(series, "1h").value_bps(rules)
    wanted = rules.days * daily - 3.0 / 100 / BPS * 1.5 * 30 / 365
    np.testing.assert_allclose(value[-1], wanted, rtol=1e-9)


def test_a_pair_listed_late_is_chosen_only_when_ninety_cycles_have_settled() -> None:
    early = frame_of(np.full(180, 1e-4), 8)
    late = replace(frame_of(np.full(300, 2e-3), 4, START + 240 * HOUR, 1200), pair="Z/USDT:USDT")
    market = rotation_market([late, early], "1h")
    rotation = rotate(market, RotationRules(), 1)
    assert market.pairs == ("C8/USDT:USDT", "Z/USDT:USDT")
    chosen = market.closed[np.flatnonzero(rotation.target[:, 1])[0]]
    # its first settlement has no interval: the first cycle that counts ends 8 h after the listing
    assert pd.Timestamp(chosen, tz="UTC") == START + (240 + 8 + 89 * 8 + 1) * HOUR
    assert rotation.target.sum(axis=1).max() == 1


def test_a_missing_settlement_or_a_history_that_ends_opens_nothing_and_closes_nothing() -> None:
    gone = frame_of(np.full(120, 3e-4), 8)  # no settlement after 960 of 1440 hours
    market = rotation_market([gone], "1h")
    rules = RotationRules()
    rotation = rotate(market, rules, 1)
    assert np.isnan(rotation.value_bps[-1, 0])
    assert rotation.target[-1, 0]
    assert not rotate(market, rules, 1, first=1200).target[-1, 0]
    assert not rotation.entry[-1, 0]


def test_below_the_hurdle_nothing_is_held() -> None:
    paid = frame_of(np.full(180, 0.8e-4), 8)
    market = rotation_market([paid], "1h")
    assert rotate(market, RotationRules(idle_yield_pct=0.0), 1).target.any()
    assert not rotate(market, RotationRules(idle_yield_pct=5.0), 1).target.any()


def random_pair(seed: int, rows: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return perp, spot and funding of a pair with slow funding, spot outages and settlements missing."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(START, periods=rows, freq="h")
    price = 100 * np.exp(np.cumsum(rng.normal(0, 3e-3, rows)))
    spot = pd.DataFrame({"date": dates, "close": price, "volume": (rng.random(rows) < 0.97) * 1.0})
    perp = spot.assign(close=price * (1 + rng.normal(3e-4, 6e-4, rows)), volume=1.0)
    slow = np.cumsum(rng.normal(0, 4e-5, rows // 8)) + rng.normal(1e-4, 2e-4)
    funding = pd.DataFrame({"date": dates[::8][: rows // 8], "funding_rate": slow})
    return perp, spot, funding[rng.random(len(funding)) < 0.995].reset_index(drop=True)


def market_until(seeds: range, rows: int, stop: pd.Timestamp) -> RotationMarket:
    """Return the market of some random pairs, every input cut before `stop`."""
    series = []
    for seed in seeds:
        perp, spot, funding = (
            frame[frame["date"] < stop].reset_index(drop=True) for frame in random_pair(seed, rows)
        )
        features = carry_features(perp, spot, funding, "1h").assign(date=perp["date"])
        series.append(pair_series(f"P{seed}/USDT:USDT", features, funding, "1h"))
    return rotation_market(series, "1h")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(800, 3990), st.sampled_from([9.0, 63.0]), st.integers(1, 2))
def test_nothing_known_later_changes_an_earlier_row(seed: int, cut: int, span: float, slots: int) -> None:
    rules = RotationRules(span=span)
    seeds = range(seed, seed + 3)
    whole = rotate(market_until(seeds, 4000, START + 4000 * HOUR), rules, slots)
    known = rotate(market_until(seeds, 4000, START + cut * HOUR), rules, slots)
    np.testing.assert_array_equal(known.target, whole.target[:cut])
    np.testing.assert_array_equal(known.entry, whole.entry[:cut])
    np.testing.assert_array_equal(known.value_bps, whole.value_bps[:cut])


def test_the_order_in_which_pairs_are_given_changes_nothing() -> None:
    market = market_until(range(5), 3000, START + 3000 * HOUR)
    series = [
        PairSeries(
            pair,
            market.opened,
            market.traded[:, i],
            market.open_to_fill[:, i],
            market.excess_bps[:, i],
            cycles,
        )
        for i, (pair, cycles) in enumerate(zip(market.pairs, market.cycles, strict=True))
    ]
    one, other = (
        rotate(rotation_market(given, "1h"), RotationRules(), 2) for given in (series, series[::-1])
    )
    np.testing.assert_array_equal(one.target, other.target)
    assert one.target.any()


@pytest.mark.parametrize("wrong", [{"span": 0.5}, {"horizon": 0}, {"margin": -1.0}, {"span": float("nan")}])
def test_rules_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RotationRules(**wrong)


def test_the_features_named_here_exist() -> None:
    assert {"spread_bps", "spot_traded", "hours_to_settlement", "funding_interval_h"} <= set(FEATURE_COLUMNS)
