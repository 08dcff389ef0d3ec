"""ASGI middleware that carries out the fault plan (see `faults`), between the network and the exchange.

It sees a request before anything is checked: a fault needs no valid signature. Every fired fault is told in
the audit log before what the exchange makes of the request, with `handled`: whether it reached the exchange.
Without a rule that concerns a request it costs one look at the plan; signed reads are remembered for `stale`.
"""

from collections import OrderedDict
from typing import assert_never

from starlette.types import ASGIApp, Receive, Scope, Send

from paper_exchange import fault_kinds as kinds
from paper_exchange.fault_levers import Levers
from paper_exchange.fault_wire import Answer, Call
from paper_exchange.faults import Asked, FaultPlan
from paper_exchange.thinning import THINNING, Thinning
from paper_exchange.weights import market_of, too_much

_CONTROL = "/_control"
_JSON = {"content-type": "application/json;charset=UTF-8"}
_HTML = {"content-type": "text/html"}
_PAGE = b"<!DOCTYPE html>\n<html><body>Please wait while we verify your request.</body></html>\n"
_UNHANDLED = b'{"symbol":"BTCUSDT","orderId":1'
_MOST_REMEMBERED = 512
_ASIDE = {"timestamp", "signature", "recvWindow", "startTime", "endTime", "limit", "fromId"}


