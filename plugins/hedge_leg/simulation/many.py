"""Many seeded runs over the cores, one tally, and a failing run made small."""

import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from hedge_leg.simulation.run import Outcome, simulate_one
from hedge_leg.simulation.tally import Tally

_BATCH = 50
_MOST_TRIES = 400  # runs that shrinking a failure may cost


@dataclass(slots=True)
class Report:
    """What many runs came to. `broken`: the failing runs, by seed."""

    runs: int = 0
    tally: Tally = field(default_factory=Tally)
    broken: list[Outcome] = field(default_factory=list)


def simulate_many(
    seed: int,
    runs: int,
    *,
    steps: int | None = None,
    jobs: int = 1,
    progress: Callable[[Report], None] = lambda _part: None,
) -> Report:
    """Run the seeds from `seed` on; the report does not depend on `jobs`. `progress` hears of each batch."""
    report = Report()
    seeds = iter(range(seed, seed + runs))
    batches = list(iter(lambda: tuple(islice(seeds, _BATCH)), ()))
    work = [(batch, steps) for batch in batches]
    if jobs <= 1:
        for batch in work:
            _take(report, _run_batch(batch), progress)
        return report
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(_run_batch, work):
            _take(report, part, progress)
    return report


def _run_batch(work: tuple[tuple[int, ...], int | None]) -> Report:
    seeds, steps = work
    part = Report(len(seeds))
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # the faults are on purpose
    try:
        for seed in seeds:
            outcome = simulate_one(seed, steps)
            part.tally.counts.update(outcome.tally.counts)
            if outcome.broken:
                part.broken.append(outcome)
    finally:
        logging.disable(before)
    return part


def _take(report: Report, part: Report, progress: Callable[[Report], None]) -> None:
    report.runs += part.runs
    report.tally.counts.update(part.tally.counts)
    report.broken += part.broken
    progress(part)


def shrink(found: Outcome) -> Outcome:
    """Return a failing run with as few faults, actions and crashes as were found to be enough.

    Drops halves, then quarters, down to single ones, as long as the same invariant breaks.
    """
    best, size, tries = found, max(len(found.story) // 2, 1), 0
    while tries < _MOST_TRIES:
        smaller = None
        for first in range(0, len(best.story), size):
            tries += 1
            kept = [key for key, _name in (*best.story[:first], *best.story[first + size :])]
            again = simulate_one(found.seed, found.steps, keep=frozenset(kept))
            if again.broken and again.number == found.number:
                smaller = again
                break
        if smaller is not None:
            best = smaller
        elif size == 1:
            break
        else:
            size = max(size // 2, 1)
    return best
