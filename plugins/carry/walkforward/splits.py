"""Training and test windows that move through time: rolling or anchored, in days or in settlement cycles.

    ruler     |----|----|----|----|----|----|----|----|----|     whole days or settlements
    fold 1    [   train      )gap[ test   )
    fold 2              [   train      )gap[ test   )              rolling: as long as the first
    fold 2    [   train                )gap[ test   )              anchored: begins where the first began

Test windows tile: each begins where the one before ended, so their results can be stitched. The gap = purge
+ embargo is taken from the end of the training window: `purge` is as long as a trade may outlive its training
window, `embargo` what the features of the first test rows still share with the last training rows. Windows
are half open, instants in ns since 1970 (UTC). Source: M. Lopez de Prado, "Advances in Financial Machine
Learning" (2018), chapters 7 and 11.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from carry.errors import UsageError
from carry.tape import DAY_NS, HOUR_NS, Ints, iso

_FORM = re.compile(r"(\d+)([hdc])")


class Unit(StrEnum):
    """What a length counts."""

    HOURS = "h"
    DAYS = "d"
    CYCLES = "c"


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time such as 360c (settlement cycles), 90d (days), 48h (hours)."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        """Return the form that is parsed."""
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class Window:
    """One fold: [train_ns, train_end_ns) decides, [test_ns, test_end_ns) judges."""

    train_ns: int
    train_end_ns: int
    test_ns: int
    test_end_ns: int


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How to cut. `train`, `test` in cycles or both in days; `purge`, `embargo` in that unit or in hours."""

    train: Length = Length(360, Unit.CYCLES)
    test: Length = Length(90, Unit.CYCLES)
    purge: Length = Length(0, Unit.HOURS)
    embargo: Length = Length(0, Unit.HOURS)
    anchored: bool = False

    def __post_init__(self) -> None:
        """Refuse lengths that cannot be laid on one ruler."""
        if self.train.count < 1 or self.test.count < 1:
            raise UsageError(f"train {self.train}, test {self.test}: give at least one day or cycle each")
        if Unit.HOURS in (self.train.unit, self.test.unit) or self.train.unit is not self.test.unit:
            raise UsageError(
                f"train {self.train}, test {self.test}: give both in cycles (360c) or in days (365d)"
            )
        for name, gap in (("purge", self.purge), ("embargo", self.embargo)):
            if gap.count and gap.unit not in (Unit.HOURS, self.train.unit):
                raise UsageError(f"{name} {gap}: give it in hours or, as train, in {self.train.unit}")


def parse_length(text: str, what: str) -> Length:
    """Parse "360c", "365d", "48h"; UsageError names `what` for anything else."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise UsageError(
            f"{what} {text!r} is not a length: give cycles (360c), days (365d) or, for gaps, hours (48h)"
        )
    return Length(int(form[1]), Unit(form[2]))


def ruler(plan: SplitPlan, start_ns: int, end_ns: int, settlements_ns: Ints) -> Ints:
    """Return the instants within [start, end] that windows may begin and end at, ascending.

    Days are counted from the start. `settlements_ns`: all known settlements of one pair, ascending.
    """
    if plan.train.unit is Unit.DAYS:
        count = (end_ns - start_ns) // DAY_NS + 1
        return start_ns + np.arange(count, dtype=np.int64) * DAY_NS
    return settlements_ns[(settlements_ns >= start_ns) & (settlements_ns <= end_ns)]


def cut_windows(plan: SplitPlan, marks_ns: Ints, longest_holding_ns: int = 0) -> tuple[Window, ...]:
    """Return the folds on the ruler `marks_ns`, oldest first, at least one; a last partial test is left out.

    Raises UsageError where the ruler is too short for one fold, the gap eats a training window, or the purge
    is shorter than `longest_holding_ns`, the longest time a trade is held.
    """
    if marks_ns.size < plan.train.count + plan.test.count + 1:
        held = (
            "no data"
            if marks_ns.size == 0
            else f"{iso(int(marks_ns[0]))[:10]} to {iso(int(marks_ns[-1]))[:10]}"
        )
        raise UsageError(
            f"train {plan.train} + test {plan.test} are longer than the data ({held}, "
            f"{max(marks_ns.size - 1, 0)}{plan.train.unit}): give shorter windows or a longer --timerange"
        )
    windows = []
    for place in range(plan.train.count, marks_ns.size - plan.test.count, plan.test.count):
        first = 0 if plan.anchored else place - plan.train.count
        purged_ns = _back(plan.purge, marks_ns, place, int(marks_ns[place]))
        if int(marks_ns[place]) - purged_ns < longest_holding_ns:
            raise UsageError(
                f"purge {plan.purge} is shorter than the longest holding of "
                f"{longest_holding_ns / HOUR_NS:g} h: give a purge at least as long"
            )
        gap_place = place - (plan.purge.count if plan.purge.unit is not Unit.HOURS else 0)
        end_ns = _back(plan.embargo, marks_ns, gap_place, purged_ns)
        if end_ns <= int(marks_ns[first]):
            raise UsageError(
                f"purge {plan.purge} + embargo {plan.embargo} leave nothing of train {plan.train}: "
                "give a longer train or shorter gaps"
            )
        test_end_ns = int(marks_ns[place + plan.test.count])
        windows.append(Window(int(marks_ns[first]), end_ns, int(marks_ns[place]), test_end_ns))
    return tuple(windows)


def _back(gap: Length, marks_ns: Ints, place: int, from_ns: int) -> int:
    """Return the instant `gap` before `from_ns`; marks are counted back from `place`."""
    if gap.unit is Unit.HOURS:
        return from_ns - gap.count * HOUR_NS
    back = place - gap.count
    shift = int(marks_ns[place]) - int(marks_ns[max(back, 0)])
    return from_ns - shift if back >= 0 else int(marks_ns[0])
