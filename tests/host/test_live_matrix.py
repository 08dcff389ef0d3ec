"""Every cell of the real bot's crash matrix ends hedged, flat or halted, by the exchange's own audit log."""

import os
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.host.live_matrix import Case, Scenario, cells, run

# the killed bot's ccxt ends its sockets when they are collected
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FULL = os.environ.get("CRASH_MATRIX") == "full"
STEP = 1 if FULL else 41  # one of 41 cells for each change, all by `make crash-matrix`


@pytest.mark.parametrize("scenario", Scenario)
@pytest.mark.timeout(3_600 if FULL else 300)
def test_the_bot_cut_at_any_call_leaves_no_orphan_no_double_order_no_imbalance(
    scenario: Scenario, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ends: Counter[str] = Counter()
    states: set[tuple[str, ...]] = set()
    failures: list[str] = []
    for case in list(cells(scenario, tmp_path))[::STEP]:
        done = run(case, Path(mkdtemp(dir=tmp_path)))
        ends[done.end] += 1
        states |= done.states
        failures += [f"{case} at {done.calls[case.point]}: {text}" for text in done.wrong]
    told = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{scenario:30} over HTTP  {ends.total():6} cases {len(states):3} states  {told}", end=" ")  # noqa: T201
    assert not failures, f"{len(failures)} broken promises, the first: {failures[0]}"
    assert ends.total() > (100 if FULL else 2)


def test_an_undisturbed_run_meets_every_kind_of_call(tmp_path: Path) -> None:
    met: set[str] = set()
    for scenario in Scenario:
        done = run(Case(scenario), Path(mkdtemp(dir=tmp_path)))
        assert done.wrong == []
        assert done.end == ("IDLE" if scenario is Scenario.CLOSE else "ACTIVE")
        met |= set(done.calls)
    assert met >= {"journal.append", "freqtrade.order", "spot.place", "spot.book", "spot.balances"}
