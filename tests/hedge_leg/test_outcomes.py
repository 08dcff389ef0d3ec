"""One test per row of RELIABILITY's outcome table, through the engine and against what the venue holds."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.orders import Unknown
from hedge_leg.core.states import State
from tests.hedge_leg.desk import ONE, Desk, Trade, active
from tests.hedge_leg.fakes import SYMBOL, ZERO, Answer


def kinds(desk: Desk) -> list[str]:
    """Return the names of the carry's facts."""
    return [type(row.event).__name__ for row in desk.journal.rows]


def opened(*answers: Answer) -> Desk:
    """Return a desk whose first spot orders meet these answers, after a minute."""
    desk = Desk()
    desk.spot.script.extend(answers)
    desk.enter()
    desk.loop(12)
    return desk


def test_filled_is_journaled_after_its_intent() -> None:
    desk = opened()
    spot = [kind for kind in kinds(desk) if kind.startswith("Spot")]
    assert spot == ["SpotIntended", "SpotAnswered"]
    assert desk.hedged()


def test_partly_filled_is_completed_by_a_second_order_for_the_rest() -> None:
    desk = opened(Answer.PART)
    assert [intent.qty for intent in desk.spot.sent] == [Decimal(1), Decimal("0.5")]
    assert desk.hedged()


def test_accepted_and_working_is_looked_up_until_it_filled() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.WORK)
    carry = desk.engine.carries
    desk.policy = replace(desk.policy, open_timeout_ms=1_000)
    desk.enter()
    desk.spot.finish(desk.spot.sent[0].client_id)
    desk.loop(2)
    assert (len(carry), len(desk.spot.sent), desk.hedged()) == (1, 1, True)


def test_accepted_and_working_too_long_is_cancelled_and_tried_again() -> None:
    desk = opened(Answer.WORK)
    assert (len(desk.spot.sent), desk.hedged()) == (2, True)
    assert desk.spot.open_client_ids(SYMBOL) == frozenset()


def test_a_cancel_that_races_a_fill_counts_the_fill() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.WORK)
    desk.spot.cancel = lambda intent: desk.spot.finish(intent.client_id)  # type: ignore[method-assign]
    desk.enter()
    desk.loop(12)
    assert (len(desk.spot.sent), desk.held(), desk.hedged()) == (1, Decimal(1), True)


def test_a_cancel_without_answer_sends_nothing_new_before_the_order_is_known() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.WORK)
    desk.spot.mute.update({"cancel", "find"})
    desk.enter()
    desk.loop(20)
    assert (len(desk.spot.sent), desk.carry.order is not None) == (1, True)


def test_refused_is_tried_wider_once_and_then_rolled_back() -> None:
    desk = opened(Answer.REFUSE)
    assert [intent.attempt for intent in desk.spot.sent] == [0, 1]
    assert desk.spot.sent[1].limit_px > desk.spot.sent[0].limit_px
    assert desk.hedged()
    desk = opened(Answer.REFUSE, Answer.REFUSE)
    assert "RollbackStarted" in kinds(desk)
    assert (desk.carry.state, desk.flat()) == (State.IDLE, True)


def test_refused_after_a_partial_fill_rolls_both_legs_back() -> None:
    desk = opened(Answer.PART, Answer.REFUSE)
    assert (desk.carry.state, desk.flat(), len(desk.perp.sent)) == (State.IDLE, True, 1)
    assert any("rolled back" in bell for bell in desk.bells)


def test_denied_locally_sends_nothing() -> None:
    desk = Desk()
    assert not desk.announce(Decimal("0.01")).allowed
    assert (desk.spot.sent, desk.perp.orders, desk.journal.rows) == ([], [], [])


@pytest.mark.parametrize("answer", [Answer.LOST, Answer.HIDDEN, Answer.LATE, Answer.LOST_PART])
def test_unknown_that_exists_is_never_sent_again(answer: Answer) -> None:
    desk = opened(answer)
    whole = sum((intent.qty for intent in desk.spot.sent), Decimal(0))
    assert whole == (Decimal("1.5") if answer is Answer.LOST_PART else 1)
    assert (desk.held(), desk.carry.state, desk.hedged()) == (ONE, State.ACTIVE, True)


def test_unknown_that_does_not_exist_is_replaced_only_after_the_grace_time() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.NEVER)
    desk.enter()
    assert len(desk.spot.sent) == 2  # within the patience of the callback
    disproved = next(row.event for row in desk.journal.rows if isinstance(row.event, ev.SpotDisproved))
    absent = next(row.event for row in desk.journal.rows if isinstance(row.event, ev.SpotAbsent))
    assert disproved.at_ms - absent.at_ms >= desk.policy.grace_ms
    assert desk.hedged()


