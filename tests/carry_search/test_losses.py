"""The losses by hand and by property: what earns more and trades less wins, what never trades loses."""

import math
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.errors import UsageError
from carry.losses import (
    REJECTED,
    LossTerms,
    loss_terms,
    median_segment_loss,
    net_loss,
    segment_scores,
    traded_value,
    worst_segment_loss,
)

BEGIN, END = pd.Timestamp("2023-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="UTC")
LOSSES = (net_loss, worst_segment_loss, median_segment_loss)
FREE = LossTerms(turnover_penalty_bps=0.0, minimum_trades=1, embargo_h=0.0)
Trade = tuple[float, float, float]  # day opened, days held, profit


def frame(trades: list[Trade]) -> pd.DataFrame:
    """Return trades of 10 base units at 100, as freqtrade's results hold them."""
    opened = [BEGIN + pd.Timedelta(days=day) for day, _, _ in trades]
    held = [pd.Timedelta(days=days) for _, days, _ in trades]
    content = {
        "open_date": pd.DatetimeIndex(opened, tz="UTC"),
        "close_date": pd.DatetimeIndex([at + days for at, days in zip(opened, held, strict=True)], tz="UTC"),
        "profit_abs": [profit for _, _, profit in trades],
        "amount": 10.0,
        "open_rate": 100.0,
        "close_rate": 110.0,
    }
    return pd.DataFrame(content, index=range(len(trades)))


def days(number: float) -> datetime:
    """Return an instant of the year."""
    moment: datetime = (BEGIN + pd.Timedelta(days=number)).to_pydatetime()
    return moment


profits = st.lists(
    st.tuples(st.floats(0, 300), st.floats(0.1, 60), st.floats(-500, 500)), min_size=3, max_size=20
)


def test_net_loss_by_hand() -> None:
    trades = frame([(1, 2, 50.0), (10, 2, -20.0), (20, 2, 70.0)])
    terms = LossTerms(turnover_penalty_bps=5.0)
    turnover = 3 * 2 * 10 * (100 + 110)
    expected = -(100.0 - 5e-4 * turnover) / 10_000 / 0.5
    half = net_loss(trades, BEGIN, BEGIN + pd.Timedelta(days=182.5), 10_000, terms)
    assert half == pytest.approx(expected)
    assert net_loss(trades, BEGIN, END, 10_000, terms) == pytest.approx(expected / 2)


def test_turnover_is_that_of_all_fills_where_they_are_known() -> None:
    trades = frame([(1, 2, 50.0)])
    orders = [{"amount": 4.0, "safe_price": 100.0}, {"amount": 4.0, "safe_price": 90.0}]
    trades["orders"] = pd.Series([orders])
    assert traded_value(trades)[0] == pytest.approx(2 * 4 * 190)


@pytest.mark.parametrize("loss", LOSSES)
def test_too_few_trades_never_win(loss: "type[object]") -> None:
    two = frame([(1, 2, 1e6), (5, 2, 1e6)])
    assert loss(two, BEGIN, END, 1000.0, LossTerms()) == REJECTED  # type: ignore[call-arg]
    assert loss(two.iloc[:0], BEGIN, END, 1000.0, FREE) == REJECTED  # type: ignore[call-arg]
    unknown = frame([(1, 2, math.nan)] * 5)
    assert loss(unknown, BEGIN, END, 1000.0, FREE) == REJECTED  # type: ignore[call-arg]


@settings(deadline=None)
@given(profits, st.floats(1.0, 1e3))
def test_more_profit_is_never_worse_and_turnover_is_never_better(trades: list[Trade], more: float) -> None:
    base, better = frame(trades), frame([(at, held, profit + more) for at, held, profit in trades])
    for loss in LOSSES:
        plain = loss(base, BEGIN, END, 1000.0, FREE)
        assert loss(better, BEGIN, END, 1000.0, FREE) <= plain
        dear = loss(base, BEGIN, END, 1000.0, LossTerms(50.0, 1, FREE.segments, 0.0))
        assert dear >= plain


@settings(deadline=None)
@given(profits)
def test_worst_is_never_better_than_median_and_segments_split_the_whole(trades: list[Trade]) -> None:
    held = frame(trades)
    worst, median = (
        loss(held, BEGIN, END, 1000.0, FREE) for loss in (worst_segment_loss, median_segment_loss)
    )
    assert worst >= median
    short = frame([(at, 0.0, profit) for at, _, profit in trades])
    scores, judged = segment_scores(short, BEGIN, END, 1000.0, FREE)
    assert judged == len(short)
    assert scores.mean() == pytest.approx(short["profit_abs"].sum() / 1000.0)


def test_trades_over_a_border_are_purged_and_embargoed_ones_left_out() -> None:
    terms = LossTerms(0.0, 1, segments=2, embargo_h=48.0)
    border = 182.5
    trades = frame([(1, 5, 10.0), (border - 1, 2, 1000.0), (border + 1, 2, 500.0), (border + 3, 5, -20.0)])
    scores, judged = segment_scores(trades, BEGIN, END, 1000.0, terms)
    assert judged == 2
    assert scores == pytest.approx(np.array([10.0, -20.0]) / 1000.0 / 0.5)
    crossing = frame([(border - 1, 2, 1000.0)] * 5)
    assert worst_segment_loss(crossing, days(0), days(365), 1000.0, terms) == REJECTED


def test_settings_come_from_the_configuration_and_typos_are_refused() -> None:
    assert loss_terms({}) == LossTerms()
    assert loss_terms({"carry_loss": {"segments": 6, "embargo_h": 0}}) == LossTerms(segments=6, embargo_h=0)
    for block in ({"segmens": 4}, {"segments": "4"}, {"segments": True}, {"segments": 0}, {"embargo_h": -1}):
        with pytest.raises(UsageError, match="carry_loss"):
            loss_terms({"carry_loss": block})
