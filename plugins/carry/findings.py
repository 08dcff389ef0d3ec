"""What a coverage check finds, and the command that mends it."""

import shlex
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import pandas as pd

from carry.timerange import Timerange

FIRST_DAY = pd.Timestamp("2019-09-01", tz="UTC")  # no USDT perp is older: stands for an open start
PERP, SPOT, MARK, FUNDING = "futures", "spot", "mark", "funding_rate"
SERIES = (PERP, SPOT, MARK, FUNDING)
SAMPLE_MARKER = "SAMPLE_MARKET.json"  # written by paper_exchange.sample


def is_sample(datadir: Path) -> bool:
    """Tell whether the folder holds the simulated sample market: each result from it must say so."""
    return (datadir / SAMPLE_MARKER).is_file()


class Severity(StrEnum):
    """What happens next: an error stops a backtest, a warning costs trades, a note is a fact."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """The kinds of findings; stable, scripts may test for them."""

    MISSING = "missing"
    CORRUPT = "corrupt"
    EMPTY = "empty"
    SHORT_START = "short_start"
    SHORT_END = "short_end"
    GAP = "gap"
    OUTAGE = "outage"
    NEVER_TRADED = "never_traded"
    ZERO_VOLUME = "zero_volume"
    OFF_GRID = "off_grid"
    DUPLICATE = "duplicate"
    NAN = "nan"
    NON_POSITIVE = "non_positive"
    HIGH_BELOW_LOW = "high_below_low"
    MARK_MISSING = "mark_missing"
    FUNDING_GAP = "funding_gap"
    INTERVAL_CHANGE = "interval_change"
    JITTER = "jitter"
    JITTER_UNVALUED = "jitter_unvalued"
    RATE_OUT_OF_RANGE = "rate_out_of_range"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about one series; `start`..`end` is where, `remedy` a command or empty."""

    severity: Severity
    code: Code
    pair: str
    series: str  # futures, spot, mark or funding_rate
    start: pd.Timestamp | None
    end: pd.Timestamp | None
    message: str
    remedy: str

    def as_record(self) -> dict[str, str | None]:
        """Return the finding as plain JSON values, times in ISO 8601."""
        record: dict[str, str | None] = {key: str(value) for key, value in asdict(self).items()}
        for key, time in (("start", self.start), ("end", self.end)):
            record[key] = None if time is None else time.isoformat()
        return record


@dataclass(frozen=True, slots=True)
class Request:
    """What coverage is asked for, and what the files hold together (`held`, for remedies)."""

    datadir: Path
    pair: str
    timeframe: str
    wanted: Timerange
    held: Timerange = field(default_factory=Timerange)
    exchange: str | None = None

    def fetch(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> str:
        """Return the command that adds what is missing between `start` and `end`."""
        return self._command(Timerange(FIRST_DAY if start is None else start, end), erase=False)

    def replace(self) -> str:
        """Return the command that downloads this pair anew, over all that is wanted or held."""
        starts = [time for time in (self.wanted.start, self.held.start) if time is not None]
        ends = [time for time in (self.wanted.end, self.held.end) if time is not None]
        anew = Timerange(min(starts, default=FIRST_DAY), max(ends, default=None))
        return self._command(anew, erase=True)

    def _command(self, span: Timerange, *, erase: bool) -> str:
        if is_sample(self.datadir):  # real candles never go into a simulated market
            return shlex.join(["carry", "sample-data", "--datadir", str(self.datadir), "--force"])
        words = ["carry", "download", "--pairs", self.pair, "--timerange", str(span)]
        words += ["--timeframes", self.timeframe, "--datadir", str(self.datadir)]
        words += ["--exchange", self.exchange] if self.exchange else []
        return shlex.join([*words, *(["--erase"] if erase else [])])

    def finding(
        self,
        severity: Severity,
        code: Code,
        series: str,
        message: str,
        *,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
        remedy: str = "",
    ) -> Finding:
        """Return a finding about this request's pair."""
        return Finding(severity, code, self.pair, series, start, end, message, remedy)
