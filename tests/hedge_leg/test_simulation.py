"""Random schedules of faults, crashes and commands: the invariants hold, and all that exists is exercised."""

import pytest

from hedge_leg.simulation.many import Report, shrink, simulate_many
from hedge_leg.simulation.run import simulate_one
from hedge_leg.simulation.tally import RARE

RUNS = 20_000
PARTS = 4
FOUND = (  # by the million runs of make soak; each was a defect of the code or of the check
    *(51668, 57974, 63782, 64053, 68296, 85704, 235194, 279294, 306911),
    *(308771, 500948, 533628, 705726, 775858),
)


@pytest.mark.parametrize("part", range(PARTS))
def test_seeded_runs_break_no_invariant(part: int) -> None:
    runs = RUNS // PARTS
    report = simulate_many(1 + part * runs, runs)
    assert [(one.seed, one.broken) for one in report.broken] == []
    assert report.runs == runs
    assert set(report.tally.missing()) <= RARE


@pytest.mark.parametrize("seed", FOUND)
def test_a_seed_that_once_broke_an_invariant_keeps_them_all(seed: int) -> None:
    assert simulate_one(seed).broken == ""


def test_the_same_seed_tells_the_same_story() -> None:
    first, again = simulate_one(11), simulate_one(11)
    assert first.story == again.story
    assert first.tally.counts == again.tally.counts


def test_the_report_does_not_depend_on_the_number_of_processes() -> None:
    alone, together = simulate_many(5, 60), simulate_many(5, 60, jobs=2)
    assert alone.tally.counts == together.tally.counts


def test_a_report_without_runs_is_empty() -> None:
    assert simulate_many(1, 0) == Report()


def test_shrinking_a_run_that_breaks_nothing_keeps_it() -> None:
    whole = simulate_one(3)
    assert shrink(whole) == whole
