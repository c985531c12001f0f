"""Who reaches whom in deploy/kubernetes: what the policies let through, and what stands in front."""

import re

import pytest
import yaml

from deploy.tests.kubernetes_objects import FOLDER, OVERLAYS, SITE, Object, Overlay, built, selects

# --- Who may talk to whom


# Who reaches which pod at which port, and nobody else does: a namespace's name, or a kind of pod of this one.
_MONITORING = ("namespace", "monitoring")
_LET_IN = {
    "small": {
        "spillway-web": {("namespace", "ingress-nginx", "http"), (*_MONITORING, "http")},
        "spillway-worker": {(*_MONITORING, "metrics")},
    },
    "production": {
        "spillway-web": {
            ("namespace", "traefik", "http"), ("pod", "spillway-files", "http"), (*_MONITORING, "http"),
        },
        "spillway-worker": {(*_MONITORING, "metrics")},
        "spillway-files": {("namespace", "traefik", "http")},
    },
}  # fmt: skip


def _peers(overlay: Overlay, peer: Object) -> set[tuple[str, str]]:
    """Whom one `from` means; what it says besides is not ours to use."""
    ((kind, selector),) = peer.items()
    if kind == "namespaceSelector":
        assert selector.keys() == {"matchLabels"}
        return {("namespace", name) for name in selector["matchLabels"].values()}
    assert kind == "podSelector"
    taken = {name for name, pod in overlay.pods.items() if selects(selector, pod["metadata"]["labels"])}
    return {("pod", name) for name in taken}


def let_in(overlay: Overlay, pod: str) -> set[tuple[str, str, str]]:
    """All that may reach a pod, by whichever policies select it."""
    labels = overlay.pods[pod]["metadata"]["labels"]
    return {
        (*who, port["port"])
        for policy in overlay.kind("NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("ingress", [])
        for peer in rule["from"]
        for who in _peers(overlay, peer)
        for port in rule["ports"]
    }


def test_nobody_reaches_a_pod_unless_it_is_said(overlay: Overlay) -> None:
    everybody = overlay.one("NetworkPolicy", "spillway-nobody-else")["spec"]
    assert everybody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    found = {pod: let_in(overlay, pod) for pod in overlay.pods}
    assert {pod: who for pod, who in found.items() if who} == _LET_IN[overlay.name]


def test_no_rule_lets_everybody_in_or_to_every_port(overlay: Overlay) -> None:
    """A rule without `from`, or without ports, means everybody, or every port."""
    for policy in overlay.kind("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"]
            assert rule["ports"]


def test_every_rule_names_a_port_that_there_is(overlay: Overlay) -> None:
    for policy in overlay.kind("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"]
            (named,) = (port["port"] for port in rule["ports"])
            for pod in overlay.pods.values():
                if selects(policy["spec"]["podSelector"], pod["metadata"]["labels"]):
                    (container,) = pod["spec"]["containers"]
                    assert named in [port["name"] for port in container["ports"]]


@pytest.mark.parametrize("name", sorted(SITE))
def test_the_site_may_ask_for_names_and_reach_its_services(overlay: Overlay, name: str) -> None:
    labels = overlay.pods[name]["metadata"]["labels"]
    ports = {
        port["port"]
        for policy in overlay.kind("NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", [])
        for port in rule["ports"]
    }
    assert {53, 443, 5432, 6432, 6379, 26379} <= ports


@pytest.mark.parametrize("name", sorted(SITE))
def test_whoever_sends_mail_may_reach_a_mail_server(overlay: Overlay, name: str) -> None:
    """Those that are given one: workers, and web instances, which send resets of passwords within the request."""
    given = {one["name"] for one in overlay.container(name)["env"]}
    assert ("EMAIL_URL" in given) is (name in {"spillway-web", "spillway-worker"})
    assert (set(_open_to_all(overlay, name)) >= {25, 465, 587}) is ("EMAIL_URL" in given)


@pytest.mark.parametrize("name", sorted(SITE))
def test_traces_go_to_a_collector_among_the_monitoring_and_nowhere_else(overlay: Overlay, name: str) -> None:
    labels = overlay.pods[name]["metadata"]["labels"]
    rules = [
        rule for policy in overlay.kind("NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", [])
        if 4318 in [port["port"] for port in rule["ports"]]
    ]  # fmt: skip
    (rule,) = rules
    assert [_peers(overlay, peer) for peer in rule["to"]] == [{_MONITORING}]


def _open_to_all(overlay: Overlay, name: str) -> list[int]:
    """Ports that a pod may reach anywhere."""
    labels = overlay.pods[name]["metadata"]["labels"]
    return [
        port["port"]
        for policy in overlay.kind("NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", [])
        if "to" not in rule
        for port in rule["ports"]
    ]


# --- What stands in front


def test_the_ingress_is_of_the_sites_own_name(overlay: Overlay) -> None:
    host = overlay.settings["PUBLIC_URL"].removeprefix("https://")
    for ingress in overlay.kind("Ingress"):
        (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
        assert (rule["host"], tls["hosts"]) == (host, [host])
        (path,) = rule["http"]["paths"]
        service = path["backend"]["service"]
        assert service["port"]["name"] in {
            p["name"] for p in overlay.one("Service", service["name"])["spec"]["ports"]
        }
    for route in overlay.kind("IngressRoute"):
        if route["spec"]["entryPoints"] == ["websecure"]:
            assert all(one["match"].startswith(f"Host(`{host}`) && ") for one in route["spec"]["routes"])


def test_the_name_that_base_has_is_nowhere_left() -> None:
    """Two overlays of different names, and a base that has neither: one that was not replaced would be seen."""
    hosts = {name: Overlay.read(name).settings["PUBLIC_URL"] for name in OVERLAYS}
    assert len(set(hosts.values())) == len(OVERLAYS)
    settings = next(
        one
        for one in yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["configMapGenerator"]
    )
    assert "PUBLIC_URL=https://change.invalid" in settings["literals"]
    for name in OVERLAYS:
        assert "change.invalid" not in built(name)


def test_an_address_is_a_name_alone(overlay: Overlay) -> None:
    """Rules of hosts are made of it, and know no ports."""
    assert re.fullmatch(r"https://[a-z0-9.-]+", overlay.settings["PUBLIC_URL"])


def test_the_ingress_names_its_controller_and_lets_the_same_one_in() -> None:
    small = Overlay.read("small")
    (ingress,) = small.kind("Ingress")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert [who for kind, who, port in let_in(small, "spillway-web") if who.startswith("ingress")] == [
        "ingress-nginx"
    ]


def test_there_is_one_way_in(overlay: Overlay) -> None:
    assert bool(overlay.kind("Ingress")) is not bool(overlay.kind("IngressRoute"))
