"""`carry download` through stock freqtrade against the paper exchange, over HTTP."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

from carry.market import load_market
from tests.paper_exchange.clients import ccxt_config
from tests.random_market import PAIR, START, random_market, write_market

UNTIL = START + pd.Timedelta(9, unit="D")


def test_download_fetches_both_markets_and_completes_files_that_start_late(
    exchange_url: str, tmp_path: Path
) -> None:
    served = random_market(1)
    data = tmp_path / "data"
    late = START + pd.Timedelta(50, unit="h")
    write_market(data, served)
    for path in data.glob("futures/*.feather"):
        frame = pd.read_feather(path)
        frame.loc[frame["date"] >= late].reset_index(drop=True).to_feather(path)
    (data / "BTC_USDT-1h.feather").unlink()
    exchange = {"name": "binance", "only_from_ccxt": True, "pair_whitelist": [PAIR]}
    config = {"stake_currency": "USDT", "margin_mode": "isolated", "dry_run": True}
    config |= {"pairlists": [{"method": "StaticPairList"}]}
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"exchange": exchange | {"ccxt_config": ccxt_config(exchange_url)}})
    )
    words = ["--pairs", PAIR, "--timeframes", "1h", "--timerange", f"{START:%Y%m%d}-{UNTIL:%Y%m%d}"]
    words += ["--datadir", str(data), "-c", str(tmp_path / "config.json")]
    done = subprocess.run(
        [sys.executable, "-m", "carry", "download", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("running:") == 3
    got = load_market(data, PAIR, "1h")
    for frame, source in ((got.perp, served.perp), (got.mark, served.mark), (got.funding, served.funding)):
        pd.testing.assert_series_equal(_before_until(frame), _before_until(source), check_exact=True)
    pd.testing.assert_series_equal(_before_until(got.spot), _before_until(served.spot), check_exact=True)


def _before_until(frame: pd.DataFrame) -> "pd.Series[float]":
    """Return closes or rates by date as far as asked for; freqtrade cuts stored stamps to the second."""
    frame = frame.loc[frame["date"] < UNTIL]
    values = frame["close"] if "close" in frame else frame["funding_rate"]
    return pd.Series(values.to_numpy(), pd.DatetimeIndex(frame["date"].dt.round("min")).as_unit("ms"))
