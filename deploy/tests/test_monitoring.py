"""deploy/monitoring: rules and dashboard ask only for what the code says, and alert when they should.

promtool is of Debian's package `prometheus`; the tests that need it are left out where it is not installed.
"""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.checkout import ROOT
from deploy.fleet.platforms.embedded import monitoring
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.ports import Seen
from deploy.tests import exported_metrics

HERE = ROOT / "deploy" / "monitoring"
DASHBOARD = HERE / "grafana" / "dashboards" / "spillway.json"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
# What Prometheus itself puts on a target, and what a rule of ours leaves on what it records.
_TARGETS = {"job", "instance"}
_SELECTOR = re.compile(r"\b((?:spillway|up)[a-z0-9_:]*)(?:\{([^}]*)\})?")
_BY = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """What may be asked for: all that the code says, and what Prometheus says itself."""
    return {"up": set()} | exported_metrics.exported()


def rules() -> list[dict[str, Any]]:
    files = sorted((HERE / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_targets() -> Iterator[tuple[str, str]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def expressions() -> list[tuple[str, str]]:
    ours = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    return ours + list(dashboard_targets())


def recorded() -> dict[str, set[str]]:
    """What rules record, with the labels that each names in its own expression."""
    made = [(rule["record"], rule["expr"]) for rule in rules() if "record" in rule]
    return {
        name: {one.strip() for found in _BY.findall(text) for one in found.split(",")} for name, text in made
    }


def test_rules_and_dashboard_ask_only_for_what_the_code_says(exported: dict[str, set[str]]) -> None:
    known = {*recorded(), *exported}
    asked = {(where, name) for where, text in expressions() for name, _ in _SELECTOR.findall(text)}
    assert len(asked) > 60  # the looking itself
    assert {(where, name) for where, name in asked if name not in known} == set()


def test_rules_and_dashboard_ask_only_for_labels_that_are_there(exported: dict[str, set[str]]) -> None:
    wrong, known = [], exported | recorded()
    for where, text in expressions():
        there = set(_TARGETS)
        for name, matchers in _SELECTOR.findall(text):
            labels = known.get(name, set())
            there |= labels
            wrong += [(where, name, one) for one in _LABEL.findall(matchers) if one not in labels | _TARGETS]
        grouped = {one.strip() for found in _BY.findall(text) for one in found.split(",")}
        wrong += [(where, "by", one) for one in grouped - there]
    assert wrong == []


def test_every_metric_that_the_code_says_is_on_the_dashboard_or_in_a_rule(
    exported: dict[str, set[str]],
) -> None:
    asked = {name for _, text in expressions() for name, _ in _SELECTOR.findall(text)}
    stems = {re.sub(r"_(bucket|count|sum|total|info)$", "", name) for name in asked}
    said = {re.sub(r"_(bucket|count|sum|total|info)$", "", name) for name in exported}
    assert {name for name in said - stems if name.startswith("spillway")} == set()


def test_every_rule_that_records_something_is_read_by_another_or_by_the_dashboard() -> None:
    asked = {name for _, text in expressions() for name, _ in _SELECTOR.findall(text)}
    assert set(recorded()) - asked == set()


def test_a_metric_that_nobody_says_would_be_found_out(exported: dict[str, set[str]]) -> None:
    assert "spillway_uploads_done" not in exported
    assert _SELECTOR.findall('rate(spillway_uploads_done{x="y"}[5m])') == [("spillway_uploads_done", 'x="y"')]


def test_every_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) > 20
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert["alert"]
        assert set(alert["annotations"]) == {"summary", "what_to_do"}, alert["alert"]
    assert len({alert["alert"] for alert in alerts}) == len(alerts)


def test_what_is_named_in_an_alert_s_words_is_among_its_labels(exported: dict[str, set[str]]) -> None:
    known = exported | recorded()
    for alert in (rule for rule in rules() if "alert" in rule):
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
        text = alert["expr"]
        there = {label for name, _ in _SELECTOR.findall(text) for label in known.get(name, set()) | _TARGETS}
        kept = {one.strip() for found in _BY.findall(text) for one in found.split(",")}
        assert named <= (kept or there), alert["alert"]


def test_an_alert_of_one_instance_calls_it_by_its_name_and_not_by_its_address() -> None:
    """In Compose and in Kubernetes an address says nothing to anybody. One that answers nobody has no other."""
    unnamed = {
        rule["alert"]
        for rule in rules()
        if "alert" in rule and "$labels.instance" in "".join(rule["annotations"].values())
    }
    assert unnamed == {"SpillwayTargetDown"}
    joined = [
        rule["alert"] for rule in rules() if "group_left (name) spillway:instance_name:info" in rule["expr"]
    ]
    assert len(joined) >= 5


def test_a_503_is_no_error_where_an_upload_is_told_to_come_back_and_nowhere_else() -> None:
    # Its tables only after the whole one: that brings the kinds of parts that an address may have.
    every = importlib.import_module("project.urls").urlpatterns
    ours = [importlib.import_module(f"apps.uploads.{name}").urlpatterns for name in ("urls", "put_urls")]
    selectors = {one for rule in rules() for _, one in _SELECTOR.findall(rule["expr"]) if "route=~" in one}
    assert len(selectors) == 1
    excused = re.compile(re.findall(r'route=~"([^"]*)"', selectors.pop())[0])
    bring = {f"/{one.pattern}" for table in ours for one in table}
    assert {route for route in bring if not excused.fullmatch(route)} == set()
    # Of these only pages share a route, that of the front page: a GET's, which nothing excuses.
    others = set(_routes(every)) - bring
    assert len(others) > 50
    assert {route for route in others if excused.fullmatch(route)} == set()


def _routes(patterns: Iterable[Any], before: str = "/") -> Iterator[str]:
    for one in patterns:
        here = before + str(one.pattern)
        yield from _routes(one.url_patterns, here) if hasattr(one, "url_patterns") else [here]


def test_refusals_for_trouble_are_the_503_that_neither_load_nor_the_client_brought() -> None:
    from apps.common.errors import SpillwayError

    importlib.import_module("project.urls")  # and with it whoever refuses anything

    def all_of(kind: type[SpillwayError]) -> Iterator[type[SpillwayError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from all_of(one)

    given = {kind.code for kind in all_of(SpillwayError) if kind.status == 503}
    asked = next(rule["expr"] for rule in rules() if rule.get("alert") == "SpillwayRefusedForTrouble")
    codes = set(re.findall(r'code=~"([^"]*)"', asked)[0].split("|"))
    # The client's line broke or an instance goes; no place (an alert of its own); the console cannot see the fleet.
    assert given - codes == {"upload_interrupted", "uploads_busy", "fleet_unseen"}
    assert codes <= given


def test_a_table_shows_all_rows_and_only_columns_that_say_something() -> None:
    """Without the format a table shows one series at a time; without `organize` a column named Time, and others."""
    tables = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] == "table"]
    assert len(tables) == 4
    for panel in tables:
        assert [(one["format"], one["instant"]) for one in panel["targets"]] == [("table", True)], panel[
            "title"
        ]
        (organise,) = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
        assert organise["excludeByName"]["Time"], panel["title"]
        assert set(organise["indexByName"]) == set(organise["renameByName"]), panel["title"]
        assert not set(organise["renameByName"]) & set(organise["excludeByName"]), panel["title"]


def alert_tests() -> list[Path]:
    return sorted((HERE / "tests").glob("*.yml"))


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tests = [test for file in alert_tests() for test in yaml.safe_load(file.read_text())["tests"]]
    checked = [one for test in tests for one in test.get("alert_rule_test", ())]
    fired = {one["alertname"] for one in checked if one.get("exp_alerts")}
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert alerts - fired == {
        "SpillwaySlowSlow",
        "SpillwaySlowTrickle",
    }  # as those of errors, with another ratio
    assert alerts - {one["alertname"] for one in checked if not one.get("exp_alerts")} == set()


@needs_promtool
def test_prometheus_takes_the_rules_and_each_alert_fires_when_it_should_and_not_else() -> None:
    promtool("check", "rules", *map(str, sorted((HERE / "rules").glob("*.yml"))))
    assert promtool("test", "rules", *map(str, alert_tests())).count("SUCCESS") == len(alert_tests()) == 2


@needs_promtool
def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    made = [{"record": f"panel:{i}", "expr": text} for i, (_, text) in enumerate(dashboard_targets())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": made}]}))
    assert f"SUCCESS: {len(made)} rules found" in promtool("check", "rules", str(file))


@needs_promtool
def test_prometheus_takes_the_configuration_of_either_platform(tmp_path: Path) -> None:
    promtool("check", "config", "--syntax-only", str(HERE / "prometheus.yml"))
    monitoring.write(DataFolder(tmp_path), [])
    promtool("check", "config", str(tmp_path / "monitoring" / "prometheus.yml"))


# --- The embedded fleet's targets


def seen(name: str, kind: str, **more: Any) -> Seen:
    values: dict[str, Any] = {
        "pid": 7,
        "address": "127.0.0.1:21000",
        "release": "r1",
        "state": InstanceState.READY,
    } | more
    return Seen(name=name, kind=kind, **values)


def test_instances_and_workers_are_watched_whatever_their_state_and_nobody_else() -> None:
    found = monitoring.targets(
        [
            seen("worker-1", "worker", address="127.0.0.1:3"),
            seen("web-2", "web", state=InstanceState.UNREADY, address="127.0.0.1:2"),
            seen("web-3", "web", pid=None),
            seen("beat", "beat", address=None),
            seen("traefik", "service"),
        ]
    )
    assert found == [
        {"targets": ["127.0.0.1:2"], "labels": {"job": "web", "instance": "web-2"}},
        {"targets": ["127.0.0.1:3"], "labels": {"job": "worker", "instance": "worker-1"}},
    ]


def test_targets_are_written_when_they_change_and_not_else(tmp_path: Path) -> None:
    file = tmp_path / "monitoring" / "targets.json"
    monitoring.write(DataFolder(tmp_path), [seen("web-1", "web")])
    before = file.stat().st_ino
    monitoring.write(DataFolder(tmp_path), [seen("web-1", "web")])
    assert file.stat().st_ino == before
    monitoring.write(DataFolder(tmp_path), [])
    assert json.loads(file.read_text()) == []


def test_the_configuration_is_written_again_when_it_would_be_another(tmp_path: Path) -> None:
    """A checkout that was moved, or a release whose template says something else."""
    file = tmp_path / "monitoring" / "prometheus.yml"
    monitoring.write(DataFolder(tmp_path), [])
    wanted, first = file.read_text(), file.stat().st_ino
    monitoring.write(DataFolder(tmp_path), [])
    assert file.stat().st_ino == first
    file.write_text(wanted.replace(str(ROOT), "/somewhere/else"))
    monitoring.write(DataFolder(tmp_path), [])
    assert file.read_text() == wanted


# --- The Compose profile


def test_the_profile_asks_the_ports_that_instances_and_workers_answer_on() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    jobs = yaml.safe_load((HERE / "prometheus.yml").read_text())["scrape_configs"]
    asked = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in jobs}
    worker = compose["services"]["worker"]["environment"]["METRICS_BIND"]
    image = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    assert asked == {
        "web": int(re.findall(r"EXPOSE (\d+)", image)[0]),
        "worker": int(worker.rpartition(":")[2]),
    }


def test_nobody_but_grafana_is_published_and_only_to_this_machine_and_not_without_a_password() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profile = {name: one for name, one in services.items() if "monitoring" in one.get("profiles", ())}
    assert set(profile) == {"prometheus", "grafana"}
    assert "ports" not in profile["prometheus"]
    assert profile["grafana"]["ports"] == ["${GRAFANA_BIND:-127.0.0.1}:${GRAFANA_PORT:-3000}:3000"]
    assert "PASSWORD:?" in " ".join(profile["grafana"]["entrypoint"])
    assert "back" not in profile["grafana"]["networks"]
