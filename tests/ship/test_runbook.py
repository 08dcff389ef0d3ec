"""The runbook knows every message of the spot leg, and says nothing that is never sent."""

import re
from pathlib import Path

from hedge_leg.core.guard.breakers import Limit
from tests.ship.alarms import VARIABLE, alarm_texts
from tests.ship.compose import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"
GUARD = ROOT / "docs" / "risk-guard.md"
# what is filled in, as the page calls it
_NAMES = "PAIR|CARRY|WHY|REASON|TIME|ORDERS|ORDER|VENUE_ID|QTY|N|BREAKER|DONE|WHAT|SYMBOL"
_FILLED = re.compile(rf"(?<![\w.])(?:{_NAMES})(?!\w)")


def told(page: str) -> set[str]:
    """Return the messages in the first column of the page's tables, as `alarms` writes them."""
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.M)
    return {_FILLED.sub(VARIABLE, row) for row in rows}


def test_every_message_of_the_source_is_on_the_page() -> None:
    page = told(RUNBOOK.read_text())
    missing = {text: place for text, place in alarm_texts().items() if text not in page}
    assert not missing, "write a row of docs/runbook.md for each"


def test_the_page_names_no_message_that_is_never_sent() -> None:
    assert told(RUNBOOK.read_text()) - set(alarm_texts()) == set()


def test_every_row_says_what_the_operator_does() -> None:
    for row in re.findall(r"^\| `.*$", RUNBOOK.read_text(), re.M):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert all(cells), row
        assert len(cells) in (3, 4), row


def test_every_limit_of_the_guard_has_its_alarm() -> None:
    page = GUARD.read_text()
    for limit in Limit:
        assert re.search(rf"^\| `guard: {limit.value}@\S+ tripped` \|", page, re.M), limit


def test_a_message_that_is_sent_from_anywhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "def f(engine, carry, why):\n"
        "    text = f'{why} is odd'\n"
        "    engine.alarm(carry, 'k', text)\n"
        "    engine.record(carry, ev.Halted(1, f'gone: {why}'))\n"
        "    self.dp.send_msg('plain', always_send=True)\n"
        "    engine.notify(why)\n"
        "    def inner(text): engine.notify(text)\n"
    )
    assert alarm_texts(tmp_path) == {".. is odd": "x.py:3", "gone: ..": "x.py:4", "plain": "x.py:5"}
