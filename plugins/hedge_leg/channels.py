"""freqtrade's channels, made fit for alarms: which are silent, texts that arrive, posts that block nothing.

freqtrade posts to a webhook (and Discord) inside its loop, and tells of a filled entry *before* it tells the
strategy: an address that does not answer would keep the perp naked for every time-out. The posts of such a
channel therefore leave from a thread of their own.
"""

import logging
import re
from collections.abc import Callable, Mapping
from queue import Full, Queue
from threading import Thread
from time import sleep
from typing import Any

from hedge_leg.core.messages import spoken

logger = logging.getLogger(__name__)

_CHANNELS = ("telegram", "discord", "webhook")
_POSTING = ("discord", "webhook")
_FREQTRADES_LOG = logging.getLogger("freqtrade.rpc.webhook")
_ADDRESS = re.compile(r"(?:https?://|url: /)\S+|'[^']*://[^']*'")
_WAITING = 200  # messages; more than that are dropped, the newest first
_FAREWELL_S = 3.0
_STEP_S = 0.01


def silent_channels(config: Mapping[str, Any]) -> list[str]:
    """Return the enabled channels that send no strategy messages, which alarms are."""
    blocks = {name: config.get(name) or {} for name in _CHANNELS}
    return [
        name
        for name, block in blocks.items()
        if block.get("enabled") and not block.get("allow_custom_messages", False)
    ]


def open_channels(strategy: Any) -> None:
    """Make the channels of a starting bot fit for alarms. `strategy`: freqtrade's, with its data provider."""
    for name in silent_channels(strategy.config):
        logger.warning("no alarm will reach %s: set %s.allow_custom_messages to true", name, name)
    send = strategy.dp.send_msg
    manager = getattr(strategy.dp, "_DataProvider__rpc", None)

    def send_msg(message: str, *, always_send: bool = False) -> None:
        send(spoken(message), always_send=always_send)
        if manager is not None:
            _hand_over(manager, strategy.dp._msg_queue)

    strategy.dp.send_msg = send_msg
    for module in getattr(manager, "registered_modules", ()):
        if module.name in _POSTING and not isinstance(module._send_msg, Postbox):
            module._send_msg = Postbox(module.name, module._send_msg)
            module.cleanup = module._send_msg.close


def _hand_over(manager: Any, waiting: Any) -> None:
    """Give the channels what waits, now: freqtrade does so only at the end of a complete loop.

    An alarm must leave after `/stop`, and while an exchange that does not answer ends every loop early. No
    channel blocks: Telegram and the API have threads, the others post by a `Postbox`.
    """
    try:
        manager.process_msg_queue(waiting)
    except IndexError:  # freqtrade's loop took the last one at the same moment
        return
    except Exception as error:  # a channel that is being closed
        logger.error("a channel does not take messages: %s", type(error).__name__)


class Postbox(logging.Filter):
    """Posts messages one after the other beside freqtrade's loop.

    Of an outage freqtrade's log gets one line, without the address, which is a secret; a second one says
    how many messages were lost when they arrive again.
    """

    def __init__(self, name: str, post: Callable[[dict[str, Any]], None]) -> None:
        """Start the thread; `post` is freqtrade's, with its time-out and retries."""
        super().__init__()
        self._channel, self._post = name, post
        self._queue: Queue[dict[str, Any] | None] = Queue(_WAITING)
        self._lost, self._failed, self._full = 0, False, False
        self._thread = Thread(target=self._run, name=f"hedge_leg.{name}", daemon=True)
        _FREQTRADES_LOG.addFilter(self)
        self._thread.start()

    def __call__(self, payload: dict[str, Any]) -> None:
        """Take a message; returns at once."""
        try:
            self._queue.put_nowait(payload)
            self._full = False
        except Full:
            if not self._full:
                logger.error(
                    "%s does not answer: %s messages wait, new ones are dropped", self._channel, _WAITING
                )
            self._full = True

    def drain(self, seconds: float = _FAREWELL_S) -> bool:
        """Wait until all messages have left, at most so long (real time); return whether they have."""
        for _ in range(round(seconds / _STEP_S)):
            if not self._queue.unfinished_tasks:
                return True
            sleep(_STEP_S)
        return not self._queue.unfinished_tasks

    def close(self) -> None:
        """Let the messages leave, then end the thread."""
        if self.drain():
            self._queue.put(None)
        _FREQTRADES_LOG.removeFilter(self)

    def _run(self) -> None:
        while (payload := self._queue.get()) is not None:
            self._failed = False
            try:
                self._post(payload)
            except Exception as error:  # a wrong template: freqtrade's loop must not end by it
                self._fail()
                if self._lost == 1:
                    logger.error("%s: a message cannot be sent: %s", self._channel, type(error).__name__)
            if self._lost and not self._failed:
                logger.warning("%s: messages arrive again, %s were lost", self._channel, self._lost)
                self._lost = 0
            self._queue.task_done()

    def _fail(self) -> None:
        self._lost += not self._failed
        self._failed = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the first failure of an outage pass, without the address; freqtrade's logger calls this."""
        if record.thread != self._thread.ident:
            return True
        if record.levelno < logging.WARNING:
            return not self._lost  # "Retrying webhook..."
        first = not self._lost
        self._fail()
        record.msg, record.args = _ADDRESS.sub("ADDRESS", record.getMessage()), None
        return first
