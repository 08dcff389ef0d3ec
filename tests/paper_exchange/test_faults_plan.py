"""The fault plan without an exchange: what is refused, what matches, when a rule fires."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from paper_exchange.errors import UsageError
from paper_exchange.fault_kinds import ErrorBefore
from paper_exchange.fault_presets import PRESETS
from paper_exchange.faults import Asked, FaultPlan, Rule, load_rules
from tests.paper_exchange.test_commands import Served, run

BUY = {"symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "carry-7"}


def rule(fault: Any = "duplicate", **match: Any) -> Rule:
    return Rule.model_validate_json(json.dumps({"match": match, "fault": fault}))


def fired(one: Rule, requests: int, now_ms: int = 0) -> list[int]:
    """Return the numbers (from 1) of the requests at which a rule fires."""
    plan = FaultPlan([one])
    asked = Asked("POST", "/api/v3/order", BUY)
    return [number for number in range(1, requests + 1) if plan.due(asked, now_ms)]


@pytest.mark.parametrize(
    ("match", "numbers"),
    [
        ({}, [1]),
        ({"calls": [2, 5]}, [2, 5]),
        ({"times": 3}, [1, 2, 3]),
        ({"times": None}, [1, 2, 3, 4, 5, 6]),
        ({"from_call": 3}, [3]),
        ({"from_call": 2, "every": 2, "times": 2}, [2, 4]),
        ({"every": 3, "times": None}, [1, 4]),
    ],
)
def test_rule_fires_at_the_calls_it_names(match: dict[str, Any], numbers: list[int]) -> None:
    assert fired(rule(**match), 6) == numbers


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({"method": "POST", "path": "/api/v3/order"}, True),
        ({"method": "GET"}, False),
        ({"path": "/fapi/*/order"}, False),
        ({"path": ["/fapi/*/order", "/api/*/order"]}, True),
        ({"symbol": "BTCUSDT", "side": "BUY"}, True),
        ({"symbol": "SOLUSDT"}, False),
        ({"side": "SELL"}, False),
        ({"client_id": "carry-*"}, True),
        ({"client_id": "other-*"}, False),
        ({"reduce_only": True}, False),
        ({"reduce_only": False}, True),
        ({"after_ms": 100}, True),
        ({"after_ms": 101}, False),
        ({"until_ms": 101}, True),
        ({"until_ms": 100}, False),
    ],
)
def test_request_matches_when_everything_named_is_so(match: dict[str, Any], matches: bool) -> None:
    assert bool(fired(rule(**match), 1, now_ms=100)) is matches


def test_query_matches_by_the_id_of_the_order_it_asks_for() -> None:
    plan = FaultPlan([rule("not_found", client_id="carry-*")])
    params = {"origClientOrderId": "carry-1", "newClientOrderId": "cancel-1"}
    assert plan.due(Asked("GET", "/api/v3/order", params), 0)
    assert not plan.due(Asked("GET", "/api/v3/order", {"origClientOrderId": "x"}), 0)


def test_fault_never_meets_a_request_it_means_nothing_for() -> None:
    plan = FaultPlan(
        [rule("cancel_race", times=None), rule({"kind": "partial_fill", "share": 0}, times=None)]
    )
    assert not plan.concerns("GET", "/api/v3/order")
    assert plan.concerns("DELETE", "/api/v3/order")
    assert not plan.due(Asked("POST", "/fapi/v1/leverage", {}), 0)
    assert [row["matched"] for row in plan.rows()] == [0, 0]


def test_one_request_meets_one_fault_and_every_lasting_one() -> None:
    lasting = rule({"kind": "clock_skew", "skew_ms": 1})
    plan = FaultPlan([rule("duplicate"), rule("lose_answer"), lasting])
    asked = Asked("POST", "/api/v3/order", BUY)
    assert [index for index, _ in plan.due(asked, 0)] == [2, 0]
    assert [index for index, _ in plan.due(asked, 0)] == [1]
    assert [(row["matched"], row["fired"]) for row in plan.rows()] == [(2, 1), (2, 1), (2, 1)]


def test_preset_is_changed_by_what_is_given_beside_it() -> None:
    status, headers, body = ErrorBefore(preset="spot-418", retry_after_s=60).answer(now_ms=1_000)
    assert (status, headers["retry-after"]) == (418, "60")
    assert "IP banned until 61000." in json.loads(body)["msg"]
    assert ErrorBefore(preset="spot-502").answer(0)[1]["content-type"] == "text/html"
    assert json.loads(ErrorBefore(preset="spot-502", code=-1, msg="x").answer(0)[2]) == {
        "code": -1,
        "msg": "x",
    }
    assert ErrorBefore(status=500, body="gone").answer(0)[2] == b"gone"


def test_presets_cover_what_binance_documents() -> None:
    codes = {(name.split("-")[0], preset.code) for name, preset in PRESETS.items()}
    assert {("spot", code) for code in (-1001, -1003, -1006, -1007, -1008, -1021, -2010)} <= codes
    assert {("usdm", code) for code in (-1001, -1003, -1007, -1008, -1021, -2019, -2022, -4164)} <= codes
    assert {preset.status for preset in PRESETS.values()} >= {400, 408, 418, 429, 502, 503, 504}


@pytest.mark.parametrize(
    ("plan", "where", "what"),
    [
        ([{"fault": "duplicate", "mach": {}}], "[0].mach", "not known"),
        ([{"match": {"pth": "*"}, "fault": "duplicate"}], "[0].match.pth", "not known"),
        ([{"fault": {"kind": "hold"}}], "[0].fault.hold.hold_ms", "required"),
        ([{"fault": "explode"}], "[0].fault", "'explode'"),
        ([{"fault": {"kind": "error_before", "preset": "spot-9"}}], "[0].fault.error_before", "spot-1007"),
        ([{"fault": "error_after"}], "[0].fault.error_after", "give preset or status"),
        ([{"fault": {"kind": "partial_fill", "share": 1.5}}], "[0].fault.partial_fill.share", "less than"),
        ([{"match": {"calls": [1], "times": 2}, "fault": "duplicate"}], "[0].match", "not both"),
        ([{"match": {"calls": [0]}, "fault": "duplicate"}], "[0].match.calls[0]", "greater than 0"),
        ({"rules": [{}]}, "rules[0].fault", "required"),
    ],
)
def test_mistake_in_a_file_is_one_line_that_says_where(
    tmp_path: Path, plan: Any, where: str, what: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    with pytest.raises(UsageError) as caught:
        load_rules(path)
    line = str(caught.value)
    assert f"--faults {path}: {where}: " in line
    assert what in line
    assert "\n" not in line


def test_file_is_a_list_or_an_object_with_rules(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for plan in ([{"fault": "duplicate"}], {"rules": [{"fault": "duplicate"}]}):
        path.write_text(json.dumps(plan))
        assert [one.fault.kind for one in load_rules(path)] == ["duplicate"]


def test_command_line_refuses_a_bad_plan_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("[{")
    for plan in (path, tmp_path / "missing.json"):
        done = run("--port", "0", "--sample", "--faults", str(plan))
        assert done.returncode == 2
        assert str(plan) in done.stderr
        assert done.stderr.count("\n") == 1


def test_served_plan_and_limits_are_in_force_from_the_start(sample_datadir: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    fault = {"kind": "error_before", "preset": "spot-1001"}
    path.write_text(json.dumps([{"match": {"path": "/api/v3/ping"}, "fault": fault}]))
    options = ("--at", "2024-02-10", "--frozen", "--faults", str(path), "--enforce-limits")
    served = Served(tmp_path, "--data", str(sample_datadir), *options)
    with httpx.Client(base_url=served.url) as client:
        pings = [client.get("/api/v3/ping").status_code for _ in range(2)]
        orders = [client.post("/api/v3/order").status_code for _ in range(101)]
    served.stop(signal.SIGTERM)
    assert pings == [503, 200]
    assert orders[-2:] == [401, 429]
