"""Windows never overlap, test windows tile, gaps are kept, and what cannot be cut is one line."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.errors import UsageError
from carry.tape import DAY_NS, HOUR_NS, Ints
from carry.walkforward.splits import Length, SplitPlan, Unit, Window, cut_windows, parse_length, ruler

NO_SETTLEMENTS = np.empty(0, dtype=np.int64)


def plan_of(*texts: str) -> SplitPlan:
    """Return the plan of train, test and gaps in text."""
    train, test, *gaps = (parse_length(text, "x") for text in texts)
    return SplitPlan(train, test, *gaps[:2])  # type: ignore[arg-type]


def irregular(seed: int, count: int) -> Ints:
    """Return settlements whose interval changes between 8, 4 and 1 hours."""
    hours = np.random.default_rng(seed).choice([8, 8, 8, 4, 1], count)
    return np.cumsum(hours).astype(np.int64) * HOUR_NS


@st.composite
def cuts(draw: st.DrawFn) -> tuple[SplitPlan, Ints]:
    """Draw a plan and a ruler that it fits on."""
    unit = draw(st.sampled_from([Unit.DAYS, Unit.CYCLES]))
    train, test = draw(st.integers(3, 40)), draw(st.integers(1, 20))
    purge, embargo = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    gaps = draw(st.sampled_from([Unit.HOURS, unit]))
    plan = SplitPlan(
        Length(train, unit),
        Length(test, unit),
        Length(purge, gaps),
        Length(embargo, gaps),
        draw(st.booleans()),
    )
    size = train + test + 1 + draw(st.integers(0, 100))
    marks = irregular(draw(st.integers(0, 99)), size)
    if unit is Unit.DAYS:
        marks = ruler(plan, 0, (size - 1) * DAY_NS, NO_SETTLEMENTS)
    return plan, marks


def marks_between(marks: Ints, start: int, end: int) -> int:
    return int(np.count_nonzero((marks >= start) & (marks < end)))


@settings(deadline=None)
@given(cuts())
def test_windows_keep_their_lengths_their_gap_and_tile(cut: tuple[SplitPlan, Ints]) -> None:
    plan, marks = cut
    windows = cut_windows(plan, marks)
    assert windows
    for window in windows:
        assert window.train_ns < window.train_end_ns <= window.test_ns < window.test_end_ns
        assert marks_between(marks, window.test_ns, window.test_end_ns) == plan.test.count
        if not plan.anchored:
            assert marks_between(marks, window.train_ns, window.test_ns) == plan.train.count
        gap = window.test_ns - window.train_end_ns
        if plan.purge.unit is Unit.HOURS:
            assert gap == (plan.purge.count + plan.embargo.count) * HOUR_NS
        else:
            wanted = plan.purge.count + plan.embargo.count
            assert marks_between(marks, window.train_end_ns, window.test_ns) == wanted
    for before, after in pairwise(windows):
        assert after.test_ns == before.test_end_ns
        assert (after.train_ns == before.train_ns) is plan.anchored
    assert marks_between(marks, windows[-1].test_end_ns, int(marks[-1])) < plan.test.count
    if plan.anchored:
        assert {window.train_ns for window in windows} == {int(marks[0])}


@settings(deadline=None)
@given(cuts(), st.integers(0, 60))
def test_purge_is_at_least_the_longest_holding_when_asked(cut: tuple[SplitPlan, Ints], held_h: int) -> None:
    plan, marks = cut
    try:
        windows = cut_windows(plan, marks, held_h * HOUR_NS)
    except UsageError as error:
        assert "longest holding" in str(error)
        return
    for window in windows:
        assert window.test_ns - window.train_end_ns >= held_h * HOUR_NS


def test_rolling_days_by_hand() -> None:
    plan = plan_of("3d", "2d", "6h", "12h")
    marks = ruler(plan, 10 * DAY_NS, 18 * DAY_NS, NO_SETTLEMENTS)
    day, gap = DAY_NS, 18 * HOUR_NS
    assert cut_windows(plan, marks) == (
        Window(10 * day, 13 * day - gap, 13 * day, 15 * day),
        Window(12 * day, 15 * day - gap, 15 * day, 17 * day),
    )


def test_ruler_of_days_holds_both_ends() -> None:
    start = 1_609_459_200 * 10**9  # 2021-01-01
    marks = ruler(plan_of("3d", "2d"), start, start + 1460 * DAY_NS, NO_SETTLEMENTS)
    assert marks.size == 1461 and marks[0] == start and marks[-1] == start + 1460 * DAY_NS


def test_ruler_of_cycles_is_the_settlements_of_the_range() -> None:
    settlements = irregular(1, 50)
    marks = ruler(SplitPlan(), int(settlements[3]), int(settlements[20]), settlements)
    assert (marks == settlements[3:21]).all()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("360c", "90d"), "both in cycles"),
        (("10h", "5h"), "both in cycles"),
        (("0d", "5d"), "at least one day"),
        (("360c", "90c", "3d"), "purge 3d"),
        (("360c", "90c", "0h", "3d"), "embargo 3d"),
    ],
)
def test_lengths_that_do_not_fit_together_are_refused(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_of(*texts)


@pytest.mark.parametrize("text", ["", "360", "c360", "-3d", "3.5d", "10w"])
def test_text_that_is_not_a_length_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--train"):
        parse_length(text, "--train")


def test_windows_longer_than_the_data_are_one_line_that_names_both() -> None:
    with pytest.raises(UsageError) as refusal:
        cut_windows(SplitPlan(), irregular(0, 450))
    assert "train 360c + test 90c" in str(refusal.value) and "449c" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(cut_windows(SplitPlan(), irregular(0, 451))) == 1
    with pytest.raises(UsageError, match="no data"):
        cut_windows(SplitPlan(), NO_SETTLEMENTS)


@pytest.mark.parametrize("gap", ["300h", "10d"])
def test_gaps_that_eat_the_training_window_are_refused(gap: str) -> None:
    plan = plan_of("10d", "5d", gap, gap)
    with pytest.raises(UsageError, match="leave nothing"):
        cut_windows(plan, ruler(plan, 0, 40 * DAY_NS, NO_SETTLEMENTS))
