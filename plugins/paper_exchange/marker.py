"""The file that marks a data folder as the sample market: whoever prints a result from it must say so."""

from pathlib import Path

SAMPLE_MARKER = "SAMPLE_MARKET.json"
SAMPLE_NOTE = "sample market, not real"


def is_sample_market(datadir: Path) -> bool:
    """Return whether the folder carries the sample market's marker."""
    return (datadir / SAMPLE_MARKER).is_file()
