"""Scores equal a plain recomputation, look at nothing but their own span, and are absent where not known."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedge_leg.core.opportunity import DAY_MS, HOUR_MS, Opportunity, blind
from hedge_leg.core.scoring import score
from hedge_leg.core.shadow import Settlement
from tests.hedge_leg.core.observed import AT_MS, D, series
from tests.hedge_leg.fakes import PAIR

LOOKS, SETTLED = series(6)
TIGHT = Decimal("1e-6")


def gap(one: Opportunity) -> Decimal:
    """Return perp - spot of a look."""
    assert one.figures is not None
    return one.figures.perp_mid - one.figures.spot_mid


@pytest.mark.parametrize("days", [1, 3])
def test_a_score_is_what_a_plain_recomputation_gives(days: int) -> None:
    horizon_ms = days * DAY_MS
    scores = score(LOOKS, SETTLED, horizon_ms)
    assert sum(one is not None for one in scores) == len(LOOKS) - days * 24
    for look, found in zip(LOOKS, scores, strict=True):
        if found is None:
            continue
        figures = look.figures
        closing = next(one for one in LOOKS if one.at_ms >= look.at_ms + horizon_ms)
        assert figures is not None
        assert closing.figures is not None
        paid = [one for one in SETTLED if look.at_ms < one.at_ms <= look.at_ms + horizon_ms]
        assert found.settlements == len(paid) == 3 * days
        assert found.funding_bps == sum(one.rate for one in paid) * 10_000
        assert found.funding == sum(one.rate * (one.mark_px or D(0)) for one in paid) * 2
        assert found.basis_pnl == 2 * (gap(look) - gap(closing))
        ahead = [gap(one) for one in LOOKS if look.at_ms <= one.at_ms <= look.at_ms + horizon_ms]
        notional = 2 * figures.perp_mid
        assert abs(found.worst_basis_bps - (max(ahead) - gap(look)) * 20_000 / notional) < TIGHT
        assert found.net == found.basis_pnl + found.funding - found.cost
        turnover = figures.perp_sell_px, closing.figures.perp_buy_px
        assert None not in turnover
        slippage = 2 * 4 * D("0.01")  # half a spread on each of four fills
        fees = (2 * (turnover[0] + turnover[1]) * 5) / 10_000  # type: ignore[operator]
        assert found.cost > slippage + fees + 1


def test_a_score_of_several_horizons_expects_the_daily_rate_of_its_look() -> None:
    (first, *_), (long, *_) = score(LOOKS, SETTLED, DAY_MS), score(LOOKS, SETTLED, 3 * DAY_MS)
    assert first is not None
    assert long is not None
    assert long.expected_funding_bps == 3 * first.expected_funding_bps


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(LOOKS) - 1), st.integers(0, 200))
def test_a_score_changes_with_nothing_that_happens_after_its_closing_look(row: int, later: int) -> None:
    found = score(LOOKS, SETTLED, DAY_MS)[row]
    if found is None:
        return
    end_ms = found.closed_ms
    cut = [one for one in LOOKS if one.at_ms <= end_ms]
    wild = [
        replace(one, rate=one.rate + later) if one.at_ms > found.at_ms + DAY_MS else one for one in SETTLED
    ]
    assert score(cut, wild, DAY_MS)[row] == found


def test_a_horizon_that_has_not_passed_is_not_scored() -> None:
    assert score(LOOKS, SETTLED, 7 * DAY_MS) == [None] * len(LOOKS)


def test_a_span_whose_last_settlement_is_not_listed_yet_is_not_scored() -> None:
    at = 24  # closes 30 s after a settlement, which the venue lists later
    late = [
        replace(one, figures=replace(one.figures, last_ms=AT_MS + 40 * HOUR_MS, next_ms=AT_MS + 48 * HOUR_MS))
        if one.figures is not None and one.at_ms > AT_MS + 48 * HOUR_MS
        else one
        for one in LOOKS[: at + 25]
    ]
    assert score(late, SETTLED, DAY_MS)[at] is None
    assert score(LOOKS, SETTLED, DAY_MS)[at] is not None


def test_looks_that_failed_and_closing_looks_that_came_too_late_are_not_scored() -> None:
    holed = [blind(one.at_ms, PAIR, "down") if 20 <= row < 30 else one for row, one in enumerate(LOOKS)]
    scores = score(holed, SETTLED, DAY_MS)
    assert all(one is None for one in scores[20:30])
    gone = [one for row, one in enumerate(LOOKS) if not 24 <= row < 30]
    after = score(gone, SETTLED, DAY_MS)
    # those of hours 0..4 would close at hours 30 and later instead of 24..28: more than an hour late
    assert [one is None for one in after[:7]] == [True] * 5 + [False, False]


def test_funding_without_marks_is_counted_at_the_notional_of_the_look() -> None:
    bare = [Settlement(one.at_ms, PAIR, one.rate) for one in SETTLED]
    found = score(LOOKS, bare, DAY_MS)[0]
    assert found is not None
    assert LOOKS[0].figures is not None
    assert abs(found.funding - found.funding_bps / 10_000 * 2 * LOOKS[0].figures.perp_mid) < TIGHT
