"""What each limit says of what is seen; what is not known is never fine and never zero."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.core.guard.breakers import Action, Judgement, Limit
from hedge_leg.core.guard.limits import (
    GuardLimits,
    PairSight,
    VenueSight,
    Wallets,
    entry_refusal,
    judge_day,
    judge_pair,
    judge_rebalancing,
    judge_slippage,
    judge_transfer,
    judge_venue,
)

D = Decimal
NAN, INF = float("nan"), float("inf")
LIMITS = GuardLimits()
CALM = PairSight("BTC/USDT:USDT", 0.45, 0.49, 0.01, 0.001, 0.5, 3.0, NAN, 17.0)


def judged(seen: PairSight, limits: GuardLimits = LIMITS) -> dict[Limit, Judgement]:
    """Return the judgements of a pair by limit."""
    return {one.limit: one for one in judge_pair(limits, seen)}


def test_a_calm_pair_breaks_nothing() -> None:
    assert not any(one.breached for one in judged(CALM).values())
    assert all(one.breached is not None for one in judged(CALM).values())


def test_margin_shrinks_at_the_first_threshold_and_leaves_at_the_second() -> None:
    found = [
        (judged(replace(CALM, distance=at))[Limit.MARGIN_SHRINK].breached,
         judged(replace(CALM, distance=at))[Limit.MARGIN_LEAVE].breached)
        for at in (0.151, 0.149, 0.081, 0.079, -0.01)
    ]  # fmt: skip
    assert found == [(False, False), (True, False), (True, False), (True, True), (True, True)]
    assert judged(CALM)[Limit.MARGIN_SHRINK].action is Action.SHRINK
    assert judged(CALM)[Limit.MARGIN_LEAVE].action is Action.LEAVE


def test_a_pair_with_little_room_is_not_shrunk_at_its_entry() -> None:
    tight = replace(CALM, distance=0.10, entry_distance=0.10)
    assert not judged(tight)[Limit.MARGIN_SHRINK].breached
    assert judged(replace(tight, distance=0.059))[Limit.MARGIN_SHRINK].breached
    assert not judged(replace(tight, distance=0.041))[Limit.MARGIN_LEAVE].breached
    assert judged(replace(tight, distance=0.039))[Limit.MARGIN_LEAVE].breached


distances = st.floats(-0.5, 1.5)


@given(distances, distances, st.floats(0.01, 1.0), st.floats(0.01, 0.9), st.floats(0.1, 0.99))
def test_less_margin_never_judges_milder_and_what_is_left_was_to_be_shrunk(
    one: float, other: float, at_entry: float, shrink: float, part: float
) -> None:
    limits = replace(LIMITS, shrink_distance=shrink, leave_distance=shrink * part)
    near, far = (
        judged(replace(CALM, distance=at, entry_distance=at_entry), limits) for at in sorted((one, other))
    )
    for limit in (Limit.MARGIN_SHRINK, Limit.MARGIN_LEAVE):
        assert near[limit].breached or not far[limit].breached
    for found in (near, far):
        assert found[Limit.MARGIN_SHRINK].breached or not found[Limit.MARGIN_LEAVE].breached


@pytest.mark.parametrize("blind", [None, NAN, INF])
def test_an_input_that_is_no_number_makes_the_judgement_unknown(blind: float | None) -> None:
    found = judged(replace(CALM, distance=blind, move=blind, basis=blind, negative_funding_h=blind or NAN))
    for limit in (Limit.MARGIN_SHRINK, Limit.MARGIN_LEAVE, Limit.PRICE_JUMP, Limit.BASIS, Limit.FUNDING_FLIP):
        assert found[limit].breached is None, limit


@given(st.floats(-0.9, 3.0), st.floats(0.01, 0.5))
def test_jump_and_basis_count_in_both_directions(value: float, bound: float) -> None:
    limits = replace(LIMITS, price_jump=bound, basis=bound)
    found = judged(replace(CALM, move=value, basis=value), limits)
    assert found[Limit.PRICE_JUMP].breached == (abs(value) > bound)
    assert found[Limit.BASIS].breached == (abs(value) > bound)


def test_old_candles_are_stale_data() -> None:
    assert not judged(replace(CALM, candle_age=2.0))[Limit.STALE_DATA].breached
    assert judged(replace(CALM, candle_age=2.1))[Limit.STALE_DATA].breached


def test_funding_flips_only_for_long_and_only_where_leaving_locks_no_loss_in() -> None:
    long = replace(CALM, negative_funding_h=168.0, pnl_bps=17.0)
    assert judged(long)[Limit.FUNDING_FLIP].breached
    assert not judged(replace(long, negative_funding_h=167.9))[Limit.FUNDING_FLIP].breached
    assert not judged(replace(long, pnl_bps=16.9))[Limit.FUNDING_FLIP].breached
    assert judged(replace(long, pnl_bps=NAN))[Limit.FUNDING_FLIP].breached is None
    assert judged(replace(CALM, negative_funding_h=1.0, pnl_bps=NAN))[Limit.FUNDING_FLIP].breached is False


def test_a_venue_is_judged_by_failures_in_a_row_and_the_age_of_its_account() -> None:
    def found(**seen: int | None) -> dict[Limit, bool | None]:
        sight = VenueSight("spot", **({"failures": 0, "read_age_ms": 0} | seen))  # type: ignore[arg-type]
        return {one.limit: one.breached for one in judge_venue(LIMITS, sight)}

    assert found() == {Limit.VENUE_FAILURES: False, Limit.STALE_DATA: False}
    assert found(failures=10)[Limit.VENUE_FAILURES]
    assert not found(failures=9)[Limit.VENUE_FAILURES]
    assert found(read_age_ms=300_001)[Limit.STALE_DATA]
    assert Limit.STALE_DATA not in found(read_age_ms=None), "nothing is read regularly: nothing is stale"


def test_the_worst_order_counts_for_slippage() -> None:
    assert judge_slippage(LIMITS, "x", []) is None
    good = judge_slippage(LIMITS, "x", [D("-0.01"), D("0.005")])
    bad = judge_slippage(LIMITS, "x", [D("0.0051"), D(0)])
    assert good is not None
    assert bad is not None
    assert (good.breached, bad.breached) == (False, True)


@pytest.mark.parametrize(
    ("cost", "earned", "breached"),
    [("3", "10", True), ("2.99", "10", False), ("3", "-5", True), ("0.9", "0", False), ("0", "0", False)],
)
def test_rebalancing_is_judged_against_what_was_earned(cost: str, earned: str, breached: bool) -> None:
    found = judge_rebalancing(LIMITS, "x", D(cost), D(earned), D(10_000))
    assert found is not None
    assert found.breached is breached
    assert found.action is Action.ALARM


def test_a_day_is_judged_by_its_loss_and_never_without_knowing_it() -> None:
    def breached(change: str | None, allowed: str | None = "100") -> bool | None:
        found = judge_day(LIMITS, *(None if one is None else D(one) for one in (change, allowed)))
        assert found is not None
        return found.breached

    assert breached("-100") is True
    assert breached("-99.99") is False
    assert breached("500") is False
    assert breached(None) is None
    assert breached("1", None) is None


HELD = [("BTC", D(6_000)), ("ETH", D(3_000))]


@pytest.mark.parametrize(
    ("limits", "coin", "refused"),
    [
        ({}, "SOL", ""),
        ({"max_carries": 2}, "SOL", "2 carries are open"),
        ({}, "BTC", "1 carries of BTC are open"),
        ({"max_carries_per_coin": 2}, "BTC", ""),
        ({"max_carries_per_coin": 2, "max_coin_notional": D(6_999)}, "BTC", "7000.00 of BTC"),
        ({"max_carries_per_coin": 2, "max_coin_notional": D(7_000)}, "BTC", ""),
        ({"max_venue_notional": D(9_999)}, "SOL", "10000.00 on the venue"),
        ({"max_venue_notional": D(10_000)}, "SOL", ""),
    ],
)
def test_an_entry_beyond_a_maximum_is_refused(limits: dict[str, Any], coin: str, refused: str) -> None:
    found = entry_refusal(replace(LIMITS, **limits), coin, D(1_000), HELD)
    assert found.startswith(refused)
    assert bool(found) == bool(refused)


money = st.decimals(0, 10**6, places=2)


@given(money, money, money, money, st.sampled_from([D(1), D(2), D(3)]))
def test_the_advice_evens_the_accounts_and_asks_for_no_more_than_is_free(
    perp: Decimal, spot: Decimal, perp_free: Decimal, spot_free: Decimal, leverage: Decimal
) -> None:  # fmt: skip
    wallets = Wallets(perp, min(perp_free, perp), spot, min(spot_free, spot))
    found = judge_transfer(LIMITS, wallets, leverage)
    total = perp + spot
    if not total:
        assert found is None
        return
    assert found is not None
    surplus = perp - total / (1 + leverage)
    assert found.breached == (float(abs(surplus) / total) > 0.25)
    source = "from perp to spot" if surplus > 0 else "from spot to perp"
    assert source in found.text
    asked = D(found.text.partition("move ")[2].split()[0])
    assert asked <= (wallets.perp_free if surplus > 0 else wallets.spot_free) + D("0.01")
    assert asked <= abs(surplus) + D("0.01")


def test_a_limit_at_zero_is_off() -> None:
    off = GuardLimits(
        *(0.0, 0.0, D("0.5"), 0.0, 1, 0.0, D(0), 0, 0, 0.0, 0.0, D(0), D(0), 0, 0, D(0), D(0), 0.0),
    )
    wild = PairSight("x", -1.0, 0.5, 9.0, 9.0, 99.0, 999.0, 999.0, 0.0)
    assert judge_pair(off, wild) == []
    assert judge_venue(off, VenueSight("spot", 999, 10**9)) == []
    assert judge_slippage(off, "x", [D(1)]) is None
    assert judge_rebalancing(off, "x", D(9), D(0), D(1)) is None
    assert judge_day(off, D(-(10**6)), D(1)) is None
    assert judge_transfer(off, Wallets(D(9), D(9), D(0), D(0)), D(2)) is None
    assert entry_refusal(off, "BTC", D(10**9), HELD * 50) == ""
