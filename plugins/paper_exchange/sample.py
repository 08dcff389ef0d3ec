"""The sample market on disk: a seeded market in freqtrade's file layout, for machines without recorded data.

Its figures are calibrated to Binance's BTC, ETH and SOL of 2020-2024 (the calibration test states them with
tolerances), but nothing in it happened: `SAMPLE_MARKET.json` in the folder marks it, and every tool that
prints a result from such a folder must say so.

Same arguments and the same libraries give the same bytes of every file.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from paper_exchange.errors import UsageError
from paper_exchange.marker import SAMPLE_MARKER, SAMPLE_NOTE, is_sample_market
from paper_exchange.sample_candles import CoinMarket, build_market, resample_candles
from paper_exchange.sample_model import COIN_MODELS, STEPS_PER_HOUR, CoinModel, CoinPath, simulate_coin

SAMPLE_VERSION = 1
DEFAULT_SEED = 7
DEFAULT_START = datetime(2023, 1, 1, tzinfo=UTC)
DEFAULT_END = datetime(2025, 1, 1, tzinfo=UTC)
DEFAULT_COINS = ("BTC", "ETH", "SOL")
QUOTE = "USDT"
_STEPS_PER_TIMEFRAME = {"5m": 1, "15m": 3, "1h": STEPS_PER_HOUR}


def sample_path(coin: str, *, seed: int, start: datetime, end: datetime) -> CoinPath:
    """Simulate one coin's path, burn-in included; UsageError for an unknown coin or an unusable range."""
    steps = _step_count(start, end)
    model, index = _model_of(coin)
    market_seed = np.random.SeedSequence([seed, 0])
    return simulate_coin(model, np.random.default_rng([seed, index, 0]), market_seed, steps)


def sample_market(coin: str, *, seed: int, start: datetime, end: datetime) -> CoinMarket:
    """Build one coin's 5-minute candles and settlements for [start, end); errors as `sample_path`."""
    path = sample_path(coin, seed=seed, start=start, end=end)
    model, index = _model_of(coin)
    return build_market(model, path, start, np.random.default_rng([seed, index, 1]))


def write_sample_market(
    datadir: Path,
    *,
    seed: int = DEFAULT_SEED,
    start: datetime = DEFAULT_START,
    end: datetime = DEFAULT_END,
    coins: Sequence[str] = DEFAULT_COINS,
    progress: Callable[[str, float], None] | None = None,
) -> list[Path]:
    """Write the sample market into `datadir` and return its files, the marker first.

    `start` and `end` are full UTC hours, end exclusive. `progress` is called with what was done and the share
    done in (0, 1]. Files are built in a temporary folder and then moved into place, the marker first: an
    interrupted run leaves no half file, and no file without the marker.

    UsageError: unknown coin, unusable range or seed, or `datadir` holds candles without the marker: they are
    real and are not overwritten.
    """
    if seed < 0:
        raise UsageError(f"seed {seed} is negative: give 0 or more")
    if not coins:
        raise UsageError(f"no coins given: choose from {', '.join(COIN_MODELS)}")
    _step_count(start, end)
    for coin in coins:
        _model_of(coin)
    _refuse_real_data(datadir)
    (datadir / "futures").mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".sample-", dir=datadir))
    try:
        (work / "futures").mkdir()
        names = [_write_marker(work, seed, start, end, coins)]
        for done, coin in enumerate(coins, start=1):
            market = sample_market(coin, seed=seed, start=start, end=end)
            names += _write_coin(work, coin, market)
            if progress is not None:
                progress(f"{coin}/{QUOTE}", done / len(coins))
        for name in names:
            (work / name).replace(datadir / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return [datadir / name for name in names]


def _refuse_real_data(datadir: Path) -> None:
    if datadir.exists() and not datadir.is_dir():
        raise UsageError(f"{datadir} is a file: give a folder for the sample market")
    if is_sample_market(datadir):
        return
    stored = next(datadir.glob("**/*.feather"), None) if datadir.is_dir() else None
    if stored is not None:
        raise UsageError(
            f"{datadir} holds market data that is not a sample ({stored.name}): give another folder"
        )


def _step_count(start: datetime, end: datetime) -> int:
    for name, moment in (("start", start), ("end", end)):
        offset = moment.utcoffset()
        if offset is None or offset.total_seconds() != 0:
            raise UsageError(
                f"sample market {name} {moment.isoformat()} is not in UTC: give an aware UTC time"
            )
        if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
            raise UsageError(f"sample market {name} {moment.isoformat()} is not a full hour")
    hours = round((end - start).total_seconds()) // 3600
    if hours < 1:
        raise UsageError(f"sample market ends {end.isoformat()}, not after its start {start.isoformat()}")
    return hours * STEPS_PER_HOUR


def _model_of(coin: str) -> tuple[CoinModel, int]:
    """Return the coin's model and its number in the seed (1-based, independent of the coins asked for)."""
    if coin not in COIN_MODELS:
        raise UsageError(f"coin {coin!r} has no sample model: choose from {', '.join(COIN_MODELS)}")
    return COIN_MODELS[coin], 1 + list(COIN_MODELS).index(coin)


def _write_marker(work: Path, seed: int, start: datetime, end: datetime, coins: Sequence[str]) -> str:
    marker = {
        "sample": True,
        "note": SAMPLE_NOTE,
        "seed": seed,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "coins": list(coins),
        "version": SAMPLE_VERSION,
    }
    (work / SAMPLE_MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    return SAMPLE_MARKER


def _write_coin(work: Path, coin: str, market: CoinMarket) -> list[str]:
    """Write one coin's files below `work` and return their names relative to it."""
    perp = f"futures/{coin}_{QUOTE}_{QUOTE}"
    frames: dict[str, pd.DataFrame] = {}
    for timeframe, factor in _STEPS_PER_TIMEFRAME.items():
        frames[f"{coin}_{QUOTE}-{timeframe}.feather"] = resample_candles(market.spot, factor)
        frames[f"{perp}-{timeframe}-futures.feather"] = resample_candles(market.perp, factor)
    frames[f"{perp}-1h-mark.feather"] = resample_candles(market.mark, STEPS_PER_HOUR)
    frames[f"{perp}-1h-funding_rate.feather"] = market.funding
    for name, frame in frames.items():
        frame.to_feather(work / name, compression="lz4")
    return list(frames)
