"""A user's two ways to command a live bot: freqtrade's REST API by its own client, and its Telegram handlers.

The API server is freqtrade's, on a free port. Of Telegram only the transport is missing: handlers are called
with real Update objects of the configured chat, and what they would send is kept.
"""

import asyncio
import socket
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from freqtrade.rpc import RPC
from freqtrade.rpc.telegram import Telegram
from freqtrade_client import FtRestClient
from telegram import Chat, Message, Update

from tests.host.live_harness import Rig

CHAT_ID = 42
USER, PASSWORD = "rehearsal", "not-a-secret"


def api_config() -> dict[str, Any]:
    """Return the configuration changes that switch freqtrade's API on, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": port,
        "username": USER,
        "password": PASSWORD,
        "jwt_secret_key": "rehearsal-rehearsal-rehearsal-rehearsal",
        "ws_token": "rehearsal",
        "CORS_origins": [],
        "verbosity": "error",
    }
    return {"api_server": server, "force_entry_enable": True, "initial_state": "running"}


def rest(made: Rig) -> FtRestClient:
    """Return freqtrade's own client of the bot's API."""
    port = made.config["api_server"]["listen_port"]
    return FtRestClient(f"http://127.0.0.1:{port}", USER, PASSWORD)


class Phone(Telegram):
    """freqtrade's Telegram handlers without the network."""

    def __init__(self, made: Rig) -> None:
        """Attach to the bot."""
        assert made.bot is not None
        self.sent: list[str] = []
        chat = {"enabled": True, "token": "1:none", "chat_id": str(CHAT_ID), "notification_settings": {}}
        super().__init__(RPC(made.bot), made.bot.config | {"telegram": chat})

    def _start_thread(self) -> None:
        """Start nothing."""

    async def _send_msg(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Keep what would be sent."""
        self.sent.append(msg)

    def say(self, command: str, *words: str) -> str:
        """Send a command as the user does and return the answers."""
        before = len(self.sent)
        message = Message(1, datetime.now(UTC), Chat(CHAT_ID, "private"), text=command)
        context = SimpleNamespace(args=list(words))
        asyncio.run(getattr(self, command)(Update(1, message=message), context))
        return "\n".join(self.sent[before:])
