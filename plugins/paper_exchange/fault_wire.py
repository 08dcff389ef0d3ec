"""Requests and answers below HTTP handlers: read, replay, capture, withhold, cut off (ASGI)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LENGTH = b"content-length"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "Answer":
        """Build an answer; its length is told."""
        told = {**headers, _LENGTH.decode(): str(len(body))}
        return cls(status, [(name.encode(), value.encode()) for name, value in told.items()], body)

    async def give(self, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    async def give_half(self, send: Send) -> None:
        """Send status, headers and the first half of the body; more is announced and never comes."""
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its body read, to be handled never, once or twice."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    body: bytes

    @classmethod
    async def read(cls, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> "Call":
        """Read the request's body."""
        parts: list[bytes] = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return cls(app, scope, receive, send, b"".join(parts))

    def params(self) -> dict[str, str]:
        """Return the parameters of query and body together."""
        sent = self.scope["query_string"].decode("latin-1"), self.body.decode("latin-1")
        return dict(pair for part in sent for pair in parse_qsl(part, keep_blank_values=True))

    async def handle(self) -> Answer:
        """Let the exchange handle the request and keep the answer back."""
        start: Message = {}
        parts: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(dict(self.scope), self._replayed(), keep)
        return Answer(start["status"], list(start["headers"]), b"".join(parts))

    async def pass_on(self) -> None:
        """Let the exchange handle and answer the request."""
        await self.app(self.scope, self._replayed(), self.send)

    async def gone_within(self, wait_ms: int) -> bool:
        """Wait (real milliseconds) and return whether the client hung up meanwhile; then return early."""
        deadline = asyncio.get_running_loop().time() + wait_ms / 1000
        try:
            async with asyncio.timeout_at(deadline):
                while (await self.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def cut(self) -> None:
        """Close the client's connection, whatever of the answer has been sent.

        ASGI has no word for it: the transport is taken from uvicorn's request cycle, whose bound method
        `receive` is.
        """
        self.receive.__self__.transport.close()  # type: ignore[attr-defined]
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def _replayed(self) -> Receive:
        """Return a `receive` that gives the body once more, then what the client does next."""
        unread = [self.body]

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return await self.receive()

        return receive
