"""What is sent to people arrives on every channel: Markdown, length, outages, wrong templates."""

import logging
import re
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.channels import Postbox
from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.messages import LONGEST, spoken, step_text
from tests.hedge_leg.core.facts import ANNOUNCED, HEDGED, bought, carry, sold
from tests.hedge_leg.fakes import START_MS

FREQTRADES = logging.getLogger("freqtrade.rpc.webhook")
SECRET = "/services/T0/B0/hush"


def balanced(text: str) -> bool:
    """Return whether Telegram's legacy Markdown takes a text: outside of code no sign that opens anything."""
    outside = re.sub(r"`[^`]*`", "", text)
    return not re.search(r"[_*\[`]", outside)


@given(st.text(alphabet="ab_*[`' \n@.", max_size=3 * LONGEST))
def test_no_text_is_refused_by_markdown_or_too_long(text: str) -> None:
    made = spoken(text)
    assert balanced(made)
    assert len(made) <= LONGEST


def test_a_plain_text_stays_and_a_breakers_name_becomes_code() -> None:
    assert spoken("BTC/USDT:USDT: the exit was refused") == "BTC/USDT:USDT: the exit was refused"
    assert spoken("guard: price_jump@all tripped") == "guard: `price_jump@all` tripped"
    assert spoken("x " * LONGEST).endswith(" ...")
    assert balanced(spoken("_" * 2 * LONGEST)), "one word that is longer than a message"


def test_steps_are_told_and_facts_are_not() -> None:
    closed = ev.Closed(START_MS + 9, "signal_off", ZERO, ZERO, 0)
    opened = carry(sold("1"), *bought("1"), HEDGED)
    assert "is opening: 1 BTC, 100.00 USDT a leg" in step_text(carry(), ANNOUNCED)
    assert "is hedged: 1 BTC on both legs" in step_text(opened, HEDGED)
    assert "was not opened: no order" in step_text(carry(), ev.Closed(START_MS, "no order", ZERO, ZERO, 0))
    flat = carry(sold("1"), sold("-1", "p2"), closed)
    assert "is closed: signal_off; net -0.10 USDT" in step_text(flat, closed)
    assert step_text(opened, sold("1")) == ""


@pytest.fixture
def outage(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a postbox over an address that fails while `down` is set, as freqtrade tells of it."""
    caplog.set_level(logging.INFO)
    down = Event()

    def post(payload: dict[str, Any]) -> None:
        if "wrong" in payload:
            raise KeyError("no such field")
        if down.is_set():
            FREQTRADES.info("Retrying webhook...")
            FREQTRADES.warning("Could not call webhook url. Exception: %s", f"refused with url: {SECRET} (x)")

    box = Postbox("webhook", post)
    yield box, down
    down.clear()
    box.close()


def test_an_outage_is_one_line_without_the_address_and_one_when_it_ends(
    outage: tuple[Postbox, Event], caplog: pytest.LogCaptureFixture
) -> None:
    box, down = outage
    for _ in range(2):
        caplog.clear()
        down.set()
        for number in range(3):
            box({"text": str(number)})
        assert box.drain(5)
        down.clear()
        box({"text": "again"})
        box({"text": "again"})
        assert box.drain(5)
        told = [text for text in caplog.messages if "Retrying" not in text]
        assert told == [
            "Could not call webhook url. Exception: refused with ADDRESS (x)",
            "webhook: messages arrive again, 3 were lost",
        ]


def test_a_wrong_template_is_told_and_the_next_message_leaves(
    outage: tuple[Postbox, Event], caplog: pytest.LogCaptureFixture
) -> None:
    box, _ = outage
    box({"wrong": ""})
    box({"wrong": ""})
    box({"text": "right"})
    assert box.drain(5)
    assert caplog.messages == [
        "webhook: a message cannot be sent: KeyError",
        "webhook: messages arrive again, 2 were lost",
    ]


def test_other_lines_of_the_log_are_left_alone(
    outage: tuple[Postbox, Event], caplog: pytest.LogCaptureFixture
) -> None:
    FREQTRADES.warning("of another thread, url: /kept")
    assert caplog.messages == ["of another thread, url: /kept"]
