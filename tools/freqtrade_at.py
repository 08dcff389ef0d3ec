"""Run freqtrade on a paper exchange's time: freqtrade_at.py EXCHANGE_URL ARGUMENTS-OF-FREQTRADE...

An exchange that replays recorded days tells their time; freqtrade and ccxt must tell the same, or every
signed request is refused. Only this process sees the other time; it runs on as fast as the real one.
"""

import json
import sys
import urllib.request

import time_machine


def main() -> None:
    """Ask the exchange what time it is, then be freqtrade at that time."""
    url, *arguments = sys.argv[1:]
    from freqtrade.main import main as freqtrade  # noqa: PLC0415 - loads for seconds: before the time is asked

    with urllib.request.urlopen(f"{url}/_control/clock", timeout=10) as answer:
        now_ms = json.load(answer)["now_ms"]
    with time_machine.travel(now_ms / 1000, tick=True):
        freqtrade(arguments)


if __name__ == "__main__":
    main()
