"""The demonstration: `make demo`. A live carry that is killed between its two fills, and accounted for.

Stock `freqtrade trade` in its own process, with the shipped configuration, against `paper-exchange` over
HTTP. Two carries: the spot order of the first never reaches the exchange, that of the second is filled
after the bot has died. Both end hedged; the second earns a settlement, is resized, and is closed by REST.
At the end four books are compared; the exit status is 1 with one line where they differ.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from tools.demo_checks import Accounts, Check, accounts, checks, short
from tools.demo_world import BIN, PAIR, Bot, DemoFailed, PaperExchange, wait_for

from hedge_leg.config import HedgeLegConfig, read_config
from hedge_leg.core.carry import Carry
from hedge_leg.core.states import State

FIRST_AT = "2024-02-10T14:20:00"
SECOND_AT = datetime(2024, 2, 10, 15, 58, 50, tzinfo=UTC)  # a settlement is paid at 16:00
_SPOT_ORDER = {"method": "POST", "path": "/api/v3/order"}
_LONG = 60.0


def terminal_width() -> int | None:
    """Return the terminal's own width, or one that fits where there is no terminal."""
    return None if sys.stdout.isatty() else 120


@dataclass(slots=True)
class Show:
    """The story as it is told: the market's time, what happened, the numbers."""

    exchange: PaperExchange
    console: Console = field(default_factory=lambda: Console(highlight=False, width=terminal_width()))
    began: float = field(default_factory=time.monotonic)

    def tell(self, text: str, style: str = "") -> None:
        """Print one line with the time on the exchange."""
        moment = datetime.fromtimestamp(self.exchange.now_ms() / 1000, UTC)
        self.console.print(f"[dim]{moment:%H:%M:%S}[/]  {text}", style=style)

    def title(self, text: str) -> None:
        """Print a heading."""
        self.console.print(f"\n[bold cyan]{text}[/]")


@dataclass(slots=True)
class Story:
    """The demonstration's acts."""

    show: Show
    exchange: PaperExchange
    bot: Bot

    def carry(self, number: int) -> Carry | None:
        """Return the carry of that number (0, 1, ..), if there is one."""
        found = self.bot.carries()
        return found[number] if len(found) > number else None

    def open_and_kill(self, number: int, if_gone: str) -> None:
        """Let the bot open a carry, and kill it while its spot order is on the way."""
        self.exchange.plan(
            {"match": _SPOT_ORDER, "fault": {"kind": "hold", "hold_ms": 60_000, "if_gone": if_gone}}
        )
        seq = self.exchange.last_seq()
        self.bot.start()
        self.show.tell("freqtrade trade starts, live, with its own process and database")
        fill = wait_for("the perp's fill", lambda: self._filled("perp", seq), _LONG)[0]
        self.show.tell(
            f"perp: [bold]sold {fill['qty']} BTC at {fill['px']}[/], fee {fill['fee']} {fill['fee_asset']}"
        )
        wait_for("the spot order", self.exchange.held, _LONG, 0.02)
        self.bot.kill()
        self.show.tell("the spot order is on the wire, not filled: [bold red]kill -9 freqtrade[/]")
        wait_for("the end of the held order", lambda: self.exchange.audit("fault", after_seq=seq) or None, 20)
        spot = self._filled("spot", seq)
        if spot is None:
            self.show.tell("the exchange: short on the perp, [bold]no spot order[/]: an orphan leg")
        else:
            self.show.tell(f"the exchange filled it [bold]after the bot died[/]: {short(total(spot))} BTC")
        held = self.carry(number)
        state = held.state if held is not None else "nothing"
        self.show.tell(f"the journal on disk: {state}, the order's intent committed, no answer")

    def restart_hedged(self, number: int) -> Carry:
        """Start the bot again, and wait until it has made the pair whole."""
        seq = self.exchange.last_seq()
        self.bot.start()
        self.show.tell("freqtrade starts again")

        def whole() -> Carry | None:
            carry = self.carry(number)
            if carry is not None and carry.state in (State.IDLE, State.HALTED):
                raise DemoFailed(f"the carry did not end hedged: {carry.state}, {carry.why}")
            return carry if carry is not None and carry.state is State.ACTIVE else None

        carry = wait_for("a hedged pair", whole, _LONG)
        bought = self._filled("spot", seq)
        how = (
            "found the fill it had never been told of"
            if bought is None
            else "proved that no order exists, sent one"
        )
        self.show.tell(
            f"it {how}: [bold green]hedged[/], "
            f"short {short(carry.short_qty)}, spot {short(carry.spot_qty)} BTC, "
            f"{(carry.hedged_lag_ms or 0) / 1000:.1f} s after the perp's fill"
        )
        return carry

    def settle(self) -> None:
        """Wait for the funding of the next settlement."""
        at = self.show.tell
        at("waiting for the settlement at 16:00:00 ...")
        paid = wait_for("the settlement", lambda: self.exchange.audit("funded") or None, 150, 0.5)[-1]
        at(f"funding: [bold]{paid['amount']} {paid['asset']}[/]")

    def resize(self, number: int, share: Decimal) -> None:
        """Have freqtrade change the perp, and wait until spot has followed."""
        known = self.carry(number)
        assert known is not None
        (self.bot.user_data / "resize").write_text(str(share))

        def followed() -> Carry | None:
            carry = self.carry(number)
            if carry is None or len(carry.perp) == len(known.perp) or carry.order is not None:
                return None
            near = abs(carry.spot_qty - carry.short_qty) <= carry.short_qty / 500
            return carry if near and carry.state is State.ACTIVE else None

        carry = wait_for("the resize", followed, _LONG)
        self.show.tell(
            f"resized by {share:%}: short {short(known.short_qty)} -> [bold]{short(carry.short_qty)}[/], "
            f"spot {short(known.spot_qty)} -> [bold]{short(carry.spot_qty)}[/] BTC"
        )

    def close(self, number: int) -> list[dict[str, Any]]:
        """Close the pair by freqtrade's REST command, and return its trades."""
        rest = self.bot.rest
        if "status" not in (rest.stopbuy() or {}):
            raise DemoFailed("freqtrade's REST server did not take stopentry")
        known = self.carry(number)
        assert known is not None
        self.show.tell(f"REST: forceexit {known.trade_id}")
        rest.forceexit(str(known.trade_id))

        def ended() -> Carry | None:
            carry = self.carry(number)
            return carry if carry is not None and carry.closed is not None else None

        carry = wait_for("the end of the carry", ended, _LONG)
        assert carry.closed is not None
        self.show.tell(
            f"both legs [bold green]flat[/]; {short(carry.closed.dust_qty)} BTC below a lot stay behind"
        )
        time.sleep(2.5)  # two loops of the bot: what is booked late is booked now
        trades: list[dict[str, Any]] = (rest.trades() or {})["trades"]
        return trades

    def _filled(self, venue: str, after_seq: int) -> list[dict[str, Any]] | None:
        self.bot.alive()
        return self.exchange.audit("filled", venue, after_seq) or None


