"""The webhook templates, sent by the real bot to a local server; a webhook that fails blocks nothing."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from freqtrade.enums import State as Running

from hedge_leg.channels import Postbox, silent_channels
from hedge_leg.core.states import State
from paper_exchange.signing import REHEARSAL
from tests.host.live_harness import Rig
from tests.host.live_world import SPOT_POST, opened, rule, world
from tests.host.test_live_faults import exit_now

CONFIG = Path(__file__).parents[2] / "user_data" / "config"


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve an address that answers `status`; yield it and the bodies that were sent."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook-secret", bodies
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def hanging() -> Iterator[str]:
    """Yield an address that takes a call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook-secret"


def template(name: str, url: str) -> dict[str, Any]:
    """Return a shipped template with an address, as freqtrade lays the environment over it."""
    found: dict[str, Any] = json.loads((CONFIG / f"webhook-{name}.json").read_text())["webhook"]
    assert found["url"] == "set FREQTRADE__WEBHOOK__URL", "no address is shipped"
    return found | {"url": url}


def a_life(made: Rig) -> None:
    """Open a carry, refuse one exit, close it."""
    opened(made)
    made.exchange.plan(rule(SPOT_POST, {"kind": "refuse", "preset": "spot-2010"}, times=2))
    exit_now(made)
    assert made.carry().state is State.ACTIVE
    made.exchange.client.delete(f"{made.exchange.url}/_control/faults")
    made.loop(1, seconds=60)
    exit_now(made)
    made.loop(2, seconds=60)
    assert made.carry().state is State.IDLE
    assert postbox(made).drain(30)


def postbox(made: Rig) -> Postbox:
    """Return what posts the webhook's messages."""
    assert made.bot is not None
    (module,) = [one for one in made.bot.rpc.registered_modules if one.name == "webhook"]
    assert isinstance(module._send_msg, Postbox)
    return module._send_msg


@pytest.mark.parametrize("name", ["slack", "feishu"])
def test_a_template_tells_the_life_of_a_carry(tmp_path: Path, name: str) -> None:
    with listening() as (url, bodies), world(tmp_path, webhook=template(name, url)) as made:
        a_life(made)
    if name == "feishu":
        assert all(body["msg_type"] == "text" for body in bodies)
        bodies = [body["content"] for body in bodies]
    texts = [body["text"] for body in bodies]
    for part in ("perp Short filled", "exit `(force_exit)` refused", "closed, force_exit; the pair earned"):
        assert any(part in text for text in texts), (part, texts)
    assert not any(re.search(r"\{\w+\}", text) for text in texts), "every field was filled in"


def test_a_webhook_that_fails_costs_a_line_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(500) as (url, bodies), world(tmp_path, webhook=template("slack", url)) as made:
        a_life(made)
    failed = [one for one in caplog.messages if "Could not call webhook url" in one]
    assert len(failed) == 1 < len(bodies), "one line for the outage"
    assert "hook-secret" not in caplog.text, "the address is a secret"


def test_an_address_that_does_not_answer_does_not_keep_the_perp_naked(tmp_path: Path) -> None:
    with hanging() as url, world(tmp_path, webhook=template("slack", url)) as made:
        began = perf_counter()
        opened(made)
        assert made.carry().state is State.ACTIVE
        assert perf_counter() - began < template("slack", url)["timeout"], "nobody waited for the webhook"
        assert not postbox(made).drain(0.1)


def test_each_step_of_a_carry_is_told_in_one_line_without_a_secret(tmp_path: Path) -> None:
    with listening() as (url, bodies), world(tmp_path, webhook=template("slack", url)) as made:
        a_life(made)
        carry = made.carry()
    told = [body["text"] for body in bodies if f"carry {carry.carry_id}" in body["text"]]
    assert [text.split(carry.carry_id)[1].split(":")[0] for text in told] == [
        *(" is opening", " is hedged", " is closed")
    ]
    assert not any("\n" in text or REHEARSAL.secret in text or REHEARSAL.key in text for text in told)


def test_an_alarm_leaves_at_once_while_freqtrades_loop_does_not_run(tmp_path: Path) -> None:
    with listening() as (url, bodies), world(tmp_path, webhook=template("slack", url)) as made:
        opened(made)
        made.bot.state = Running.STOPPED  # type: ignore[union-attr] # as by /stop
        made.exchange.post("hand", {"venue": "perp", "symbol": "BTCUSDT", "side": "SELL", "qty": "0.1"})
        for _ in range(12):
            made.advance(10)
            made.leg.watch.tick_alone()
        assert made.carry().state is State.HALTED
        assert postbox(made).drain(30)
    assert any("HALTED" in body["text"] for body in bodies)


def test_steps_can_be_switched_off(tmp_path: Path) -> None:
    keys = {"key": REHEARSAL.key, "secret": REHEARSAL.secret}
    quiet: dict[str, Any] = {"hedge_leg": {"report": {"steps": False}, **keys}}
    with listening() as (url, bodies), world(tmp_path, webhook=template("slack", url), **quiet) as made:
        opened(made)
        assert postbox(made).drain(30)
    assert not any("is hedged" in body["text"] for body in bodies)


def test_a_channel_that_would_send_no_alarm_is_named_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with listening() as (url, _), world(tmp_path) as made:
        made.config["webhook"] = template("slack", url) | {"allow_custom_messages": False}
        made.start()
    assert "no alarm will reach webhook: set webhook.allow_custom_messages to true" in caplog.messages
    assert silent_channels({"telegram": {"enabled": True, "allow_custom_messages": True}}) == []
    assert silent_channels({"discord": {"enabled": True}, "webhook": {"enabled": False}}) == ["discord"]
