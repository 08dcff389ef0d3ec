"""Every cell of the crash matrix keeps every promise; the table of what was run is printed."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from tests.hedge_leg.crash_matrix import cells, pairs, run
from tests.hedge_leg.crash_run import Case, Scenario
from tests.hedge_leg.promises import broken, outcome
from tests.hedge_leg.tap import Cut

REACH = 12  # calls after the first fault within which the second one comes
STEP = 1 if os.environ.get("CRASH_MATRIX") == "full" else 7  # every seventh pair is enough for each change


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Table:
    """The table of what was run; prints past pytest's capture."""

    def __init__(self, config: pytest.Config) -> None:
        """Start empty."""
        self.capture = config.pluginmanager.getplugin("capturemanager")
        self.states: set[tuple[object, ...]] = set()
        self.ends: Counter[str] = Counter()

    def line(self, scenario: str, what: str, ends: Counter[str], states: int) -> None:
        """Print one line."""
        text = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
        with self.capture.global_and_fixture_disabled():
            print(f"\n{scenario:30} {what:10} {ends.total():6} cases {states:3} states  {text}", end=" ")  # noqa: T201


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    made = Table(request.config)
    yield made
    made.line("all", "", made.ends, len(made.states))


def walk(scenario: Scenario, cases: Iterable[Case], what: str, table: Table) -> int:
    """Run the cases whose faults all come to pass, print their line, fail at broken promises."""
    ends: Counter[str] = Counter()
    states: set[tuple[object, ...]] = set()
    failures: list[str] = []
    for case in cases:
        done = run(case)
        if done.tap.fired < len(case.cuts):
            continue  # the run was over before the second fault
        ends[outcome(done)] += 1
        states |= done.seen
        failures += [f"{case} at {done.tap.calls[case.cuts[0][0]]}: {text}" for text in broken(done)]
    table.line(scenario.value, what, ends, len(states))
    table.states |= states
    table.ends += ends
    assert not failures, f"{len(failures)} broken promises, the first: {failures[0]}"
    return ends.total()


@pytest.mark.parametrize("scenario", Scenario)
def test_no_single_fault_leaves_an_orphan_a_double_order_or_an_imbalance(
    scenario: Scenario, table: Table
) -> None:
    assert walk(scenario, cells(scenario), "one fault", table) > 800


@pytest.mark.parametrize("scenario", Scenario)
def test_no_second_fault_during_the_recovery_does_either(scenario: Scenario, table: Table) -> None:
    assert walk(scenario, pairs(scenario, REACH, STEP), "two faults", table) > 2_000 / STEP


@pytest.mark.parametrize("scenario", Scenario)
def test_an_undisturbed_run_keeps_every_promise_and_rings_only_where_it_must(scenario: Scenario) -> None:
    done = run(Case(scenario))
    rings = {Scenario.ROLLBACK: 1, Scenario.LIQUIDATION: 1}
    assert broken(done) == []
    assert len(done.desk.bells) == rings.get(scenario, 0)


def test_every_kind_of_call_is_a_point_of_the_matrix() -> None:
    met: set[str] = set()
    for scenario in Scenario:
        for case in [Case(scenario), *cells(scenario)]:
            if case.cuts in ((), ((2, Cut.LOST),), ((4, Cut.LOST),), ((7, Cut.LOST),)):
                met |= set(run(case).tap.calls)
    assert met >= {
        *("journal.append", "freqtrade.order", "spot.place", "spot.find", "spot.book", "spot.balances"),
        *("spot.trades_since", "spot.open_client_ids", "perp.short_qty", "perp.orders_since"),
        *("perp.funding_since", "perp.close"),
    }


def test_a_run_is_the_same_each_time() -> None:
    case = Case(Scenario.ROLLBACK, ((9, Cut.LOST), (14, Cut.AFTER)))
    first, second = run(case), run(case)
    assert (first.tap.calls, first.desk.journal.rows) == (second.tap.calls, second.desk.journal.rows)
