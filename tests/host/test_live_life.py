"""Whole lives of carries in the real bot: after each step freqtrade's numbers are the ledger's."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.persistence import Trade
from freqtrade.rpc import RPC

from hedge_leg.core.accounts import books
from hedge_leg.core.amounts import exact
from hedge_leg.core.carry import Carry
from hedge_leg.core.events import Event, FundingPaid, SpotIntended
from hedge_leg.core.states import State
from paper_exchange.account import Account
from paper_exchange.fees import Fees
from paper_exchange.signing import REHEARSAL
from tests.host.live_harness import PAIR, STRATEGIES, Rig
from tests.host.live_world import AT, PERP_POST, market, opened, rule, spot_orders, world
from tests.paper_exchange.conftest import at_ms
from tests.soak.books import differences

HOUR = 3600.0
BEFORE_A_RALLY = datetime(2024, 1, 21, 5, 7, 30, tzinfo=UTC)  # of 12 % in 30 hours
MARK_PX = Decimal("17444.4")
PROFIT_TOLERANCE = 2e-8  # freqtrade rounds each part it shows to 1e-8
KEYS = {"key": REHEARSAL.key, "secret": REHEARSAL.secret}
DIRECTED: dict[str, Any] = {"strategy": "DirectedCarry", "strategy_path": str(STRATEGIES)}
SHOWN_KEYS = {
    *("hedge_state", "spot_qty", "spot_avg_px", "basis_pnl", "funding", "fees", "unhedged_usd_s"),
    *("carry_id", "unhedged_worst_usd", "retries", "rollbacks", "ms_to_spot_sent", "ms_to_hedged"),
}


@contextmanager
def directed(folder: Path, hedge_leg: dict[str, Any] | None = None, **changes: Any) -> Iterator[Rig]:
    """Rig up a running bot of DirectedCarry that has opened its pair."""
    script = {"enter": True, "hold": True, "resize": []}
    block = {"execution": {"cool_down_sec": 600}} | KEYS | (hedge_leg or {})
    with world(folder, **DIRECTED, script=script, hedge_leg=block, **changes) as made:
        yield marked(opened(made))


def marked(made: Rig) -> Rig:
    """Mark open spot at one price from now on, so that what a loop has shown can be checked after it."""
    made.leg.spot_px = lambda _: MARK_PX
    made.loop()
    return made


def assert_in_order(made: Rig, state: State) -> Carry:
    """Check the newest carry's state, all books, and what freqtrade shows of the newest trade."""
    carry = made.carry()
    assert carry.state is state, f"{carry.state}: {carry.why}; {made.messages}"
    assert differences(made) == []
    assert_shown_is_the_pairs(made)
    return carry


def assert_shown_is_the_pairs(made: Rig) -> None:
    """Check what freqtrade shows of the newest trade, open or closed, against the ledger.

    An open trade is shown as if the perp were bought back at a price, its fee paid; the spot leg counts at
    MARK_PX.
    """
    trade, carry = made.trade(), made.carry()
    net = float(books(carry).ledger.net)
    if not trade.is_open:
        assert abs((trade.close_profit_abs or 0.0) - net) <= PROFIT_TOLERANCE
        return
    rate = trade.open_rate * 1.01
    pair = net + float(books(carry).unrealized(exact(rate), MARK_PX))
    pair -= trade.amount * rate * (trade.fee_close or 0.0)
    assert abs(trade.calculate_profit(rate).total_profit - pair) <= 1e-6


def journaled(made: Rig, kind: type[Event]) -> list[Any]:
    """Return all events of one kind that the journal holds."""
    return [row.event for row in made.engine.journal.stream() if isinstance(row.event, kind)]


def direct(made: Rig, **script: Any) -> None:
    """Change what the running strategy reads."""
    assert made.bot is not None
    made.bot.config["script"].update(script)


def force_exit(made: Rig) -> None:
    """Leave the newest trade as a user's command does."""
    RPC(made.bot)._rpc_force_exit(str(made.trade().id))


