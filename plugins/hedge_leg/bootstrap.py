"""Build the engine for a run mode: live on real accounts, dry-run on a paper spot account.

Nothing here trades. Everything that is wrong with keys, markets, account modes or the journal is found here,
before the first loop, and is one line.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote as url_quoted

from hedge_leg.adapters.account_check import check_account
from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials, from_environment
from hedge_leg.adapters.paper_venue import PaperSpotVenue
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.config import HedgeLegConfig, layered
from hedge_leg.core.amounts import exact
from hedge_leg.engine import Engine
from hedge_leg.guard.guard import PERP, SPOT, Guard
from hedge_leg.guard.memory import Memory
from hedge_leg.guard.money import Money
from hedge_leg.guard.probes import Health, HeardPerp, HeardSpot
from hedge_leg.guard.sights import Prices
from hedge_leg.live_market import SpotPrices
from hedge_leg.ports import Clock, GuardLog, Journal, PerpVenue, SpotVenue
from hedge_leg.recorded import SignalRows
from hedge_leg.watch import Watch

logger = logging.getLogger(__name__)


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Return Unix milliseconds, UTC."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class HostConfig:
    """What the spot leg needs of freqtrade's configuration. `user_data`: where the journal lies by default.

    `exchange_name`, `ccxt_config`: of freqtrade's own exchange. `wallet`: quote of the paper spot account.
    """

    exchange_name: str
    ccxt_config: Mapping[str, Any]
    user_data: Path
    quote: str
    pairs: Mapping[str, str]  # perp pair -> spot symbol
    margin_mode: str
    wallet: float


def journal_url(settings: HedgeLegConfig, user_data: Path, *, dry_run: bool) -> str:
    """Return where the journal is: as configured, else a file in user_data, another one for dry-runs."""
    if settings.journal_url:
        return settings.journal_url
    name = "hedge_leg.dryrun.sqlite" if dry_run else "hedge_leg.sqlite"
    return f"sqlite:///{url_quoted(str((user_data / name).resolve()))}"  # SQLAlchemy decodes the path


def spot_client(settings: HedgeLegConfig, host: HostConfig, credentials: Credentials | None) -> Any:
    """Return the ccxt client of the spot account; None as credentials reads public data only."""
    own = settings.exchange
    same = own.name in ("", host.exchange_name)
    ccxt_config = layered(host.ccxt_config if same else {}, own.ccxt_config)
    name = own.name or host.exchange_name
    return build_client(name, credentials, ccxt_config, market="spot", timeout_ms=own.timeout_ms)


def live_engine(
    settings: HedgeLegConfig,
    host: HostConfig,
    credentials: Credentials | None,
    perp_client: Any,
    notify: Callable[[str], None],
) -> Engine:
    """Return the engine of live trading; `perp_client` is freqtrade's own ccxt client with its keys.

    Raises ConfigError, VenueUnavailable or JournalError with one line; nothing is left open then.
    """
    clock = SystemClock()
    client = spot_client(settings, host, credentials or from_environment(os.environ))
    spot = CcxtSpotVenue(client, clock)
    check_account(client, perp_client, host.pairs.items(), margin_mode=host.margin_mode)
    perp = CcxtPerpVenue(perp_client, clock, margin_mode=host.margin_mode)
    journal = open_journal(journal_url(settings, host.user_data, dry_run=False))
    engine = _started(settings, journal, spot, perp, clock, notify)
    engine.shared_pot = spot.shares_money_with(perp_client)
    return engine


def operator_engine(
    settings: HedgeLegConfig, host: HostConfig, notify: Callable[[str], None], *, acts: bool
) -> Engine:
    """Return the engine for an operator's commands: real accounts, the environment's keys.

    `acts`: it will trade, under the journal's lease: the bot must be stopped, LeaseHeld otherwise. Without,
    the journal is read only, beside a running bot. The perp's keys are freqtrade's own.
    """
    clock = SystemClock()
    journal = open_journal(journal_url(settings, host.user_data, dry_run=False), exclusive=acts, create=False)
    try:
        spot = CcxtSpotVenue(spot_client(settings, host, from_environment(os.environ)), clock)
        keys = {name: text for name, text in os.environ.items() if "HEDGE_LEG" not in name.upper()}
        client = build_client(host.exchange_name, from_environment(keys), host.ccxt_config, market="swap")
        perp = CcxtPerpVenue(client, clock, margin_mode=host.margin_mode)
    except BaseException:
        journal.close()
        raise
    return _started(settings, journal, spot, perp, clock, notify)


def dry_engine(
    settings: HedgeLegConfig, host: HostConfig, perp: PerpVenue, notify: Callable[[str], None]
) -> Engine:
    """Return the engine of a dry-run: real public books, a paper spot account, freqtrade's simulated perp.

    Raises ConfigError, VenueUnavailable or JournalError with one line.
    """
    clock = SystemClock()
    market = CcxtSpotVenue(spot_client(settings, host, None), clock)
    for symbol in host.pairs.values():
        market.rules(symbol)  # a pair without a spot market is refused now, not at every entry
    paper = settings.paper
    wallet = host.wallet if paper.spot_balance is None else paper.spot_balance
    spot = PaperSpotVenue(
        market,
        clock,
        {host.quote: exact(wallet)},
        fee_rate=exact(round(settings.costs.spot_fee_rate, 12)),
        fee_in_base=paper.fee_in_base,
        latency_ms=paper.latency_ms,
        path=host.user_data / "hedge_leg.paper_spot.json",
    )
    journal = open_journal(journal_url(settings, host.user_data, dry_run=True))
    engine = _started(settings, journal, spot, perp, clock, notify)
    engine.perp_closable = False
    return engine


def _started(
    settings: HedgeLegConfig,
    journal: Journal,
    spot: SpotVenue,
    perp: PerpVenue,
    clock: Clock,
    notify: Callable[[str], None],
) -> Engine:
    engine = Engine(journal, spot, perp, clock, settings.execution.policy(), notify)
    try:
        engine.load()
    except BaseException:
        journal.close()
        raise
    living = engine.alive()
    logger.info("journal read: %s carries, %s living", len(engine.carries), len(living))
    return engine


def watch_for(settings: HedgeLegConfig, engine: Engine) -> Watch:
    """Return the loop over an engine with the configured intervals."""
    execution = settings.execution
    return Watch(
        engine,
        perp_interval_ms=round(execution.perp_check_sec * 1000),
        spot_interval_ms=round(execution.spot_check_sec * 1000),
    )


def fixed_cost(settings: HedgeLegConfig) -> Decimal:
    """Return the fixed cost of one carry, quote."""
    return exact(settings.costs.fixed_per_trade)


def listen(engine: Engine) -> tuple[HeardSpot, Health]:
    """Let every call of an engine to its venues be counted; return what is heard of either."""
    heard = HeardSpot(engine.spot, cast("SpotPrices", engine.spot), Health(SPOT, engine.clock))
    perp = Health(PERP, engine.clock)
    engine.spot, engine.perp = heard, HeardPerp(engine.perp, perp)
    return heard, perp


def guard_for(
    settings: HedgeLegConfig,
    engine: Engine,
    log: GuardLog,
    heard: tuple[HeardSpot, Health],
    *,
    spot_px: Callable[[str], Decimal | None],
    rows_of: Callable[[str], SignalRows | None],
    account: Callable[[], tuple[Decimal, Decimal]],
    quote: str,
    one_pot: bool,
    adjusts: Callable[[bool], None],
) -> Guard | None:
    """Return the risk guard of a trading bot, None where it is switched off. Raises JournalError."""
    if not settings.guard.enabled:
        return None
    prices: dict[str, Prices] = {}
    memory = Memory(log, settings.guard.limits(), engine)
    money = Money(engine, memory, prices, spot_px, account, quote, one_pot or engine.shared_pot)
    leverage, cost_bps = exact(settings.leverage), settings.costs.side_bps
    return Guard(engine, memory, money, *heard, spot_px, rows_of, leverage, cost_bps, adjusts)
