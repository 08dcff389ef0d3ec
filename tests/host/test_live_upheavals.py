"""Upheavals while a pair is held: the market jumps, settles more often, closes; the network and time fail."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import mkdtemp
from typing import Any

import pandas as pd
import pytest
from freqtrade.exceptions import FreqtradeException

from hedge_leg.core.accounts import books
from hedge_leg.core.events import FundingPaid
from hedge_leg.core.states import State
from paper_exchange.store import CandleStore
from tests.host.live_harness import Rig
from tests.host.live_world import (
    AT,
    PERP_POST,
    SPOT_POST,
    assert_settled,
    loop_safely,
    market,
    opened,
    rule,
    settle,
    spot_orders,
    world,
)
from tests.host.test_live_faults import HALT, LOST_SPOT_ANSWERS, exit_now

HOUR = 3600.0
LIMIT = {"entry": "limit", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}
JUMP_AT = pd.Timestamp(AT).floor("h") + pd.Timedelta("1h")


@cache
def jumping() -> tuple[Path, CandleStore]:
    """Return the market with every price 60 % higher from the next hour on: a short at leverage 2 dies."""
    folder = Path(mkdtemp(prefix="jumping-market-"))
    copytree(market()[0], folder, dirs_exist_ok=True)
    for path in [
        *folder.glob("BTC*.feather"),
        *folder.rglob("BTC*[!g]-futures.feather"),
        *folder.rglob("*-mark.feather"),
    ]:
        frame = pd.read_feather(path)
        after = frame["date"] >= JUMP_AT
        frame.loc[after, ["open", "high", "low", "close"]] *= 1.6
        frame.to_feather(path)
    return folder, CandleStore.load(folder)


@cache
def settling_hourly() -> tuple[Path, CandleStore]:
    """Return the market whose funding settles every 4 hours from 16:00 on, every hour from 20:00 on."""
    folder = Path(mkdtemp(prefix="hourly-market-"))
    copytree(market()[0], folder, dirs_exist_ok=True)
    path = next(folder.rglob("BTC*-funding_rate.feather"))
    frame = pd.read_feather(path)
    day = pd.Timestamp(AT).floor("D")
    stamps = [day + pd.Timedelta(hours=hour) for hour in (20, 21, 22, 23)]
    more = pd.DataFrame({"date": stamps, "funding_rate": 0.0002}).astype(frame.dtypes.to_dict())
    frame = pd.concat([frame, more]).sort_values("date").reset_index(drop=True)
    frame.to_feather(path)
    return folder, CandleStore.load(folder)


def test_a_liquidation_sells_the_spot_and_freqtrade_books_the_pair(tmp_path: Path) -> None:
    with world(tmp_path, candles=jumping()) as made:
        opened(made)
        loop_safely(made, 2, HOUR)
        assert made.exchange.audit("liquidated")
        settle(made)
        assert_settled(made)
        first = next(iter(made.engine.carries.values()))
        assert first.state is State.IDLE
        assert made.exchange.audit("liquidated")[0]["insurance"] != "0"  # and in the books, as all else


def test_a_liquidation_while_spot_is_halted_halts_with_an_alarm_and_trades_nothing(
    tmp_path: Path,
) -> None:
    with world(tmp_path, candles=jumping()) as made:
        opened(made)
        made.exchange.plan(HALT)
        loop_safely(made, 2, HOUR)
        loop_safely(made, 40, 10.0)
        assert made.exchange.audit("liquidated")
        carry = made.carry()
        assert carry.state is State.HALTED
        assert any("HALTED" in text for text in made.messages)
        orders = len(spot_orders(made))
        assert_settled(made)
        assert len(spot_orders(made)) == orders, "a halted carry trades nothing"


def test_every_settlement_is_booked_when_the_interval_shrinks_while_the_pair_is_open(tmp_path: Path) -> None:
    with world(tmp_path, candles=settling_hourly()) as made:
        opened(made)
        loop_safely(made, 12, HOUR)
        paid = {row["seq"]: row["amount"] for row in made.exchange.audit("funded")}
        assert len(paid) >= 6
        assert_settled(made)
        known = [row.event for row in made.engine.journal.stream() if isinstance(row.event, FundingPaid)]
        assert len(known) == len(made.exchange.audit("funded"))
        assert float(books(made.carry()).ledger.funding) == pytest.approx(sum(map(float, paid.values())))


def test_a_cancel_that_races_a_fill_of_the_perp_entry_ends_hedged(tmp_path: Path) -> None:
    with world(tmp_path, order_types=LIMIT) as made:
        made.exchange.plan(
            rule(PERP_POST, {"kind": "partial_fill", "share": 0.3}),
            rule({"method": "DELETE", "path": "/fapi/v1/order"}, "cancel_race"),
        )
        made.start()
        loop_safely(made, 2)
        assert made.carry().spot_qty > 0
        loop_safely(made, 3, 301.0)  # beyond unfilledtimeout: freqtrade cancels
        assert_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE)


def test_a_perp_entry_that_stays_partly_filled_is_cancelled_and_hedged_as_it_is(tmp_path: Path) -> None:
    with world(tmp_path, order_types=LIMIT) as made:
        made.exchange.plan(rule(PERP_POST, {"kind": "partial_fill", "share": 0.3}))
        made.start()
        loop_safely(made, 2)
        loop_safely(made, 3, 301.0)
        assert_settled(made)
        assert made.carry().state is State.ACTIVE
        assert not made.trade().has_open_orders


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("name", sorted(LOST_SPOT_ANSWERS))
def test_a_sale_whose_answer_is_lost_ends_hedged_or_flat(tmp_path: Path, name: str, kill: bool) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.plan(*LOST_SPOT_ANSWERS[name])
        exit_now(made)
        if kill:
            made.kill()
            made.advance(7)
            made.start()
        assert_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE)


UPHEAVALS: dict[str, Callable[[Rig], Any]] = {
    "perp closed by hand": lambda made: by_hand(made, "perp", "BUY", "all"),
    "perp reduced by hand": lambda made: by_hand(made, "perp", "BUY", "0.2"),
    "perp enlarged by hand": lambda made: by_hand(made, "perp", "SELL", "0.2"),
    "spot sold by hand": lambda made: by_hand(made, "spot", "SELL", "0.2"),
    "deleveraged": lambda made: made.exchange.post("adl", {"symbol": "BTCUSDT", "share": 0.5}),
    "exit, perp answer lost": lambda made: leave(made, rule(PERP_POST, "lose_answer")),
    "exit, perp request lost": lambda made: leave(made, rule(PERP_POST, "lose_request")),
    "exit, perp refused": lambda made: leave(
        made, rule(PERP_POST, {"kind": "refuse", "preset": "usdm-503-unavailable"}, times=3)
    ),
    "exit, part of the spot sold": lambda made: leave(
        made,
        rule(SPOT_POST, {"kind": "partial_fill", "share": 0.5}),
        rule(SPOT_POST, {"kind": "refuse", "preset": "spot-2010"}, times=2),
    ),
    "exit, rate limit and ban": lambda made: leave(
        made, rule({"path": "/api/v3/*"}, {"kind": "rate_limit", "patience": 1, "ban_s": 60})
    ),
    "exit, clock off": lambda made: leave(
        made, rule(SPOT_POST, {"kind": "clock_skew", "skew_ms": 15_000, "for_ms": 20_000})
    ),
    "exit, both answers lost": lambda made: leave(
        made, rule(SPOT_POST, "lose_answer"), rule(PERP_POST, "lose_answer")
    ),
}


def restart(made: Rig) -> None:
    """Kill the bot and start it as a supervisor does: again, until the exchange lets it."""
    made.kill()
    for _ in range(6):
        made.advance(30)
        try:
            made.start()
            return
        except FreqtradeException as error:
            made.messages.append(f"did not start: {error}")
            made.kill()
    raise AssertionError(made.messages)


def by_hand(made: Rig, venue: str, side: str, qty: str) -> None:
    """Trade past the bot."""
    made.exchange.post("hand", {"venue": venue, "symbol": "BTCUSDT", "side": side, "qty": qty})


def leave(made: Rig, *rules: dict[str, Any]) -> None:
    """Ask for an exit while the exchange fails so."""
    made.exchange.plan(*rules)
    exit_now(made)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("name", sorted(UPHEAVALS))
def test_an_upheaval_ends_hedged_flat_or_halted_with_an_alarm(tmp_path: Path, name: str, kill: bool) -> None:
    with world(tmp_path) as made:
        opened(made)
        UPHEAVALS[name](made)
        if kill:
            restart(made)
        loop_safely(made, 4)
        settle(made)
        assert_settled(made)
        if name.startswith("exit"):
            assert made.carry().state in (State.ACTIVE, State.IDLE)
