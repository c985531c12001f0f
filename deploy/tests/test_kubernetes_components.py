"""What deploy/kubernetes/components change in an overlay that names them, besides what overlays name already."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.fleet.checkout import ROOT
from deploy.tests.kubernetes_objects import COMPONENTS, FOLDER, OVERLAYS, SITE, Overlay

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
VALUES = yaml.safe_load((FOLDER / "traefik-values.yaml").read_text())
# The first that knows aliasHeadersStrategy, and the first chart that brings it.
TRAEFIK_OLDEST, CHART_OLDEST = (3, 7, 12), (41, 4, 0)


def changed(overlay: str, *components: str) -> list[str]:
    """What of an overlay is not as it would be without the components, apart from the hash in the settings' name."""
    before, after = _by_name(Overlay.read(overlay)), _by_name(Overlay.read(overlay, *components))
    assert before.keys() == after.keys()
    return sorted(name for kind, name in before if before[kind, name] != after[kind, name])


def _by_name(read: Overlay) -> dict[tuple[str, str], str]:
    def plain(text: str) -> str:
        return re.sub(r"spillway-settings-[0-9a-z]{10}\b", "spillway-settings", text)

    return {(one["kind"], plain(one["metadata"]["name"])): plain(json.dumps(one)) for one in read.objects}


def test_there_are_no_other_components() -> None:
    """Those that overlays name, and those that are tested here."""
    named = {
        Path(component).name
        for overlay in OVERLAYS
        for component in yaml.safe_load((FOLDER / "overlays" / overlay / "kustomization.yaml").read_text())[
            "components"
        ]
    }
    assert {one.name for one in (FOLDER / "components").iterdir()} == named | set(COMPONENTS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_is_told_of(component: str) -> None:
    assert f"components/{component}" in PAGE


# --- Behind another proxy


def test_behind_a_proxy_the_questions_pass_on_what_it_said_of_the_client() -> None:
    """Otherwise all who download from here would count as one client: that proxy."""
    before, after = Overlay.read("production"), Overlay.read("production", "behind-a-proxy")
    trusting = {
        overlay: [
            one["spec"]["forwardAuth"]["trustForwardHeader"]
            for one in read.kind("Middleware") if "forwardAuth" in one["spec"]
        ]
        for overlay, read in (("before", before), ("after", after))
    }  # fmt: skip
    assert trusting == {"before": [False] * 3, "after": [True] * 3}
    assert (before.settings["TRUSTED_PROXIES"], after.settings["TRUSTED_PROXIES"]) == ("1", "2")


def test_behind_a_proxy_nothing_else_is_different() -> None:
    questions = [f"{what}-permission" for what in ("archive", "download", "preview")]
    assert changed("production", "behind-a-proxy") == [*questions, "spillway-settings"]
    assert changed("small", "behind-a-proxy") == ["spillway-settings"]


# --- PgBouncer


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_instances_have_the_limits_of_the_poolers_first_entry(overlay: str) -> None:
    read = Overlay.read(overlay, "pgbouncer")
    keys = {}
    for name in SITE:
        (address,) = (one for one in read.container(name)["env"] if one["name"] == "DATABASE_URL")
        keys[name] = address["valueFrom"]["secretKeyRef"]["key"]
    assert keys == {
        "spillway-web": "DATABASE_URL",
        "spillway-worker": "DATABASE_URL_JOBS",
        "spillway-beat": "DATABASE_URL_JOBS",
        "spillway-migrate": "DATABASE_URL_DIRECT",
    }
    assert read.settings["DATABASE_POOLER"] == "transaction"
    assert changed(overlay, "pgbouncer") == ["spillway-beat", "spillway-settings", "spillway-worker"]


# --- Authorities of one's own


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_authoritys_certificates_lie_where_the_page_says_in_every_pod_of_the_site(overlay: str) -> None:
    read = Overlay.read(overlay, "private-authority")
    for name, container in read.containers():
        mounts = [one for one in container.get("volumeMounts", []) if one["name"] == "authority"]
        if name in SITE:
            assert mounts == [{"name": "authority", "mountPath": "/etc/spillway/ca", "readOnly": True}], name
            assert {"/tmp", "/run/spillway"} < {one["mountPath"] for one in container["volumeMounts"]}
        else:
            assert mounts == []
    for name in SITE:
        (volume,) = (one for one in read.pods[name]["spec"]["volumes"] if one["name"] == "authority")
        assert volume["configMap"] == {"name": "spillway-authority"}
    assert "sslrootcert=/etc/spillway/ca/pg.pem" in PAGE
    assert changed(overlay, "private-authority") == sorted(SITE)


# --- Traefik's version


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.removeprefix("v").split("."))


def test_the_page_names_the_oldest_traefik_that_starts() -> None:
    ((traefik, chart),) = re.findall(r"Traefik ([\d.]+) or later, which\s+chart ([\d.]+)\s+brings", PAGE)
    assert (_numbers(traefik), _numbers(chart)) == (TRAEFIK_OLDEST, CHART_OLDEST)


def test_every_helm_command_for_traefik_names_a_chart_that_is_new_enough() -> None:
    named = re.findall(r"helm [^\n]*traefik/traefik[^\n]*", PAGE)
    assert len(named) == 2
    for command in named:
        ((_, version),) = re.findall(r"--version ('\^)?([\d.]+)", command)
        assert _numbers(version) >= CHART_OLDEST, command


def test_the_traefik_that_is_installed_is_the_one_that_the_tests_run() -> None:
    traefik = Path(sys.executable).parent / "traefik"
    told = subprocess.run(
        [str(traefik), "version"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    (running,) = re.findall(r"^Version:\s+(\S+)$", told, re.MULTILINE)
    assert VALUES["image"]["tag"] == f"v{running}"
    assert _numbers(running) >= TRAEFIK_OLDEST


def test_clients_keep_their_addresses_at_traefiks_service() -> None:
    assert VALUES["service"]["spec"]["externalTrafficPolicy"] == "Local"


def test_proxies_are_spread_over_machines_and_zones() -> None:
    rules = VALUES["topologySpreadConstraints"]
    assert {rule["topologyKey"] for rule in rules} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    # Two machines of one cluster may be all there is.
    assert {rule["whenUnsatisfiable"] for rule in rules} == {"ScheduleAnyway"}