def total(fills: list[dict[str, Any]]) -> Decimal:
    """Return the executed base units of fills."""
    return sum((Decimal(fill["qty"]) for fill in fills), Decimal(0))


def perform(story: Story, ccxt_config: dict[str, Any], settings: HedgeLegConfig) -> list[Check]:
    """Play the demonstration and return the checks of its end."""
    show, exchange = story.show, story.exchange
    show.tell("paper exchange is up, sample market, [bold]not real[/]; 100,000 USDT in either wallet")
    before = accounts(ccxt_config)
    show.title("1. The order that never arrived")
    story.open_and_kill(0, "drop")
    story.restart_hedged(0)
    story.close(0)
    story.bot.stop()
    exchange.set_clock(round(SECOND_AT.timestamp() * 1000))
    show.title("2. The order that was filled after the bot had died")
    story.open_and_kill(1, "handle")
    story.restart_hedged(1)
    story.settle()
    story.resize(1, Decimal("-0.25"))
    trades = story.close(1)
    story.bot.stop()
    return verdict(story, before, accounts(ccxt_config), trades, settings)


def verdict(
    story: Story, before: Accounts, after: Accounts, trades: list[dict[str, Any]], settings: HedgeLegConfig
) -> list[Check]:
    """Show the statement by the operator's command, and return the comparison of the books."""
    story.show.title("3. hedge-leg statement")
    layers = [part for path in story.bot.configs for part in ("-c", str(path))]
    command = [str(BIN / "hedge-leg"), "statement", *layers, "--userdir", str(story.bot.user_data)]
    done = subprocess.run(command, check=False, env=story.bot.environment())
    if done.returncode:
        raise DemoFailed(f"hedge-leg statement ended with {done.returncode}")
    return checks(story.exchange, before, after, story.bot.carries(), trades, settings)


def print_checks(console: Console, found: list[Check]) -> None:
    """Print the comparison as a table."""
    table = Table(title="4. The books compared", title_justify="left", title_style="bold cyan")
    for name in ("", "seen", "expected", ""):
        table.add_column(name, justify="left" if not name else "right", overflow="fold")
    for one in found:
        mark = "[green]yes[/]" if one.holds else "[bold red]NO[/]"
        table.add_row(one.about, one.seen, one.expected, mark)
    console.print(table)


@contextmanager
def staged(folder: Path) -> Iterator[Story]:
    """Start the exchange and have a bot ready; both are ended whatever happens."""
    exchange = PaperExchange(folder, FIRST_AT)
    try:
        exchange.start()
        bot = Bot(exchange, folder)
        try:
            yield Story(Show(exchange), exchange, bot)
        finally:
            bot.kill()
    finally:
        exchange.stop()


def demo(
    keep: Annotated[Path | None, typer.Option(help="Keep journal, logs and database in this folder.")] = None,
) -> None:
    """Show a hedged live carry that survives being killed between its two fills."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with staged(folder) as story:
                layers = [json.loads(path.read_text()) for path in story.bot.configs]
                settings = read_config(layers[0]["hedge_leg"])
                found = perform(story, layers[-1]["exchange"]["ccxt_config"], settings)
                print_checks(story.show.console, found)
                story.show.console.print(f"{PAIR}: {len(found)} checks, {time.monotonic() - began:.0f} s")
        except DemoFailed as error:
            print(f"demo: {error}", file=sys.stderr)
            sys.exit(1)
    wrong = [one for one in found if not one.holds]
    if wrong:
        print(f"demo: {wrong[0].about}: {wrong[0].seen}, not {wrong[0].expected}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    typer.run(demo)
