"""Run the shipped command lines as a user does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from carry.sweep.freqtrade_setup import read_configuration

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STRATEGIES = (
    "FundingSpreadCarry",
    "FundingOnlyCarry",
    "SpreadOnlyCarry",
    "AlwaysOnCarry",
    "ExtremeFundingCarry",
    "RotatingCarry",
    "RegimeSizedCarry",
)


def run(*command: str | Path, status: int = 0, env: dict[str, str] | None = None) -> str:
    """Run a console script of this environment; return stdout and stderr together, in order."""
    name, *rest = command
    done = subprocess.run(
        [str(BIN / name), *map(str, rest)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "250", **(env or {})},
    )
    output = done.stdout + done.stderr
    assert done.returncode == status, output[-3000:]
    return output


def exchange_overlay(folder: Path, exchange_url: str) -> Path:
    """Write the shipped paper.json for another port."""
    shipped = (ROOT / "user_data/config/paper.json").read_text()
    overlay = folder / "paper.json"
    overlay.write_text(shipped.replace("http://127.0.0.1:8411", exchange_url))
    return overlay


def shipped_backtest(datadir: Path, exchange_url: str, timeframe: str) -> dict[str, Any]:
    """Return freqtrade's configuration of a backtest as shipped, on a folder and the paper exchange."""
    files = [ROOT / "user_data/config/base.json", ROOT / "user_data/config/backtest.json"]
    places = {"datadir": str(datadir), "user_data_dir": str(ROOT / "user_data"), "timeframe": timeframe}
    read = read_configuration([*files, exchange_overlay(datadir, exchange_url)], **places)
    return read | {"export": "none", "datadir": datadir}


def freqtrade(
    command: str, datadir: Path, results: Path, exchange_url: str, *extra: str, status: int = 0
) -> str:
    """Run a freqtrade command on the shipped strategies and configuration."""
    results.mkdir(parents=True, exist_ok=True)
    overlay = exchange_overlay(results, exchange_url)
    configs = [ROOT / "user_data/config/base.json", ROOT / "user_data/config/backtest.json", overlay]
    options = [option for path in configs for option in ("-c", str(path))]
    options += ["--userdir", str(ROOT / "user_data"), "--datadir", str(datadir), "--timeframe", "1h"]
    if command == "backtesting":
        options += ["--cache", "none", "--backtest-directory", str(results)]
    return run("freqtrade", command, *options, *extra, status=status)


def report(results: Path, datadir: Path, *extra: str, status: int = 0) -> dict[str, Any]:
    """Run `carry report` and return its JSON."""
    out = results / "report.json"
    run("carry", "report", "--result", results, "--datadir", datadir, "--json", out, *extra, status=status)
    content: dict[str, Any] = json.loads(out.read_text())
    return content
