"""`hedge-leg status | statement`: what the journal says, read beside the running bot."""

import csv
import sys
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hedge_leg.bootstrap import journal_url
from hedge_leg.commands_guard import DryRun, LayeredConfigs, guard_log, tripped_breakers
from hedge_leg.commands_operate import JournalUrl, JsonFile, UserData, write_json
from hedge_leg.config import HedgeLegConfig
from hedge_leg.config_files import existing, read_files, settings_of, trades_for_real
from hedge_leg.core.carry import Carry
from hedge_leg.errors import ConfigError
from hedge_leg.statement import Line, Statement, alive_within, read_carries, statement

_ABREAST = 4  # carries side by side
_NO_CONFIG: list[Path] = []
_MONEY = Decimal("0.00000001")


def status(
    *,
    config: LayeredConfigs = _NO_CONFIG,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    dry_run: DryRun = False,
    closed: Annotated[bool, typer.Option("--closed", help="Show closed carries, too.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Show the carries: legs, P&L, unhedged USD x seconds, lags, pending orders, alarms. Reads only.

    Example: hedge-leg status --userdir user_data --json status.json
    """
    settings, carries = _read(config, userdir, journal, dry_run=dry_run)
    breakers = tripped_breakers(guard_log(config, userdir, journal, dry_run=dry_run))
    shown = [carry for carry in carries if closed or carry.alive]
    now_ms = _now_ms(carries)
    rows = [_status_row(statement(carry, settings, now_ms)) for carry in shown]
    for start in range(0, len(rows), _ABREAST):
        print_table("carries", turned(rows[start : start + _ABREAST]))
    if not rows:
        typer.echo("no carry" if closed else "no living carry: --closed shows those that ended")
    for carry in shown:
        for text in carry.alarms.values():
            typer.echo(f"{carry.carry_id} alarm: {text}")
    for line in breakers:
        typer.echo(line)
    _write(json_file, rows)


def turned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a table's rows as its columns: a field a line, a carry a column, which fits a terminal."""
    return [
        {"": name} | {row["carry"]: shown(row[name]) for row in rows} for name in rows[0] if name != "carry"
    ]


def _status_row(told: Statement) -> dict[str, Any]:
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


def statement_command(
    carry_ids: Annotated[list[str] | None, typer.Argument(help="Carries (default: all).")] = None,
    *,
    config: LayeredConfigs = _NO_CONFIG,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    dry_run: DryRun = False,
    since: Annotated[str, typer.Option(help="UTC day or time, as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option(help="UTC day or time; up to it, not including it.")] = "",
    json_file: JsonFile = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write every fact to this new file.")] = None,
) -> None:
    """Show every fact of carries and check their books; exit status 1 when a sum is not zero. Reads only.

    Example: hedge-leg statement --since 2026-11-01 --csv november.csv
    """
    settings, carries = _read(config, userdir, journal, dry_run=dry_run)
    since_ms, until_ms = parsed_time(since, "--since"), parsed_time(until, "--until")
    known = {carry.carry_id for carry in carries}
    for name in carry_ids or ():
        if name not in known:
            raise ConfigError(f"no carry {name} in the journal: see hedge-leg status --closed")
    wanted = [one for one in carries if not carry_ids or one.carry_id in carry_ids]
    wanted = [one for one in wanted if alive_within(one, since_ms, until_ms)]
    now_ms = _now_ms(carries)
    found = [statement(carry, settings, now_ms) for carry in wanted]
    for told in found:
        print_table(
            f"{told.carry.carry_id} {told.carry.facts.pair} {told.carry.state}", map(_line_row, told.lines)
        )
        typer.echo(summary(told))
    if not found:
        typer.echo("no carry in this range")
    _write(json_file, [_status_row(told) | {"lines": list(map(_line_row, told.lines))} for told in found])
    _write_csv(csv_file, found)
    if not all(told.balanced for told in found):
        sys.exit(1)


def summary(told: Statement) -> str:
    """Return the totals and checks of a statement as text."""
    result, sums = told.result, ", ".join(f"{asset} {shown(qty)}" for asset, qty in told.residuals.items())
    share = told.rebalancing_share
    verdict = "as they must" if told.balanced else "THE BOOKS ARE WRONG"
    cash = ", ".join(f"{asset} {shown(qty)}" for asset, qty in told.cash.items())
    return (
        f"  basis {result.basis_pnl:.8f} + funding {result.funding:.8f} - perp fees {result.fees_perp:.8f}"
        f" - spot fees {result.fees_spot:.8f} - borrow {result.borrow:.8f} - fixed {result.fixed:.8f}"
        f" = net {result.net:.8f}\n"
        f"  of the fees {told.rebalancing:.8f} for rebalancing"
        f"{'' if share is None else f', {share:.2%} of the net before it'}\n"
        f"  postings sum to {sums} ({verdict}); cash {cash}\n"
        f"  unhedged {told.exposure.total_usd_s:.2f} USD x s, at most {told.exposure.worst_notional:.2f} USD"
    )


def _line_row(line: Line) -> dict[str, Any]:
    moment = datetime.fromtimestamp(line.at_ms / 1000, UTC)
    return {"time": f"{moment:%Y-%m-%d %H:%M:%S}.{line.at_ms % 1000:03}"} | {
        field.name: getattr(line, field.name) for field in fields(line) if field.name != "at_ms"
    }


def _read(
    config: list[Path], userdir: Path, url: str, *, dry_run: bool
) -> tuple[HedgeLegConfig, list[Carry]]:
    from hedge_leg.adapters.sql_journal import open_journal  # noqa: PLC0415 - a second away from --help

    merged = read_files(config)
    settings, dry_run = settings_of(merged), dry_run or not trades_for_real(merged)
    opened = open_journal(existing(url or journal_url(settings, userdir, dry_run=dry_run)), exclusive=False)
    try:
        return settings, read_carries(opened)
    finally:
        opened.close()


def _now_ms(carries: list[Carry]) -> int:
    """Return now, but never earlier than the latest fact: a replayed market has its own time."""
    latest = max((fact.filled_ms for carry in carries for fact in carry.perp.values()), default=0)
    real = round(datetime.now(UTC).timestamp() * 1000)
    return real if real - latest < 30 * 86_400_000 else max(latest, *(_last_ms(one) for one in carries))


def _last_ms(carry: Carry) -> int:
    times = [*carry.sent.values(), carry.began_ms, *(paid.paid_ms for paid in carry.funding.values())]
    return max(times)


def parsed_time(text: str, option: str) -> int | None:
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
    if isinstance(value, Decimal):
        text = f"{value.quantize(_MONEY):f}" if value.as_tuple().exponent < -8 else f"{value:f}"  # type: ignore[operator]
        return text.rstrip("0").rstrip(".") if "." in text else text
    return "" if value is None else str(value)


def _write(path: Path | None, rows: list[dict[str, Any]]) -> None:
    if path is not None:
        write_json(path, rows)


def _write_csv(path: Path | None, found: list[Statement]) -> None:
    if path is None:
        return
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["carry", "pair", "time", *(f.name for f in fields(Line) if f.name != "at_ms")])
            for told in found:
                for line in told.lines:
                    row = [shown(value) for value in _line_row(line).values()]
                    writer.writerow([told.carry.carry_id, told.carry.facts.pair, *row])
    except FileExistsError:
        raise ConfigError(f"--csv {path} exists: name a new file, nothing was overwritten") from None
    except OSError as error:
        raise ConfigError(f"--csv {path} cannot be written: {error.strerror}") from error
