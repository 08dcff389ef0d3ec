"""Which answers prove that no order exists: the allow-lists, per exchange and market.

Everything that is not on a list is unknown. Sources: RELIABILITY (exchange facts); Binance's error code and
"General Info" pages of spot and USD-M; the error code pages of Bitget, OKX and Bybit. Where ccxt maps a code
to a class that says more than the venue does, the code counts: Bitget's 40010 is "request timed out" and an
`AuthenticationError` in ccxt; it is on no list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Why no order exists; stands in front of the venue's code in `VenueRefused.code` (PLAIN: no word)."""

    PLAIN = ""
    RATE_LIMIT = "rate-limit"  # never sent: wait, then the same again
    CLOCK = "clock"  # never sent: our clock is off, it is adjusted before the next read
    AUTH = "auth"  # the key, its permissions or its address list
    LOCAL = "local"  # never left: a check of ours said no


@dataclass(frozen=True, slots=True)
class Refusals:
    """The allow-list of one market: codes as text, HTTP statuses, and texts.

    `not_if_text`: a listed code that is unknown all the same when the text contains this (lower case).
    `unavailable_texts`, `unavailable_codes`: refusals although the HTTP status is 503.
    `absent`: codes of "no such order" when an order is looked up; `not_open`: when one is to be cancelled.
    """

    plain: frozenset[str] = frozenset()
    rate_limit: frozenset[str] = frozenset()
    rate_limit_statuses: frozenset[int] = frozenset()
    clock: frozenset[str] = frozenset()
    auth: frozenset[str] = frozenset()
    not_if_text: Mapping[str, str] = field(default_factory=dict)
    unavailable_texts: frozenset[str] = frozenset()
    unavailable_codes: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    not_open: frozenset[str] = frozenset()

    def kind(self, code: str) -> Kind | None:
        """Return why a code refuses, or None when it proves nothing."""
        for kind, codes in (
            (Kind.PLAIN, self.plain),
            (Kind.RATE_LIMIT, self.rate_limit),
            (Kind.CLOCK, self.clock),
            (Kind.AUTH, self.auth),
        ):
            if code in codes:
                return kind
        return None


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# 11xx: parameters of the request, checked before it is forwarded.
_BINANCE_PARAMETERS = """
-1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1112 -1114 -1115 -1116 -1117 -1118 -1119 -1120 -1121
-1128 -1130 -1131
"""
_BINANCE_AUTH = "-1002 -1022 -2008 -2014 -2015"
_DUPLICATE = {"-2010": "duplicate"}  # the id is in use by an open order: ours, perhaps

BINANCE_SPOT = Refusals(
    plain=_codes(f"{_BINANCE_PARAMETERS} -1013 -1020 -2010"),
    rate_limit=_codes("-1003 -1015"),
    rate_limit_statuses=frozenset({418, 429}),
    clock=_codes("-1021"),
    auth=_codes(_BINANCE_AUTH),
    not_if_text=_DUPLICATE,
    absent=_codes("-2013"),
    not_open=_codes("-2011 -2013"),
)
BINANCE_USDM = Refusals(
    plain=_codes(
        f"{_BINANCE_PARAMETERS} -1008 -1013 -1020 -2010 -2018 -2019 -2021 -2022 -2023 -2024 -2025 -2027 -2028"
        " -4003 -4004 -4005 -4014 -4016 -4023 -4024 -4061 -4131 -4164"
    ),
    rate_limit=_codes("-1003 -1015"),
    rate_limit_statuses=frozenset({418, 429}),
    clock=_codes("-1021"),
    auth=_codes(_BINANCE_AUTH),
    not_if_text=_DUPLICATE,
    unavailable_texts=frozenset(
        {
            "Service Unavailable.",
            "Internal error; unable to process your request. Please try again.",
        }
    ),
    unavailable_codes=_codes("-1008"),
    absent=_codes("-2013"),
    not_open=_codes("-2011 -2013"),
)
BITGET = Refusals(
    plain=_codes(
        "22002 40019 40020 40034 40762 40774 40808 43006 43007 43008 43009 43010 43012 45110 45111 45112"
        " 45113"
    ),
    rate_limit=_codes("429"),
    rate_limit_statuses=frozenset({429}),
    clock=_codes("40005 40008"),
    auth=_codes("40001 40002 40006 40009 40011 40012 40014 40018 40037"),
    absent=_codes("40109 43001"),
    not_open=_codes("40109 40768 43001"),
)
OKX = Refusals(
    plain=_codes(
        "51000 51001 51004 51005 51006 51008 51020 51112 51116 51119 51120 51121 51127 51131 51137 51138"
        " 51169"
    ),
    rate_limit=_codes("50011 50061"),
    rate_limit_statuses=frozenset({429}),
    clock=_codes("50102"),
    auth=_codes("50103 50104 50105 50110 50111 50113 50114 50119 50120"),
    absent=_codes("51603"),
    not_open=_codes("51400 51401 51410 51603"),
)
BYBIT = Refusals(
    plain=_codes(
        "110003 110004 110007 110012 110017 110094 170121 170124 170131 170132 170133 170134 170135 170136"
        " 170137 170140 170193 170194"
    ),
    rate_limit=_codes("10006 10018"),
    clock=_codes("10002"),
    auth=_codes("10003 10004 10005 10010 33004"),
    absent=_codes("170213 110001"),
    not_open=_codes("170213 110001"),
)
GENERIC = Refusals()

_SPOT = {"binance": BINANCE_SPOT, "bitget": BITGET, "okx": OKX, "bybit": BYBIT}
_PERP = {**_SPOT, "binance": BINANCE_USDM, "binanceusdm": BINANCE_USDM}


def spot_refusals(exchange_id: str) -> Refusals:
    """Return the allow-list of an exchange's spot market; GENERIC (no codes) when it is not known."""
    return _SPOT.get(exchange_id, GENERIC)


def perp_refusals(exchange_id: str) -> Refusals:
    """Return the allow-list of an exchange's linear perpetuals; GENERIC when it is not known."""
    return _PERP.get(exchange_id, GENERIC)
