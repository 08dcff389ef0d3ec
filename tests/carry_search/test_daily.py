"""Daily profit: sums to each trade's profit, marks by the definition, whatever the fills."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.tape import DAY_NS, HOUR_NS, Floats
from carry.walkforward.daily import DayMarks, daily_profit, days_between
from carry.walkforward.evaluator import TRADE_COLUMNS

PAIR = "BTC/USDT:USDT"
DAYS = 12
HOURS = DAYS * 24


def market(seed: int) -> tuple[DayMarks, Floats, Floats, Floats]:
    """Return marks and the hourly perp, spot and funding per unit (at each hour) they are made of."""
    rng = np.random.default_rng(seed)
    perp, spot = (100.0 + rng.normal(0, 1, HOURS + 1).cumsum() for _ in range(2))
    funding = np.where(np.arange(HOURS + 1) % 8 == 0, rng.normal(0.01, 0.05, HOURS + 1), 0.0)
    hour_ns = np.arange(HOURS + 1, dtype=np.int64) * HOUR_NS
    paid = np.flatnonzero(funding)
    days = np.arange(0, HOURS + 1, 24)
    settled = np.concatenate([[0.0], funding[paid].cumsum()])
    marks = DayMarks(hour_ns[days], perp[days], spot[days], hour_ns[paid], settled, hour_ns, spot)
    return marks, perp, spot, funding


def table(fills: list[tuple[int, float]], perp: Floats, profit: float) -> pd.DataFrame:
    """Return one trade; fills are (hour, change of the short quantity)."""
    orders = [
        {
            "amount": abs(change),
            "safe_price": float(perp[hour]),
            "ft_is_entry": change > 0,
            "order_filled_timestamp": hour * HOUR_NS // 10**6,
        }
        for hour, change in fills
    ]
    row: dict[str, Any] = dict.fromkeys(TRADE_COLUMNS, 0.0)
    return pd.DataFrame([row | {"pair": PAIR, "profit_abs": profit, "orders": orders}])


hours = st.lists(st.integers(0, HOURS), min_size=2, max_size=5, unique=True).map(sorted)


def hour_by_hour(fills: list[tuple[int, float]], world: tuple[DayMarks, Floats, Floats, Floats]) -> Floats:
    """Return the gross profit of each day, summed hour by hour."""
    _, perp, spot, funding = world
    days, held = np.zeros(DAYS), 0.0
    changes = dict(fills)
    for hour in range(HOURS):
        held += changes.get(hour, 0.0)
        moved = (spot[hour + 1] - spot[hour]) - (perp[hour + 1] - perp[hour])
        days[hour // 24] += held * (moved + funding[hour + 1])
    return days


@settings(deadline=None)
@given(hours, st.integers(0, 99), st.floats(0.0, 20.0))
def test_days_are_those_of_an_hourly_walk_less_costs_where_it_traded(
    at: list[int], seed: int, costs: float
) -> None:
    world = market(seed)
    steps = [2.0, *[1.0 if place % 2 else -0.5 for place in range(1, len(at) - 1)]]
    fills = list(zip(at, [*steps, -sum(steps)], strict=True))
    gross = hour_by_hour(fills, world)
    trades = table(fills, world[1], gross.sum() - costs)
    ends_ns = days_between(0, DAYS * DAY_NS)
    days = daily_profit(trades, {PAIR: world[0]}, ends_ns)
    assert days.sum() == pytest.approx(gross.sum() - costs, abs=1e-9)
    traded = np.zeros(DAYS)
    for hour, change in fills:
        traded[min(hour // 24, DAYS - 1)] += abs(change) * world[1][hour]
    assert days == pytest.approx(gross - costs * traded / traded.sum(), abs=1e-9)


def test_days_of_a_window_cover_it() -> None:
    day = DAY_NS
    assert days_between(day, 3 * day).tolist() == [2 * day, 3 * day]
    assert days_between(day + HOUR_NS, 2 * day + HOUR_NS).tolist() == [2 * day, 3 * day]


def test_no_trades_are_no_profit() -> None:
    empty = pd.DataFrame(columns=list(TRADE_COLUMNS))
    assert daily_profit(empty, {}, days_between(0, 5 * DAY_NS)).tolist() == [0.0] * 5
