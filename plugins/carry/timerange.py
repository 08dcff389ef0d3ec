"""Time ranges as freqtrade writes them on the command line: YYYYMMDD-YYYYMMDD, either end open."""

import re
from dataclasses import dataclass

import pandas as pd

from carry.errors import UsageError

_FORM = re.compile(r"(\d{8})?-(\d{8})?")


@dataclass(frozen=True, slots=True)
class Timerange:
    """Aware UTC bounds, start included, end excluded; None = open."""

    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None

    def __str__(self) -> str:
        """Return the range in full days that holds this one, in the form that is parsed."""
        start = "" if self.start is None else f"{self.start:%Y%m%d}"
        end = "" if self.end is None else f"{self.end.ceil('D'):%Y%m%d}"
        return f"{start}-{end}"

    def holds(self, dates: "pd.Series[pd.Timestamp]") -> "pd.Series[bool]":
        """Return which aware dates lie inside."""
        inside = pd.Series(True, index=dates.index)
        if self.start is not None:
            inside &= dates >= self.start
        if self.end is not None:
            inside &= dates < self.end
        return inside


def parse_timerange(text: str | None) -> Timerange:
    """Parse "20200201-20241231", "20200201-", "-20241231"; None, "" and "-" are open at both ends.

    Raises UsageError, in one line, for any other text, an impossible date or an empty range.
    """
    if not text:
        return Timerange()
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise UsageError(
            f"timerange {text!r} is not known: give YYYYMMDD-YYYYMMDD, either end may be left out"
        )
    start, end = (_day(part, text) for part in form.groups())
    if start is not None and end is not None and start >= end:
        raise UsageError(f"timerange {text!r} is empty: its start must be before its end")
    return Timerange(start, end)


def _day(digits: str | None, text: str) -> pd.Timestamp | None:
    if digits is None:
        return None
    try:
        return pd.Timestamp(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}", tz="UTC")
    except ValueError as error:
        raise UsageError(f"timerange {text!r} has no such day as {digits}: give YYYYMMDD") from error
