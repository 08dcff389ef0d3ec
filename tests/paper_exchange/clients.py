"""How a client is pointed at the exchange: what user_data/config/paper.json holds for port 8411."""

PATHS = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
}


def ccxt_config(url: str) -> dict[str, object]:
    """Return ccxt's options for an exchange at `url`."""
    return {
        "options": {"fetchMarkets": {"types": ["spot", "linear"]}},
        "urls": {"api": {name: url + path for name, path in PATHS.items()}},
    }
