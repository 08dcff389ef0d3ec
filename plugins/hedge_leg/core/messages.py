"""Messages to people: the steps of a carry in one line each, and any text made fit for every channel.

Telegram reads legacy Markdown and refuses a message with an odd `_`, `*` or `[`: freqtrade then gives it
up, and the alarm is lost. Words with such signs are therefore set as code, which Slack and Discord read, too.
"""

import re

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books
from hedge_leg.core.carry import Carry

LONGEST = 1_000  # characters; a field of a Discord message takes 1,024
_MARKED = re.compile(r"\S*[_*\[]\S*")


def spoken(text: str) -> str:
    """Return a text that no channel refuses or garbles, cut to `LONGEST` characters."""
    made = _MARKED.sub(lambda word: f"`{word.group()}`", text.replace("`", "'"))
    if len(made) <= LONGEST:
        return made
    kept = made[: LONGEST - 5].rsplit(maxsplit=1)[0]  # whole words; one that is open is closed below
    return f"{kept}{'`' if kept.count('`') % 2 else ''} ..."


def step_text(carry: Carry, event: ev.Event) -> str:
    """Return what a step of a carry's plain life says, "" for what is no step. `carry` is after the event."""
    facts = carry.facts
    name = f"{facts.pair}: carry {carry.carry_id}"
    match event:
        case ev.Announced():
            value = f"{facts.planned_qty * facts.reference_px:,.2f} {facts.quote}"
            return f"{name} is opening: {facts.planned_qty.normalize():f} {facts.base}, {value} a leg"
        case ev.Hedged():
            lag = "" if carry.hedged_lag_ms is None else f", {carry.hedged_lag_ms} ms after the perp"
            return f"{name} is hedged: {carry.spot_qty.normalize():f} {facts.base} on both legs{lag}"
        case ev.Closed(reason=reason) if carry.perp or carry.fills:
            net = f"{books(carry).ledger.net:+,.2f} {facts.quote}"
            return f"{name} is closed: {reason or 'no reason given'}; net {net} by the facts known so far"
        case ev.Closed(reason=reason):
            return f"{name} was not opened: {reason}"
        case _:
            return ""
