"""Build the observer of a freqtrade that runs dry: sizes, signals and regimes are those of its strategy."""

import logging
from decimal import Decimal
from typing import Any, cast

from carry.errors import CarryError
from carry.market import spot_symbol
from carry.regime_causal import causal_cycles
from carry.regime_features import REGIME_HISTORY_H
from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.sql_journal import SqlJournal
from hedge_leg.adapters.sql_observations import SqlObservations
from hedge_leg.config import HedgeLegConfig
from hedge_leg.core.amounts import ZERO, exact
from hedge_leg.errors import HedgeError
from hedge_leg.live import LiveLeg
from hedge_leg.observer import Observer, ObserverHost
from hedge_leg.sizing import capital, entry_stake

logger = logging.getLogger(__name__)


def build_observer(strategy: Any, settings: HedgeLegConfig, leg: LiveLeg, perp_client: Any) -> Observer:
    """Return an observer over the leg's journal and spot venue. VenueUnavailable without markets."""
    engine, own = leg.engine, settings.observer
    perp = CcxtPerpVenue(perp_client, engine.clock, margin_mode=str(strategy.config.get("margin_mode", "")))
    host = ObserverHost(
        pairs=lambda: {pair: spot_symbol(pair) for pair in strategy.dp.current_whitelist()},
        notional=lambda: _notional(strategy, settings, leg),
        signal=lambda pair, now_ms: _signal(strategy, pair, now_ms),
        regime=lambda pair: _regime(strategy, leg, pair) if own.regime else ("", "observer.regime is off"),
        notify=engine.notify,
    )
    return Observer(
        clock=engine.clock,
        spot=engine.spot,
        perp=perp,
        log=SqlObservations(cast("SqlJournal", engine.journal)),
        terms=settings.observed_terms(),
        rules=own.rules(settings.execution.max_slippage_bps),
        host=host,
        interval_ms=round(own.interval_sec * 1000),
        snapshot_ms=round(own.snapshot_sec * 1000),
    )


def _notional(strategy: Any, settings: HedgeLegConfig, leg: LiveLeg) -> Decimal:
    """Return the quote of one leg: as configured, else what freqtrade's stake opens with nothing held."""
    if settings.observer.notional is not None:
        return exact(settings.observer.notional)
    ratio = float(strategy.config.get("tradable_balance_ratio", 1.0))
    there = capital(settings, leg, strategy.wallets, [], ratio)
    stake = entry_stake(
        settings,
        there,
        settings.leverage,
        stake_amount=strategy.config["stake_amount"],
        slots=float(strategy.max_open_trades),
        amend=True,
    )
    return max(exact(round(stake * settings.leverage, 8)), ZERO)


def _signal(strategy: Any, pair: str, now_ms: int) -> bool | None:
    """Return whether the strategy's entry rule holds at the last closed candle; None before it has one."""
    rows = strategy._rows.get(pair)
    row = -1 if rows is None else rows.last_closed(now_ms)
    return bool(rows.entry_on[row]) if row >= 0 else None


def _regime(strategy: Any, leg: LiveLeg, pair: str) -> tuple[str, str]:
    """Return the causal regime at the last settlement, or "" and why it is not known."""
    try:
        candles = strategy.dp.get_pair_dataframe(pair, strategy.timeframe)
        if candles.empty:
            return "", "freqtrade has no candles yet"
        past = leg.history(pair, candles, REGIME_HISTORY_H)
        cycles = causal_cycles(past.perp, past.spot, past.funding, strategy.timeframe)
    except (CarryError, HedgeError) as error:
        return "", str(error)
    except Exception as error:  # a column that cannot be filled must not cost the row
        logger.exception("%s: its regime is not known", pair)
        return "", f"{type(error).__name__}: {error}"
    found = str(cycles["regime"].iloc[-1]) if len(cycles) else ""
    days = REGIME_HISTORY_H // 24
    return (found, "") if found else ("", f"less than {days} days of market without larger gaps")
