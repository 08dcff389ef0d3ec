"""`exchangeInfo` of both markets: instruments as Binance describes them."""

from decimal import Decimal

from paper_exchange.instruments import SPOT_MOST_NOTIONAL, Filters, Instrument
from paper_exchange.rows import JsonObject, plain

SPOT_WEIGHT_LIMIT = 6_000
PERP_WEIGHT_LIMIT = 2_400
_PERPETUAL_DELIVERY_MS = 4_133_404_800_000
_ONBOARD_MS = 1_569_398_400_000


def spot_exchange_info(items: list[Instrument], now_ms: int) -> JsonObject:
    """Return spot `GET /api/v3/exchangeInfo`."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, SPOT_WEIGHT_LIMIT),
            _rate_limit("ORDERS", "SECOND", 10, 100),
            _rate_limit("ORDERS", "DAY", 1, 200_000),
        ],
        "exchangeFilters": [],
        "symbols": [_spot_symbol(item) for item in items],
    }


def perp_exchange_info(items: list[Instrument], now_ms: int) -> JsonObject:
    """Return USD-M `GET /fapi/v1/exchangeInfo`."""
    quotes = sorted({item.quote for item in items})
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, PERP_WEIGHT_LIMIT),
            _rate_limit("ORDERS", "MINUTE", 1, 1_200),
            _rate_limit("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": quote, "marginAvailable": True, "autoAssetExchange": "-10000"} for quote in quotes
        ],
        "symbols": [_perp_symbol(item) for item in items],
    }


def _rate_limit(kind: str, interval: str, count: int, most: int) -> JsonObject:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": most}


def _padded(value: Decimal) -> str:
    return f"{value:.8f}"


def _spot_symbol(item: Instrument) -> JsonObject:
    filters = item.filters
    return {
        "symbol": item.name,
        "status": "TRADING",
        "baseAsset": item.base,
        "baseAssetPrecision": 8,
        "quoteAsset": item.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": _padded(filters.min_px),
                "maxPrice": _padded(filters.max_px),
                "tickSize": _padded(filters.tick),
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": plain(filters.px_up),
                "bidMultiplierDown": plain(filters.px_down),
                "askMultiplierUp": plain(filters.px_up),
                "askMultiplierDown": plain(filters.px_down),
                "avgPriceMins": 5,
            },
            _lot_size("LOT_SIZE", filters, padded=True),
            {
                "filterType": "NOTIONAL",
                "minNotional": _padded(filters.min_notional),
                "applyMinToMarket": True,
                "maxNotional": _padded(SPOT_MOST_NOTIONAL),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": _padded(Decimal(0)),
                "maxQty": _padded(filters.market_max_qty),
                "stepSize": _padded(Decimal(0)),
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ],
        "permissions": ["SPOT"],
    }


def _perp_symbol(item: Instrument) -> JsonObject:
    filters = item.filters
    return {
        "symbol": item.name,
        "pair": item.name,
        "contractType": "PERPETUAL",
        "deliveryDate": _PERPETUAL_DELIVERY_MS,
        "onboardDate": _ONBOARD_MS,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": item.base,
        "quoteAsset": item.quote,
        "marginAsset": item.quote,
        "pricePrecision": filters.px_decimals,
        "quantityPrecision": filters.qty_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": f"{filters.liquidation_fee_rate:.6f}",
        "marketTakeBound": plain(filters.px_up - 1),
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(filters.min_px),
                "maxPrice": plain(filters.max_px),
                "tickSize": plain(filters.tick),
            },
            _lot_size("LOT_SIZE", filters, padded=False),
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": plain(filters.min_qty),
                "maxQty": plain(filters.market_max_qty),
                "stepSize": plain(filters.lot),
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": plain(filters.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{filters.px_up:.4f}",
                "multiplierDown": f"{filters.px_down:.4f}",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _lot_size(name: str, filters: Filters, *, padded: bool) -> JsonObject:
    text = _padded if padded else plain
    return {
        "filterType": name,
        "minQty": text(filters.min_qty),
        "maxQty": text(filters.max_qty),
        "stepSize": text(filters.lot),
    }
