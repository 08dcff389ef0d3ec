"""`hedge-leg reset-breaker`, and what `hedge-leg status` shows of the risk guard."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedge_leg.bootstrap import journal_url
from hedge_leg.commands_operate import JournalUrl, UserData
from hedge_leg.config_files import existing, read_files, settings_of, trades_for_real
from hedge_leg.core.guard.breakers import Breakers, GuardRow, RowKind, scope_of

if TYPE_CHECKING:
    from hedge_leg.adapters.sql_guard import SqlGuardLog

LayeredConfigs = Annotated[
    list[Path], typer.Option("-c", "--config", help="freqtrade's configuration files.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="The journal of dry-runs.")]
_NO_CONFIG: list[Path] = []


def guard_log(config: list[Path], userdir: Path, url: str, *, dry_run: bool) -> "SqlGuardLog":
    """Return the guard's table beside the journal; JournalMissing where there is none."""
    from hedge_leg.adapters.sql_guard import SqlGuardLog  # noqa: PLC0415 - a second away from --help

    merged = read_files(config)
    settings, dry_run = settings_of(merged), dry_run or not trades_for_real(merged)
    return SqlGuardLog(existing(url or journal_url(settings, userdir, dry_run=dry_run)))


def read_breakers(log: "SqlGuardLog") -> Breakers:
    """Return the breakers as the table has them. Raises JournalError."""
    breakers = Breakers(0)
    for _, row in log.since(0):
        breakers.apply(row)
    return breakers


def tripped(log: "SqlGuardLog") -> list[GuardRow]:
    """Return the row that tripped it, for each breaker that is tripped."""
    return [trip.row for trip in read_breakers(log).trips.values()]


def told(row: GuardRow) -> str:
    """Return one line about a tripped breaker."""
    since, ends = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (row.at_ms, row.until_ms))
    return (
        f"breaker {row.breaker} ({row.action}) tripped {since:%Y-%m-%d %H:%M} UTC: {row.text}; "
        f"it ends at {ends:%Y-%m-%d %H:%M} UTC at the earliest"
    )


def reset_breaker(
    name: Annotated[str, typer.Argument(help="A breaker, or a scope: its pair, spot, perp or all.")],
    *,
    config: LayeredConfigs = _NO_CONFIG,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    dry_run: DryRun = False,
) -> None:
    """Reset tripped breakers, journaled; a running bot takes it over at its next loop.

    Where the cause lasts the breaker trips again. Exit status 1 when no such breaker is tripped.

    Example: hedge-leg reset-breaker BTC/USDT:USDT --userdir user_data
    """
    log = guard_log(config, userdir, journal, dry_run=dry_run)
    trips = read_breakers(log).trips
    chosen = [key for key in trips if name in (key, scope_of(key))]
    if not chosen:
        typer.echo(f"no breaker {name} is tripped: {', '.join(trips) or 'none is'}")
        sys.exit(1)
    now_ms = time.time_ns() // 1_000_000
    log.append(*(GuardRow(now_ms, RowKind.RESET, key, text="by the operator") for key in chosen))
    for key in chosen:
        typer.echo(f"{key} was reset")
