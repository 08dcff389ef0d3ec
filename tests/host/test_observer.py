"""The real bot as observer: it looks, decides, records and scores, and never trades."""

from pathlib import Path

import pytest
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import Trade

from hedge_leg.core.opportunity import Choice, Opportunity
from hedge_leg.ports import EntryAsked
from tests.hedge_leg.core.observed import D
from tests.host.live_world import world
from tests.soak.observe import differing_means, records, run


def test_half_a_day_of_three_pairs_is_scored_as_the_exchange_paid(tmp_path: Path) -> None:
    table, checked, wrong = run(0.5, ["4h"], tmp_path, step_s=3600.0)
    assert wrong == []
    assert checked > 20
    assert "paid bps" in table


def test_a_table_that_differs_from_what_was_computed_again_is_told() -> None:
    row = {"pair": "A", "horizon": "1d", "would": "open", "scored": 2, "paid bps": "1.50"}
    found = {("A", "1d", "open"): [D(1), D(2)]}
    assert differing_means([row], found) == []
    assert differing_means([row | {"paid bps": "1.51"}], found)
    assert differing_means([row | {"scored": 3}], found)
    assert differing_means([], found)


def test_every_signal_of_the_strategy_is_recorded_as_what_would_have_been_done(tmp_path: Path) -> None:
    options = {"mode": "observer", "observer": {"regime": False}}
    with world(tmp_path, dry=True, hedge_leg=options) as made:
        made.start()
        made.loop(3, seconds=1800.0)
        looks, asked = list(records(made).read(Opportunity)), list(records(made).read(EntryAsked))
        assert looks[0].choice in (Choice.OPEN, Choice.WAIT)
        assert asked
        assert asked[0].would
        assert looks[-1].signal is True
        assert looks[-1].regime_why == "observer.regime is off"
        assert Trade.get_trades([]).unique().all() == []
        assert made.engine.carries == {}


def test_an_observer_with_real_money_is_refused(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.config["hedge_leg"] |= {"mode": "observer"}
        with pytest.raises(FreqtradeException, match='never trades: set "dry_run": true'):
            made.start()
