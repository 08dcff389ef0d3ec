"""Signed requests: API key, HMAC-SHA256 signature, timestamp and recvWindow, refused with Binance's texts.

The signature covers the query string followed by the form body, both as sent and without the `signature`
pair itself. Source: Binance, "Request Security" (spot) and "SIGNED Endpoint security" (USD-M).
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from fastapi import Request

from paper_exchange import query
from paper_exchange.clock import Clock
from paper_exchange.errors import RefusedRequestError

KEY_HEADER = "X-MBX-APIKEY"
DEFAULT_RECV_WINDOW_MS = 5_000
MOST_RECV_WINDOW_MS = 60_000
_AHEAD_MS = 1_000
_SIGNATURE = "signature"


class Permission(StrEnum):
    """What an API key may be used for."""

    READ = "read"
    SPOT = "spot"
    FUTURES = "futures"


ALL_PERMISSIONS = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key, its secret, and what it may do. The secret is never shown."""

    key: str
    secret: str
    permissions: frozenset[Permission] = ALL_PERMISSIONS

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"Credentials(key={self.key!r})"

    def signature(self, payload: str) -> str:
        """Return the hexadecimal HMAC-SHA256 of a payload."""
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


# Known to everyone, and good for nothing: the exchange listens on the loopback and holds no money.
REHEARSAL = Credentials(key="paper-exchange-key", secret="paper-exchange-secret")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parameters of a request whose signature and time have been checked; query and body together."""

    query_params: Mapping[str, str]


# Checks a request and brings its market up to date: what every signed endpoint does first.
Enter = Callable[[Request], Awaitable[SignedRequest]]


class Gate:
    """Lets signed requests in, and refuses all others."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        """Accept one key pair; time stamps are compared with `clock`."""
        self._credentials = credentials
        self._clock = clock

    async def admit(self, request: Request, market: Permission) -> SignedRequest:
        """Return the checked parameters of a request to `market`'s endpoints.

        RefusedRequestError: -2014 no key, -2015 unknown key or not for this (reading spot needs READ, all
        else its market's permission), -1102 signature or timestamp missing,
        -1021 outside of the window or ahead of the exchange, -1022 wrong signature.
        """
        key = request.headers.get(KEY_HEADER, "")
        if not key:
            raise RefusedRequestError(-2014, "API-key format invalid.", 401)
        reading = request.method == "GET"
        needed = {Permission.READ} if reading else set[Permission]()
        if market is Permission.FUTURES or not reading:
            needed.add(market)
        known = hmac.compare_digest(key.encode(), self._credentials.key.encode())
        if not known or not needed <= self._credentials.permissions:
            raise RefusedRequestError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        sent = request.scope["query_string"].decode("latin-1"), (await request.body()).decode("latin-1")
        pairs = [pair for part in sent for pair in parse_qsl(part, keep_blank_values=True)]
        signed = SignedRequest(dict(pairs))
        signature = query.required(signed, _SIGNATURE)
        self._check_time(signed)
        payload = "".join(_without_signature(part) for part in sent)
        wanted = self._credentials.signature(payload)
        if not hmac.compare_digest(wanted.encode(), signature.encode()):
            raise RefusedRequestError(-1022, "Signature for this request is not valid.")
        return signed

    def _check_time(self, signed: SignedRequest) -> None:
        query.required(signed, "timestamp")
        stamp_ms = query.integer(signed, "timestamp") or 0
        window_ms = query.integer(signed, "recvWindow")
        window_ms = DEFAULT_RECV_WINDOW_MS if window_ms is None else window_ms
        if window_ms > MOST_RECV_WINDOW_MS:
            raise RefusedRequestError(-1131, "recvWindow must be less than 60000.")
        now_ms = self._clock.now_ms()
        if stamp_ms >= now_ms + _AHEAD_MS:
            raise RefusedRequestError(
                -1021, f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time."
            )
        if now_ms - stamp_ms > window_ms:
            raise RefusedRequestError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _without_signature(part: str) -> str:
    return "&".join(pair for pair in part.split("&") if not pair.startswith(f"{_SIGNATURE}="))
