"""`carry walk-forward` through its front door, on the sample market, confirmed by freqtrade itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from carry.__main__ import app
from carry.errors import CarryError
from paper_exchange.sample import write_sample_market
from tests.e2e.commands import ROOT, exchange_overlay

SHORT = ("--timerange", "20230115-20230328", "--train", "30d", "--test", "20d", "--trials", "2")
NAMES = (
    "--parameters",
    "funding_threshold_bps",
    "spread_threshold",
    "--controls",
    "AlwaysOnCarry",
    "--across",
    "2",
)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three months of the sample market."""
    datadir = tmp_path_factory.mktemp("walk")
    begin, end = pd.Timestamp("2023-01-01", tz="UTC"), pd.Timestamp("2023-04-15", tz="UTC")
    write_sample_market(datadir, seed=11, start=begin, end=end)
    return datadir


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory, exchange_url: str) -> list[str]:
    """Return the options of the shipped configuration for one pair."""
    folder = tmp_path_factory.mktemp("layers")
    one_pair = folder / "pair.json"
    whitelist = {"name": "binance", "pair_whitelist": ["BTC/USDT:USDT"]}
    one_pair.write_text(json.dumps({"exchange": whitelist, "max_open_trades": 1}))
    configs = [ROOT / "user_data/config/base.json", ROOT / "user_data/config/backtest.json"]
    configs += [exchange_overlay(folder, exchange_url), one_pair]
    return [word for path in configs for word in ("-c", str(path))]


@pytest.fixture(scope="module")
def walked(market: Path, layers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Walk once; return the folder of the run."""
    out = tmp_path_factory.mktemp("walked")
    output = walk(market, layers, out)
    assert "freqtrade confirms all" in output and "SAMPLE MARKET, NOT REAL" in output
    yield out


def walk(market: Path, layers: list[str], out: Path, *extra: str, status: int = 0) -> str:
    """Run the command on the shipped strategies; return its output, or its one line of error."""
    words = ["--strategy", "FundingSpreadCarry", *layers, "--datadir", str(market), "--jobs", "1", *SHORT]
    words += [*NAMES, "--userdir", str(ROOT / "user_data"), "--out", str(out), *extra]
    answer = CliRunner().invoke(app, ["walk-forward", *words])
    error = answer.exception
    if isinstance(error, CarryError):  # as carry.__main__.main shows it
        assert error.exit_status == status and "\n" not in str(error)
        return str(error)
    assert answer.exit_code == status, answer.output
    return answer.output


def test_walk_is_confirmed_written_and_repeated_from_what_is_kept(
    market: Path, layers: list[str], walked: Path
) -> None:
    first = (walked / "walk-forward.json").read_bytes()
    content = json.loads(first)
    assert content["confirmed"] is True and content["confirmed_trades"] > 0
    (strategy,) = content["strategies"]
    assert len(strategy["folds"]) == 2
    assert {one["name"] for one in strategy["stability"]} == {"funding_threshold_bps", "spread_threshold"}
    assert (walked / "walk-forward.html").stat().st_size > 1_000_000  # plotly.js is inside
    walk(market, layers, walked)
    assert (walked / "walk-forward.json").read_bytes() == first


def test_trades_that_freqtrade_does_not_have_void_the_result(
    market: Path, layers: list[str], walked: Path
) -> None:
    kept = next((walked / "tasks").glob("across-AlwaysOnCarry-000-*.json"))
    whole = kept.read_text()
    content = json.loads(whole)
    content["answer"]["trades"][0][0]["profit_abs"] += 0.001
    kept.write_text(json.dumps(content, sort_keys=True))
    output = walk(market, layers, walked, status=1)
    assert "AlwaysOnCarry fold 1: profit_abs" in output
    kept.write_text(whole)
    assert "unconfirmed" in walk(market, layers, walked, "--no-confirm")


@pytest.mark.parametrize(
    ("extra", "status", "said"),
    [
        (("--train", "100d"), 2, "longer than the data"),
        (("--train", "9x"), 2, "--train '9x' is not a length"),
        (("--strategy", "AlwaysOnCarry"), 2, "AlwaysOnCarry has no parameters to search"),
        (("--strategy", "NoSuchCarry"), 2, "NoSuchCarry"),
        (("--sampler", "grid"), 2, "the grid has 16 sets"),
        (("--datadir", "/nowhere"), 3, "/nowhere is not a folder"),
    ],
)
def test_bad_input_is_one_line(
    extra: tuple[str, ...], status: int, said: str, market: Path, layers: list[str], tmp_path: Path
) -> None:
    output = walk(market, layers, tmp_path, *extra, status=status)
    assert said in output


def test_uncovered_funding_in_any_fold_is_one_line(market: Path, layers: list[str], tmp_path: Path) -> None:
    holed = tmp_path / "holed"
    for path in market.rglob("*BTC*1h*.feather"):
        copy = holed / path.relative_to(market)
        copy.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.read_feather(path)
        if "funding_rate" in path.name:
            late = pd.Timestamp("2023-03-25", tz="UTC")
            frame = frame[(frame["date"] < late) | (frame["date"] > late + pd.Timedelta(days=3))]
        frame.reset_index(drop=True).to_feather(copy)
    output = walk(holed, layers, tmp_path / "out", status=3)
    assert "funding" in output
