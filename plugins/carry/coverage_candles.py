"""Checks of candles for the coverage gate: frames in, findings out, nothing is read from disk.

Frames hold the rows that are judged and no others; `perp` is never empty. Columns as
`carry.market.read_candles` returns them.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.findings import FUNDING, MARK, PERP, SPOT, Code, Finding, Request, Severity
from carry.market import settle_stamps

HOUR = pd.Timedelta(1, unit="h")
TOLERATED = 24 * HOUR  # longest hole in the candles that a backtest may cross
LARGEST_RATE = 0.05


def at(time: pd.Timestamp) -> str:
    """Return a time as findings print it: minutes, UTC."""
    return f"{time:%Y-%m-%d %H:%M}"


def hours(length: pd.Timedelta) -> str:
    """Return a length as findings print it, such as "1.5 h"."""
    return f"{length / HOUR:.4g} h"


def within(frame: pd.DataFrame, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
    """Return the rows with start <= date < end; None = open."""
    keep = pd.Series(True, index=frame.index)
    if start is not None:
        keep &= frame["date"] >= start
    if end is not None:
        keep &= frame["date"] < end
    return frame.loc[keep].reset_index(drop=True)


def check_rows(request: Request, series: str, raw: pd.DataFrame) -> Iterator[Finding]:
    """Check the rows as they lie in the file (not deduplicated): dates, NaN, prices, rates."""
    undated = raw["date"].isna()
    if undated.any():
        message = f"{undated.sum()} rows have no date"
        yield request.finding(Severity.ERROR, Code.NAN, series, message, remedy=request.replace())
    raw = raw.loc[~undated].reset_index(drop=True)
    yield from _duplicates(request, series, raw)
    # a mark candle has no volume of its own
    columns = [name for name in raw.columns if name != "date" and not (series == MARK and name == "volume")]
    nan = ~np.isfinite(raw[columns].to_numpy(dtype=np.float64)).all(axis=1)
    yield from _bad_rows(request, series, Code.NAN, raw["date"][nan], "rows with NaN or infinity")
    if series == FUNDING:
        large = raw["date"][raw["funding_rate"].abs() > LARGEST_RATE]
        what = f"rates beyond +-{LARGEST_RATE:.0%} per interval"
        yield from _bad_rows(request, series, Code.RATE_OUT_OF_RANGE, large, what)
        return
    low = raw["date"][(raw[["open", "high", "low", "close"]] <= 0.0).any(axis=1)]
    yield from _bad_rows(request, series, Code.NON_POSITIVE, low, "candles with a price <= 0")
    crossed = raw["date"][raw["high"] < raw["low"]]
    yield from _bad_rows(request, series, Code.HIGH_BELOW_LOW, crossed, "candles with high < low")


def _duplicates(request: Request, series: str, raw: pd.DataFrame) -> Iterator[Finding]:
    """Yield one finding for stamps that occur twice; settlements are compared by the minute."""
    stamps = settle_stamps(raw["date"]) if series == FUNDING else raw["date"]
    doubled = stamps.duplicated(keep=False)
    if doubled.any():
        contradicts = bool(raw.loc[doubled].assign(date=stamps).drop_duplicates()["date"].duplicated().any())
        how = "rows that contradict each other" if contradicts else "the same row twice"
        yield request.finding(
            Severity.ERROR if contradicts else Severity.WARNING,
            Code.DUPLICATE,
            series,
            f"{stamps[doubled].nunique()} duplicated stamps, first {at(stamps[doubled].iloc[0])}: {how}",
            start=stamps[doubled].min(),
            end=stamps[doubled].max(),
            remedy=request.replace(),
        )


def _bad_rows(
    request: Request, series: str, code: Code, dates: "pd.Series[pd.Timestamp]", what: str
) -> Iterator[Finding]:
    """Yield one finding for all the rows of these dates, none for no dates."""
    if len(dates):
        warned = code is Code.RATE_OUT_OF_RANGE
        yield request.finding(
            Severity.WARNING if warned else Severity.ERROR,
            code,
            series,
            f"{len(dates)} {what}, first {at(dates.iloc[0])}",
            start=dates.iloc[0],
            end=dates.iloc[-1],
            remedy="" if warned else request.replace(),
        )


def check_perp(request: Request, perp: pd.DataFrame, step: pd.Timedelta) -> Iterator[Finding]:
    """Check the perp's own candles inside the wanted range: ends, grid, gaps, volume."""
    opened = perp["date"]
    first, last = opened.iloc[0], opened.iloc[-1] + step
    start, end = request.wanted.start, request.wanted.end
    if start is not None and first >= start + step:
        message = f"candles start {at(first)}, after the range does: no trade before"
        yield request.finding(
            Severity.WARNING, Code.SHORT_START, PERP, message, start=start, end=first,
            remedy=request.fetch(start, first),
        )  # fmt: skip
    if end is not None and last <= end - step:
        message = f"candles end {at(last)}, before the range does: no trade after"
        yield request.finding(
            Severity.WARNING, Code.SHORT_END, PERP, message, start=last, end=end,
            remedy=request.fetch(last, end),
        )  # fmt: skip
    off = opened[opened.dt.floor(step) != opened]
    what = f"candles that do not open on a full {request.timeframe}"
    yield from _bad_rows(request, PERP, Code.OFF_GRID, off, what)
    yield from _gaps(request, pd.DatetimeIndex(opened), step)
    idle = (perp["volume"] == 0.0).to_numpy()
    if idle.any():
        yield _stretches(request, (PERP, Code.ZERO_VOLUME), idle, opened, step)


