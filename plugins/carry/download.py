"""Download both markets of a pair with freqtrade's own downloader.

freqtrade downloads one trading mode at a time, so two runs are needed: futures (perp candles, plus mark
and funding at 1h, its defaults) and spot. What freqtrade 2026.9 does with files that exist:
it goes on at their end; an earlier start is only fetched with --prepend, which fetches nothing else; a
hole in the middle only with --erase. Pairs that fail are logged and the exit status stays 0: the coverage
gate decides whether the download did its work.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from carry.errors import DataError, UsageError
from carry.findings import FUNDING, MARK, PERP, SPOT, is_sample
from carry.market import (
    FUNDING_COLUMNS,
    FUNDING_TIMEFRAME,
    MARK_TIMEFRAME,
    candle_path,
    read_candles,
    spot_symbol,
    timeframe_delta,
)
from carry.timerange import Timerange

DEFAULT_EXCHANGE = "binance"


class TradingMode(StrEnum):
    """The two markets of a carry, as freqtrade names them."""

    FUTURES = "futures"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Order:
    """What to download: perps ("BTC/USDT:USDT") with their spot markets.

    Raises UsageError when it cannot be meant: no pair, a pair that is no perp, a timeframe that freqtrade
    does not know, no start, or a folder that holds the sample market.
    """

    pairs: tuple[str, ...]
    timeframes: tuple[str, ...]
    timerange: Timerange
    datadir: Path
    exchange: str | None = None
    configs: tuple[Path, ...] = ()
    erase: bool = False

    def __post_init__(self) -> None:
        """Refuse what freqtrade would misread or skip in silence."""
        if not self.pairs:
            raise UsageError("no pairs given: give --pairs BTC/USDT:USDT")
        for pair in self.pairs:
            if ":" not in pair or "/" not in pair:
                raise UsageError(f"pair {pair!r} is not a perp: give BASE/QUOTE:SETTLE such as BTC/USDT:USDT")
        if not self.timeframes:
            raise UsageError("no timeframes given: give --timeframes 1h")
        for timeframe in self.timeframes:
            timeframe_delta(timeframe)
        if self.timerange.start is None:
            raise UsageError(f"timerange {self.timerange} has no start: give YYYYMMDD- or YYYYMMDD-YYYYMMDD")
        if is_sample(self.datadir):
            raise UsageError(f"{self.datadir} holds the sample market: give another --datadir for real data")


def download_commands(order: Order) -> list[list[str]]:
    """Return the freqtrade command lines that carry out `order`, in the order to run them.

    Pairs whose files start after the wanted start get a run with --prepend first.
    """
    commands = []
    for mode in TradingMode:
        late = [] if order.erase else [pair for pair in order.pairs if _starts_late(order, pair, mode)]
        if late:
            commands.append([*_command(order, late, mode), "--prepend"])
        commands.append(_command(order, order.pairs, mode) + (["--erase"] if order.erase else []))
    return commands


def run_downloads(order: Order, announce: Callable[[list[str]], None]) -> None:
    """Run the downloads, each told to `announce` before; freqtrade writes to our own stdout and stderr.

    Raises DataError, in one line, when freqtrade ends with an error; what was stored before stays.
    """
    order.datadir.mkdir(parents=True, exist_ok=True)
    for command in download_commands(order):
        announce(command)
        status = subprocess.run(command, check=False).returncode
        if status != 0:
            mode = command[command.index("--trading-mode") + 1]
            raise DataError(
                f"freqtrade download-data ({mode}) ended with exit status {status}: see its last line above"
            )


def _command(order: Order, pairs: Sequence[str], mode: TradingMode) -> list[str]:
    """Return one freqtrade command line; --candle-types stays out: it would take mark at every timeframe."""
    words = [sys.executable, "-m", "freqtrade", "download-data", "--trading-mode", mode.value]
    for config in order.configs:
        words += ["-c", str(config)]
    if order.exchange or not order.configs:
        words += ["--exchange", order.exchange or DEFAULT_EXCHANGE]
    if not Path("user_data").is_dir():  # freqtrade insists on one
        words += ["--userdir", str(order.datadir)]
    wanted = pairs if mode is TradingMode.FUTURES else [spot_symbol(pair) for pair in pairs]
    words += ["--datadir", str(order.datadir), "--data-format-ohlcv", "feather"]
    words += ["--timerange", str(order.timerange)]
    return [*words, "--timeframes", *order.timeframes, "--pairs", *wanted]


def _starts_late(order: Order, pair: str, mode: TradingMode) -> bool:
    """Tell whether a file of this market exists and starts after the wanted start."""
    if mode is TradingMode.SPOT:
        wanted = [(SPOT, timeframe) for timeframe in order.timeframes]
    else:
        wanted = [(PERP, timeframe) for timeframe in order.timeframes]
        wanted += [(MARK, MARK_TIMEFRAME), (FUNDING, FUNDING_TIMEFRAME)]
    return any(
        _file_starts_late(order, candle_path(order.datadir, pair, timeframe, series), timeframe)
        for series, timeframe in wanted
    )


def _file_starts_late(order: Order, path: Path, timeframe: str) -> bool:
    start = order.timerange.start
    if start is None or not path.is_file():
        return False
    try:
        dates = read_candles(path, FUNDING_COLUMNS[:1])["date"]
    except DataError as error:
        raise DataError(f"{error}; or add --erase to download everything anew") from error
    return len(dates) > 0 and bool(dates.iloc[0] >= start + timeframe_delta(timeframe))