@pytest.mark.parametrize("what", ["find", "open_client_ids", "trades_since", "balances"])
def test_unknown_stays_unknown_while_one_witness_cannot_be_read(what: str) -> None:
    desk = Desk()
    desk.spot.script.append(Answer.NEVER)
    assert desk.announce().allowed
    desk.spot.mute.add(what)
    desk.trades.append(Trade(1))
    desk.sell(ONE)
    desk.loop(20)
    assert isinstance(desk.carry.order, Unknown)
    assert (len(desk.spot.sent), desk.perp.short) == (1, ONE)  # neither resent nor the other leg undone
    desk.spot.mute.clear()
    desk.loop(20)
    assert (desk.flat(), len(desk.spot.sent), desk.carry.state) == (True, 1, State.IDLE)  # too late to buy


def test_a_look_up_that_failed_is_not_a_denial() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.NEVER)
    desk.spot.mute.add("find")
    desk.enter()
    desk.loop(20)
    assert "SpotAbsent" not in kinds(desk)


@pytest.mark.parametrize("share", ["1", "0.5", "0.001"])
def test_a_balance_that_disagrees_forbids_the_disproof_and_halts_in_the_end(share: str) -> None:
    desk = Desk()
    desk.spot.script.append(Answer.NEVER)
    desk.spot.cash["BTC"] = Decimal(0)
    desk.enter_without_patience()
    desk.spot.cash["BTC"] = Decimal(share)
    desk.loop(40)
    assert (desk.carry.state, len(desk.spot.sent)) == (State.HALTED, 1)
    assert any("HALTED" in bell for bell in desk.bells)


def test_an_order_that_shows_up_at_the_last_look_is_not_disproved_by_old_answers() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.LOST)
    desk.spot.stale = dict(desk.spot.cash)
    desk.spot.trades_since = lambda symbol, since_ms: []  # type: ignore[method-assign]
    find, shown_ms = desk.spot.find, desk.clock.now_ms() + 6_000
    desk.spot.find = lambda intent: find(intent) if desk.clock.now_ms() >= shown_ms else None  # type: ignore[method-assign]
    desk.enter()
    desk.loop(4)
    assert (len(desk.spot.sent), desk.hedged(), desk.carry.misses) == (1, True, 0)


def test_a_trade_that_no_order_explains_forbids_the_disproof() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.LOST)
    desk.spot.find = lambda intent: None  # type: ignore[method-assign]
    desk.enter()
    desk.loop(40)
    assert (desk.carry.state, len(desk.spot.sent)) == (State.HALTED, 1)


def test_a_failed_read_of_the_rules_does_nothing() -> None:
    desk = Desk()
    active(desk)
    desk.spot.mute.update({"rules", "book", "balances"})
    desk.perp.mute = True
    assert desk.loop(20).state is State.ACTIVE
    assert (len(desk.spot.sent), desk.perp.sent) == (1, [])


def test_an_unknown_perp_close_is_looked_up_and_not_doubled() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.perp.script.append(Answer.LOST)
    desk.perp_closable = True
    desk.enter()
    desk.loop(12)
    assert (desk.carry.state, len(desk.perp.sent), desk.perp.short) == (State.IDLE, 1, ZERO)


def test_a_perp_close_that_is_not_found_at_first_is_not_doubled() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.perp.script.append(Answer.HIDDEN)
    desk.trades.clear()
    assert desk.announce().allowed
    desk.perp.trade(-ONE)
    desk.loop(5, step_ms=2_000)
    desk.loop(5)
    assert (desk.carry.state, len(desk.perp.sent), desk.flat()) == (State.IDLE, 1, True)


def test_a_perp_close_that_its_id_does_not_find_is_known_by_the_list_of_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.perp.script.append(Answer.LOST)
    monkeypatch.setattr(desk.perp, "find", lambda pair, client_id: None)
    desk.enter()
    desk.loop(20)
    assert (desk.carry.state, len(desk.perp.sent), desk.flat()) == (State.IDLE, 1, True)


def test_a_perp_close_that_nothing_finds_while_the_position_has_changed_halts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.perp.script.append(Answer.LOST)
    monkeypatch.setattr(desk.perp, "find", lambda pair, client_id: None)
    monkeypatch.setattr(desk.perp, "orders_since", lambda pair, since_ms: [])
    desk.enter()
    desk.loop(40)
    assert (desk.carry.state, len(desk.perp.sent)) == (State.HALTED, 1)


def test_a_perp_close_that_never_arrived_is_sent_again_after_the_grace_time() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.perp.script.append(Answer.NEVER)
    desk.enter()
    desk.loop(20)
    assert (desk.carry.state, len(desk.perp.sent), desk.perp.short) == (State.IDLE, 2, ZERO)


def test_a_refused_perp_close_is_tried_again_and_halts_in_the_end() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.perp.script.extend([Answer.REFUSE] * 100)
    desk.enter()
    desk.loop(120)
    assert (desk.carry.state, len(desk.perp.sent)) == (State.HALTED, desk.policy.most_misses)
