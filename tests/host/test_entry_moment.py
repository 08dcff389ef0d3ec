"""When a bot that is late enters: at the moments at which a backtest would fill, not at a settlement."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.host.live_harness import STRATEGIES
from tests.host.live_world import loop_safely, world


def on(time: str) -> datetime:
    """Return a moment of a day on which 16:00 is a settlement."""
    return datetime.fromisoformat(f"2024-02-10T{time}").replace(tzinfo=UTC)


def test_no_entry_in_the_last_seconds_before_a_settlement_nor_in_the_candle_after_it(tmp_path: Path) -> None:
    with world(tmp_path, at=on("15:59:47")) as made:
        made.start()
        loop_safely(made, 6)
        assert made.exchange.audit("taken") == []
        made.advance(3600)
        loop_safely(made, 2)
        assert made.trade().open_date_utc > on("17:00:00")


@pytest.mark.parametrize(
    ("start", "wait", "entered"),
    [
        ("13:06:00", 0, "13:06:00"),  # the row of 13:05 is a minute old
        ("13:07:30", 160, "13:10:10"),  # it is too old: the next one
        ("15:45:20", 0, "15:45:20"),  # 14:40 left
        ("15:46:05", 1755, "16:15:20"),  # 13:55 left, and quiet until 16:14
    ],
)
def test_a_child_enters_while_its_row_is_young_and_never_in_quiet_minutes(
    tmp_path: Path, start: str, wait: int, entered: str
) -> None:
    options: dict[str, Any] = {"strategy": "DirectedChild", "strategy_path": str(STRATEGIES)}
    with world(tmp_path, at=on(start), timeframe="5m", **options) as made:
        made.start()
        loop_safely(made, 1, seconds=0)
        if wait:
            assert made.exchange.audit("taken") == []
            made.advance(wait)
            loop_safely(made, 1, seconds=0)
        assert abs((made.trade().open_date_utc - on(entered)).total_seconds()) < 10
