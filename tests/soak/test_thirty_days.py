"""Two of the thirty days on every test run; all thirty are `make days`."""

from pathlib import Path

from tests.soak.thirty_days import FAULTS_A_DAY, run


def test_two_days_of_faults_and_kills_leave_no_orphan_and_all_books_equal(tmp_path: Path) -> None:
    wrong, counts = run(2, 4, tmp_path, say=lambda _text: None)
    assert wrong == []
    assert counts["faults"] == 2 * FAULTS_A_DAY
    assert counts["restarts"] >= 2
    assert counts["carries"] >= 3
