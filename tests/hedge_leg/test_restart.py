"""Processes that die, come back, run twice or lag: what the journal holds is looked up, never sent again."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.orders import Sent
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.errors import VersionConflict
from hedge_leg.gate import request_exit
from hedge_leg.ports import Recorded
from tests.hedge_leg.desk import ONE, Desk, Trade, active
from tests.hedge_leg.fakes import PAIR, ZERO, Answer


def killed_after(desk: Desk, kind: type[ev.Event]) -> None:
    """Cut the journal after the last fact of a kind, as if the process had died there, and start again."""
    last = max(n for n, row in enumerate(desk.journal.rows) if isinstance(row.event, kind))
    del desk.journal.rows[last + 1 :]
    desk.clock.sleep(10)
    desk.restart()


def test_an_order_that_was_sent_before_the_crash_is_found_and_not_sent_again() -> None:
    desk = Desk()
    active(desk)
    killed_after(desk, ev.SpotIntended)
    assert isinstance(desk.carry.order, Sent)
    carry = desk.loop(2)
    assert (carry.state, len(desk.spot.sent), desk.hedged()) == (State.ACTIVE, 1, True)


def test_an_intent_that_never_left_before_the_crash_is_disproved_before_another_is_sent() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.NEVER)
    desk.enter_without_patience()
    killed_after(desk, ev.SpotIntended)
    desk.loop(1)
    assert len(desk.spot.sent) == 1
    desk.loop(20)
    assert (desk.flat(), len(desk.spot.sent)) == (True, 1)  # by then it was too late to buy: rolled back
    assert sum(isinstance(row.event, ev.SpotDisproved) for row in desk.journal.rows) == 1


def test_a_perp_close_that_was_sent_before_the_crash_is_found_and_not_sent_again() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.perp.trade(-ONE)
    desk.loop(4)
    killed_after(desk, ev.PerpCloseIntended)
    carry = desk.loop(3)
    assert (carry.state, len(desk.perp.sent), desk.flat()) == (State.IDLE, 1, True)


def test_a_crash_between_the_sale_and_the_exit_of_the_perp_buys_the_spot_back() -> None:
    desk = Desk()
    active(desk)
    assert request_exit(desk.engine, PAIR, "signal").allowed
    desk.restart()
    carry = desk.loop(10)
    assert (carry.state, desk.hedged()) == (State.ACTIVE, True)


def test_a_second_process_on_the_same_journal_sends_nothing_and_reads_again() -> None:
    desk = Desk()
    assert desk.announce().allowed
    outside = (desk.journal, desk.spot, desk.perp, desk.clock, desk.policy, desk.bells.append)
    second = Engine(*outside)
    second.load()
    desk.trades.append(Trade(1))
    desk.sell(ONE)
    carry = second.of_pair(PAIR)
    assert carry is not None
    with pytest.raises(VersionConflict):
        second.record(carry, ev.RollbackStarted(desk.clock.now_ms(), "stale"))
    assert (second.broken != "", second.carries[carry.carry_id].state) == (True, State.OPENING)
    assert second.pump(carry.carry_id, patience_ms=1_000).state is State.OPENING
    assert len(desk.spot.sent) == 1
    second.load()
    assert second.carries[carry.carry_id] == desk.carry


def test_a_write_whose_answer_was_lost_is_read_again_and_not_repeated() -> None:
    desk = Desk()
    carry = active(desk)
    exit_asked = ev.ExitAsked(desk.clock.now_ms(), "written, but told to have failed")
    desk.journal.rows.append(Recorded(carry.carry_id, carry.version + 1, exit_asked))
    desk.engine.broken = "disk full"
    assert desk.loop(1).why == "written, but told to have failed"


@pytest.mark.parametrize("lag_ms", [-8_000, 8_000])
def test_a_lost_entry_is_adopted_though_the_exchanges_clock_is_wrong(lag_ms: int) -> None:
    desk = Desk()
    assert desk.announce().allowed
    order = desk.perp.trade(-ONE)
    stamp_ms = order.created_ms + lag_ms
    desk.perp.orders[0] = replace(order, created_ms=stamp_ms, filled_ms=stamp_ms)
    carry = desk.loop(5)
    assert (carry.state, carry.adopted, desk.flat()) == (State.IDLE, True, True)


def test_an_unwind_that_is_rate_limited_goes_on_after_the_back_off() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.PART, Answer.REFUSE])
    desk.perp.script.extend([Answer.REFUSE, Answer.REFUSE, Answer.NEVER])
    desk.enter()
    carry = desk.loop(30)
    assert (carry.state, desk.flat(), len(desk.perp.sent)) == (State.IDLE, True, 4)
    assert carry.closed is not None
    assert carry.closed.cool_down_until_ms > carry.closed.at_ms


def test_every_order_of_a_carry_has_an_id_of_its_own() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.PART, Answer.REFUSE])
    desk.perp.script.append(Answer.REFUSE)
    desk.enter()
    desk.loop(30)
    sent = [intent.client_id for intent in desk.spot.sent] + [client_id for client_id, _ in desk.perp.sent]
    assert len(sent) == len(set(sent)) >= 5


def test_a_force_exit_while_the_spot_order_is_unknown_waits_and_then_works() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.LOST)
    desk.spot.mute.add("find")
    desk.enter()
    assert not desk.leave("force_exit").allowed
    desk.spot.mute.clear()
    desk.loop(7)
    assert desk.leave("force_exit").allowed
    assert (desk.flat(), desk.perp.short) == (True, ZERO)


def test_a_new_policy_after_a_reload_goes_on_with_the_carries_of_the_old_one() -> None:
    desk = Desk()
    active(desk)
    desk.policy = replace(desk.policy, attempts=1, grace_ms=9_000, slippage=Decimal("0.0005"))
    desk.restart()
    assert desk.loop(3).state is State.ACTIVE
    assert desk.leave().allowed
    assert desk.flat()
