"""What can go wrong with a request: one model per kind of fault, its parameters validated.

`methods` and `endings` say which requests a kind can act on at all; others never match a rule of it.
Waits (`hold_ms`) are real milliseconds; `for_ms`, `rest_ms`, `retry_after_s` and `ban_s` pass on the
exchange's clock.
"""

import json
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from paper_exchange.fault_presets import PRESETS, Preset
from paper_exchange.instruments import Venue

Wait = Annotated[int, Field(ge=0, le=600_000)]
Span = Annotated[int, Field(gt=0)]
Share = Annotated[Decimal, Field(ge=0, le=1, strict=False)]
_JSON, _HTML = "application/json;charset=UTF-8", "text/html"


class Strict(BaseModel):
    """A model that refuses unknown fields and values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Kind(Strict):
    """Base of all kinds."""

    methods: ClassVar[frozenset[str]] = frozenset()  # empty: all
    endings: ClassVar[tuple[str, ...]] = ()  # of the path; empty: all

    def acts_on(self, method: str, path: str) -> bool:
        """Return whether this kind of fault means anything for such a request."""
        return (not self.methods or method in self.methods) and (
            not self.endings or path.endswith(self.endings)
        )


class LoseRequest(Kind):
    """Nothing reaches the exchange; the connection is closed without an answer."""

    kind: Literal["lose_request"] = "lose_request"
    hold_ms: Wait = 0


class LoseAnswer(Kind):
    """The exchange handles the request; the connection is closed without an answer."""

    kind: Literal["lose_answer"] = "lose_answer"
    hold_ms: Wait = 0


class Hold(Kind):
    """The request waits before it is handled; `if_gone`: what becomes of it when the client hung up."""

    kind: Literal["hold"] = "hold"
    hold_ms: Wait
    if_gone: Literal["drop", "handle"] = "drop"


class DelayAnswer(Kind):
    """The request is handled at once, the answer waits."""

    kind: Literal["delay_answer"] = "delay_answer"
    hold_ms: Wait


class ErrorAnswer(Kind):
    """Base of the answers with an HTTP error: a preset, changed by the fields given beside it."""

    preset: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    code: int | None = None
    msg: str | None = None
    body: str | None = None
    retry_after_s: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _check(self) -> "ErrorAnswer":
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"preset {self.preset} is not known: give one of {', '.join(PRESETS)}")
        if self.preset is None and self.status is None:
            raise ValueError("give preset or status")
        if self.body is not None and (self.code is not None or self.msg is not None):
            raise ValueError("give body, or code and msg, not both")
        return self

    def answer(self, now_ms: int) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; "{until_ms}" in a message becomes the end of `retry_after_s`."""
        base = PRESETS[self.preset] if self.preset else Preset(self.status or 500)
        wait_s = base.retry_after_s if self.retry_after_s is None else self.retry_after_s
        headers = {} if wait_s is None else {"retry-after": str(wait_s)}
        status = self.status or base.status
        raw = base.body if self.body is None and self.code is None and self.msg is None else self.body
        if raw is not None:
            kind = _HTML if raw.lstrip().startswith("<") else _JSON
            return status, {"content-type": kind} | headers, raw.encode()
        code = base.code if self.code is None else self.code
        msg = (base.msg if self.msg is None else self.msg).replace(
            "{until_ms}", str(now_ms + 1000 * (wait_s or 0))
        )
        told = {"msg": msg} if code is None else {"code": code, "msg": msg}
        return status, {"content-type": _JSON} | headers, json.dumps(told).encode()


class ErrorBefore(ErrorAnswer):
    """The request is not handled, and answered with an error."""

    kind: Literal["error_before"] = "error_before"


class ErrorAfter(ErrorAnswer):
    """The request is handled, and answered with an error all the same."""

    kind: Literal["error_after"] = "error_after"


class Refuse(ErrorAnswer):
    """An order is not taken; the audit log tells it as refused."""

    methods: ClassVar[frozenset[str]] = frozenset({"POST"})
    endings: ClassVar[tuple[str, ...]] = ("/order",)
    kind: Literal["refuse"] = "refuse"


class Unparsable(Kind):
    """HTTP 200 with a body that is no JSON: half of the answer, or a page of HTML."""

    kind: Literal["unparsable"] = "unparsable"
    handled: bool = True
    form: Literal["truncated", "html"] = "truncated"


class DropMidAnswer(Kind):
    """The request is handled; the headers and half of the body arrive, then the connection is closed."""

    kind: Literal["drop_mid_answer"] = "drop_mid_answer"


class Duplicate(Kind):
    """The request is handled twice, as if the network replayed it; the second answer is given."""

    kind: Literal["duplicate"] = "duplicate"


class Stale(Kind):
    """A read is answered with the last answer given to the same question (times and paging aside).

    Without an earlier answer the read is answered as usual.
    """

    methods: ClassVar[frozenset[str]] = frozenset({"GET"})
    kind: Literal["stale"] = "stale"


class NotFound(Kind):
    """An order is not found (-2013); lists of orders and trades are empty."""

    methods: ClassVar[frozenset[str]] = frozenset({"GET"})
    endings: ClassVar[tuple[str, ...]] = (
        *("/order", "/openOrder", "/openOrders", "/allOrders", "/myTrades", "/userTrades"),
    )
    kind: Literal["not_found"] = "not_found"


class PartialFill(Kind):
    """An order gets `share` of what it would get at once, rounded down to the lot.

    What is left of a resting order gets nothing for `rest_ms`, or until it is canceled (none given).
    """

    methods: ClassVar[frozenset[str]] = frozenset({"POST"})
    endings: ClassVar[tuple[str, ...]] = ("/order",)
    kind: Literal["partial_fill"] = "partial_fill"
    share: Share
    rest_ms: Annotated[int, Field(ge=0)] | None = None


class CancelRace(Kind):
    """An order is filled just before its cancelation arrives: `share` of what is left of it, at its limit.

    The whole (1) is answered with -2011; a part is filled and the rest canceled.
    """

    methods: ClassVar[frozenset[str]] = frozenset({"DELETE"})
    endings: ClassVar[tuple[str, ...]] = ("/order",)
    kind: Literal["cancel_race"] = "cancel_race"
    share: Share = Decimal(1)


class ClockSkew(Kind):
    """From the matching request on, server time and timestamp checks are off by `skew_ms`."""

    kind: Literal["clock_skew"] = "clock_skew"
    skew_ms: int
    for_ms: Span | None = None


class Halt(Kind):
    """From the matching request on, a symbol does not trade: orders -1013, resting ones are not filled."""

    kind: Literal["halt"] = "halt"
    venue: Venue = Field(strict=False)
    symbol: str
    for_ms: Span | None = None


class RateLimit(Kind):
    """From the matching request on, its market answers 429 for `retry_after_s`, whatever is asked.

    A client that goes on asking `patience` times more is banned: 418 for `ban_s` (patience null: never).
    """

    kind: Literal["rate_limit"] = "rate_limit"
    retry_after_s: Span = 30
    patience: Annotated[int, Field(ge=0)] | None = 5
    ban_s: Span = 120


State = ClockSkew | Halt  # outlast the request, which goes on
Fault = Annotated[
    LoseRequest
    | LoseAnswer
    | Hold
    | DelayAnswer
    | ErrorBefore
    | ErrorAfter
    | Refuse
    | Unparsable
    | DropMidAnswer
    | Duplicate
    | Stale
    | NotFound
    | PartialFill
    | CancelRace
    | ClockSkew
    | Halt
    | RateLimit,
    Field(discriminator="kind"),
]
