"""A wire to nowhere: answers what a test says, and keeps what was sent. Replaces ccxt's HTTP session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass
class Sent:
    """One HTTP request."""

    method: str
    url: str
    body: str
    headers: dict[str, str]


Reply = tuple[int, str] | Exception
Answering = Callable[[Sent], Reply]


@dataclass
class Wire:
    """Stands in for `requests.Session`: `answer` is given for every request; an exception is raised."""

    answer: Answering
    sent: list[Sent] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    max_redirects: int = 30

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Keep the request and answer it."""
        body = options.get("data") or b""
        asked = Sent(method, url, body.decode() if isinstance(body, bytes) else body, options["headers"])
        self.sent.append(asked)
        reply = self.answer(asked)
        if isinstance(reply, Exception):
            raise reply
        response = requests.Response()
        response.status_code, text = reply
        response.reason = "because"
        response.url = url
        response._content = text.encode()
        response.headers["Content-Type"] = "application/json"
        return response

    def close(self) -> None:
        """Do nothing: there is no connection."""


def always(status: int, text: str) -> Answering:
    """Answer every request the same."""
    return lambda _asked: (status, text)


def failing(error: Exception) -> Answering:
    """Fail every request."""
    return lambda _asked: error