def _gaps(request: Request, opened: pd.DatetimeIndex, step: pd.Timedelta) -> Iterator[Finding]:
    """Yield one finding for all the missing candles of the perp."""
    missing = opened[1:] - opened[:-1] - step
    count = int((missing > pd.Timedelta(0)).sum())
    if count:
        longest = int(missing.argmax())
        start, end = opened[longest] + step, opened[longest + 1]
        total = opened[-1] - opened[0] - (len(opened) - 1) * step
        yield request.finding(
            Severity.ERROR if end - start > TOLERATED else Severity.WARNING,
            Code.GAP,
            PERP,
            f"{count} gaps, {hours(total)} in all, longest {hours(end - start)} from {at(start)}",
            start=start,
            end=end,
            remedy=request.replace(),
        )


def check_spot(
    request: Request, perp: pd.DataFrame, spot: pd.DataFrame, step: pd.Timedelta
) -> Iterator[Finding]:
    """Check that the spot traded in every candle of the perp; candles of volume 0 did not trade."""
    start, end = perp["date"].iloc[0], perp["date"].iloc[-1] + step
    traded = spot.loc[spot["volume"] > 0.0, "date"]
    inside = traded[(traded >= start) & (traded < end)]
    if inside.empty:
        message = f"never traded between {at(start)} and {at(end)}: nothing can be hedged"
        yield request.finding(
            Severity.ERROR, Code.NEVER_TRADED, SPOT, message, start=start, end=end,
            remedy=request.fetch(start, end),
        )  # fmt: skip
        return
    first, last = inside.iloc[0], inside.iloc[-1] + step
    yield from short_ends(request, SPOT, (start, end), (first, last), TOLERATED)
    opened = perp["date"]
    idle = (~opened.isin(inside)).to_numpy()
    if first - start > TOLERATED:
        idle = idle & (opened >= first).to_numpy()
    if end - last > TOLERATED:
        idle = idle & (opened < last).to_numpy()
    if idle.any():
        yield _stretches(request, (SPOT, Code.OUTAGE), idle, opened, step)


def short_ends(
    request: Request,
    series: str,
    span: tuple[pd.Timestamp, pd.Timestamp],
    held: tuple[pd.Timestamp, pd.Timestamp],
    tolerated: pd.Timedelta,
) -> Iterator[Finding]:
    """Yield an error for each end of `span` (the perp's) that `held` misses by more than `tolerated`."""
    (start, end), (first, last) = span, held
    if first - start > tolerated:
        yield request.finding(
            Severity.ERROR, Code.SHORT_START, series,
            f"nothing from {at(start)} to {at(first)}, where the perp has candles",
            start=start, end=first, remedy=request.fetch(start, first),
        )  # fmt: skip
    if end - last > tolerated:
        yield request.finding(
            Severity.ERROR, Code.SHORT_END, series,
            f"nothing from {at(last)} to {at(end)}, where the perp has candles",
            start=last, end=end, remedy=request.fetch(last, end),
        )  # fmt: skip


def _stretches(
    request: Request,
    where: tuple[str, Code],
    idle: npt.NDArray[np.bool_],
    opened: "pd.Series[pd.Timestamp]",
    step: pd.Timedelta,
) -> Finding:
    """Return one finding for the runs of set entries in `idle` (n,), candles of length `step`."""
    series, code = where
    what = code.value.replace("_", " ")
    edges = np.diff(np.concatenate(([0], idle.astype(np.int8), [0])))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    longest = int(np.argmax(ends - begins))
    begin, length = opened.iloc[int(begins[longest])], int(ends[longest] - begins[longest]) * step
    stops = code is Code.OUTAGE and length > TOLERATED
    return request.finding(
        Severity.ERROR if stops else Severity.WARNING,
        code,
        series,
        f"{what} in {len(begins)} places, {idle.sum()} candles, {hours(int(idle.sum()) * step)} in all,"
        f" longest {hours(length)} from {at(begin)}",
        start=begin,
        end=begin + length,
        remedy=request.replace() if stops else "",
    )
