"""`hedge-leg check-config` through its command line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(*configs: Path) -> subprocess.CompletedProcess[str]:
    """Run the command over configuration files."""
    options = [text for path in configs for text in ("-c", str(path))]
    command = [sys.executable, "-m", "hedge_leg", "check-config", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_later_files_override_field_by_field(tmp_path: Path) -> None:
    over = tmp_path / "over.json"
    over.write_text('{"hedge_leg": {"costs": {"spot_taker_bps": 7.5}}}')
    done = check(ROOT / "user_data/config/base.json", over)
    assert done.returncode == 0
    assert "a round trip 29 bps" in done.stdout


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"hedge_leg": {"leverage": 9}}', "hedge_leg.leverage"),
        ('{"hedge_leg": 3}', "must be an object"),
        ('{"hedge_leg": {"observer": {"min_rate": 1}}}', "hedge_leg.observer.min_rate is not known"),
        ('{"hedge_leg": {"observer": {"leave_daily_rate": 0.01}}}', "leave_daily_rate is above"),
        ('{"hedge_leg": {"observer": {"snapshot_sec": 20}}}', "snapshot_sec is below interval_sec"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_wrong_file_is_one_line_and_status_2(tmp_path: Path, text: str, named: str) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(text)
    done = check(wrong)
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
