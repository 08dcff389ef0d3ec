"""Which of freqtrade's channels would keep the spot leg's alarms to themselves."""

from collections.abc import Mapping
from typing import Any

_CHANNELS = ("telegram", "discord", "webhook")


def silent_channels(config: Mapping[str, Any]) -> list[str]:
    """Return the enabled channels that send no strategy messages, which alarms are."""
    blocks = {name: config.get(name) or {} for name in _CHANNELS}
    return [
        name
        for name, block in blocks.items()
        if block.get("enabled") and not block.get("allow_custom_messages", False)
    ]
