"""The perp on one exchange, the spot on another: two accounts, two keys, two sets of faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import StrategyError

from hedge_leg.core.accounts import books
from hedge_leg.core.states import State
from paper_exchange.account import Account
from paper_exchange.signing import REHEARSAL, Credentials
from tests.host.live_harness import Exchange, Rig, rig
from tests.host.live_world import (
    AT,
    PERP_POST,
    assert_settled,
    killed_and_settled,
    loop_safely,
    market,
    opened,
    rule,
    spot_orders,
)
from tests.host.test_live_faults import LOST_SPOT_ANSWERS, exit_now
from tests.paper_exchange.clients import ccxt_config
from tests.paper_exchange.conftest import at_ms, serving

SPOT_KEYS = Credentials(key="spot-exchange-key", secret="spot-exchange-secret")
HOUR = 3600.0
ZERO = Decimal(0)


@contextmanager
def apart(
    folder: Path, *, keys: Credentials = SPOT_KEYS, quote: Decimal = Decimal(100_000), **changes: Any
) -> Iterator[Rig]:
    """Rig a bot up whose perp is on an exchange without spot money, its spot on one without a perp account.

    `keys`: what the bot believes to be the spot exchange's; `quote`: USDT in the spot account; `changes`
    replace top-level keys of the configuration.
    """
    perps = Account.funded(at_ms(AT), spot=ZERO)
    coins = Account.funded(at_ms(AT), spot=quote, perp=ZERO, credentials=SPOT_KEYS)
    with serving(*market(), perps) as one, serving(*market(), coins) as two:
        here, there = Exchange(one.url), Exchange(two.url)
        for exchange in (here, there):
            exchange.post("clock", {"now_ms": at_ms(AT), "running": False})
        spot_leg: dict[str, Any] = {
            "execution": {"cool_down_sec": 600},
            "exchange": {"name": "binance", "ccxt_config": ccxt_config(two.url) | {"enableRateLimit": False}},
            "key": keys.key,
            "secret": keys.secret,
        }
        settings: dict[str, Any] = {"stake_amount": 20_000.0, "hedge_leg": spot_leg} | changes
        with rig(here, folder, **settings) as made:
            made.apart = there
            yield made


def each_order_went_to_its_exchange(made: Rig) -> bool:
    """Tell whether the one saw perp orders only and the other spot orders only, both some."""
    perps = {row["venue"] for row in made.exchange.audit("taken")}
    coins = {row["venue"] for row in made.spot_exchange.audit("taken")}
    return "spot" not in perps and coins == {"spot"} and bool(perps)


def test_open_hold_over_a_settlement_and_close(tmp_path: Path) -> None:
    with apart(tmp_path) as made:
        opened(made)
        carry = made.carry()
        assert made.engine.perp.short_qty(carry.facts.pair) == carry.short_qty > 0
        assert made.spot("BTC") == carry.spot_qty > 0
        made.loop(2, seconds=2 * HOUR)
        made.loop(2)
        assert books(made.carry()).ledger.funding != 0
        exit_now(made)
        loop_safely(made, 3)
        assert made.carry().state is State.IDLE
        assert_settled(made)
        assert each_order_went_to_its_exchange(made)


@pytest.mark.parametrize("name", ["accepted then timed out", "request lost", "not found, then found"])
def test_a_kill_between_the_perp_fill_and_the_spot_fill(tmp_path: Path, name: str) -> None:
    with apart(tmp_path) as made:
        made.start()
        made.spot_exchange.plan(*LOST_SPOT_ANSWERS[name])
        loop_safely(made)
        killed_and_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE)
        assert len({row["client_id"] for row in spot_orders(made)}) == len(spot_orders(made))
        assert each_order_went_to_its_exchange(made)


def test_a_kill_while_it_is_held_and_while_it_is_closed(tmp_path: Path) -> None:
    with apart(tmp_path) as made:
        opened(made)
        made.kill()
        made.advance(60)
        made.start()
        loop_safely(made, 2)
        assert made.carry().state is State.ACTIVE
        made.exchange.plan(rule(PERP_POST, "lose_answer"))
        exit_now(made)
        made.kill()
        made.advance(7)
        made.start()
        loop_safely(made, 12)
        if made.trade().is_open:
            exit_now(made)
        assert_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE)


@pytest.mark.parametrize("down", ["perp", "spot"])
def test_one_exchange_is_down_for_a_while(tmp_path: Path, down: str) -> None:
    gone = {"kind": "error_before", "preset": "spot-503" if down == "spot" else "usdm-503"}
    with apart(tmp_path) as made:
        opened(made)
        exchange = made.spot_exchange if down == "spot" else made.exchange
        exchange.plan(rule({"path": "*"}, gone, times=40))
        exit_now(made)
        loop_safely(made, 6)
        assert_settled(made)
        if made.trade().is_open:
            exit_now(made)
        assert_settled(made)


def test_no_money_on_the_spot_exchange_means_no_perp_order(tmp_path: Path) -> None:
    with apart(tmp_path, quote=Decimal(50)) as made:
        made.start()
        loop_safely(made, 2)
        assert made.exchange.audit("taken") == []
        assert made.spot_exchange.audit("taken") == []


def test_the_perp_exchanges_keys_do_not_open_the_spot_exchange(tmp_path: Path) -> None:
    with apart(tmp_path, keys=REHEARSAL) as made, pytest.raises(StrategyError) as refusal:
        made.start()
    assert "key" in str(refusal.value)
    assert REHEARSAL.secret not in str(refusal.value)
