"""A rotation over three pairs: the sweep's trades are freqtrade's, by the strategy's own rules."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tools.parity import FreqtradeSide, SweepSide, difference, draws

from carry.errors import UsageError
from carry.sweep import load_history
from carry.sweep.freqtrade_setup import load_exchange, load_strategy
from paper_exchange.sample import write_sample_market
from tests.e2e.commands import shipped_backtest

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, exchange_url: str) -> dict[str, Any]:
    """Write five months of a market whose funding wanders, and return the shipped configuration for it."""
    datadir = tmp_path_factory.mktemp("wandering")
    begin, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)
    write_sample_market(datadir, seed=11, start=begin, end=end)
    for phase, path in enumerate(sorted((datadir / "futures").glob("*funding_rate.feather"))):
        funding = pd.read_feather(path)
        wave = np.sin(np.arange(len(funding)) / 20 + 2 * phase)
        funding.assign(funding_rate=2e-4 + 12e-4 * wave).to_feather(path)
    return shipped_backtest(datadir, exchange_url, "1h") | {"timerange": "20230120-20230531"}


def test_a_rotation_trades_as_in_freqtrade(config: dict[str, Any]) -> None:
    exchange = load_exchange(config)
    ours = SweepSide(config, exchange, load_history(config["datadir"], PAIRS, "1h"))
    theirs = FreqtradeSide(config, exchange)
    pairs_traded, trades = set(), 0
    for draw in draws(6, 4, [ours.strategy("RotatingCarry")], PAIRS):
        expected = theirs.trades(draw)
        trades += len(expected)
        pairs_traded |= set(expected["pair"]) if len(expected) else set()
        assert difference(expected, ours.trades(draw))[0] is None, draw
    assert trades > 30
    assert pairs_traded == set(PAIRS)


def test_a_rotation_that_states_more_than_its_rules_is_refused(
    config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "OwnRotation.py").write_text(
        "from hedge_leg.rotating_strategy import RotatingStrategy\n"
        "from carry.rotation import RotationRules\n\n\n"
        "class OwnRotation(RotatingStrategy):\n"
        "    def rotation_rules(self):\n"
        "        return RotationRules()\n\n"
        "    def entry_rule(self, frame):\n"
        "        return frame['rotation_entry'] & False\n"
    )
    with pytest.raises(UsageError, match="states entry_rule and the sweep knows exit_policy, rotation_rules"):
        load_strategy(config | {"strategy_path": str(tmp_path)}, "OwnRotation")
