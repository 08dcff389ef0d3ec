"""`/_control/clock`: read and drive the exchange's clock. For tests and rehearsals, on the loopback only.

GET gives {"now_ms": .., "running": ..}. POST takes {"now_ms": ..} or {"advance_ms": ..}, and optionally
{"running": true | false}, and answers as GET. The server refuses to listen elsewhere than on the loopback,
so nobody outside the machine can reach it.
"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

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
