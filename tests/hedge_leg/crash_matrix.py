"""The crash matrix: every journal write and venue call of a scenario x {before, after, lost} x what follows.

A scenario is run once undisturbed, which counts its points. Then it is run again for each point, each cut
and each trouble; a killed process starts again on the same journal and freqtrade database; the loop turns
until everything is at rest; `promises.broken` says what was not kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product

from hedge_leg.core import events as ev
from hedge_leg.core.states import State
from tests.hedge_leg.crash_run import Case, Run, Scenario, Step, Then
from tests.hedge_leg.desk import Trade
from tests.hedge_leg.fakes import PAIR, RULES, Answer
from tests.hedge_leg.tap import Cut

ONE, HALF = Decimal(1), Decimal("0.5")


def _entered(run: Run) -> None:
    run.desk.enter()
    run.desk.loop(1)


def _slicing(run: Run) -> None:
    """Trade in three slices and pay fees in base."""
    desk = run.desk
    desk.policy = replace(desk.policy, max_slice_notional=Decimal(40))
    desk.spot.fee_asset, desk.spot.market = "BTC", replace(RULES, fee_in_base=True)
    desk.restart()
    desk.engine.recovered = True


def _entered_slicing(run: Run) -> None:
    _slicing(run)
    _entered(run)


def _open(run: Run) -> None:
    if run.desk.announce().allowed:
        run.order(-ONE)


def _open_partly(run: Run) -> None:
    """Open by an order of which less than a half fills first; the exchange fills the rest later."""
    desk = run.desk
    if not desk.announce().allowed:
        return
    order = run.tap.call("freqtrade.order", lambda: desk.perp.begin(-Decimal("0.4")))
    desk.trades.append(Trade(1, working=True))
    desk.order_filled(order.order_id)


def _fill_rest(run: Run) -> None:
    """Let the exchange fill the rest, whatever became of the process; freqtrade learns of it in its loop."""
    desk = run.desk
    if desk.perp.orders and desk.perp.orders[0].open:
        grown = desk.perp.grow(desk.perp.orders[0], -Decimal("0.6"))
        desk.perp.orders[0] = replace(grown, open=False)
    if desk.trades:
        desk.trades[-1].working = False
        desk.order_filled(desk.perp.orders[0].order_id)


def _resize(qty: Decimal) -> Callable[[Run], None]:
    def act(run: Run) -> None:
        carry = run.desk.engine.of_pair(PAIR)
        if carry is not None and carry.state is State.ACTIVE:
            run.desk.engine.record(carry, ev.ResizeAsked(run.desk.clock.now_ms(), qty))
            run.order(qty)

    return act


def _liquidate(run: Run) -> None:
    run.desk.perp.trade(ONE, liquidation=True)


def _refusing(run: Run) -> None:
    run.desk.spot.script.extend([Answer.PART, Answer.REFUSE])


SCENARIOS: dict[Scenario, tuple[Step, tuple[Step, ...]]] = {
    Scenario.OPEN: (lambda run: None, (_open,)),
    Scenario.PARTIAL_OPEN: (lambda run: None, (_open_partly, Run.loop, _fill_rest)),
    Scenario.ROLLBACK: (_refusing, (_open,)),
    Scenario.GROW: (_entered, (_resize(-HALF),)),
    Scenario.SHRINK: (_entered, (_resize(HALF),)),
    Scenario.CLOSE: (_entered, (Run.leave,)),
    Scenario.CLOSE_ASKED_AGAIN: (_entered, (Run.leave,)),
    Scenario.SLICED_OPEN: (_slicing, (_open,)),
    Scenario.SLICED_CLOSE: (_entered_slicing, (Run.leave,)),
    Scenario.LIQUIDATION: (_entered, (_liquidate,)),
}


def run(case: Case) -> Run:
    """Return the finished run of a case."""
    return Run(case).go(*SCENARIOS[case.scenario])


def cells(scenario: Scenario) -> Iterator[Case]:
    """Yield every case of one fault: all points x cuts x troubles."""
    points = len(run(Case(scenario)).tap.calls)
    for point, cut, then in product(range(points), Cut, Then):
        if (cut, then) != (Cut.NONE, Then.NOTHING):
            yield Case(scenario, ((point, cut),), then)


def pairs(scenario: Scenario, reach: int, step: int = 1) -> Iterator[Case]:
    """Yield cases of two faults, the second at most `reach` calls after the first, during the recovery."""
    points = len(run(Case(scenario)).tap.calls)
    cuts = (Cut.BEFORE, Cut.AFTER, Cut.LOST)
    for number, (point, first, after, second) in enumerate(
        product(range(points), cuts, range(1, reach + 1), cuts)
    ):
        if number % step == 0:
            yield Case(scenario, ((point, first), (point + after, second)))
