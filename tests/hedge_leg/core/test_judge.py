"""What an observer would do: every figure follows from the look, the decision from the figures."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedge_leg.core.codec import record_codec
from hedge_leg.core.judge import judge, measure
from hedge_leg.core.opportunity import HOUR_MS, Choice, ObserverRules, Opportunity, Shadow, Sighting
from hedge_leg.core.shadow import Settlement, follow
from tests.hedge_leg.core.observed import AT_MS, RULES, TERMS, D, book, funding, sighting, sightings
from tests.hedge_leg.fakes import PAIR

FLAT = Shadow(0, PAIR)
TIGHT = Decimal("1e-6")
HELD = Shadow(AT_MS, PAIR, AT_MS, D(2), D("100.1"), D(100))


def test_figures_of_one_look_are_those_of_the_formulas() -> None:
    figures = measure(sighting(), TERMS, RULES)
    sell, buy, cover, leave = D("100.09"), D("100.01"), D("100.11"), D("99.99")
    fees = 2 * ((sell + cover) * 5 + (buy + leave) * 10) / 10_000
    cost = 2 * (cover - sell + buy - leave) + fees + 1
    assert figures.round_trip_cost == cost
    assert figures.daily_rate == D("0.0006")
    income = D("200.2") * (D("0.0006") - D("0.5") / 10_000)
    assert figures.net_daily is not None
    assert abs(figures.net_daily - (income - cost / 30)) < TIGHT
    assert figures.break_even_days is not None
    assert abs(figures.break_even_days - cost / income) < TIGHT
    assert figures.basis_bps == D(10)
    assert (figures.taker_fees_bps, figures.maker_fees_bps) == (D(30), D(24))
    # 10 bps of 100 are 0.1: all three levels of 5 lie within
    assert figures.spot_ask_depth == 5 * (D("100.01") + D("100.02") + D("100.03"))


@settings(deadline=None)
@given(sightings())
def test_a_pair_is_opened_only_if_the_books_fill_it_and_funding_pays_it_back_in_time(seen: Sighting) -> None:
    found = judge(seen, TERMS, RULES, FLAT)
    figures = found.figures
    assert figures is not None
    assert found.choice in (Choice.OPEN, Choice.WAIT)
    assert found.reason
    expected = min(r for r in (seen.funding.last_rate, seen.funding.predicted_rate) if r is not None)
    opens = (
        not seen.blocked
        and figures.perp_sell_px is not None
        and figures.spot_buy_px is not None
        and figures.perp_sell_px >= seen.perp.bids[0][0] * (1 - RULES.max_slippage)
        and figures.spot_buy_px <= seen.spot.asks[0][0] * (1 + RULES.max_slippage)
        and expected * 24 * HOUR_MS / seen.funding.interval_ms >= RULES.min_daily_rate
        and seen.funding.streak >= RULES.min_streak
        and figures.net_daily is not None
        and figures.net_daily > 0
    )
    assert (found.choice is Choice.OPEN) == opens


@settings(deadline=None)
@given(sightings())
def test_net_per_day_is_positive_if_and_only_if_the_round_trip_is_paid_back(
    seen: Sighting,
) -> None:
    figures = measure(seen, TERMS, RULES)
    if figures.net_daily is None:
        assert figures.break_even_days is None
        assert figures.round_trip_cost is None
    elif abs(figures.net_daily) > TIGHT:
        days = figures.break_even_days
        assert (figures.net_daily > 0) == (days is not None and days < RULES.holding_days)


@settings(deadline=None)
@given(sightings(), st.integers(1, 40))
def test_a_larger_size_never_slips_less(seen: Sighting, more: int) -> None:
    small = measure(seen, TERMS, RULES).entry_slippage_bps
    large = measure(replace(seen, qty=seen.qty + D(more) / 10), TERMS, RULES).entry_slippage_bps
    assert large is None or (small is not None and large >= small)


@settings(deadline=None)
@given(sightings())
def test_a_record_survives_its_plain_form(seen: Sighting) -> None:
    encode, decode = record_codec(Opportunity)
    found = judge(seen, TERMS, RULES, FLAT)
    assert decode(encode(found)) == found


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (replace(sighting(), blocked="the spot market is halted"), "halted"),
        (replace(sighting(), funding=replace(funding(), due=True)), "due"),
        (replace(sighting(), qty=D(20)), "perp book does not hold 20"),
        (replace(sighting(), spot=book(D(100), half=D("0.2")), qty=D(12)), "spot book would slip"),
        (replace(sighting(), funding=funding(predicted="0.00001")), "funding 0.30 bps a day"),
        (replace(sighting(), funding=funding(streak=2)), "2 positive settlements"),
    ],
)
def test_the_reason_against_opening_is_told(seen: Sighting, words: str) -> None:
    found = judge(seen, TERMS, RULES, FLAT)
    assert found.choice is Choice.WAIT
    assert words in found.reason


def test_a_round_trip_that_is_not_paid_back_in_time_is_not_opened() -> None:
    impatient = ObserverRules(D("0.0002"), 3, D(0), 2 * HOUR_MS, D(3), D("0.001"))
    found = judge(sighting(), TERMS, impatient, FLAT)
    assert (found.choice, "paid back after" in found.reason) == (Choice.WAIT, True)


def test_a_round_trip_that_funding_would_pay_back_in_centuries_is_never_paid_back() -> None:
    faint = replace(TERMS, borrow_daily_bps=D("5.9999999999999999999999999"))
    figures = measure(sighting(), faint, RULES)
    assert figures.break_even_days is None
    assert measure(sighting(), replace(TERMS, borrow_daily_bps=D("5.9")), RULES).break_even_days is not None


def test_a_pair_is_held_while_funding_is_flipped_for_less_than_the_tolerance_then_left() -> None:
    shadow = HELD
    choices = []
    for minutes in (0, 60, 119, 120):
        at_ms = AT_MS + minutes * 60_000
        seen = replace(sighting(at_ms), funding=funding(predicted="-0.0001"))
        found = judge(seen, TERMS, RULES, shadow)
        shadow = follow(shadow, found, [], TERMS)
        choices.append(found.choice)
    assert choices == [Choice.HOLD, Choice.HOLD, Choice.HOLD, Choice.LEAVE]
    assert (shadow.opened_ms, shadow.closed) == (None, 1)


def test_funding_that_turns_back_in_time_begins_the_tolerance_anew() -> None:
    shadow = HELD
    for minutes, predicted in ((0, "-0.0001"), (60, "0.0001"), (130, "-0.0001"), (190, "-0.0001")):
        seen = replace(sighting(AT_MS + minutes * 60_000), funding=funding(predicted=predicted))
        found = judge(seen, TERMS, RULES, shadow)
        shadow = follow(shadow, found, [], TERMS)
        assert found.choice is Choice.HOLD


def test_a_pretended_pair_is_paid_each_settlement_once_and_closes_at_the_books() -> None:
    opened = judge(sighting(), TERMS, RULES, FLAT)
    assert opened.choice is Choice.OPEN
    shadow = follow(FLAT, opened, [Settlement(AT_MS, PAIR, D(1), D(100))], TERMS)
    first = Settlement(AT_MS + 8 * HOUR_MS, PAIR, D("0.0002"), D(110))
    second = Settlement(AT_MS + 16 * HOUR_MS, PAIR, D("-0.0001"))
    for hours, known in ((8, [first]), (9, [first]), (16, [first, second]), (17, [first, second])):
        seen = sighting(AT_MS + hours * HOUR_MS + 5)
        shadow = follow(shadow, judge(seen, TERMS, RULES, shadow), known, TERMS)
    # the second has no mark: the pair's own entry price stands in
    assert shadow.funding == 2 * (D("0.0002") * 110 - D("0.0001") * D("100.09"))
    assert opened.figures is not None
    assert opened.figures.round_trip_cost is not None
    borrow = 2 * D("100.01") * D("0.5") / 10_000 * (17 * HOUR_MS + 4) / (24 * HOUR_MS)
    assert abs(shadow.net - (shadow.funding - opened.figures.round_trip_cost - borrow)) < TIGHT
