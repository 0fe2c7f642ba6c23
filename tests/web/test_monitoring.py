"""Rules, dashboard and document speak of metrics that are served, and every alert of a heading in the runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
PROMTOOL = shutil.which("promtool")
_METRIC = re.compile(r"\bmaintenance_[a-z_]+")


def documented() -> set[str]:
    """The metrics of docs/metrics.md, which tests/web/test_metrics.py holds to what a scrape has."""
    return set(re.findall(r"^\| `(maintenance_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))


def named_in(text: str) -> set[str]:
    return set(_METRIC.findall(text))


def test_rules_and_dashboard_speak_only_of_metrics_that_are_served() -> None:
    asked = named_in("".join(rule["expr"] for rule in RULES)) | named_in((MONITORING / "dashboard.json").read_text())
    assert asked <= documented()
    # What nobody looks at would not have to be served.
    assert documented() - asked == set()


def test_every_alert_names_a_heading_of_the_runbook() -> None:
    headings = set(re.findall(r"^## ([\w-]+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE))
    for rule in RULES:
        page, _, heading = rule["annotations"]["runbook_url"].partition("#")
        assert page == "docs/runbook.md"
        assert heading in headings, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_every_alert_is_tried_and_stays_quiet_on_a_whole_night() -> None:
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    quiet, *troubled = tests
    assert {one["alertname"] for one in quiet["alert_rule_test"] if not one["exp_alerts"]} == {
        r["alert"] for r in RULES
    }
    fired = {one["alertname"] for test in troubled for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES}


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(identities) == len(set(identities)) >= 12
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    assert {target["datasource"]["uid"] for target in targets} == {"${datasource}"}
    places = [(panel["gridPos"]["x"] + panel["gridPos"]["w"]) for panel in dashboard["panels"]]
    assert max(places) <= 24


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize("asked", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_takes_the_rules_and_their_tests(asked: list[str]) -> None:
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *asked], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