def test_open_hold_over_a_settlement_and_force_exit_show_the_pairs_numbers(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        marked(opened(made))
        assert assert_in_order(made, State.ACTIVE).hedged_lag_ms == 0
        made.loop(2, seconds=2 * HOUR)
        made.loop(2)
        assert len(journaled(made, FundingPaid)) == 1  # of 16:00
        assert_in_order(made, State.ACTIVE)
        shown = {item.cd_key: item.value for item in made.trade().get_all_custom_data()}
        assert set(shown) >= SHOWN_KEYS
        assert shown["hedge_state"] == "ACTIVE"
        assert float(shown["funding"]) == pytest.approx(float(books(made.carry()).ledger.funding), abs=1e-9)
        force_exit(made)
        made.loop(2, seconds=60)
        assert_in_order(made, State.IDLE)
        assert made.trade().exit_reason == "force_exit"
        assert made.trade().get_custom_data("hedge_state") == "IDLE"
        assert made.messages == []


def test_signals_and_marks_see_the_spot_market_and_not_the_perp_again(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        assert made.bot is not None
        frame, _ = made.bot.dataprovider.get_analyzed_dataframe(PAIR, "1h")
        stored = pd.read_feather(market()[0] / "BTC_USDT-1h.feather").set_index("date")["close"]
        seen = frame.set_index("date")["spot_close"]
        assert len(seen) > 300
        assert seen.eq(stored.reindex(seen.index)).all()
        assert frame["spread_bps"].abs().mean() > 0.1
        made.advance(20)
        bid = float(made.engine.spot.book("BTC/USDT").bids[0][0])
        assert float(made.leg.spot_px("BTC/USDT") or 0) == pytest.approx(bid)


def test_freqtrades_own_update_of_funding_fees_leaves_the_pairs_numbers(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        marked(opened(made)).loop(2, seconds=HOUR)
        assert made.bot is not None
        made.bot.update_funding_fees()  # at minutes 1 and 31, and whenever the bot starts
        assert_in_order(made, State.ACTIVE)


def test_resizing_up_and_down_moves_both_legs_and_shows_the_pairs_numbers(tmp_path: Path) -> None:
    with directed(tmp_path) as made:
        before = made.carry().short_qty
        direct(made, resize=[0.5])
        made.loop()
        larger = assert_in_order(made, State.ACTIVE)
        assert larger.short_qty > before * Decimal("1.4")
        made.loop(2, seconds=HOUR)
        direct(made, resize=[-0.4])
        made.loop()
        smaller = assert_in_order(made, State.ACTIVE)
        assert smaller.short_qty < larger.short_qty * Decimal("0.7")
        made.loop(9, seconds=HOUR)  # over a settlement
        made.loop()
        assert_in_order(made, State.ACTIVE)
        direct(made, resize=[0.3])
        made.loop(2)
        assert_in_order(made, State.ACTIVE)
        force_exit(made)
        made.loop(2, seconds=60)
        assert_in_order(made, State.IDLE)


def test_an_exit_by_signal_and_the_next_entry_hand_the_remainder_on(tmp_path: Path) -> None:
    with directed(tmp_path) as made:
        direct(made, hold=False, enter=False)
        made.loop(1, seconds=HOUR)
        made.loop(2)
        first = assert_in_order(made, State.IDLE)
        assert made.trade().exit_reason == "signal_off"
        assert first.closed is not None
        assert first.closed.dust_qty > 0
        direct(made, hold=True, enter=True)
        made.loop(1, seconds=HOUR)
        made.loop(2)
        second = assert_in_order(made, State.ACTIVE)
        assert second.facts.inherited_qty == first.closed.dust_qty


def test_a_roll_before_liquidation_leaves_and_enters_again(tmp_path: Path) -> None:
    tight = {"leverage": 3, "roll_distance": 0.9}
    with directed(tmp_path, tight, at=BEFORE_A_RALLY) as made:
        direct(made, enter=False)  # only what was rolled may be opened again
        for _ in range(48):
            made.loop(1, seconds=HOUR)
            if made.trade().exit_reason:
                break
        assert made.trade().exit_reason == "roll"
        assert_in_order(made, State.IDLE)
        made.loop(2, seconds=HOUR)
        made.loop()
        assert (made.trade().is_open, made.trade().enter_tag) == (True, "roll")
        assert_in_order(made, State.ACTIVE)
        assert len(Trade.get_trades([]).unique().all()) == 2


def test_a_limit_entry_that_fills_in_parts_is_hedged_part_by_part(tmp_path: Path) -> None:
    types = {"entry": "limit", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}
    with world(tmp_path, order_types=types) as made:
        made.exchange.plan(rule(PERP_POST, {"kind": "partial_fill", "share": 0.4, "rest_ms": 20_000}))
        made.start()
        marked(made).loop()
        part = made.carry()
        assert part.short_qty > 0
        assert abs(part.spot_qty - part.short_qty) <= made.engine.spot.rules(part.facts.symbol).lot
        assert made.trade().has_open_orders
        made.loop(6)
        whole = assert_in_order(made, State.ACTIVE)
        assert whole.short_qty > part.short_qty
        assert (whole.retries, made.messages) == (0, [])


def test_a_leg_beyond_the_slice_is_bought_in_slices(tmp_path: Path) -> None:
    slices = {"execution": {"max_slice_notional": 5_000, "open_timeout_sec": 30}}
    with directed(tmp_path, slices) as made:
        made.loop()
        assert_in_order(made, State.ACTIVE)
        sent = [one.intent for one in journaled(made, SpotIntended)]
        assert len(sent) == len(spot_orders(made)) >= 3
        assert all(intent.qty * intent.limit_px <= 5_020 for intent in sent)


def test_a_plan_below_the_minimum_notional_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with world(tmp_path, stake_amount=6, amend_last_stake_amount=True) as made:
        made.start()
        made.loop(2)
        assert made.engine.carries == {}
        assert made.exchange.audit("taken") == []


def test_fees_in_bnb_are_costs_of_the_pair(tmp_path: Path) -> None:
    fees = Fees(spot_in_bnb=True, perp_in_bnb=True)
    account = Account.funded(at_ms(AT), bnb=Decimal(10), fees=fees)
    with world(tmp_path, account=account, candles=market("BTC", "BNB")) as made:
        marked(opened(made)).loop()
        assert {fill.fee_asset for fill in made.carry().fills.values()} == {"BNB"}
        assert all(fill.fee_value > 0 for fill in made.carry().fills.values())
        assert_shown_is_the_pairs(made)
        force_exit(made)
        made.loop(2, seconds=60)
        assert made.carry().state is State.IDLE
        assert_shown_is_the_pairs(made)


def test_an_alarm_goes_out_through_freqtrades_messages(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        assert made.bot is not None
        heard: list[str] = []
        made.bot.strategy.dp.send_msg = lambda text, **_: heard.append(text)
        made.exchange.post("hand", {"venue": "spot", "symbol": "BTCUSDT", "side": "SELL", "qty": "0.1"})
        made.loop(4, seconds=61)
        assert made.carry().state is State.HALTED
        assert any("HALTED" in text and PAIR in text for text in heard)
