"""Klines are written once per closed candle, and never show what has not happened yet."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paper_exchange.candles import HOUR_MS, Kind
from paper_exchange.clock import MarketClock
from paper_exchange.kline_text import KlineTexts
from paper_exchange.rows import klines
from paper_exchange.store import CandleStore
from paper_exchange.view import MarketView
from tests.paper_exchange.conftest import NOW, at_ms

relaxed = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
looks = st.lists(
    st.tuples(
        st.integers(-48 * HOUR_MS, 48 * HOUR_MS),
        st.sampled_from(["5m", "1h", "1d"]),
        st.sampled_from(["BTCUSDT", "SOLUSDT"]),
        st.integers(1, 90),
    ),
    max_size=12,
)


@relaxed
@given(plan=looks)
def test_kept_texts_equal_fresh_rows_whichever_way_the_clock_goes(
    sample_store: CandleStore, plan: list[tuple[int, str, str, int]]
) -> None:
    view, texts = MarketView(sample_store, MarketClock(at_ms(NOW), running=False)), KlineTexts()
    for ahead_ms, interval, name, limit in plan:
        now_ms = at_ms(NOW) + ahead_ms
        series = view.candles(Kind.PERP, name, interval, now_ms, limit=limit)
        assert series is not None
        assert json.loads(texts.text(name, series, now_ms)) == klines(series)
