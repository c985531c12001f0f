"""What deploy/kubernetes says agrees with the code and with Compose: probes, ports, settings, grace periods, limits."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from apps.lifecycle.rules import drain_outlasts_detection
from apps.lifecycle.vocabulary import LIVE_PATH, METRICS_PATH, READY_PATH
from deploy.fleet.checkout import ROOT
from deploy.tests.kubernetes_objects import SITE, Object, Overlay, selects
from project.env import REGISTRY

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
# gunicorn's own, of deploy/gunicorn.conf.py, what `prepare` reads, and an address that may be left out.
OTHERS = {"FORWARDED_ALLOW_IPS", "ADMIN_PASSWORD"}
MARGIN_SECONDS = 10


# --- An instance's life


def test_kubernetes_asks_where_an_instance_answers(overlay: Overlay) -> None:
    web = overlay.container("spillway-web")
    paths = {
        probe: web[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {"startupProbe": READY_PATH, "readinessProbe": READY_PATH, "livenessProbe": LIVE_PATH}


def test_every_port_that_is_named_is_the_images_only_one(overlay: Overlay) -> None:
    (bound,) = re.findall(r"BIND=0\.0\.0\.0:(\d+)", DOCKERFILE)
    web = overlay.container("spillway-web")
    assert web["ports"] == [{"name": "http", "containerPort": int(bound)}]
    asked = {web[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked == {"http"}
    annotations = overlay.pods["spillway-web"]["metadata"]["annotations"]
    assert (annotations["prometheus.io/port"], annotations["prometheus.io/path"]) == (bound, METRICS_PATH)


def test_a_worker_says_its_metrics_where_the_pods_annotations_say(overlay: Overlay) -> None:
    worker = overlay.container("spillway-worker")
    annotations = overlay.pods["spillway-worker"]["metadata"]["annotations"]
    asked = (annotations["prometheus.io/port"], annotations["prometheus.io/path"])
    (bind,) = (one["value"] for one in worker["env"] if one["name"] == "METRICS_BIND")
    assert asked == (bind.removeprefix("0.0.0.0:"), METRICS_PATH)
    assert worker["ports"] == [{"name": "metrics", "containerPort": int(asked[0])}]
    assert bind == COMPOSE["services"]["worker"]["environment"]["METRICS_BIND"]


def test_a_restart_is_the_last_thing_that_happens_to_a_busy_instance(overlay: Overlay) -> None:
    """Not ready within seconds, killed after a minute of silence: DESIGN's machine with too much to do."""
    web = overlay.container("spillway-web")
    ready, alive = web["readinessProbe"], web["livenessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] <= 3
    assert alive["periodSeconds"] * alive["failureThreshold"] >= 60
    assert min(ready["timeoutSeconds"], alive["timeoutSeconds"]) >= 3


def test_a_pod_is_given_longer_than_its_drain_and_its_requests_in_flight_take(overlay: Overlay) -> None:
    told = overlay.settings
    needed = float(told["DRAIN_SECONDS"]) + float(told["GRACEFUL_SECONDS"]) + MARGIN_SECONDS
    assert overlay.pods["spillway-web"]["spec"]["terminationGracePeriodSeconds"] >= needed


@pytest.mark.parametrize("name", ["spillway-worker", "spillway-beat"])
def test_what_could_not_tell_that_it_hangs_is_not_asked_whether_it_lives(overlay: Overlay, name: str) -> None:
    """One that has ended is started again anyway. Only its start is waited for: its settings are good, then."""
    container = overlay.container(name)
    assert "livenessProbe" not in container
    assert container["startupProbe"]["exec"]["command"][-1] == 'kill -0 "$(cat /run/spillway/pid)"'
    assert "--pidfile=/run/spillway/pid" in container["args"]


def test_a_drained_node_takes_no_instance_while_others_are_not_ready(overlay: Overlay) -> None:
    budgets = overlay.kind("PodDisruptionBudget")
    assert {one["spec"]["unhealthyPodEvictionPolicy"] for one in budgets} == {"IfHealthyBudget"}


def test_the_drain_is_the_instances_own_so_there_is_no_hook_before_it(overlay: Overlay) -> None:
    assert [name for name, container in overlay.site_containers() if "lifecycle" in container] == []


def test_the_drain_outlasts_the_looks_of_the_kubelet(overlay: Overlay) -> None:
    told = overlay.settings
    period = overlay.container("spillway-web")["readinessProbe"]["periodSeconds"]
    assert float(told["PROXY_CHECK_SECONDS"]) == period
    assert drain_outlasts_detection(drain_seconds=float(told["DRAIN_SECONDS"]), proxy_check_seconds=period)


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_the_others_are_given_as_long_as_with_compose(overlay: Overlay, name: str) -> None:
    given = overlay.pods[f"spillway-{name}"]["spec"]["terminationGracePeriodSeconds"]
    assert f"{given}s" == COMPOSE["services"][name]["stop_grace_period"]


def test_there_are_never_fewer_than_there_should_be(overlay: Overlay) -> None:
    for name in ("spillway-web", "spillway-worker", "spillway-files"):
        if overlay.has("Deployment", name):
            rolling = overlay.one("Deployment", name)["spec"]["strategy"]["rollingUpdate"]
            assert rolling["maxUnavailable"] == 0
            assert rolling["maxSurge"] not in (0, "0%")
            (budget,) = (
                one for one in overlay.kind("PodDisruptionBudget") if one["metadata"]["name"] == name
            )
            assert budget["spec"]["maxUnavailable"] == 1


def test_there_is_exactly_one_beat(overlay: Overlay) -> None:
    beat = overlay.one("Deployment", "spillway-beat")["spec"]
    assert (beat["replicas"], beat["strategy"]["type"]) == (1, "Recreate")
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in overlay.kind("HorizontalPodAutoscaler")]
    assert "spillway-beat" not in scaled


