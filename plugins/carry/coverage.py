"""The coverage gate: is the recorded market complete enough to compute numbers from it?

`check_pair` lists what it finds, `require_coverage` stops on the first error, in one line, with the
command that mends it. The perp's candles set the measure: where the perp has none, nothing else is
asked for. A pair whose perp starts late is traded late; that is a warning.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from carry.coverage_candles import at, check_perp, check_rows, check_spot, within
from carry.coverage_funding import check_funding, check_mark, missing_settlements
from carry.errors import DataError
from carry.findings import FUNDING, MARK, PERP, SERIES, SPOT, Code, Finding, Request, Severity
from carry.market import (
    CANDLE_COLUMNS,
    FUNDING_COLUMNS,
    FUNDING_TIMEFRAME,
    MARK_TIMEFRAME,
    candle_path,
    read_candles,
    settle_stamps,
    spot_symbol,
    timeframe_delta,
)
from carry.timerange import Timerange

Time = datetime | None


@dataclass(frozen=True, slots=True)
class SeriesCoverage:
    """One line of the coverage table; rows and times inside the range that was asked for.

    `share` in percent of what the perp's candles call for: candles that traded (perp, spot), settlements
    with a mark candle (mark), settlements (funding_rate); NaN where the series or the perp is absent.
    """

    series: str
    rows: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    share: float


@dataclass(frozen=True, slots=True)
class PairCoverage:
    """What was found on one pair."""

    pair: str
    series: tuple[SeriesCoverage, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that stop a backtest."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def check_pair(
    datadir: Path, pair: str, timeframe: str, start: Time, end: Time, *, exchange: str | None = None
) -> list[Finding]:
    """Return what is wrong or noteworthy in [start, end), None = open, aware UTC; errors first.

    `exchange` only completes the remedies. Raises UsageError for an unknown timeframe.
    """
    return list(inspect_pair(datadir, pair, timeframe, start, end, exchange=exchange).findings)


def require_coverage(
    datadir: Path, pair: str, timeframe: str, start: Time, end: Time, *, exchange: str | None = None
) -> None:
    """Raise DataError, in one line with the remedy, unless [start, end) can be computed on.

    Warnings and notes pass. Raises UsageError for an unknown timeframe.
    """
    errors = inspect_pair(datadir, pair, timeframe, start, end, exchange=exchange).errors
    if not errors:
        return
    first = errors[0]
    more = f" ({len(errors) - 1} more: see `carry check-data`)" if len(errors) > 1 else ""
    raise DataError(f"{pair} {first.series}: {first.message}; run `{first.remedy}`{more}")


def inspect_pair(
    datadir: Path, pair: str, timeframe: str, start: Time, end: Time, *, exchange: str | None = None
) -> PairCoverage:
    """Return the findings and the table lines of one pair; arguments as `check_pair`."""
    step = timeframe_delta(timeframe)
    wanted = Timerange(_utc(start), _utc(end))
    request = Request(datadir, pair, timeframe, wanted, exchange=exchange)
    loaded = {series: _load(_path(request, series), series) for series in SERIES}
    frames = {series: found for series, found in loaded.items() if isinstance(found, pd.DataFrame)}
    request = replace(request, held=_held(frames, step))
    findings = [
        _unreadable(request, series, found)
        for series, found in loaded.items()
        if isinstance(found, DataError)
    ]
    perp = within(frames[PERP], wanted.start, wanted.end) if PERP in frames else None
    if perp is not None and perp.empty:
        findings.append(_no_candles(request, frames[PERP]))
    for series in frames:
        findings += check_rows(request, series, _recorded(request, series))
    if perp is None or perp.empty:
        return PairCoverage(pair, _table(request, frames, None, step), _sorted(findings))
    span = (perp["date"].iloc[0], perp["date"].iloc[-1] + step)
    findings += check_perp(request, perp, step)
    if SPOT in frames:
        findings += check_spot(request, perp, frames[SPOT], step)
    if FUNDING in frames:
        settled = _settled_within(frames[FUNDING], span)
        findings += check_funding(request, settled, span)
        findings += check_mark(request, settled, frames[MARK], span) if MARK in frames else []
    return PairCoverage(pair, _table(request, frames, perp, step), _sorted(findings))


def perps_in(datadir: Path) -> list[str]:
    """Return the perps ("BTC/USDT:USDT") of which DATADIR/futures has any file, sorted.

    Raises DataError when there is none.
    """
    pairs = set()
    for path in sorted((datadir / "futures").glob("*-*.feather")):
        words = path.name.split("-")[0].rsplit("_", 2)
        if len(words) == 3:
            pairs.add(f"{words[0]}/{words[1]}:{words[2]}")
    if not pairs:
        raise DataError(f"{datadir}/futures holds no perp: run `carry download` or give another --datadir")
    return sorted(pairs)


def _utc(time: Time) -> pd.Timestamp | None:
    """Return an aware UTC time; a naive one counts as UTC."""
    if time is None:
        return None
    stamp = pd.Timestamp(time)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _load(path: Path, series: str) -> pd.DataFrame | DataError:
    """Return all rows of one file that have a date, or why there are none."""
    try:
        frame = read_candles(path, FUNDING_COLUMNS if series == FUNDING else CANDLE_COLUMNS)
    except DataError as error:
        return error
    return frame.loc[frame["date"].notna()].reset_index(drop=True)


def _unreadable(request: Request, series: str, problem: DataError) -> Finding:
    """Return the error for a file that is absent or damaged."""
    path = _path(request, series)
    if path.is_file():
        return request.finding(Severity.ERROR, Code.CORRUPT, series, str(problem), remedy=request.replace())
    start = request.held.start if request.wanted.start is None else request.wanted.start
    end = request.held.end if request.wanted.end is None else request.wanted.end
    since = "the beginning" if start is None else at(start)
    until = "today" if end is None else at(end)
    hedge = f": without {spot_symbol(request.pair)} nothing is hedged" if series == SPOT else ""
    return request.finding(
        Severity.ERROR, Code.MISSING, series, f"nothing from {since} to {until}, {path} is missing{hedge}",
        start=start, end=end, remedy=request.fetch(start, end),
    )  # fmt: skip


def _path(request: Request, series: str) -> Path:
    timeframe = {MARK: MARK_TIMEFRAME, FUNDING: FUNDING_TIMEFRAME}.get(series, request.timeframe)
    return candle_path(request.datadir, request.pair, timeframe, series)


def _recorded(request: Request, series: str) -> pd.DataFrame:
    """Return the wanted rows of a readable file as they lie in it: duplicates and rows without date too."""
    raw = pd.read_feather(_path(request, series))
    columns = list(FUNDING_COLUMNS if series == FUNDING else CANDLE_COLUMNS)
    raw = raw.loc[:, columns].assign(date=pd.to_datetime(raw["date"], utc=True))
    undated = raw["date"].isna()
    wanted = within(raw, request.wanted.start, request.wanted.end)
    return pd.concat([wanted, raw.loc[undated]], ignore_index=True)


def _held(frames: dict[str, pd.DataFrame], step: pd.Timedelta) -> Timerange:
    """Return the stretch that the files hold together."""
    dates = [frame["date"] for frame in frames.values() if len(frame)]
    if not dates:
        return Timerange()
    return Timerange(min(date.iloc[0] for date in dates), max(date.iloc[-1] for date in dates) + step)


def _no_candles(request: Request, perp: pd.DataFrame) -> Finding:
    start, end = request.wanted.start, request.wanted.end
    holds = f"{at(perp['date'].iloc[0])} to {at(perp['date'].iloc[-1])}" if len(perp) else "nothing"
    return request.finding(
        Severity.ERROR, Code.EMPTY, PERP, f"no candle in {request.wanted}: the file holds {holds}",
        start=start, end=end, remedy=request.fetch(start, end),
    )  # fmt: skip


def _settled_within(funding: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]) -> pd.DataFrame:
    """Return the settlements whose stamp, rounded to the minute, lies in the span; dates as recorded."""
    stamps = settle_stamps(funding["date"])
    return funding.loc[(stamps >= span[0]) & (stamps < span[1])].reset_index(drop=True)


def _table(
    request: Request, frames: dict[str, pd.DataFrame], perp: pd.DataFrame | None, step: pd.Timedelta
) -> tuple[SeriesCoverage, ...]:
    """Return one line per series, absent ones too."""
    lines = []
    for series in SERIES:
        frame = frames.get(series)
        if frame is None:
            lines.append(SeriesCoverage(series, 0, None, None, float("nan")))
            continue
        rows = within(frame, request.wanted.start, request.wanted.end)
        first, last = (rows["date"].iloc[0], rows["date"].iloc[-1]) if len(rows) else (None, None)
        share = float("nan") if perp is None or perp.empty else _share(series, frames, perp, step)
        lines.append(SeriesCoverage(series, len(rows), first, last, share))
    return tuple(lines)


def _share(series: str, frames: dict[str, pd.DataFrame], perp: pd.DataFrame, step: pd.Timedelta) -> float:
    """Return the coverage of one series in percent, as `SeriesCoverage.share` defines it."""
    start, end = perp["date"].iloc[0], perp["date"].iloc[-1] + step
    if series == PERP:
        return 100.0 * int((perp["volume"] > 0.0).sum()) / float((end - start) / step)
    if series == SPOT:
        spot = frames[SPOT]
        return 100.0 * float(perp["date"].isin(spot.loc[spot["volume"] > 0.0, "date"]).mean())
    if FUNDING not in frames:
        return float("nan")
    settled = _settled_within(frames[FUNDING], (start, end))
    if series == MARK:
        valued = settle_stamps(settled["date"]).isin(frames[MARK]["date"])
        return 100.0 * int(valued.sum()) / max(len(valued), 1)
    return 100.0 * len(settled) / max(len(settled) + missing_settlements(settled, (start, end)), 1)


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    rank = {severity: place for place, severity in enumerate(Severity)}
    return tuple(sorted(findings, key=lambda found: (rank[found.severity], SERIES.index(found.series))))
