"""`/_control`: drive the exchange's clock and read its audit log. For tests and rehearsals.

`/clock`: GET gives {"now_ms": .., "running": ..}. POST takes {"now_ms": ..} or {"advance_ms": ..}, and
optionally {"running": true | false}, and answers as GET.
`/audit`: GET gives {"events": [..]} (see `audit`), with ?after=SEQ those after that sequence number.
The server refuses to listen elsewhere than on the loopback, so nobody outside the machine can reach it.
"""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from paper_exchange import query
from paper_exchange.audit import AuditLog
from paper_exchange.clock import MarketClock

_LATEST_MS = 4_102_444_800_000  # 2100-01-01


class ClockOrder(BaseModel):
    """What a client wants of the clock; one of the fields at least."""

    model_config = ConfigDict(extra="forbid", strict=True)

    now_ms: int | None = Field(default=None, ge=0, le=_LATEST_MS)
    advance_ms: int | None = Field(default=None, ge=0, le=_LATEST_MS)
    running: bool | None = None

    @model_validator(mode="after")
    def _check(self) -> "ClockOrder":
        if self.now_ms is not None and self.advance_ms is not None:
            raise ValueError("give now_ms or advance_ms, not both")
        if self.now_ms is None and self.advance_ms is None and self.running is None:
            raise ValueError("give now_ms, advance_ms or running")
        return self


def audit_router(audit: AuditLog, catch_up: Callable[[], None]) -> APIRouter:
    """Return the router of the audit log; `catch_up` lets the markets work through what happened first."""
    router = APIRouter(prefix="/_control")

    @router.get("/audit")
    async def read_audit(request: Request) -> JSONResponse:
        catch_up()
        return JSONResponse({"events": audit.events(query.integer(request, "after") or 0)})

    return router


def control_router(clock: MarketClock) -> APIRouter:
    """Return the router that drives `clock`."""
    router = APIRouter(prefix="/_control")

    def state() -> JSONResponse:
        return JSONResponse({"now_ms": clock.now_ms(), "running": clock.running})

    @router.get("/clock")
    async def read_clock() -> JSONResponse:
        return state()

    @router.post("/clock")
    async def drive_clock(order: ClockOrder) -> JSONResponse:
        if order.running is not None:
            clock.run(order.running)
        if order.now_ms is not None:
            clock.set_ms(order.now_ms)
        if order.advance_ms is not None:
            clock.advance_ms(order.advance_ms)
        return state()

    return router