def test_no_instance_stands_alone(overlay: Overlay) -> None:
    found = overlay.one("Deployment", "spillway-web")["spec"]
    least = [
        one["spec"]["minReplicas"]
        for one in overlay.kind("HorizontalPodAutoscaler")
        if one["spec"]["scaleTargetRef"]["name"] == "spillway-web"
    ]
    assert (least or [found["replicas"]])[0] >= 2


# --- Labels and names


def test_every_selector_takes_the_pods_it_is_meant_for(overlay: Overlay) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in overlay.pods.items()}
    for found in overlay.kind("Deployment", "PodDisruptionBudget"):
        name = found["metadata"]["name"]
        taken = [pod for pod, has in labels.items() if selects(found["spec"]["selector"], has)]
        assert taken == [name], found["kind"]
    for found in overlay.kind("Service"):
        taken = [
            pod for pod, has in labels.items() if selects({"matchLabels": found["spec"]["selector"]}, has)
        ]
        assert taken == [found["metadata"]["name"]]
        ports = {port["name"] for port in overlay.container(taken[0])["ports"]}
        assert {port["targetPort"] for port in found["spec"]["ports"]} <= ports


def test_pods_are_spread_among_their_own_kind_only(overlay: Overlay) -> None:
    spread = 0
    for name, pod in overlay.pods.items():
        for rule in pod["spec"].get("topologySpreadConstraints", []):
            assert selects(rule["labelSelector"], pod["metadata"]["labels"]), name
            # Two machines of one cluster may be all there is.
            assert rule["whenUnsatisfiable"] == "ScheduleAnyway"
            spread += 1
    assert spread >= 4
    keys = {rule["topologyKey"] for rule in overlay.pods["spillway-web"]["spec"]["topologySpreadConstraints"]}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


# --- Settings and secrets


def test_every_variable_is_a_setting_of_the_code(overlay: Overlay) -> None:
    named = set(overlay.settings) | {
        one["name"] for _, pod in overlay.site_containers() for one in pod["env"]
    }
    assert named - OTHERS - set(REGISTRY) == set()


def test_the_release_is_the_images_own_word(overlay: Overlay) -> None:
    named = set(overlay.settings) | {
        one["name"] for _, pod in overlay.site_containers() for one in pod["env"]
    }
    assert {"RELEASE", "INSTANCE"} & named == set()


def test_each_pod_says_what_it_is(overlay: Overlay) -> None:
    roles = {
        name: one["value"]
        for name, pod in overlay.site_containers()
        for one in pod["env"]
        if one["name"] == "ROLE"
    }
    assert roles == SITE


def test_no_secret_stands_in_a_file_of_this_repository(overlay: Overlay) -> None:
    assert overlay.kind("Secret") == []
    secret = {"DATABASE_URL", "REDIS_URL", "BROKER_URL", "EMAIL_URL", "ADMIN_PASSWORD"}
    secret |= {name for name, variable in REGISTRY.items() if variable.kind == "secret"}
    assert secret & set(overlay.settings) == set()
    for _, pod in overlay.site_containers():
        given = {one["name"]: one for one in pod["env"]}
        assert [name for name in secret & set(given) if "valueFrom" not in given[name]] == []
        names = {one["valueFrom"]["secretKeyRef"]["name"] for one in given.values() if "valueFrom" in one}
        assert names == {"spillway-secrets"}


