"""RotatingCarry against AlwaysOnCarry on the same capital and costs: docs/research/rotation.md's tables.

    tools/with-paper-exchange ../shared/data/binance_1h .venv/bin/python tools/rotation_study.py \\
        --datadir ../shared/data/binance_1h --timerange 20210101-20241231

Every line is one `freqtrade backtesting` run with the shipped configuration, one or two keys of it changed;
the figures are `carry report`'s recomputation of its export (equity of both legs at every candle close).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track

from carry.freqtrade_results import read_export
from carry.report import StrategyResult, build_report
from carry.statistics import summarize

ROOT = Path(__file__).parents[1]
CAPITAL_PER_NOTIONAL = 1.0 + 1.0 / 2.0 + 17e-4 + 0.005  # leverage 2, side costs and cash buffer of base.json
ALL = ("BTC", "ETH", "SOL")


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a strategy on coins, `slots` of them at a time, with parameters other than the defaults."""

    group: str
    strategy: str
    slots: int
    coins: tuple[str, ...] = ALL
    parameters: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return what distinguishes the run."""
        changed = ", ".join(f"{name} {value:g}" for name, value in self.parameters.items())
        return f"{self.strategy} {'+'.join(self.coins)}, {self.slots} held" + (
            f", {changed}" if changed else ""
        )


def cases() -> list[Case]:
    """Return all runs: controls, defaults, then one parameter at a time."""
    controls = [(1, ("BTC",)), (1, ("ETH",)), (2, ("BTC", "ETH")), (3, ALL)]
    found = [Case("main", "AlwaysOnCarry", slots, coins) for slots, coins in controls]
    found += [Case("main", "RotatingCarry", slots) for slots in (1, 2, 3)]
    changes: list[tuple[str, str, tuple[float, ...]]] = [
        ("span", "span_cycles", (9, 21, 63, 126)),
        ("other", "horizon_cycles", (30, 60, 180)),
        ("other", "switch_margin", (0.5, 1.5, 2.0)),
        ("other", "idle_yield_pct", (0.0, 5.0)),
        ("other", "basis_weight", (0.0,)),
    ]
    for group, name, values in changes:
        for value, slots in product(values, (1, 2)):
            found.append(Case(group, "RotatingCarry", slots, ALL, {name: value}))
    return found


def run(case: Case, chosen: argparse.Namespace) -> StrategyResult:
    """Backtest one case with freqtrade and recompute its export."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "strategies").mkdir()
        shutil.copy(ROOT / f"user_data/strategies/{case.strategy}.py", folder / "strategies")
        if case.parameters:
            spaces: dict[str, dict[str, float]] = {"buy": {}, "sell": {}}
            for key, value in case.parameters.items():
                spaces["sell" if key == "switch_margin" else "buy"][key] = value
            stored = {"strategy_name": case.strategy, "params": spaces, "ft_stratparam_v": 1}
            stored["export_time"] = "2026-01-01 00:00:00"
            (folder / "strategies" / f"{case.strategy}.json").write_text(json.dumps(stored))
        shipped = (ROOT / "user_data/config/paper.json").read_text()
        (folder / "paper.json").write_text(shipped.replace("http://127.0.0.1:8411", chosen.url))
        slots = {"max_open_trades": case.slots}
        (folder / "slots.json").write_text(json.dumps(slots))
        configs = [ROOT / f"user_data/config/{layer}.json" for layer in ("base", "backtest")]
        configs += [folder / "paper.json", folder / "slots.json"]
        command = [sys.executable, "-m", "freqtrade", "backtesting", "--userdir", folder, "--cache", "none"]
        command += [option for path in configs for option in ("-c", path)]
        command += ["--datadir", chosen.datadir, "--timeframe", "1h", "--timerange", chosen.timerange]
        command += ["--backtest-directory", folder, "--strategy-list", case.strategy]
        command += ["--pairs", *(f"{coin}/USDT:USDT" for coin in case.coins)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{case.label}: freqtrade failed: {done.stderr.strip().splitlines()[-1]}")
        report = build_report(read_export(folder), chosen.datadir)
        if not report.reconciles:
            sys.exit(
                f"{case.label}: freqtrade's profit and the recomputation differ by {report.worst_residual}"
            )
        return report.strategies[0]


def line(case: Case, result: StrategyResult, idle_pct: float) -> str:
    """Return one row: whole period, its years, and the return if idle capital earns `idle_pct` a year."""
    summary, curve = summarize(result), result.curve
    at = pd.to_datetime(curve.at_ns, unit="ns", utc=True)
    ends = pd.Series(curve.equity, index=at).groupby(at.year).last()
    years = ends / ends.shift(fill_value=curve.start) - 1.0
    used = np.clip(curve.perp_value * CAPITAL_PER_NOTIONAL / curve.equity, 0.0, 1.0)
    length = (result.exported.end_ns - result.exported.begin_ns) / 1e9 / 86_400 / 365
    idle = float((1.0 - used).mean()) * idle_pct
    changes = sum(trade.trade.exit_reason == "signal_off" for trade in result.trades)
    growth = (1.0 + summary.return_on_capital) ** (1.0 / length) - 1.0
    figures = [
        *(f"{100 * growth:.2f}", f"{100 * growth + idle:.2f}", f"{100 * summary.max_drawdown:.2f}"),
        *(str(summary.trades), str(summary.rolls), str(changes), f"{100 * float(used.mean()):.0f}"),
        *(f"{100 * year:.2f}" for year in years),
    ]
    return f"| {case.label} | " + " | ".join(figures) + " |"


def main() -> None:
    """Run the cases of the groups and print their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--timerange", default="20210101-20241231")
    parser.add_argument("--url", default="http://127.0.0.1:8411", help="where paper-exchange serves the data")
    parser.add_argument("--idle-pct", type=float, default=3.0, help="what idle capital earns a year")
    parser.add_argument("--groups", nargs="+", default=["main", "span", "other"])
    chosen = parser.parse_args()
    wanted = [case for case in cases() if case.group in chosen.groups]
    rows = [
        line(case, run(case, chosen), chosen.idle_pct) for case in track(wanted, "backtests", transient=True)
    ]
    first, last = (int(when[:4]) for when in chosen.timerange.split("-"))
    head = ["run", "% a year", "with idle cash", "drawdown %", "trades", "rolls", "changes", "in use %"]
    head += [str(year) for year in range(first, last + 1)]
    print("| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1), *rows, sep="\n")


if __name__ == "__main__":
    main()
