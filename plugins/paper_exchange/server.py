"""The exchange's HTTP application, and how to serve it on the loopback.

One application answers spot (`/api/v3`), USD-M futures (`/fapi/v1`, `/fapi/v2`) and the control endpoints
(`/_control`). Handlers are coroutines that never wait: requests are answered one after the other, so that
each sees the market at one moment.
"""

import signal
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from paper_exchange.account import Account
from paper_exchange.adl_routes import adl_router
from paper_exchange.audit import AuditLog
from paper_exchange.clock import MarketClock
from paper_exchange.control import audit_router, control_router
from paper_exchange.errors import RefusedRequestError, UsageError
from paper_exchange.fault_levers import Levers
from paper_exchange.fault_middleware import FaultMiddleware
from paper_exchange.fault_routes import fault_router
from paper_exchange.faults import FaultPlan
from paper_exchange.hand_routes import hand_router
from paper_exchange.limits import Limiter
from paper_exchange.mode_routes import mode_router
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_order_routes import usdm_order_router
from paper_exchange.private_spot import spot_account_router
from paper_exchange.private_usdm import usdm_account_router
from paper_exchange.public_spot import spot_router, system_router
from paper_exchange.public_usdm import usdm_router, usdm_v2_router
from paper_exchange.signing import Gate, Permission, SignedRequest
from paper_exchange.spot_market import SpotMarket
from paper_exchange.spot_order_routes import spot_order_router
from paper_exchange.store import CandleStore
from paper_exchange.view import MarketView
from paper_exchange.wallet_routes import wallet_router
from paper_exchange.weights import WeightMiddleware

_NO_SUCH_PATH = -5000
_BAD_REQUEST = -1130


def create_app(
    store: CandleStore,
    clock: MarketClock,
    account: Account | None = None,
    audit: AuditLog | None = None,
    *,
    faults: FaultPlan | None = None,
    enforce_limits: bool = False,
) -> FastAPI:
    """Build the application over a candle store; its time is the clock's.

    Signed requests act on `account` (default: one funded with the default balances and the rehearsal key).
    Everything that becomes of their orders is told to `audit`. Requests go wrong as `faults` has it.
    """
    account, audit, plan = (
        account or Account.funded(clock.now_ms()),
        audit or AuditLog(),
        faults or FaultPlan(),
    )
    app = FastAPI(title="paper exchange", openapi_url=None, docs_url=None, redoc_url=None)
    view = MarketView(store, clock)
    app.include_router(spot_router(view))
    app.include_router(system_router())
    app.include_router(usdm_router(view))
    app.include_router(usdm_v2_router(view))
    spot = SpotMarket(view, account.spot, audit, account.fees)
    perp = PerpMarket(view, account.perp, audit, account.fees)
    levers = Levers(spot, perp, Limiter(clock), audit)
    _include_private(app, account, levers)
    app.include_router(control_router(clock))
    app.include_router(fault_router(plan, levers))
    app.include_router(hand_router(levers))
    app.include_router(adl_router(perp))
    app.add_middleware(FaultMiddleware, plan=plan, levers=levers)
    app.add_middleware(WeightMiddleware, clock=clock, limiter=levers.limiter, enforce=enforce_limits)
    app.add_exception_handler(RefusedRequestError, _answer_refusal)
    app.add_exception_handler(HTTPException, _answer_unknown_path)
    app.add_exception_handler(RequestValidationError, _answer_bad_body)
    return app


def _include_private(app: FastAPI, account: Account, levers: Levers) -> None:
    """Add the signed endpoints; each lets its market catch up with the clock before it answers."""
    spot, perp, view = levers.spot, levers.perp, levers.spot.view
    gate = Gate(account.credentials, view.shown)

    async def enter_spot(request: Request) -> SignedRequest:
        signed = await gate.admit(request, Permission.SPOT)
        spot.catch_up()
        return signed

    async def enter_perp(request: Request) -> SignedRequest:
        signed = await gate.admit(request, Permission.FUTURES)
        perp.catch_up()
        return signed

    app.include_router(spot_account_router(view, account, enter_spot))
    app.include_router(wallet_router(perp, account, levers.audit, enter_spot))
    app.include_router(spot_order_router(spot, enter_spot))
    app.include_router(usdm_account_router(perp, enter_perp))
    app.include_router(usdm_order_router(perp, enter_perp))
    app.include_router(mode_router(perp, enter_perp))
    app.include_router(audit_router(levers.audit, levers.catch_up))


def serve(
    app: FastAPI,
    listener: socket.socket,
    *,
    ready_file: Path | None = None,
    announce: Callable[[str], None] = lambda _line: None,
) -> None:
    """Serve on a bound socket (see `bind_loopback`) until interrupted; `announce` gets one line.

    `ready_file` is written with the base URL once the port accepts connections, and removed at the end;
    UsageError when it cannot be written.
    """
    address, bound_port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    url = f"http://{shown}:{bound_port}"
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    listener.listen(128)
    _stop_quietly()
    if ready_file is not None:
        try:
            ready_file.write_text(url + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write --ready-file {ready_file}: {error.strerror}") from error
    try:
        announce(f"serving {url} (spot /api/v3, USD-M /fapi/v1); stop with Ctrl-C")
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


def bind_loopback(host: str, port: int) -> socket.socket:
    """Bind a TCP socket on a loopback address; port 0 takes a free one.

    UsageError when the host is not the loopback or the port is in use.
    """
    address = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ip_address(address)
    except ValueError:
        raise UsageError(f"--host {host} is not an address: use 127.0.0.1") from None
    if not loopback.is_loopback:
        raise UsageError(f"--host {host} is not the loopback: the paper exchange serves 127.0.0.1 only")
    listener = socket.socket(socket.AF_INET6 if loopback.version == 6 else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot listen on {address}:{port} ({reason}): give another --port") from error
    return listener


def _stop_quietly() -> None:
    """Let SIGINT and SIGTERM end `serve` normally: uvicorn stops, then raises the signal again for us."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: None)


async def _answer_refusal(_request: Request, error: Exception) -> JSONResponse:
    """Answer the way Binance refuses: HTTP status and {"code", "msg"}."""
    assert isinstance(error, RefusedRequestError)
    return JSONResponse({"code": error.code, "msg": error.message}, status_code=error.http_status)


async def _answer_unknown_path(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = f"Path {request.url.path}, Method {request.method} is invalid"
    return JSONResponse({"code": _NO_SUCH_PATH, "msg": message}, status_code=error.status_code)


async def _answer_bad_body(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return JSONResponse({"code": _BAD_REQUEST, "msg": str(first["msg"])}, status_code=400)