def _values(overlay: Overlay, container: Object) -> dict[str, str]:
    secrets = {
        "DATABASE_URL": "postgresql://n@127.0.0.1:1/n",
        "DATABASE_URL_DIRECT": "postgresql://n@127.0.0.1:1/n",
        "REDIS_URL": "redis://127.0.0.1:1",
        "BROKER_URL": "redis://127.0.0.1:1/1",
        "SECRET_KEY": "0b1946ac92492d2347c6235b4d2611184f1f6a5d",
        "DOWNLOAD_KEY": "1f6a5d0b1946ac92492d2347c6235b4d2611184f",
        "S3_ACCESS_KEY": "AKIAQWERTYUIOPASDFGH",
        "S3_SECRET_KEY": "0b1946ac92492d2347c6235b4d2611184f1f6a5d",
        "EMAIL_URL": "smtp+tls://mail.example.org:587",
        "ADMIN_PASSWORD": "correct horse battery",
    }

    def value(one: dict[str, Any]) -> str:
        return str(one["value"]) if "value" in one else secrets[one["valueFrom"]["secretKeyRef"]["key"]]

    return overlay.settings | {one["name"]: value(one) for one in container["env"]}


@pytest.mark.parametrize("name", sorted(SITE))
def test_a_pods_settings_are_all_that_the_code_asks_for(production: Overlay, name: str) -> None:
    """With placeholders for the secrets, and nothing of this test's own environment."""
    script = "from project import settings; print(settings.ROLE, settings.STORE, settings.PUBLIC_URL)"
    values = _values(production, production.container(name)) | {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=values,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == [SITE[name], "s3", production.settings["PUBLIC_URL"]], done.stderr[-500:]


def test_the_brokers_own_address_may_be_left_out(overlay: Overlay) -> None:
    for _, pod in overlay.site_containers():
        (broker,) = (one for one in pod["env"] if one["name"] == "BROKER_URL")
        assert broker["valueFrom"]["secretKeyRef"] == {
            "name": "spillway-secrets",
            "key": "BROKER_URL",
            "optional": True,
        }


def test_the_migrations_reach_the_database_itself(overlay: Overlay) -> None:
    """`prepare` refuses a pooler: its lock would be anybody's."""
    for container in (
        overlay.pods["spillway-migrate"]["spec"]["initContainers"],
        [overlay.container("spillway-migrate")],
    ):
        given = {one["name"]: one for one in container[0]["env"]}
        assert given["DATABASE_POOLER"]["value"] == "none"
        assert given["DATABASE_URL"]["valueFrom"]["secretKeyRef"]["key"] == "DATABASE_URL_DIRECT"


def test_the_migrations_are_checked_before_they_are_applied(overlay: Overlay) -> None:
    job = overlay.one("Job", "spillway-migrate")["spec"]
    (check,) = job["template"]["spec"]["initContainers"]
    assert check["args"] == ["python", "manage.py", "check_migrations"]
    assert overlay.container("spillway-migrate")["args"][:3] == ["python", "manage.py", "prepare"]
    from apps.common.management.commands.check_migrations import REFUSED_EXIT

    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["containerName"]) == ("FailJob", check["name"])
    assert rule["onExitCodes"]["values"] == [REFUSED_EXIT]


def test_the_assets_are_where_the_image_has_them(overlay: Overlay) -> None:
    assert f"STATIC_ROOT={overlay.settings['STATIC_ROOT']}" in DOCKERFILE
    assert overlay.container("spillway-migrate")["args"][3:5] == ["--assets", "publish"]


# --- The same as with Compose


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_workers_and_beat_are_started_as_with_compose(overlay: Overlay, name: str) -> None:
    ours = overlay.container(f"spillway-{name}")["args"]
    short = {"--app": "-A", "--hostname": "-n", "--schedule": "-s"}
    words = " ".join(ours).replace("=", " ").split()
    told = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", COMPOSE["services"][name]["command"]).split()
    assert sorted(short.get(word, word) for word in words) == sorted(told)


def test_the_file_server_is_the_one_of_compose(production: Overlay) -> None:
    assert production.container("spillway-files")["image"] == COMPOSE["services"]["files"]["image"]


def test_all_pods_of_the_site_run_one_image(overlay: Overlay) -> None:
    images = {
        container["image"] for _, container in overlay.containers() if "nginx" not in container["image"]
    }
    assert len(images) == 1
