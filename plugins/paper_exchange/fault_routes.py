"""`/_control/faults`: set, read and clear the fault plan while the exchange runs.

POST {"rules": [..], "replace": true | false} adds rules, or (replace) clears everything first. DELETE clears:
the rules and what they left behind (skew, halts, rate limits). All answer as GET: {"rules": [{"index",
"matched", "fired", "match", "fault"}], "state": {"skew_ms", "halted": [{"venue", "symbol"}]}}. A mistake is
HTTP 422 with {"code", "msg"}, and changes nothing.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange.fault_levers import Levers
from paper_exchange.faults import FaultPlan, RuleOrder, posted


def fault_router(plan: FaultPlan, levers: Levers) -> APIRouter:
    """Return the router that changes `plan`."""
    router = APIRouter(prefix="/_control")

    def state() -> JSONResponse:
        return JSONResponse({"rules": plan.rows(), "state": levers.state()})

    def clear() -> None:
        plan.clear()
        levers.clear()

    @router.get("/faults")
    async def read() -> JSONResponse:
        return state()

    @router.post("/faults")
    async def add(request: Request) -> JSONResponse:
        order = posted(RuleOrder, await request.body())
        if order.replace:
            clear()
        plan.add(order.rules)
        return state()

    @router.delete("/faults")
    async def remove() -> JSONResponse:
        clear()
        return state()

    return router
