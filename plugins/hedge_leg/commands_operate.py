"""`hedge-leg reconcile | unwind | verify-journal`: look at what is, and bring it in order by hand."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.bootstrap import HostConfig, journal_url, operator_engine, watch_for
from hedge_leg.config import HedgeLegConfig
from hedge_leg.config_files import existing, host_config, read_files, settings_of, trades_for_real
from hedge_leg.core.amounts import exact
from hedge_leg.core.reconcile import Finding
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.errors import ConfigError
from hedge_leg.operations import UnwindPlan, apply_findings, living, look, plan_unwind
from hedge_leg.operations import unwind as unwind_carry

Configs = Annotated[
    list[Path], typer.Option("-c", "--config", help="freqtrade's configuration, layer by layer.")
]
JournalUrl = Annotated[str, typer.Option("--journal", help="URL of the journal (default: as configured).")]
UserData = Annotated[Path, typer.Option("--userdir", help="freqtrade's user_data folder.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file, too.")]


@contextmanager
def _engine(
    config: list[Path], userdir: Path, url: str, *, acts: bool
) -> Iterator[tuple[Engine, HedgeLegConfig, HostConfig]]:
    """Open the journal, to act under its lease, and both venues with the environment's keys."""
    merged = read_files(config)
    if not trades_for_real(merged):
        text = "this is the configuration of a dry-run, whose perp only freqtrade closes: use its /forceexit"
        raise ConfigError(text)
    settings, host = settings_of(merged), host_config(merged, userdir)
    if url:
        settings = settings.model_copy(update={"journal_url": url})
    existing(journal_url(settings, userdir, dry_run=False))
    engine = operator_engine(settings, host, lambda text: typer.echo(text, err=True), acts=acts)
    try:
        yield engine, settings, host
    finally:
        engine.journal.close()


def reconcile(
    *,
    config: Configs,
    apply: Annotated[bool, typer.Option("--apply", help="Do it, after showing it.")] = False,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    json_file: JsonFile = None,
) -> None:
    """Compare the journal with both venues; show what would be done about each difference, or do just that.

    Looking is possible beside a running bot, which may be about to mend what is seen. For --apply the bot
    must be stopped: one journal has one driver. Exit status 1 while there are differences.

    Example: hedge-leg reconcile -c user_data/config/base.json -c user_data/config/live.json --apply
    """
    with _engine(config, userdir, journal, acts=apply) as (engine, settings, host):
        found = look(engine, host.pairs)
        _tell(found)
        if apply and found:
            apply_findings(engine, watch_for(settings, engine), found)
            found = look(engine, host.pairs)
            typer.echo("after:")
            _tell(found)
    if json_file is not None:
        rows = [{name: str(getattr(one, name)) for name in Finding.__slots__} for one in found]
        write_json(json_file, rows)
    if found:
        sys.exit(1)


def write_json(path: Path, content: Any) -> None:
    """Write a result; ConfigError when the file cannot be written."""
    try:
        path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path} cannot be written: {error.strerror}") from error


def _tell(found: list[Finding]) -> None:
    for one in found:
        typer.echo(f"{one.pair} {one.carry_id}: {one.kind}: {one.text}; would: {one.remedy}")
    if not found:
        typer.echo("journal and venues agree")


def unwind(
    carry: Annotated[str, typer.Argument(help="The carry's id, see hedge-leg status.")],
    *,
    config: Configs,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
) -> None:
    """Close both legs of one carry: show what will be traded, ask, then perp reduce-only and spot at once.

    The bot must be stopped. Exit status 1 when the answer is no, or when a leg is left.

    Example: hedge-leg unwind BTC1a2b3c4d -c user_data/config/base.json -c user_data/config/live.json
    """
    with _engine(config, userdir, journal, acts=True) as (engine, settings, _host):
        pair, perp = living(engine, carry).facts.pair, engine.perp
        assert isinstance(perp, CcxtPerpVenue), "an operator acts on real accounts"
        fee_rate = exact(settings.costs.perp_taker_bps) / 10_000
        _show(plan_unwind(engine, carry, perp.book(pair), fee_rate))
        if not yes:
            if not on_terminal():
                raise ConfigError("there is no terminal to ask on: give --yes, nothing was traded")
            if not typer.confirm("Trade this now?"):
                sys.exit(1)
        after = unwind_carry(engine, carry)
        typer.echo(f"{carry}: {after.state}, spot {after.spot_qty}, short {after.short_qty}: {after.why}")
        if after.state is not State.IDLE:
            sys.exit(1)


def on_terminal() -> bool:
    """Return whether somebody can be asked."""
    return sys.stdin.isatty()


def _show(plan: UnwindPlan) -> None:
    """Say what an unwind would trade, at which prices, and what that costs."""
    perp_px, spot_px = (
        "the book does not hold all of it" if px is None else f"at about {px:.8g}"
        for px in (plan.perp_px, plan.spot_px)
    )
    if plan.perp_qty:
        typer.echo(f"{plan.pair}: buy {plan.perp_qty} reduce-only at market, {perp_px}")
    if plan.spot_qty:
        typer.echo(f"{plan.symbol}: sell {plan.spot_qty}, {spot_px}")
    typer.echo(f"expected cost: spread {plan.spread_cost:.2f}, fees {plan.fees:.2f}")


def verify_journal(
    *,
    config: Configs = [],  # noqa: B006 - typer makes a new one for each call
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The journal of dry-runs.")] = False,
) -> None:
    """Check every row of the journal: versions without a gap, an unbroken chain, events that can be read.

    Reads only; the bot may run. Exit status 1 with a line for each finding.

    Example: hedge-leg verify-journal -c user_data/config/base.json
    """
    from hedge_leg.adapters.sql_journal import verify  # noqa: PLC0415 - a second away from --help

    merged = read_files(config)
    settings, dry_run = settings_of(merged), dry_run or not trades_for_real(merged)
    found = verify(existing(journal or journal_url(settings, userdir, dry_run=dry_run)))
    for text in found:
        typer.echo(text)
    if found:
        sys.exit(1)
    typer.echo("the journal is whole")
