"""The daily report of the real bot, as its webhook gets it: once a day, with the books' figures."""

from pathlib import Path
from typing import Any

from hedge_leg.config import HedgeLegConfig
from hedge_leg.statement import hedged_within
from hedge_leg.statement_periods import Sums, Window, cells
from paper_exchange.signing import REHEARSAL
from tests.host.live_harness import Rig
from tests.host.live_world import AT, opened, world
from tests.host.test_webhooks import listening, postbox, template
from tests.paper_exchange.conftest import at_ms

HOUR = 3600.0
DAY_MS = 86_400_000


def reports(bodies: list[dict[str, Any]]) -> list[str]:
    return [body["text"] for body in bodies if body["text"].startswith("Report of")]


def until_half_past_midnight(made: Rig) -> None:
    """Run loops from the afternoon to 00:37 of the next day."""
    made.loop(6, seconds=1.75 * HOUR)
    made.loop(3, seconds=0.5 * HOUR)
    assert postbox(made).drain(30)


def test_the_day_is_told_once_over_a_kill_and_adds_up_to_the_books(tmp_path: Path) -> None:
    with listening() as (url, bodies), world(tmp_path, webhook=template("slack", url)) as made:
        opened(made)
        until_half_past_midnight(made)
        (text,) = reports(bodies)
        made.kill()
        made.start()
        made.loop(2)
        assert postbox(made).drain(30)
        assert reports(bodies) == [text]
        first_ms = at_ms(AT) // DAY_MS * DAY_MS
        window = Window(first_ms + 2 * DAY_MS, first_ms, first_ms + DAY_MS)
        carry = made.carry()
        within_qty = hedged_within(carry, HedgeLegConfig())
        sums = sum((cell.sums for cell in cells(carry, within_qty, window)), Sums())
    assert text.startswith("Report of 2024-02-10 (UTC)\n")
    assert f"net {sums.net:+,.2f} USDT = funding {sums.funding:+,.2f} + basis {sums.basis_pnl:+,.2f}" in text
    assert sums.funding != 0
    assert "pairs: 1 opened, 0 closed, 1 open at the day's end" in text


def test_an_observer_reports_what_it_saw(tmp_path: Path) -> None:
    options = {"mode": "observer", "observer": {"regime": False}}
    with (
        listening() as (url, bodies),
        world(tmp_path, dry=True, hedge_leg=options, webhook=template("slack", url)) as made,
    ):
        made.start()
        until_half_past_midnight(made)
    (text,) = reports(bodies)
    assert "opportunities: 7 looks, " in text
    assert "pairs: 0 opened, 0 closed, 0 open at the day's end" in text


def test_the_report_can_be_switched_off(tmp_path: Path) -> None:
    keys = {"key": REHEARSAL.key, "secret": REHEARSAL.secret}
    off: dict[str, Any] = {"hedge_leg": {"report": {"daily": False}, **keys}}
    with listening() as (url, bodies), world(tmp_path, webhook=template("slack", url), **off) as made:
        opened(made)
        until_half_past_midnight(made)
    assert reports(bodies) == []
