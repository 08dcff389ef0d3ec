"""Klines as JSON text, written once per closed candle: clients ask for the same rows again and again."""

import json

from paper_exchange.candles import Series, bucket_end_ms
from paper_exchange.rows import klines

_MOST_KEPT_ROWS = 20_000  # per series; beyond that everything of it is written anew


class KlineTexts:
    """The rows of one endpoint. A closed candle never changes, so its text is kept."""

    def __init__(self) -> None:
        """Start with nothing written."""
        self._known: dict[tuple[str, str], dict[int, bytes]] = {}

    def text(self, name: str, series: Series, now_ms: int) -> bytes:
        """Return a symbol's candles (see `rows.klines`) as a JSON array; only the last may be open at now."""
        opens = series.open_ms.tolist()
        known = self._known.setdefault((name, series.interval), {})
        if len(known) > _MOST_KEPT_ROWS:
            known.clear()
        forming = bool(opens) and bucket_end_ms(opens[-1], series.interval) > now_ms
        closed = opens[:-1] if forming else opens
        missing = [index for index, open_ms in enumerate(closed) if open_ms not in known]
        for index in missing:
            known[closed[index]] = _row(series, index)
        written = [known[open_ms] for open_ms in closed]
        if forming:
            written.append(_row(series, len(opens) - 1))
        return b"[" + b",".join(written) + b"]"


def _row(series: Series, index: int) -> bytes:
    return json.dumps(klines(series.rows(index, index + 1))[0], separators=(",", ":")).encode()
