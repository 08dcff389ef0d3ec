"""The risk guard over HTTP: every limit trips, both legs shrink or leave, equal after every fill.

"Equal" is read from the exchange's audit log (`guard_world.apart`): after each moment at which something was
filled, spot and perp may not differ by more than a lot or the configured share.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hedge_leg.core.amounts import exact
from hedge_leg.core.rebalancing import rebalancing_cost
from hedge_leg.core.states import State
from tests.host.guard_world import (
    HOUR,
    MINUTE,
    apart,
    failing,
    guarded,
    journaled,
    loops,
    moving,
    old_candles,
    resized,
    shown,
    tripped,
)
from tests.host.live_harness import PAIR, STRATEGIES, Rig
from tests.host.live_phone import rest
from tests.host.live_world import assert_settled, loop_safely, market, opened, rule
from tests.host.test_live_commands import hedge_leg
from tests.host.test_live_control import commanded
from tests.host.test_live_start import refused
from tests.host.test_live_upheavals import jumping

DIRECTED = {"strategy": "DirectedCarry", "strategy_path": str(STRATEGIES)}


def test_a_falling_margin_shrinks_both_legs_then_leaves_and_the_next_run_remembers(tmp_path: Path) -> None:
    with guarded(tmp_path, {"price_jump": 0}, {"leverage": 3.0}, candles=moving(1.25, 1.25)) as made:
        opened(made)
        full = made.carry().short_qty
        made.advance(52 * MINUTE)
        loop_safely(made, 9, 5 * MINUTE)
        assert len(tripped(made, f"margin_shrink@{PAIR}")) == 1
        assert float(made.carry().short_qty / full) == pytest.approx(0.5, abs=0.01)
        assert made.carry().state is State.ACTIVE
        assert len(made.trade().orders) == 2, "one entry, one reduction: it is not shrunk again and again"
        loop_safely(made, 5, 5 * MINUTE)
        assert len(tripped(made, f"margin_leave@{PAIR}")) == 1
        assert made.carry().state is State.IDLE
        assert made.trade().exit_reason == "guard_margin_leave"
        assert apart(made) == []
        assert_settled(made)
        assert not made.exchange.audit("liquidated")
        carries = len(made.engine.carries)
        made.kill()
        made.start()
        loop_safely(made, 3)
        assert len(made.engine.carries) == carries, "what was tripped is still tripped"
        assert len(tripped(made, f"margin_leave@{PAIR}")) == 1, "and does not ring again"
        out = tmp_path / "status.json"
        assert f"margin_leave@{PAIR}" in hedge_leg("status", "--userdir", tmp_path, "--json", out)
        told = json.loads(out.read_text())["breakers"]
        assert {f"margin_shrink@{PAIR}", f"margin_leave@{PAIR}"} <= {row["breaker"] for row in told}
        assert all(row["until_ms"] > row["at_ms"] for row in told)
        none = hedge_leg("reset-breaker", "daily_loss@all", "--userdir", tmp_path, status=1)
        assert "no breaker daily_loss@all is tripped" in none
        told = hedge_leg("reset-breaker", PAIR, "--userdir", tmp_path)
        assert "margin_leave" in told
        assert "margin_shrink" in told
        loop_safely(made, 2)
        assert made.carry().state is State.ACTIVE, "a reset takes effect beside the running bot"
        assert_settled(made)


@pytest.mark.parametrize(
    ("factor", "roll"),
    [(1.4, 0.25), (1.4, 0.02), (0.6, 0.25)],
    ids=["rally", "rally, guard alone", "crash"],
)
def test_forty_percent_in_an_hour_at_leverage_3_ends_without_a_liquidation(
    tmp_path: Path, factor: float, roll: float
) -> None:
    own = {"leverage": 3.0, "roll_distance": roll}
    with guarded(tmp_path, {"transfer_drift": 0.2}, own, candles=moving(factor, factor)) as made:
        opened(made)
        made.advance(52 * MINUTE)
        loop_safely(made, 14, 5 * MINUTE)
        assert not made.exchange.audit("liquidated")
        assert len(tripped(made, f"price_jump@{PAIR}")) == 1
        assert len(made.engine.carries) == 1, "nothing is opened into the jump"
        assert made.carry().state is (State.IDLE if factor > 1 else State.ACTIVE)
        assert apart(made) == []
        assert_settled(made)
        if factor > 1:
            assert made.trade().exit_reason == ("roll" if roll > 0.1 else "guard_margin_leave")
        else:  # the short has won what the coins have lost
            assert "from perp to spot" in tripped(made, "transfer@all")[0]
            assert not made.exchange.audit("deposited", "withdrawn"), "advice only"


def test_a_gap_beyond_liquidation_has_the_spot_sold_in_the_first_loop(tmp_path: Path) -> None:
    with guarded(tmp_path, {}, {"leverage": 3.0}, candles=jumping()) as made:
        opened(made)
        made.advance(112 * MINUTE + 31)  # the mark follows when its hourly candle closes
        assert made.exchange.audit("liquidated")
        loop_safely(made)
        assert made.spot("BTC") < made.engine.spot.rules("BTC/USDT").lot
        assert_settled(made)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_the_exchange_takes_away_between_two_loops_is_followed_in_the_next_one(
    tmp_path: Path, share: float
) -> None:
    with guarded(tmp_path, {}) as made:  # freqtrade's own wallet is minutes old: it has not seen it yet
        opened(made)
        loop_safely(made, 2)
        full = made.spot("BTC")
        made.exchange.post("adl", {"symbol": "BTCUSDT", "share": share})
        loop_safely(made)
        assert float(made.spot("BTC") / full) == pytest.approx(1 - share, abs=0.002)
        assert_settled(made)


def test_a_dry_run_shrinks_then_leaves_with_both_legs(tmp_path: Path) -> None:
    guard, own = {"price_jump": 0}, {"leverage": 3.0}
    with guarded(tmp_path, guard, own, candles=moving(1.25, 1.25), dry=True) as made:
        opened(made)
        full = made.carry().short_qty
        made.advance(52 * MINUTE)
        loop_safely(made, 9, 5 * MINUTE)
        assert float(made.carry().short_qty / full) == pytest.approx(0.5, abs=0.01)
        assert abs(made.carry().spot_qty - made.carry().short_qty) < made.engine.spot.rules("BTC/USDT").lot
        loop_safely(made, 6, 5 * MINUTE)
        assert made.carry().state is State.IDLE
        assert made.trade().exit_reason == "guard_margin_leave"
        assert len(tripped(made, f"margin_shrink@{PAIR}")) == 1
        assert len(tripped(made, f"margin_leave@{PAIR}")) == 1


def test_what_resizing_costs_is_shown_apart_and_equals_the_exchanges_own_fees(tmp_path: Path) -> None:
    with guarded(tmp_path, {}, **DIRECTED, script={"resize": []}) as made:  # type: ignore[arg-type]
        opened(made)
        before = len(made.exchange.audit("filled"))
        resized(made)
        rows = made.exchange.audit("filled")[before:]
        assert len(rows) >= 4
        paid = sum(exact(row["fee"]) * (exact(row["px"]) if row["fee_asset"] == "BTC" else 1) for row in rows)
        carry = made.carry()
        assert carry.state is State.ACTIVE
        assert float(rebalancing_cost(carry)) == pytest.approx(float(paid), rel=1e-3)
        assert len(tripped(made, f"rebalancing@{PAIR}")) == 1
        told = hedge_leg("statement", carry.carry_id, "--userdir", tmp_path)
        assert f"of the fees {rebalancing_cost(carry):.8f} for rebalancing" in told
        assert made.trade().get_custom_data("rebalancing_cost") == pytest.approx(float(paid), rel=1e-3)


def test_limits_that_contradict_each_other_are_refused_at_the_start(tmp_path: Path) -> None:
    with guarded(tmp_path, {"leave_distance": 0.2}) as made:
        assert "leave_distance 0.2 is not below shrink_distance 0.15" in refused(made.start)


@pytest.mark.parametrize("limit", ["max_coin_notional", "max_venue_notional"])
def test_an_entry_beyond_a_maximum_is_refused_before_anything_is_sent(tmp_path: Path, limit: str) -> None:
    with guarded(tmp_path, {limit: 10_000}) as made:
        made.start()
        loop_safely(made, 2)
        assert not made.engine.carries
        assert not made.exchange.audit("taken")


def test_a_pair_beyond_the_number_of_carries_is_refused_and_the_first_one_is_kept(tmp_path: Path) -> None:
    with guarded(
        tmp_path, {"max_carries": 1}, candles=market("BTC", "ETH"), stake_amount=10_000.0, max_open_trades=2
    ) as made:
        made.config["exchange"]["pair_whitelist"] = [PAIR, "ETH/USDT:USDT"]
        opened(made)
        loop_safely(made, 2, HOUR)
        assert len(made.engine.carries) == 1
        assert len(made.exchange.audit("filled")) == 2
        assert_settled(made)


def test_while_freqtrade_cannot_price_a_pair_nothing_is_traded_and_it_rings_once(tmp_path: Path) -> None:
    with guarded(tmp_path, {"stale_action": "leave"}) as made:
        opened(made)
        asked = {"method": "GET", "path": "/fapi/v1/depth"}
        made.exchange.plan(rule(asked, {"kind": "error_before", "status": 503}, times=None))
        loop_safely(made, 12, 61.0)
        assert len(tripped(made, f"stale_data@{PAIR}")) == 1, made.messages
        assert made.carry().state is State.ACTIVE
        assert len(made.exchange.audit("taken")) == 2
        made.exchange.client.delete(f"{made.exchange.url}/_control/faults")
        loop_safely(made, 3, 61.0)
        assert made.trade().exit_reason == "guard_stale_data"
        assert apart(made) == []
        assert_settled(made)


def test_the_guard_does_not_let_a_forced_entry_grow_an_open_pair(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        opened(made)
        loop_safely(made, 2)
        assert "already open" in str(rest(made).forceenter(PAIR, "short"))
        loop_safely(made, 2)
        assert len(made.exchange.audit("filled")) == 2
        assert_settled(made)


@dataclass(frozen=True)
class Case:
    """A limit, how it is broken, and by which breaker it shows."""

    guard: dict[str, Any]
    breaker: str
    upset: Callable[[Rig], Any]
    market: tuple[float, float] = (1.0, 1.0)
    negative_funding: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    share: float = 0.0  # of the size that is left at the end


CASES = {
    "price jump": Case(
        {"price_jump": 0.03, "price_jump_action": "shrink"},
        f"price_jump@{PAIR}",
        loops(8, 16 * MINUTE),
        market=(1.05, 1.05),
        share=0.5,
    ),
    "basis": Case(
        {"basis_bps": 80, "basis_action": "leave"},
        f"basis@{PAIR}",
        loops(8, 16 * MINUTE),
        market=(1.012, 1.0),
    ),
    "slippage": Case(
        {"slippage_bps": 0.01, "slippage_action": "leave"},
        f"slippage@{PAIR}",
        loops(2, 5.0),
        changes={"stake_amount": 60_000.0},
    ),
    "spot fails": Case(
        {"venue_failures": 4, "venue_failures_action": "leave"}, "venue_failures@spot", failing("/api/v3/*")
    ),
    "perp account fails": Case(
        {"venue_failures": 4, "venue_failures_action": "leave"},
        "venue_failures@perp",
        failing("/fapi/*/positionRisk", "/fapi/v1/income", "/fapi/v1/allOrders", "/fapi/v1/userTrades"),
    ),
    "perp account is old": Case(
        {"stale_action": "leave"}, "stale_data@perp", failing("/fapi/*/positionRisk")
    ),
    "spot account is old": Case({"stale_action": "leave"}, "stale_data@spot", failing("/api/v3/account")),
    "candles are old": Case({"stale_action": "shrink"}, f"stale_data@{PAIR}", old_candles, share=0.5),
    "funding flipped": Case(
        {"funding_flip_hours": 2},
        f"funding_flip@{PAIR}",
        loops(6, HOUR),
        market=(0.98, 1.0),
        negative_funding=True,
    ),
    "rebalancing": Case(
        {"rebalancing_action": "leave"},
        f"rebalancing@{PAIR}",
        resized,
        changes=DIRECTED | {"script": {"resize": []}},
    ),
    "daily loss": Case({"daily_loss": 1e-5, "daily_loss_action": "leave"}, "daily_loss@all", loops(3, 5.0)),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_broken_limit_rings_once_and_both_legs_shrink_or_leave(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    candles = moving(*case.market, negative_funding=case.negative_funding)
    with guarded(tmp_path, case.guard | {"cool_down_min": 600}, candles=candles, **case.changes) as made:
        made.start()
        loop_safely(made)
        carry = made.carry()
        assert carry.short_qty > 0
        full = carry.short_qty
        case.upset(made)
        first = next(iter(made.engine.carries.values()))
        assert len(tripped(made, case.breaker)) == 1, made.messages
        assert journaled(made, case.breaker).count("tripped") == 1
        assert case.breaker in shown(tmp_path)
        assert float(first.short_qty / full) == pytest.approx(case.share, abs=0.01)
        assert len(made.engine.carries) == 1, "nothing new is opened while it is tripped"
        assert apart(made) == []
        assert_settled(made)
