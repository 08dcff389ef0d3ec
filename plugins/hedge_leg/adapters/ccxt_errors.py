"""What an exception of ccxt says of an order: refused with proof, or unknown.

Rules of this file:
1. Everything is unknown unless it is on the market's allow-list (`ccxt_refusals`).
2. The venue's own code and the HTTP status decide; ccxt's class decides only where the venue gave no code
   that we have a list for. (ccxt maps codes per Binance host name: behind another address -2019 is a plain
   `ExchangeError`.)
3. HTTP 5xx and 408 are unknown whatever the body says, but for USD-M's documented refusals at 503.
4. No text that leaves this file contains a key, a secret, a signature or the query of an address: ccxt puts
   the whole signed address into the messages of network errors.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import ccxt

from hedge_leg.adapters.ccxt_refusals import Kind, Refusals
from hedge_leg.errors import OutcomeUnknown, VenueRefused

# Exactly these classes, not their subclasses; only where no code of the venue can be judged.
REFUSAL_CLASSES: dict[type[BaseException], Kind] = {
    ccxt.InsufficientFunds: Kind.PLAIN,
    ccxt.AuthenticationError: Kind.AUTH,
    ccxt.PermissionDenied: Kind.AUTH,
    ccxt.AccountNotEnabled: Kind.AUTH,
    ccxt.AccountSuspended: Kind.AUTH,
}
_UNAVAILABLE = 503
_NO_ANSWER_STATUSES = frozenset({408})
_MOST_TEXT = 300  # characters
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*")
_SIGNED = re.compile(
    r"(?i)\b(signature|sign|api-?_?key|secret|passphrase|password)(['\"]?\s*[=:]\s*['\"]?)[^&\s'\",}]+"
)
_LONG_HEX = re.compile(r"\b[0-9a-fA-F]{40,}\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue answered: HTTP status if known, its own error code and text (empty: none)."""

    status: int | None
    code: str
    text: str


def classify(
    error: BaseException, refusals: Refusals, secrets: Iterable[str] = ()
) -> VenueRefused | OutcomeUnknown:
    """Return the error of ours that says what an order's exception proves. Never raises."""
    answer = answer_of(error)
    kind = _kind(error, answer, refusals)
    text = told(error, answer, secrets)
    if kind is None:
        return OutcomeUnknown(text)
    code = answer.code or str(answer.status or type(error).__name__)
    return VenueRefused(text, f"{kind}:{code}" if kind else code)


def is_absent(error: BaseException, refusals: Refusals) -> bool:
    """Return whether a look-up's exception says that the venue does not know the order."""
    answer = answer_of(error)
    if _unanswered(answer.status):
        return False
    judged = bool(answer.code.strip("0")) and bool(refusals.absent)  # "00000" is Bitget's "success"
    return answer.code in refusals.absent or (type(error) is ccxt.OrderNotFound and not judged)


def is_not_open(error: BaseException, refusals: Refusals) -> bool:
    """Return whether a cancel's exception says that the order is not open (any more)."""
    answer = answer_of(error)
    return is_absent(error, refusals) or (answer.code in refusals.not_open and not _unanswered(answer.status))


def is_clock(error: BaseException, refusals: Refusals) -> bool:
    """Return whether the venue refused because of the time stamp."""
    return refusals.kind(answer_of(error).code) is Kind.CLOCK


def answer_of(error: BaseException) -> Answer:
    """Return what the venue answered.

    ccxt raises inside its handler of the HTTP error, which therefore stands directly behind the exception;
    anything further back may belong to another request.
    """
    response = getattr(error.__context__, "response", None)
    status = getattr(response, "status_code", None)
    body = getattr(response, "text", None)
    if isinstance(status, int) and isinstance(body, str):
        return Answer(status, *_code_and_text(_parsed(body), body.strip()))
    message = str(error)
    start = message.find("{")
    if start < 0 or not isinstance(error, ccxt.BaseError):
        return Answer(None, "", "")
    return Answer(None, *_code_and_text(_parsed(message[start:]), ""))


def told(error: BaseException, answer: Answer, secrets: Iterable[str] = ()) -> str:
    """Return one line for people: class, status, code, the venue's text; without anything secret."""
    words = [type(error).__name__]
    if answer.status is not None:
        words.append(f"HTTP {answer.status}")
    words += [answer.code, answer.text] if answer.code or answer.text else [str(error)]
    return scrub(" ".join(word for word in words if word), secrets)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` as one line without secrets, signatures and queries, at most 300 characters."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
    text = _QUERY.sub(r"\1?***", text)
    text = _SIGNED.sub(r"\1\2***", text)
    text = _LONG_HEX.sub("***", text)
    text = text.encode("utf-8", "replace").decode()  # half a Unicode pair could not be journaled
    return " ".join(text.split())[:_MOST_TEXT]


def _kind(error: BaseException, answer: Answer, refusals: Refusals) -> Kind | None:
    """Return why no order exists, or None when that is not proved."""
    status = answer.status
    if status == _UNAVAILABLE and (
        answer.text in refusals.unavailable_texts or answer.code in refusals.unavailable_codes
    ):
        return Kind.PLAIN
    if _unanswered(status):
        return None
    if status in refusals.rate_limit_statuses:
        return Kind.RATE_LIMIT
    if answer.code in refusals.not_if_text and refusals.not_if_text[answer.code] in answer.text.lower():
        return None
    kind = refusals.kind(answer.code)
    if kind is None and (not answer.code or refusals.plain == frozenset()):
        return REFUSAL_CLASSES.get(type(error))
    return kind


def _unanswered(status: int | None) -> bool:
    """Return whether a status says that whoever answered does not know what became of the request."""
    return status is not None and (status >= 500 or status in _NO_ANSWER_STATUSES)


def _parsed(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None


def _code_and_text(body: Any, otherwise: str) -> tuple[str, str]:
    """Return error code and text of an answer's body: the order's own where one is nested (OKX)."""
    if not isinstance(body, dict):
        return "", otherwise
    rows = body.get("data")
    if isinstance(rows, list) and rows and isinstance(rows[0], dict) and rows[0].get("sCode"):
        return str(rows[0]["sCode"]), str(rows[0].get("sMsg") or "")
    code = next((body[name] for name in ("code", "retCode", "err_code") if body.get(name) is not None), "")
    text = next((body[name] for name in ("msg", "retMsg", "err_msg") if body.get(name)), "")
    return str(code), str(text)
