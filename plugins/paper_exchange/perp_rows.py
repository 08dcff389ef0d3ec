"""JSON rows of the futures account: balances, totals, positions."""

from decimal import Decimal

from paper_exchange.brackets import most_notional
from paper_exchange.fees import BNB
from paper_exchange.instruments import Instrument
from paper_exchange.perp_margin import Margin, order_margin, position_margin
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_wallet import MarginType
from paper_exchange.rows import JsonObject, money, plain

_ZERO = Decimal(0)


def balance_rows(market: PerpMarket) -> list[JsonObject]:
    """Return the rows of `/fapi/v2/balance` and `/fapi/v3/balance`."""
    return [_balance_row(market, asset, market.margin(asset)) for asset in market.wallet.assets()]


def account_summary(market: PerpMarket) -> JsonObject:
    """Return `/fapi/v2/account` without its positions; the totals add up all assets but BNB, as USDT."""
    margins = {asset: market.margin(asset) for asset in market.wallet.assets()}
    counted = [margin for asset, margin in margins.items() if asset != BNB]
    rows = [_asset_row(asset, margin, market.wallet.updated_ms) for asset, margin in margins.items()]
    totals: JsonObject = {
        f"total{name[0].upper()}{name[1:]}": money(sum((_amounts(margin)[name] for margin in counted), _ZERO))
        for name in (
            *("initialMargin", "maintMargin", "walletBalance", "unrealizedProfit", "marginBalance"),
            *("positionInitialMargin", "openOrderInitialMargin", "crossWalletBalance", "crossUnPnl"),
        )
    }
    available = money(sum((margin.available for margin in counted), _ZERO))
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": False,
        "canWithdraw": False,
        "multiAssetsMargin": market.wallet.multi_assets,
        "updateTime": 0,
        **totals,
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "assets": rows,
    }


def held_items(market: PerpMarket) -> list[Instrument]:
    """Return the symbols with a position or an open order: those that version 3 of the endpoints lists."""
    items = {position.item.name: position.item for position in market.wallet.open_positions()}
    items |= {order.ticket.item.name: order.ticket.item for order in market.log.open()}
    return [item for _, item in sorted(items.items())]


def position_row(item: Instrument, market: PerpMarket) -> JsonObject:
    """Return a symbol's row of `positionRisk`, with the fields of version 2 and 3."""
    wallet = market.wallet
    setting, position, mark_px = wallet.setting(item.name), wallet.position(item), market.mark(item)
    isolated = setting.margin_type is MarginType.ISOLATED
    unrealized = position.unrealized_pnl(mark_px)
    held = position_margin(wallet, position, mark_px)
    ordered = sum((order_margin(wallet, order) for order in market.log.open(item.name)), _ZERO)
    initial = abs(position.qty) * mark_px / setting.leverage
    return {
        "symbol": item.name,
        "positionSide": "BOTH",
        "positionAmt": plain(position.qty),
        "entryPrice": money(position.entry_px),
        "breakEvenPrice": money(position.entry_px),
        "markPrice": money(mark_px),
        "unRealizedProfit": money(unrealized),
        "liquidationPrice": money(market.liquidation_px(position) or _ZERO),
        "leverage": str(setting.leverage),
        "maxNotionalValue": plain(most_notional(item.base, setting.leverage)),
        "marginType": "isolated" if isolated else "cross",
        "isolatedMargin": money(held + unrealized if isolated else _ZERO),
        "isAutoAddMargin": "false",
        "notional": money(position.qty * mark_px),
        "isolatedWallet": money(held if isolated else _ZERO),
        "initialMargin": money(initial + ordered),
        "maintMargin": money(position.maintenance_margin(mark_px)),
        "positionInitialMargin": money(initial),
        "openOrderInitialMargin": money(ordered),
        "marginAsset": item.quote,
        "updateTime": position.updated_ms,
        "isolated": isolated,
        "adlQuantile": 0,
    }


def _amounts(margin: Margin) -> dict[str, Decimal]:
    return {
        "walletBalance": margin.wallet_balance,
        "unrealizedProfit": margin.unrealized_pnl,
        "marginBalance": margin.margin_balance,
        "maintMargin": margin.maintenance_margin,
        "initialMargin": margin.position_margin + margin.order_margin,
        "positionInitialMargin": margin.position_margin,
        "openOrderInitialMargin": margin.order_margin,
        "crossWalletBalance": margin.cross_wallet_balance,
        "crossUnPnl": margin.cross_unrealized_pnl,
    }


def _balance_row(market: PerpMarket, asset: str, margin: Margin) -> JsonObject:
    return {
        "accountAlias": "paper",
        "asset": asset,
        "balance": money(margin.wallet_balance),
        "crossWalletBalance": money(margin.cross_wallet_balance),
        "crossUnPnl": money(margin.cross_unrealized_pnl),
        "availableBalance": money(margin.available),
        "maxWithdrawAmount": money(margin.available),
        "marginAvailable": True,
        "updateTime": market.wallet.updated_ms,
    }


def _asset_row(asset: str, margin: Margin, updated_ms: int) -> JsonObject:
    return {
        "asset": asset,
        **{name: money(amount) for name, amount in _amounts(margin).items()},
        "availableBalance": money(margin.available),
        "maxWithdrawAmount": money(margin.available),
        "marginAvailable": True,
        "updateTime": updated_ms,
    }
