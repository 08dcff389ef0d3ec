"""The perp on one exchange, the spot on another; the bot is killed at any call, or starts with one down."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp

import pytest
from freqtrade.exceptions import FreqtradeException

from hedge_leg.core.states import State
from tests.hedge_leg.tap import Cut
from tests.host.live_harness import Rig
from tests.host.live_matrix import SCRIPTED, Case, Done, Scenario, run_in
from tests.host.live_world import PERP_POST, SPOT_LOOK, SPOT_POST, assert_settled, loop_safely, opened, rule
from tests.host.test_live_faults import exit_now
from tests.host.test_two_exchanges import apart, each_order_went_to_its_exchange

# the killed bot's ccxt ends its sockets when they are collected
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DUST = Decimal("0.00001")
STEP = 1 if os.environ.get("CRASH_MATRIX") == "full" else 7
SENDS = ("spot.place", "freqtrade.order")


def run(case: Case, folder: Path) -> Done:
    with apart(folder, **SCRIPTED, script={}) as made:
        done = run_in(made, case)
        assert all(row["venue"] != "spot" for row in made.exchange.audit("taken"))
        assert all(row["venue"] == "spot" for row in made.spot_exchange.audit("taken"))
        return done


@pytest.mark.parametrize("scenario", [Scenario.OPEN, Scenario.CLOSE])
@pytest.mark.timeout(600)
def test_a_kill_around_every_order_and_before_any_call(tmp_path: Path, scenario: Scenario) -> None:
    calls = run(Case(scenario), Path(mkdtemp(dir=tmp_path))).calls
    cells = [(calls.index(name), cut) for name in SENDS for cut in (Cut.AFTER, Cut.LOST)]
    cells += [(point, Cut.BEFORE) for point in range(0, len(calls), STEP)]
    for point, cut in cells:
        done = run(Case(scenario, point, cut), Path(mkdtemp(dir=tmp_path)))
        assert done.wrong == [], f"{cut} at {point} {calls[point]}"
        assert done.end in ("ACTIVE", "IDLE"), f"{cut} at {point} {calls[point]}"


def between_the_legs_while_opening(made: Rig) -> None:
    """The perp has filled; the answer of the spot order never came, and the bot dies."""
    made.start()
    unread = {"kind": "error_before", "preset": "spot-503"}
    made.spot_exchange.plan(rule(SPOT_POST, "lose_answer"), rule(SPOT_LOOK, unread, times=100))
    loop_safely(made)
    assert made.carry().order is not None


def held(made: Rig) -> None:
    """The pair is hedged, and the bot dies."""
    opened(made)


def between_the_legs_while_closing(made: Rig) -> None:
    """The spot is sold; the perp's order to close never arrived, and the bot dies."""
    opened(made)
    made.exchange.plan(rule(PERP_POST, "lose_request"))
    exit_now(made)
    assert made.spot("BTC") < DUST < made.engine.perp.short_qty(made.carry().facts.pair)


@pytest.mark.parametrize("moment", [between_the_legs_while_opening, held, between_the_legs_while_closing])
@pytest.mark.parametrize("down", ["perp", "spot"])
def test_a_bot_does_not_start_while_one_exchange_is_down_and_brings_all_in_order_after(
    tmp_path: Path, down: str, moment: Callable[[Rig], None]
) -> None:
    preset = "spot-503" if down == "spot" else "usdm-503"
    with apart(tmp_path) as made:
        moment(made)
        made.kill()
        for one in (made.exchange, made.spot_exchange):
            one.plan()
        exchange = made.spot_exchange if down == "spot" else made.exchange
        exchange.plan(rule({"path": "*"}, {"kind": "error_before", "preset": preset}, times=100_000))
        for _ in range(2):  # as its supervisor does
            made.advance(30)
            with pytest.raises(FreqtradeException):
                made.start()
            made.kill()
        exchange.plan()
        made.advance(30)
        made.start()
        loop_safely(made, 3)
        assert_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE)
        assert each_order_went_to_its_exchange(made)
