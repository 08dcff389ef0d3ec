"""JSON rows of the futures account: balances, totals, positions."""

from decimal import Decimal

from paper_exchange.brackets import most_notional
from paper_exchange.instruments import Instrument
from paper_exchange.perp_wallet import MarginType, PerpWallet
from paper_exchange.rows import JsonObject, money, number, plain
from paper_exchange.view import MarketView

_ZERO = money(Decimal(0))


def balance_rows(wallet: PerpWallet) -> list[JsonObject]:
    """Return the rows of `/fapi/v2/balance` and `/fapi/v3/balance`."""
    return [
        {
            "accountAlias": "paper",
            "asset": asset,
            "balance": money(wallet.balance(asset)),
            "crossWalletBalance": money(wallet.balance(asset)),
            "crossUnPnl": _ZERO,
            "availableBalance": money(wallet.balance(asset)),
            "maxWithdrawAmount": money(wallet.balance(asset)),
            "marginAvailable": True,
            "updateTime": wallet.updated_ms,
        }
        for asset in wallet.assets()
    ]


def account_summary(wallet: PerpWallet) -> JsonObject:
    """Return `/fapi/v2/account` without its positions; the totals add up all assets, as USDT."""
    assets = [_asset_row(wallet, asset) for asset in wallet.assets()]
    total = money(sum((wallet.balance(asset) for asset in wallet.assets()), Decimal(0)))
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": False,
        "canWithdraw": False,
        "multiAssetsMargin": False,
        "updateTime": 0,
        "totalInitialMargin": _ZERO,
        "totalMaintMargin": _ZERO,
        "totalWalletBalance": total,
        "totalUnrealizedProfit": _ZERO,
        "totalMarginBalance": total,
        "totalPositionInitialMargin": _ZERO,
        "totalOpenOrderInitialMargin": _ZERO,
        "totalCrossWalletBalance": total,
        "totalCrossUnPnl": _ZERO,
        "availableBalance": total,
        "maxWithdrawAmount": total,
        "assets": assets,
    }


def position_row(item: Instrument, wallet: PerpWallet, view: MarketView) -> JsonObject:
    """Return a symbol's row of `/fapi/v2/positionRisk`: flat, as no order has been taken."""
    setting = wallet.setting(item.name)
    mark_px = view.mark_px(item.name, view.now_ms())
    isolated = setting.margin_type is MarginType.ISOLATED
    return {
        "symbol": item.name,
        "positionSide": "BOTH",
        "positionAmt": plain(Decimal(0)),
        "entryPrice": "0.0",
        "breakEvenPrice": "0.0",
        "markPrice": number(mark_px or 0.0),
        "unRealizedProfit": _ZERO,
        "liquidationPrice": "0",
        "leverage": str(setting.leverage),
        "maxNotionalValue": plain(most_notional(item.base, setting.leverage)),
        "marginType": "isolated" if isolated else "cross",
        "isolatedMargin": _ZERO,
        "isAutoAddMargin": "false",
        "notional": "0",
        "isolatedWallet": "0",
        "updateTime": 0,
        "isolated": isolated,
        "adlQuantile": 0,
    }


def _asset_row(wallet: PerpWallet, asset: str) -> JsonObject:
    balance = money(wallet.balance(asset))
    return {
        "asset": asset,
        "walletBalance": balance,
        "unrealizedProfit": _ZERO,
        "marginBalance": balance,
        "maintMargin": _ZERO,
        "initialMargin": _ZERO,
        "positionInitialMargin": _ZERO,
        "openOrderInitialMargin": _ZERO,
        "crossWalletBalance": balance,
        "crossUnPnl": _ZERO,
        "availableBalance": balance,
        "maxWithdrawAmount": balance,
        "marginAvailable": True,
        "updateTime": wallet.updated_ms,
    }
