"""docs/reliability.md says what the code does: its tables are the code's, its tests exist."""

import re
from pathlib import Path

from hedge_leg.core.states import REMEDIES, TRANSITIONS, Mode, PerpLeg, SpotLeg

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def transition_rows() -> list[str]:
    """Return the transition table as the page has it."""
    return [
        f"| {state} | {event.__name__} | {after} |"
        for state, row in TRANSITIONS.items()
        for event, after in row.items()
    ]


def remedy_rows() -> list[str]:
    """Return the joint table as the page has it: a row per mode and perp leg, a column per spot leg."""
    return [
        f"| {mode} | {perp} | " + " | ".join(REMEDIES[mode, perp, spot].value for spot in SpotLeg) + " |"
        for mode in Mode
        for perp in PerpLeg
    ]


def test_the_page_shows_every_transition() -> None:
    assert [row for row in transition_rows() if row not in PAGE] == []


def test_the_page_shows_the_joint_table() -> None:
    assert [row for row in remedy_rows() if row not in PAGE] == []


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    files = list((ROOT / "tests").rglob("*.py"))
    defined = set(re.findall(r"def (test_\w+)", "\n".join(path.read_text() for path in files)))
    defined |= {path.stem for path in files}
    assert len(named) > 20
    assert sorted(named - defined) == []
