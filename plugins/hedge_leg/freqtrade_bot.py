"""A trading freqtrade (dry-run, live) as the spot leg needs it: its trades, its exchange, its messages.

Used only when orders are placed: backtests and hyperopt never load it, so that their workers stay small
(ADR 12 lists who imports freqtrade).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pandas as pd
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import Trade

from carry.errors import DataError
from carry.market import (
    CANDLE_COLUMNS,
    FUNDING_COLUMNS,
    FUNDING_TIMEFRAME,
    OPEN_INTEREST_TIMEFRAME,
    spot_symbol,
    timeframe_delta,
)
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.adapters.dry_perp import DryPerpVenue
from hedge_leg.adapters.sql_guard import SqlGuardLog
from hedge_leg.bootstrap import (
    HostConfig,
    dry_engine,
    fixed_cost,
    guard_for,
    journal_url,
    listen,
    live_engine,
    watch_for,
)
from hedge_leg.channels import open_channels
from hedge_leg.config import HedgeLegConfig
from hedge_leg.core.amounts import exact
from hedge_leg.daily_report import report_daily
from hedge_leg.engine import Engine
from hedge_leg.errors import ConfigError, HedgeError, VenueUnavailable
from hedge_leg.freqtrade_observer import build_observer
from hedge_leg.leg import History, HistorySource
from hedge_leg.live import LiveLeg
from hedge_leg.live_booking import LiveTrade
from hedge_leg.live_history import LongSeries
from hedge_leg.live_market import SpotMarket, SpotPrices, live_features, settled_stamps, settlements
from hedge_leg.live_trades import host_trade
from hedge_leg.observing_leg import ObservingLeg
from hedge_leg.ports import PerpOrder
from hedge_leg.sentinel import Sentinel
from hedge_leg.trade_view import epoch_ms_of

logger = logging.getLogger(__name__)

_LONGEST_INTERVAL = pd.Timedelta(hours=9)  # between two settlements, and some


class FreqtradeTrades:
    """freqtrade's trade table; satisfies `live.TradeBook`."""

    def of_pair(self, pair: str, since: datetime) -> LiveTrade | None:
        """Return the newest trade of a pair that was opened at or after a time."""
        wanted = [Trade.pair == pair, Trade.open_date >= since.replace(tzinfo=None)]
        found = Trade.get_trades(wanted).unique().all()
        return cast("LiveTrade | None", max(found, key=lambda trade: trade.id, default=None))

    def of_id(self, trade_id: int) -> LiveTrade | None:
        """Return a trade by id; None when it was deleted."""
        return cast("LiveTrade | None", Trade.get_trades([Trade.id == trade_id]).first())

    def open_trades(self) -> Sequence[LiveTrade]:
        """Return the open trades."""
        return cast("Sequence[LiveTrade]", Trade.get_open_trades())

    def commit(self) -> None:
        """Write changes down."""
        Trade.commit()


