"""Confirmation by a real `freqtrade backtesting` run: the winners of a fold, over its test window.

freqtrade runs in a process of its own on copies of the strategy files, with the winners' parameters in the
file that `freqtrade hyperopt` would leave beside a strategy. Its trades must equal the ones that walk-forward
used: pair, opening, closing, amount and exit reason exactly, profit within 1e-6.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carry.errors import CarryError, UsageError
from carry.freqtrade_results import read_statistics
from carry.market import timeframe_delta
from carry.walkforward.evaluator import Parameters, Space
from carry.walkforward.folds import Record

PROFIT_LIMIT = 1e-6  # quote; freqtrade rounds each exit's profit to 1e-8
_EXACT = ("pair", "open_date", "close_date", "amount", "exit_reason")


class Unconfirmed(CarryError):
    """freqtrade's trades differ from those that the winner was judged by: the result is void."""


@dataclass(frozen=True, slots=True)
class FreqtradeCommand:
    """What every run of freqtrade shares."""

    configs: tuple[Path, ...]
    userdir: Path
    datadir: Path
    timeframe: str

    def run(
        self, winners: Mapping[str, tuple[Space, Parameters]], begin_ns: int, end_ns: int
    ) -> dict[str, list[Record]]:
        """Backtest strategies with parameters over [begin, end); return freqtrade's trades by strategy.

        Raises UsageError with freqtrade's last line where it does not finish.
        """
        with tempfile.TemporaryDirectory(prefix="carry-confirm-") as folder:
            place = Path(folder)
            _write_strategies(self.userdir / "strategies", place / "strategies", winners)
            (place / "user").mkdir()
            step_s = timeframe_delta(self.timeframe).value // 10**9
            words = [sys.executable, "-m", "freqtrade", "backtesting", "--cache", "none"]
            words += [word for config in self.configs for word in ("-c", str(config))]
            words += ["--userdir", str(place / "user"), "--strategy-path", str(place / "strategies")]
            words += ["--datadir", str(self.datadir), "--timeframe", self.timeframe]
            words += ["--timerange", f"{begin_ns // 10**9}-{end_ns // 10**9 - step_s}"]
            words += ["--export", "trades", "--backtest-directory", str(place / "results")]
            words += ["--strategy-list", *winners]
            (place / "results").mkdir()
            done = subprocess.run(words, check=False, capture_output=True, text=True)
            if done.returncode:
                raise UsageError(f"freqtrade backtesting did not finish: {_last_error(done.stderr)}")
            stats = read_statistics(place / "results")
        return {name: [_fact(trade) for trade in stats[name]["trades"]] for name in winners}


def compare(strategy: str, where: str, ours: Iterable[Record], freqtrade: Iterable[Record]) -> None:
    """Raise Unconfirmed, in one line, unless both hold the same trades."""
    mine, theirs = (sorted(trades, key=lambda t: (t["open_date"], t["pair"])) for trades in (ours, freqtrade))
    if len(mine) != len(theirs):
        raise Unconfirmed(
            f"{strategy} {where}: {len(mine)} trades, freqtrade has {len(theirs)}: the evaluation is wrong"
        )
    for one, other in zip(mine, theirs, strict=True):
        differing = [name for name in _EXACT if one[name] != other[name]]
        if abs(one["profit_abs"] - other["profit_abs"]) > PROFIT_LIMIT:
            differing.append("profit_abs")
        if differing:
            name = differing[0]
            raise Unconfirmed(
                f"{strategy} {where}: {name} of the {one['pair']} trade opened at {one['open_date']} ms is "
                f"{one[name]}, freqtrade has {other[name]}: the evaluation is wrong"
            )


def _fact(trade: Mapping[str, Any]) -> Record:
    """Return what is compared of one of freqtrade's exported trades."""
    return {
        "pair": trade["pair"],
        "open_date": int(trade["open_timestamp"]),
        "close_date": int(trade["close_timestamp"]),
        "amount": float(trade["amount"]),
        "exit_reason": str(trade["exit_reason"]),
        "profit_abs": float(trade["profit_abs"]),
    }


def _write_strategies(source: Path, target: Path, winners: Mapping[str, tuple[Space, Parameters]]) -> None:
    """Copy the strategy files and write each winner's parameters beside the file of its class."""
    target.mkdir()
    for path in sorted(source.glob("*.py")):
        shutil.copy(path, target / path.name)
    for name, (space, parameters) in winners.items():
        by_space: dict[str, dict[str, Any]] = {}
        for dimension in space:
            value = parameters.get(dimension.name, dimension.default)
            by_space.setdefault(dimension.space, {})[dimension.name] = value
        content = {"strategy_name": name, "params": by_space, "ft_stratparam_v": 1}
        (target / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def _last_error(text: str) -> str:
    """Return freqtrade's own last complaint."""
    lines = (
        [line for line in text.splitlines() if " ERROR " in line] or text.splitlines()[-1:] or ["no output"]
    )
    return lines[-1].split(" ERROR - ")[-1].strip()
