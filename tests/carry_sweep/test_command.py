"""`carry sweep`: what it prints, writes and refuses."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from carry.errors import CarryError, UsageError
from carry.sweep.command import SweepRequest, rank, run_sweep
from carry.sweep.grids import full_grid, grid_from_file, random_sets
from carry.sweep.signals import Range, Space
from tests.e2e.commands import ROOT, exchange_overlay, run
from tests.random_market import random_market, write_market

SPACE = Space(
    (
        Range("threshold", 1.0, (0.5, 1.0), 0.0, 0.0, 0, "buy"),
        Range("hours", 24, (0, 24, 48), 0.0, 0.0, 0, "sell"),
    )
)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, exchange_url: str) -> list[str]:
    """Return `carry sweep` over 30 random days, but for the strategy."""
    datadir = tmp_path_factory.mktemp("market")
    write_market(datadir, random_market(3, hours=1000, outages=False))
    overlay = exchange_overlay(datadir, exchange_url)
    configs = [ROOT / "user_data/config/base.json", ROOT / "user_data/config/backtest.json", overlay]
    options = [word for path in configs for word in ("-c", str(path))]
    return ["carry", "sweep", *options, "--datadir", str(datadir), "--pairs", "BTC/USDT:USDT"]


def test_the_best_sets_are_printed_and_all_are_written(command: list[str], tmp_path: Path) -> None:
    grid = tmp_path / "grid.json"
    grid.write_text('{"funding_threshold_bps": [0.5, 1e6], "stop_loss_bps": [0, 50]}')
    csv, report = tmp_path / "sets.csv", tmp_path / "sweep.json"
    wanted = ["--strategy", "FundingOnlyCarry", "--grid", str(grid), "--min-trades", "1"]
    printed = run(*command, *wanted, "--json", report, "--out", csv)
    assert "4 sets, 2 with 1 trades or more" in printed
    table, content = pd.read_csv(csv), json.loads(report.read_text())
    assert list(table["rank"]) == [1, 2, 0, 0]
    assert (table["trades"] > 0).tolist() == [True, True, False, False]
    assert len(content["best"]) == 2
    assert content["best"][0]["net"] == pytest.approx(table["net"].iloc[0])
    assert content["sets_with_enough_trades"] == 2


def test_a_users_mistake_is_one_line(command: list[str], tmp_path: Path) -> None:
    layer = tmp_path / "strategies.json"
    layer.write_text(json.dumps({"strategy_path": str(ROOT / "tests/e2e/strategies")}))
    printed = run(*command, "-c", layer, "--strategy", "ResizingCarry", status=2)
    assert "carry: ResizingCarry cannot be swept: it states resize" in printed
    assert "Traceback" not in printed


def request(command: list[str], strategy: str, **changes: Any) -> SweepRequest:
    """Return what a command line would ask for."""
    words = command[2:]
    configs = tuple(Path(word) for before, word in pairwise(words) if before == "-c")
    datadir = Path(words[words.index("--datadir") + 1])
    plain = SweepRequest(
        configs=configs,
        strategy=strategy,
        datadir=datadir,
        userdir=ROOT / "user_data",
        timeframe="1h",
        timerange=None,
        pairs=("BTC/USDT:USDT",),
        grid=None,
        random=3,
        seed=1,
        sort="net",
        min_trades=1,
        json_file=None,
        out=None,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("strategy", "changes", "status", "line"),
    [
        ("AlwaysOnCarry", {}, 2, "no parameter to sweep"),
        ("Nonesuch", {}, 2, "Nonesuch"),
        ("FundingOnlyCarry", {"timerange": "20300101-20300201"}, 3, "no candle is left"),
        ("FundingOnlyCarry", {"grid": Path("x.json")}, 2, "exclude each other"),
        ("FundingOnlyCarry", {"configs": (Path("x.json"),)}, 2, "x.json does not exist"),
        ("FundingOnlyCarry", {"datadir": Path("nowhere")}, 3, "nowhere"),
        ("FundingOnlyCarry", {"pairs": ("XYZ/USDT:USDT",)}, 3, "XYZ_USDT"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(
    command: list[str], strategy: str, changes: dict[str, Any], status: int, line: str
) -> None:
    with pytest.raises(CarryError, match=line) as refused:
        run_sweep(request(command, strategy, **changes))
    assert refused.value.exit_status == status
    assert "\n" not in str(refused.value)


def test_no_set_with_enough_trades_is_the_answer_no(command: list[str]) -> None:
    assert run_sweep(request(command, "FundingOnlyCarry", min_trades=9999)) == 1
    assert run_sweep(request(command, "FundingOnlyCarry")) == 0


def test_sets_without_trades_never_win() -> None:
    table = pd.DataFrame(
        {"trades": [0, 12, 3, 20], "net": [0.0, -5.0, 50.0, -9.0], "sharpe": [None, None, 2.0, 1.0]}
    )
    assert rank(table, "net", 1)["trades"].tolist() == [3, 12, 20, 0]
    assert rank(table, "net", 10)["trades"].tolist() == [12, 20, 3, 0]
    assert rank(table, "net", 10)["rank"].tolist() == [1, 2, 0, 0]
    assert rank(table, "sharpe", 1)["trades"].tolist() == [3, 20, 12, 0]


def test_grids_hold_every_combination_once(tmp_path: Path) -> None:
    assert len(full_grid(SPACE)) == 6
    assert full_grid(SPACE)[0] == {"threshold": 0.5, "hours": 0}
    drawn = random_sets(SPACE, 500, seed=4)
    assert len(drawn) == 6
    assert drawn == random_sets(SPACE, 500, seed=4)
    (tmp_path / "grid.json").write_text('{"hours": [1, 2, 3]}')
    assert grid_from_file(tmp_path / "grid.json", SPACE) == [{"hours": k} for k in (1, 2, 3)]


@pytest.mark.parametrize("text", ["[]", "{}", '{"hours": []}', '{"hour": [1]}', "{"])
def test_a_grid_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "grid.json").write_text(text)
    with pytest.raises(UsageError):
        grid_from_file(tmp_path / "grid.json", SPACE)


def test_a_continuous_parameter_has_no_full_grid() -> None:
    space = Space((Range("level", 0.5, None, 0.0, 1.0, 3, "buy"),))
    with pytest.raises(UsageError, match="continuous"):
        full_grid(space)
    assert all(0.0 <= float(one["level"]) <= 1.0 for one in random_sets(space, 50, seed=1))
