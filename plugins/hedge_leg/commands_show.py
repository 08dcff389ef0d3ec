"""`hedge-leg status`, and how the journal is read and shown beside the running bot."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hedge_leg.bootstrap import journal_url
from hedge_leg.commands_guard import DryRun, LayeredConfigs, guard_log, told, tripped
from hedge_leg.commands_operate import JournalUrl, JsonFile, UserData, write_json
from hedge_leg.config import HedgeLegConfig
from hedge_leg.config_files import existing, read_files, settings_of, trades_for_real
from hedge_leg.core.carry import Carry
from hedge_leg.errors import ConfigError
from hedge_leg.statement import Statement, read_carries, statement

_ABREAST = 4  # carries side by side
_NO_CONFIG: list[Path] = []
_SMALL = Decimal("0.1")
_MONEY = Decimal("0.00000001")
_SHORT, _LONG, _WIDE = Context(prec=8), Context(prec=15), Context(prec=60)


def status(
    *,
    config: LayeredConfigs = _NO_CONFIG,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    dry_run: DryRun = False,
    closed: Annotated[bool, typer.Option("--closed", help="Show closed carries, too.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Show the carries: legs, P&L, unhedged USD x seconds, lags, pending orders, alarms; tripped breakers.

    Reads only. --json writes {"carries": [...], "breakers": [...]}, amounts as text, times in ms UTC.

    Example: hedge-leg status --userdir user_data --json status.json
    """
    found = read_journal(config, userdir, journal, dry_run=dry_run)
    settings, carries = found.settings, found.carries
    breakers = tripped(guard_log(config, userdir, journal, dry_run=dry_run))
    shown = [carry for carry in carries if closed or carry.alive]
    now_ms = present_ms(carries)
    rows = [status_row(statement(carry, settings, now_ms)) for carry in shown]
    for start in range(0, len(rows), _ABREAST):
        print_table("carries", turned(rows[start : start + _ABREAST]))
    if not rows:
        typer.echo("no carry" if closed else "no living carry: --closed shows those that ended")
    for carry in shown:
        for text in carry.alarms.values():
            typer.echo(f"{carry.carry_id} alarm: {text}")
    for row in breakers:
        typer.echo(told(row))
    if json_file is not None:
        write_json(json_file, {"carries": rows, "breakers": list(map(asdict, breakers))})


def turned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a table's rows as its columns: a field a line, a carry a column, which fits a terminal."""
    return [
        {"": name} | {row["carry"]: shown(row[name]) for row in rows} for name in rows[0] if name != "carry"
    ]


def status_row(told: Statement) -> dict[str, Any]:
    carry, result, unhedged = told.carry, told.result, told.exposure
    pending = carry.order.intent.client_id if carry.order is not None else ""
    return {
        "carry": carry.carry_id,
        "pair": carry.facts.pair,
        "state": carry.state.value,
        "short": carry.short_qty,
        "spot": carry.spot_qty,
        "basis P&L": result.basis_pnl,
        "funding": result.funding,
        "missing": told.missing,
        "fees": result.fees_perp + result.fees_spot,
        "rebalancing": told.rebalancing,
        "of net": told.rebalancing_share,
        "net": result.net,
        "unhedged USD s": unhedged.total_usd_s,
        "worst USD": unhedged.worst_notional,
        "ms to order": carry.first_sent_lag_ms,
        "ms to hedge": carry.hedged_lag_ms,
        "retries": carry.retries,
        "rollbacks": carry.rollbacks,
        "alarms": len(carry.alarms),
        "pending": pending,
        "why": carry.why,
    }


@dataclass(frozen=True, slots=True)
class Read:
    """What a command works on: `merged` is the configuration, empty where none was given."""

    settings: HedgeLegConfig
    merged: Mapping[str, Any]
    dry_run: bool
    url: str
    carries: list[Carry]


def read_journal(config: list[Path], userdir: Path, url: str, *, dry_run: bool) -> Read:
    """Read the configuration and its journal. JournalMissing where there is none."""
    from hedge_leg.adapters.sql_journal import open_journal  # noqa: PLC0415 - a second away from --help

    merged = read_files(config)
    settings, dry_run = settings_of(merged), dry_run or not trades_for_real(merged)
    url = existing(url or journal_url(settings, userdir, dry_run=dry_run))
    opened = open_journal(url, exclusive=False)
    try:
        return Read(settings, merged, dry_run, url, read_carries(opened))
    finally:
        opened.close()


def present_ms(carries: list[Carry]) -> int:
    """Return now, but never earlier than the latest fact: a replayed market has its own time."""
    latest = max((fact.filled_ms for carry in carries for fact in carry.perp.values()), default=0)
    real = round(datetime.now(UTC).timestamp() * 1000)
    replayed = bool(carries) and real - latest >= 30 * 86_400_000
    return max([latest, *map(_last_ms, carries)]) if replayed else real


def _last_ms(carry: Carry) -> int:
    times = [*carry.sent.values(), carry.began_ms, *(paid.paid_ms for paid in carry.funding.values())]
    return max(times)


def parsed_range(since: str, until: str) -> tuple[int | None, int | None]:
    """Return the range [since, until) that a user gave, in ms, None for no limit; ConfigError for none."""
    since_ms, until_ms = _parsed_time(since, "--since"), _parsed_time(until, "--until")
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ConfigError(f"--since {since} is not before --until {until}: nothing can lie between them")
    return since_ms, until_ms


def _parsed_time(text: str, option: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text} is not a time: write it like 2026-11-01 (UTC)") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def print_table(title: str, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if not listed:
        typer.echo(f"{title}: none")
        return
    table = Table(title=title, title_justify="left")
    for name in listed[0]:
        table.add_column(name, justify="left" if isinstance(listed[0][name], str) else "right")
    for row in listed:
        table.add_row(*map(shown, row.values()))
    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(table)


def shown(value: Any) -> str:
    """Return a value for a terminal: numbers to eight decimals, smaller ones to eight digits."""
    if isinstance(value, Decimal):
        return _digits(_SHORT.plus(value) if abs(value) < _SMALL else _WIDE.quantize(value, _MONEY))
    return "" if value is None else str(value)


def written(value: Any) -> str:
    """Return a value for a CSV file: numbers to fifteen digits, without an exponent."""
    return _digits(_LONG.plus(value)) if isinstance(value, Decimal) else shown(value)


def _digits(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
