"""How many instances and workers deploy/kubernetes makes, and that what it counts by can be had."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.lifecycle import figures
from deploy.fleet.autoscale import Policy
from deploy.fleet.checkout import ROOT
from deploy.tests.kubernetes_objects import FOLDER, Overlay


def test_the_autoscaler_is_the_fleet_tools(production: Overlay) -> None:
    policy = Policy(least=1, most=1)
    spec = production.one("HorizontalPodAutoscaler", "spillway-web")["spec"]
    pods, cpu = spec["metrics"]
    assert pods["pods"]["metric"]["name"] == figures.UTILISATION
    assert pods["pods"]["target"] == {"type": "AverageValue", "averageValue": f"{policy.target * 1000:.0f}m"}
    assert cpu["containerResource"]["container"] == production.container("spillway-web")["name"]
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0
    assert up["policies"][0] == {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert down["stabilizationWindowSeconds"] == policy.down_window_seconds
    assert down["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 60}]


def test_workers_are_as_many_as_wait_for_them(production: Overlay) -> None:
    queue, cpu = production.one("HorizontalPodAutoscaler", "spillway-worker")["spec"]["metrics"]
    assert queue["external"]["metric"]["name"] == figures.QUEUE_DEPTH
    assert cpu["containerResource"]["container"] == production.container("spillway-worker")["name"]


def test_what_scales_is_not_set_back_by_applying_again(overlay: Overlay) -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in overlay.kind("HorizontalPodAutoscaler")}
    for found in overlay.kind("Deployment"):
        assert ("replicas" in found["spec"]) is (found["metadata"]["name"] not in scaled)
    assert scaled == ({"spillway-web", "spillway-worker"} if overlay.name == "production" else set())


def adapter() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "prometheus-adapter-values.yaml").read_text()))


def adapters_rules() -> dict[str, tuple[str, dict[str, Any]]]:
    """Each metric's rule by the metric's name, with the kind of the autoscaler's metric that it is for."""
    rules = adapter()["rules"]
    return {one["name"]["matches"]: (kind, one) for kind in ("custom", "external") for one in rules[kind]}


def asked(rule: dict[str, Any], **placeholders: str) -> str:
    """The query as the adapter would send it."""
    query = str(rule["metricsQuery"])
    for name, value in placeholders.items():
        assert f"<<.{name}>>" in query
        query = query.replace(f"<<.{name}>>", value)
    assert "<<" not in query
    return query


def test_the_adapter_gives_the_autoscalers_what_they_ask_for(production: Overlay) -> None:
    wanted = {}
    for scaler in production.kind("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] in ("Pods", "External"):
                kind = {"Pods": "custom", "External": "external"}[metric["type"]]
                wanted[metric[metric["type"].lower()]["metric"]["name"]] = kind
    assert wanted == {figures.UTILISATION: "custom", figures.QUEUE_DEPTH: "external"}
    assert {name: kind for name, (kind, _) in adapters_rules().items()} == wanted


def test_the_adapter_finds_each_series_by_the_labels_that_a_scrape_of_pods_gives_it() -> None:
    """Where a label is not asked for, a series without it would be taken, and belong to no pod."""
    for name, (kind, rule) in adapters_rules().items():
        labels = {"custom": {"namespace", "pod"}, "external": {"namespace"}}[kind]
        series, _, matchers = rule["seriesQuery"].partition("{")
        assert series == name
        assert set(matchers.removesuffix("}").split(",")) == {f'{label}!=""' for label in labels}
        assert rule["resources"]["overrides"] == {label: {"resource": label} for label in labels}


def test_the_adapter_asks_the_prometheus_that_the_page_installs() -> None:
    """The chart's own default is a Prometheus that hardly anybody has."""
    prometheus = adapter()["prometheus"]
    assert (prometheus["url"], prometheus["port"]) == ("http://prometheus-server.monitoring.svc", 80)
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    assert "helm upgrade --install prometheus prometheus-community/prometheus -n monitoring" in page


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_answers_the_adapters_queries_with_one_figure_for_each_pod_and_one_for_the_queue(
    tmp_path: Path,
) -> None:
    rules = {name: rule for name, (_, rule) in adapters_rules().items()}
    pods = asked(
        rules[figures.UTILISATION],
        Series=figures.UTILISATION,
        LabelMatchers='namespace="spillway",pod=~"web-a|web-b"',
        GroupBy="pod",
    )
    queue = asked(
        rules[figures.QUEUE_DEPTH], Series=figures.QUEUE_DEPTH, LabelMatchers='namespace="spillway"'
    )
    series = [
        (f'{figures.UTILISATION}{{namespace="spillway",pod="web-a"}}', 0.5),
        (f'{figures.UTILISATION}{{namespace="spillway",pod="web-b"}}', 1.5),
        *((f'{figures.QUEUE_DEPTH}{{namespace="spillway",pod="web-{pod}"}}', 7) for pod in ("a", "b")),
        (f'{figures.QUEUE_DEPTH}{{namespace="another",pod="web-a"}}', 99),
    ]
    expected: dict[str, list[tuple[str, float]]] = {
        pods: [('{pod="web-a"}', 0.5), ('{pod="web-b"}', 1.5)],
        queue: [("{}", 7)],
    }
    test = {
        "input_series": [{"series": name, "values": f"{value}x1"} for name, value in series],
        "promql_expr_test": [
            {"expr": query, "exp_samples": [{"labels": labels, "value": value} for labels, value in samples]}
            for query, samples in expected.items()
        ],
    }
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "queries.yml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_instance_has_a_connection_for_each_thread_and_a_processor_to_scale_by(
    production: Overlay,
) -> None:
    told = production.settings
    assert int(told["DB_POOL_MAX"]) >= int(told["WEB_THREADS"]) + 2
    cpu = production.container("spillway-web")["resources"]["requests"]["cpu"]
    spec = production.one("HorizontalPodAutoscaler", "spillway-web")["spec"]
    share = spec["metrics"][1]["containerResource"]["target"]["averageUtilization"]
    # One process of Python uses one processor: a target beyond that would never be reached.
    assert int(cpu.removesuffix("m")) / 1000 * share / 100 < int(told["WEB_WORKERS"])
