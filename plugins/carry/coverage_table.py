"""The coverage of pairs as a table and as JSON."""

import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from carry.coverage import PairCoverage
from carry.findings import is_sample


def sample_note(datadir: Path) -> str:
    """Return what a table's title must add when the market is simulated."""
    return " (sample market, not real)" if is_sample(datadir) else ""


def print_coverage(console: Console, datadir: Path, found: list[PairCoverage]) -> None:
    """Print one line per pair and series, and each finding below."""
    table = Table(title=f"{datadir}{sample_note(datadir)}")
    for name in ("pair", "series", "rows", "first", "last", "coverage", "findings"):
        table.add_column(name, justify="right" if name in {"rows", "coverage"} else "left", overflow="fold")
    for pair in found:
        for line in pair.series:
            ends = ("-" if time is None else f"{time:%Y-%m-%d %H:%M}" for time in (line.first, line.last))
            share = "-" if math.isnan(line.share) else f"{line.share:.3f} %"
            codes = [str(finding.code) for finding in pair.findings if finding.series == line.series]
            table.add_row(pair.pair, line.series, str(line.rows), *ends, share, ", ".join(codes) or "none")
    console.print(table)
    for pair in found:
        for finding in pair.findings:
            console.print(
                f"{finding.severity}: {finding.pair} {finding.series}: {finding.message}"
                + (f"; run `{finding.remedy}`" if finding.remedy else ""),
                soft_wrap=True,
                markup=False,
                highlight=False,
            )


def coverage_record(found: PairCoverage) -> dict[str, Any]:
    """Return one pair's coverage as plain JSON values."""
    series = [
        {
            "series": line.series,
            "rows": line.rows,
            "first": None if line.first is None else line.first.isoformat(),
            "last": None if line.last is None else line.last.isoformat(),
            "coverage_pct": None if math.isnan(line.share) else line.share,
        }
        for line in found.series
    ]
    return {"pair": found.pair, "series": series, "findings": [each.as_record() for each in found.findings]}