class FaultMiddleware:
    """Hands every request on to the exchange, except where the plan has it otherwise."""

    def __init__(self, app: ASGIApp, plan: FaultPlan, levers: Levers) -> None:
        """Wrap `app`; `levers` move what in the exchange a fault changes."""
        self._app = app
        self._plan = plan
        self._levers = levers
        self._memory: OrderedDict[tuple[object, ...], Answer] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look whether the plan concerns the request; if not, hand it on."""
        if scope["type"] != "http" or scope["path"].startswith(_CONTROL):
            await self._app(scope, receive, send)
            return
        concerned = self._plan.concerns(scope["method"], scope["path"])
        remembered = scope["method"] == "GET" and b"signature=" in scope["query_string"]
        if not concerned and not remembered:
            await self._app(scope, receive, send)
            return
        call = await Call.read(self._app, scope, receive, send)
        asked = Asked(scope["method"], scope["path"], call.params())
        fault = self._due(asked) if concerned else None
        if fault is None:
            await (self._remember(call, asked) if remembered else call.pass_on())
        else:
            await self._carry_out(fault[1], call, asked, fault[0])

    def _due(self, asked: Asked) -> tuple[int, kinds.Fault] | None:
        """Carry out the faults that outlast the request and return the one, if any, that it meets."""
        for index, fault in self._plan.due(asked, self._levers.now_ms()):
            if not isinstance(fault, kinds.State):
                return index, fault
            self._tell(index, fault, asked, handled=True)
            self._levers.change(fault)
        return None

    async def _carry_out(self, fault: kinds.Fault, call: Call, asked: Asked, index: int) -> None:
        """Do what the fault says; tell the audit log first."""
        if isinstance(fault, kinds.Hold):
            await self._hold(fault, call, asked, index)
            return
        earlier = self._memory.get(_question(asked)) if isinstance(fault, kinds.Stale) else None
        handled = _reaches_exchange(fault) or (isinstance(fault, kinds.Stale) and earlier is None)
        self._tell(index, fault, asked, handled=handled)
        match fault:
            case kinds.LoseRequest() | kinds.LoseAnswer() | kinds.DelayAnswer() | kinds.DropMidAnswer():
                await _withhold(fault, call)
            case kinds.ErrorBefore() | kinds.ErrorAfter() | kinds.Refuse():
                await self._answer_error(fault, call, asked)
            case kinds.Unparsable():
                await _garble(fault, call)
            case kinds.Duplicate():
                await call.handle()
                await call.pass_on()
            case kinds.Stale():
                await (call.pass_on() if earlier is None else earlier.give(call.send))
            case kinds.NotFound():
                await _not_found(asked).give(call.send)
            case kinds.PartialFill():
                await _thin(fault, call)
            case kinds.CancelRace():
                self._levers.fill_before_cancel(asked, fault.share)
                await call.pass_on()
            case kinds.RateLimit():
                await self._limit(fault, call, asked)
            case kinds.ClockSkew() | kinds.Halt():
                raise AssertionError("lasting faults are not met by a request")
            case _:
                assert_never(fault)

    async def _hold(self, fault: kinds.Hold, call: Call, asked: Asked, index: int) -> None:
        gone = await call.gone_within(fault.hold_ms)
        handled = not gone or fault.if_gone == "handle"
        self._tell(index, fault, asked, handled=handled)
        if handled:
            await call.pass_on()

    async def _remember(self, call: Call, asked: Asked) -> None:
        answer = await call.handle()
        if answer.status == 200:
            question = _question(asked)
            self._memory[question] = answer
            self._memory.move_to_end(question)
            if len(self._memory) > _MOST_REMEMBERED:
                self._memory.popitem(last=False)
        await answer.give(call.send)

    async def _answer_error(
        self, fault: kinds.ErrorBefore | kinds.ErrorAfter | kinds.Refuse, call: Call, asked: Asked
    ) -> None:
        if isinstance(fault, kinds.ErrorAfter):
            await call.handle()
        now_ms = self._levers.now_ms()
        answer = Answer.of(*fault.answer(now_ms))
        if isinstance(fault, kinds.Refuse):
            perp = asked.path.startswith("/fapi")
            self._levers.audit.refused_request(now_ms, asked.params, answer.body, perp=perp)
        await answer.give(call.send)

    async def _limit(self, fault: kinds.RateLimit, call: Call, asked: Asked) -> None:
        """Have the market refuse from now on; this request is the first that it refuses."""
        market = market_of(asked.path) or "api"
        limiter = self._levers.limiter
        until_ms = self._levers.now_ms() + 1000 * fault.retry_after_s
        limiter.limit(market, until_ms, fault.patience, 1000 * fault.ban_s)
        refusal = limiter.refusal(market)
        assert refusal is not None, "it was limited just now"
        await too_much(refusal)(call.scope, call.receive, call.send)

    def _tell(self, index: int, fault: kinds.Fault, asked: Asked, *, handled: bool) -> None:
        self._levers.audit.fault(
            self._levers.now_ms(),
            {"rule": index, "kind": fault.kind, "method": asked.method, "path": asked.path}
            | {"symbol": asked.symbol, "client_id": asked.client_id, "handled": handled},
        )


def _reaches_exchange(fault: kinds.Fault) -> bool:
    """Return whether a request that meets the fault is handled."""
    if isinstance(fault, kinds.Unparsable):
        return fault.handled
    kept_out = (
        kinds.LoseRequest,
        kinds.ErrorBefore,
        kinds.Refuse,
        kinds.Stale,
        kinds.NotFound,
        kinds.RateLimit,
    )
    return not isinstance(fault, kept_out)


async def _withhold(
    fault: kinds.LoseRequest | kinds.LoseAnswer | kinds.DelayAnswer | kinds.DropMidAnswer, call: Call
) -> None:
    """Give the answer late, or half of it, or none."""
    answer = None if isinstance(fault, kinds.LoseRequest) else await call.handle()
    if isinstance(fault, kinds.DropMidAnswer):
        if answer is not None:
            await answer.give_half(call.send)
        await call.cut()
    elif await call.gone_within(fault.hold_ms):
        return
    elif isinstance(fault, kinds.DelayAnswer) and answer is not None:
        await answer.give(call.send)
    else:
        await call.cut()


async def _garble(fault: kinds.Unparsable, call: Call) -> None:
    body = (await call.handle()).body if fault.handled else _UNHANDLED * 2
    html = fault.form == "html"
    await Answer.of(200, _HTML if html else _JSON, _PAGE if html else body[: len(body) // 2]).give(call.send)


async def _thin(fault: kinds.PartialFill, call: Call) -> None:
    token = THINNING.set(Thinning(fault.share, fault.rest_ms))
    try:
        await call.pass_on()
    finally:
        THINNING.reset(token)


def _not_found(asked: Asked) -> Answer:
    """Return the answer to who asks for one order, or for a list."""
    if asked.path.endswith(("/order", "/openOrder")):
        return Answer.of(400, _JSON, b'{"code":-2013,"msg":"Order does not exist."}')
    return Answer.of(200, _JSON, b"[]")


def _question(asked: Asked) -> tuple[object, ...]:
    """Return what two reads have in common that ask for the same thing."""
    return asked.path, *sorted((name, text) for name, text in asked.params.items() if name not in _ASIDE)
