"""Stock `freqtrade`, run as a user runs it, downloads from the exchange exactly what its files hold."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.paper_exchange.clients import PATHS, ccxt_config
from tests.paper_exchange.conftest import START, RunningExchange

ROOT = Path(__file__).parents[2]
UNTIL = START + timedelta(days=20)
TIMERANGE = f"{START:%Y%m%d}-{UNTIL:%Y%m%d}"


def freqtrade(folder: Path, exchange: RunningExchange, command: str, *options: str) -> None:
    """Run freqtrade with the paper overlay; it must succeed."""
    config = {
        "stake_currency": "USDT",
        "margin_mode": "isolated",
        "dry_run": True,
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {
            "name": "binance",
            "only_from_ccxt": True,
            "pair_whitelist": ["BTC/USDT:USDT"],
            "ccxt_config": ccxt_config(exchange.url),
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    arguments = ["-c", str(folder / "config.json"), "--userdir", str(folder), *options]
    done = subprocess.run(
        [sys.executable, "-m", "freqtrade", command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def assert_equal_to_source(exchange: RunningExchange, downloaded: Path, name: str) -> None:
    """Compare a downloaded file with the one that was served, over the wanted range."""
    got = pd.read_feather(downloaded / name)
    source = pd.read_feather(exchange.datadir / name)
    frames = [
        frame[(frame["date"] >= pd.Timestamp(START)) & (frame["date"] < pd.Timestamp(UNTIL))]
        .reset_index(drop=True)
        .astype({"date": "datetime64[ms, UTC]"})
        for frame in (got, source)
    ]
    assert len(frames[1]) > 0
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)


def test_futures_download_equals_the_served_files(exchange: RunningExchange, tmp_path: Path) -> None:
    data = tmp_path / "data"
    freqtrade(
        tmp_path, exchange, "download-data", "--trading-mode", "futures", "--timeframes", "5m", "1h",
        "--pairs", "BTC/USDT:USDT", "--timerange", TIMERANGE, "--datadir", str(data),
    )  # fmt: skip
    for suffix in ("5m-futures", "1h-futures", "1h-mark", "1h-funding_rate"):
        assert_equal_to_source(exchange, data, f"futures/BTC_USDT_USDT-{suffix}.feather")


def test_spot_download_equals_the_served_files(exchange: RunningExchange, tmp_path: Path) -> None:
    data = tmp_path / "data"
    freqtrade(
        tmp_path, exchange, "download-data", "--trading-mode", "spot", "--timeframes", "15m", "1h",
        "--pairs", "SOL/USDT", "--timerange", TIMERANGE, "--datadir", str(data),
    )  # fmt: skip
    for timeframe in ("15m", "1h"):
        assert_equal_to_source(exchange, data, f"SOL_USDT-{timeframe}.feather")


def test_shipped_overlay_is_the_one_tested_here() -> None:
    overlay = ROOT / "user_data" / "config" / "paper.json"
    if not overlay.exists():
        pytest.skip("user_data/config/paper.json is not there")
    shipped = json.loads(overlay.read_text())["exchange"]
    assert shipped["only_from_ccxt"] is True
    assert shipped["ccxt_config"]["options"]["fetchMarkets"] == {"types": ["spot", "linear"]}
    api = shipped["ccxt_config"]["urls"]["api"]
    assert api == {name: f"http://127.0.0.1:8411{path}" for name, path in PATHS.items()}