class _Feeds:
    """What the spot leg reads of a running strategy, and the one thing that it switches."""

    def __init__(self, strategy: Any, quote: str, spot: SpotMarket) -> None:
        """Keep whether the strategy itself adjusts positions."""
        self._strategy, self._quote, self._spot = strategy, quote, spot
        strategy.resizes = strategy.position_adjustment_enable

    def funding(self, pair: str) -> pd.DataFrame:
        """Return the settlements that freqtrade keeps."""
        return cast(
            "pd.DataFrame", self._strategy.dp.get_pair_dataframe(pair, "1h", candle_type="funding_rate")
        )

    def features(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Return the features of freqtrade's candles beside spot's."""
        own = self._spot.candles(spot_symbol(pair), candles["date"].iloc[0], candles["date"].iloc[-1])
        return live_features(pair, candles, own, self.funding(pair), self._strategy.timeframe)

    def account(self) -> tuple[Decimal, Decimal]:
        """Return (total, free) quote of the perp account, read now; VenueUnavailable when it cannot be."""
        wallets = self._strategy.wallets
        try:
            wallets.update()
        except FreqtradeException as error:
            text = f"freqtrade's wallet cannot be read: {type(error).__name__}"
            raise VenueUnavailable(text) from error
        return exact(wallets.get_total(self._quote)), exact(wallets.get_free(self._quote))

    def adjusts(self, on: bool) -> None:
        """Let freqtrade ask for position adjustment: the guard shrinks by it, a strategy may not use it."""
        self._strategy.position_adjustment_enable = self._strategy.resizes or on


def _tell(strategy: Any, text: str) -> None:
    """Log a text and send it through freqtrade's channels."""
    logger.warning("%s", text)
    strategy.dp.send_msg(text, always_send=True)


def start_live_leg(strategy: Any, settings: HedgeLegConfig, credentials: Credentials | None) -> LiveLeg:
    """Build the spot leg of a strategy that is about to trade. Raises HedgeError with one line."""
    config, exchange = strategy.config, strategy.dp._exchange
    live = config["runmode"] == RunMode.LIVE  # a dry-run's perp is freqtrade's own: nothing moves without it
    host = _host_config(config, exchange, strategy.dp.current_whitelist())
    open_channels(strategy)
    engine = _engine(strategy, settings, credentials, host)
    engine.tell = partial(strategy.dp.send_msg, always_send=True) if settings.report.steps else None
    heard = listen(engine)
    spot = SpotMarket(cast("SpotPrices", engine.spot), engine.clock, strategy.timeframe)
    # a store of its own: `spot` forgets what is older than freqtrade's candles
    long_spot = SpotMarket(spot.prices, engine.clock, strategy.timeframe)
    feeds = _Feeds(strategy, host.quote, spot)
    one_pot = not live and settings.paper.spot_balance is None
    try:
        log = SqlGuardLog(journal_url(settings, host.user_data, dry_run=not live))
        guard = guard_for(
            settings,
            engine,
            log,
            heard,
            spot_px=spot.px,
            rows_of=strategy._rows.get,
            account=feeds.account,
            quote=host.quote,
            one_pot=one_pot,
            adjusts=feeds.adjusts,
        )
    except BaseException:
        engine.journal.close()
        raise
    watch = watch_for(settings, engine)
    observing = settings.mode == "observer"
    leg = (ObservingLeg if observing else LiveLeg)(
        engine,
        watch,
        FreqtradeTrades(),
        symbol_of=spot_symbol,
        spot_px=spot.px,
        feature_source=feeds.features,
        funding_source=feeds.funding,
        history_source=_history_source(exchange, long_spot, feeds.funding, strategy.timeframe),
        settled=lambda pair: settled_stamps(feeds.funding(pair)),
        quote=host.quote,
        fixed_cost=fixed_cost(settings),
        observe_only=observing,
        refresh_wallets=strategy.wallets.update,
        sentinel=Sentinel(watch.tick_alone, idle_s=settings.execution.idle_after_sec) if live else None,
        one_pot=one_pot,
        guard=guard,
    )
    if isinstance(leg, ObservingLeg):
        try:
            leg.observer = build_observer(strategy, settings, leg, exchange._api)
        except HedgeError:
            leg.close()
            raise
    report_daily(leg, settings, log, partial(strategy.dp.send_msg, always_send=True))
    exchange.get_funding_fees = _pairs_funding(leg, exchange.get_funding_fees)
    return leg


def _engine(
    strategy: Any, settings: HedgeLegConfig, credentials: Credentials | None, host: HostConfig
) -> Engine:
    """Return the engine of the run mode: on real accounts, or on paper with freqtrade's simulated perp."""
    exchange, notify = strategy.dp._exchange, partial(_tell, strategy)
    if strategy.config["runmode"] == RunMode.LIVE:
        if settings.mode == "observer":
            raise ConfigError('hedge_leg.mode is "observer", which never trades: set "dry_run": true')
        return live_engine(settings, host, credentials, exchange._api, notify)
    perp = DryPerpVenue(_filled_orders, lambda pair, since: _settlements(exchange, pair, since))
    return dry_engine(settings, host, perp, notify)


def _history_source(
    exchange: Any, spot: SpotMarket, funding: Callable[[str], pd.DataFrame], timeframe: str
) -> HistorySource:
    """Return the reader of a pair's past: perp, funding and open interest by freqtrade's exchange."""
    perps = LongSeries(timeframe_delta(timeframe))
    rates = LongSeries(_LONGEST_INTERVAL)
    without_open_interest: set[str] = set()

    def read(pair: str, frame: str, kind: CandleType, since: pd.Timestamp) -> pd.DataFrame:
        try:
            found = exchange.get_historic_ohlcv(pair, frame, round(since.timestamp() * 1000), kind)
        except FreqtradeException as error:
            raise DataError(f"{pair}: history cannot be read: {type(error).__name__}: no signal") from error
        return cast("pd.DataFrame", found)

    def open_interest(pair: str, since: pd.Timestamp) -> pd.DataFrame | None:
        if pair in without_open_interest or not exchange.exchange_has("fetchOpenInterestHistory"):
            return None
        try:
            return read(pair, OPEN_INTEREST_TIMEFRAME, CandleType.OPEN_INTEREST, since)
        except DataError as error:
            without_open_interest.add(pair)
            logger.warning("%s: open interest stays unknown and vetoes nothing: %s", pair, error)
            return None

    def history(pair: str, candles: pd.DataFrame, hours: int) -> History:
        last = candles["date"].iloc[-1]
        since = last - pd.Timedelta(hours=hours)
        candle = partial(read, pair, timeframe, CandleType.FUTURES)
        rate = partial(read, pair, FUNDING_TIMEFRAME, CandleType.FUNDING_RATE)
        perp = perps.reaching(pair, since, candles.loc[:, list(CANDLE_COLUMNS)], candle)
        settled = rates.reaching(pair, since, funding(pair).loc[:, list(FUNDING_COLUMNS)], rate)
        own = spot.candles(spot_symbol(pair), perp["date"].iloc[0], last)
        return History(perp, own, settled, open_interest(pair, last - pd.Timedelta(hours=48)))

    return history


def _pairs_funding(leg: LiveLeg, perps_own: Callable[..., float]) -> Callable[..., float]:
    """Return what freqtrade is told to be the running funding: what the pair shows, where a pair is held."""

    def get_funding_fees(pair: str, *args: Any, **kwargs: Any) -> float:
        shown = leg.beside_orders(pair)
        return perps_own(pair, *args, **kwargs) if shown is None else shown

    return get_funding_fees


def _host_config(config: Mapping[str, Any], exchange: Any, whitelist: Sequence[str]) -> HostConfig:
    if config.get("trading_mode") != "futures":
        raise ConfigError('hedge_leg trades a perp against spot: set "trading_mode": "futures"')
    opened = [trade.pair for trade in Trade.get_open_trades()]
    own = config["exchange"]
    merged = {**own.get("ccxt_config", {}), **own.get("ccxt_sync_config", {})}
    wallet = config.get("dry_run_wallet", 0)
    quote = str(config["stake_currency"])
    return HostConfig(
        exchange_name=str(exchange._api.id),
        ccxt_config=merged,
        user_data=Path(config["user_data_dir"]),
        quote=quote,
        pairs={pair: spot_symbol(pair) for pair in [*whitelist, *opened]},
        margin_mode=str(config.get("margin_mode", "")),
        wallet=float(wallet.get(quote, 0) if isinstance(wallet, dict) else wallet),
    )


def _filled_orders(pair: str) -> list[PerpOrder]:
    """Return all filled orders that freqtrade keeps of a pair, by time, as a venue would tell them."""
    found: list[PerpOrder] = []
    for trade in Trade.get_trades([Trade.pair == pair]).unique().all():
        opened_ms = {order.order_id: epoch_ms_of(order.order_date_utc) for order in trade.orders}
        found.extend(
            PerpOrder(
                *(order.order_id, "", order.qty, abs(order.qty) * order.px, order.fee),
                created_ms=opened_ms[order.order_id],
                filled_ms=order.filled_ms,
                open=False,
                reduce_only=order.qty > 0,
                liquidation=False,
            )
            for order in host_trade(cast("LiveTrade", trade)).orders
        )
    return sorted(found, key=lambda order: order.filled_ms)


def _settlements(exchange: Any, pair: str, since_ms: int) -> list[tuple[int, Decimal, Decimal]]:
    """Return the published settlements since a time with their marks, as freqtrade's dry-run reads them."""
    mark = (pair, exchange._ft_has["mark_ohlcv_timeframe"], CandleType.MARK)
    rates = (pair, exchange._ft_has["funding_fee_timeframe"], CandleType.FUNDING_RATE)
    try:
        found = exchange.refresh_latest_ohlcv(
            [mark, rates], since_ms=since_ms - 3_600_000, cache=False, drop_incomplete=False
        )
    except FreqtradeException as error:
        raise VenueUnavailable(f"{pair}: settlements cannot be read: {type(error).__name__}") from error
    if mark not in found or rates not in found:
        raise VenueUnavailable(f"{pair}: settlements cannot be read")
    return settlements(found[rates], found[mark], since_ms)
