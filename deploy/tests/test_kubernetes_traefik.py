"""What a real Traefik makes of the routes for Kubernetes: the same as of deploy/traefik/routes.yml; and its answers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy.tests.conftest import Proxy, proxy_running, wait_until
from deploy.tests.kubernetes_objects import FOLDER, Object
from deploy.tests.kubernetes_site import HOST, VALUES, Site, endpoints, site_running, told_by

pytestmark = pytest.mark.e2e

ASSET = "/static/build/page.0123456789ab.css"


@pytest.fixture(scope="module")
def site_for_module() -> Iterator[Site]:
    with site_running() as made:
        yield made


@pytest.fixture
def site(site_for_module: Site) -> Site:
    instance = site_for_module.instance
    instance.questions.clear()
    instance.decision, instance.status, instance.cache = (403, {}, b"no"), 200, "no-store"
    site_for_module.cluster.put(endpoints("spillway-files", site_for_module.files))
    site_for_module.send_to(instance.address)
    return site_for_module


# --- The same as on the other platforms


@pytest.fixture(scope="module")
def other() -> Iterator[Proxy]:
    """The platforms without Kubernetes: deploy/traefik/routes.yml, read from its file."""
    with proxy_running() as made:
        made.send_to(made.instance.address)
        yield made


def _plain(name: str) -> str:
    """A middleware's or service's name, without its provider and the namespace that Kubernetes puts before it."""
    return name.partition("@")[0].removeprefix("spillway-")


def routers_of(found: list[Object]) -> set[tuple[Any, ...]]:
    """Each as (rule without the host, priority, middlewares, whose service)."""
    return {
        (
            re.sub(r"^Host\(`[^`]*`\) && ", "", one["rule"]),
            one["priority"],
            tuple(_plain(name) for name in one.get("middlewares", [])),
        )
        for one in found
    }


def test_traefik_has_the_same_routes_as_on_the_other_platforms(site: Site, other: Proxy) -> None:
    ours = site.told("routers")
    theirs = [
        one for one in told_by(other.internal, "routers")
        if one["name"].endswith("@file") and not one["name"].startswith(("nobody-", "proxy-api"))
    ]  # fmt: skip
    assert len(theirs) == 9
    assert routers_of(ours) == routers_of(theirs)
    assert [one["name"] for one in ours if one["status"] != "enabled"] == []


def test_each_route_leads_to_the_same_server(site: Site, other: Proxy) -> None:
    services = {one["name"]: str(one["loadBalancer"]["servers"]) for one in site.told("services")}

    def ours(one: Object) -> str:
        servers = services[f"{one['service']}@kubernetescrd" if "@" not in one["service"] else one["service"]]
        return "files" if site.files in servers else "web"

    found = {re.sub(r"^Host\(`[^`]*`\) && ", "", one["rule"]): ours(one) for one in site.told("routers")}
    told = {
        one["rule"]: _plain(one["service"]) for one in told_by(other.internal, "routers")
        if one["name"].endswith("@file") and not one["name"].startswith(("nobody-", "proxy-api"))
    }  # fmt: skip
    assert found == told


def test_traefik_does_the_same_on_the_way(site: Site, other: Proxy) -> None:
    def cleaned(one: Object) -> Object:
        kept = {
            key: value
            for key, value in one.items()
            if key not in {"name", "provider", "status", "usedBy", "type"}
        }
        if "forwardAuth" in kept:
            kept["forwardAuth"] = kept["forwardAuth"] | {
                "address": "/internal/" + kept["forwardAuth"]["address"].rpartition("/")[2]
            }
        if "errors" in kept:
            kept["errors"] = {key: value for key, value in kept["errors"].items() if key != "service"}
        return kept

    ours = {_plain(one["name"]): cleaned(one) for one in site.told("middlewares")}
    theirs = {
        _plain(one["name"]): cleaned(one)
        for one in told_by(other.internal, "middlewares")
        if one["name"].endswith("@file")
    }
    assert ours == theirs


# --- The same answers


def test_a_page_reaches_an_instance(site: Site) -> None:
    told = site.get("/t/token").json()
    assert told["path"] == "/t/token"
    assert told["headers"]["host"] == HOST
    assert told["headers"]["x-forwarded-proto"] == "https"


def test_another_sites_name_does_not(site: Site) -> None:
    assert site.get("/", {"Host": "other.example.org"}).status == 404


@pytest.mark.parametrize(
    "path", ["/statusz", "/metrics", "/internal/download", "//metrics", "/static/../statusz"]
)
def test_what_is_for_operators_cannot_be_asked_from_outside(site: Site, path: str) -> None:
    assert site.get(path).status in {301, 308, 400, 404}
    assert not site.instance.questions


@pytest.mark.parametrize(("what", "question"), [("d", "download"), ("z", "archive"), ("p", "preview")])
def test_a_download_is_asked_about_and_sent_to_the_object_store(site: Site, what: str, question: str) -> None:
    site.instance.decision = (302, {"Location": "https://s3.example.org/x?X-Amz-Signature=y"}, b"")
    reply = site.get(f"/{what}/token/thing", {"X-Forwarded-Uri": "/d/another", "X-Forwarded-For": "6.6.6.6"})
    assert (reply.status, reply.headers["location"]) == (302, "https://s3.example.org/x?X-Amz-Signature=y")
    (asked,) = site.instance.questions
    assert (asked[":path"], asked["x-forwarded-uri"]) == (f"/internal/{question}", f"/{what}/token/thing")
    assert asked["x-forwarded-for"] == "127.0.0.1"


def test_every_answer_over_tls_says_so(site: Site) -> None:
    assert "max-age=31536000" in site.get("/").headers["strict-transport-security"]


def test_an_asset_that_is_not_there_yet_is_asked_for_again(site: Site) -> None:
    site.instance.status = 404
    assert site.get(ASSET).status == 404
    site.instance.status = 200
    assert site.get(ASSET).status == 200


def test_an_asset_is_kept_for_when_no_instance_is_there(site: Site) -> None:
    kept = ASSET.replace("page", "kept")
    site.instance.cache = "public, max-age=31536000, immutable"
    assert site.get(kept).json()["path"] == kept
    site.instance.status = 500
    assert site.get(kept).status == 200
    assert site.get(ASSET.replace("page", "other")).status == 500


def test_without_a_ready_instance_people_get_a_page_that_tries_again(site: Site) -> None:
    site.send_to()
    reply = site.get("/", {"Accept": "text/html"})
    assert (reply.status, reply.body) == (503, b"back in a moment")
    assert (reply.headers["retry-after"], reply.headers["refresh"]) == ("5", "5")
    assert site.get("/", {"Accept": "application/json"}).status == 503


def test_without_a_ready_instance_an_upload_is_locked_and_not_lost(site: Site) -> None:
    site.send_to()
    reply = site.get("/files/abc", method="HEAD")
    assert (reply.status, reply.headers["retry-after"]) == (423, "1")


def test_an_instance_that_is_lost_costs_nobody_an_answer(site: Site) -> None:
    """Its address stays in the cluster's list for a moment: nobody listens there, and another one is asked."""
    gone = f"127.0.0.2:{site.instance.address.rsplit(':', 1)[1]}"
    site.send_to(site.instance.address, gone)
    assert {site.get("/t/token").status for _ in range(12)} == {200}


def test_a_file_server_that_is_lost_costs_nobody_an_asset(site: Site) -> None:
    gone = f"127.0.0.2:{site.files.rsplit(':', 1)[1]}"
    site.cluster.put(endpoints("spillway-files", site.files, gone))
    wait_until(lambda: gone in str(site.told("services")))
    assert {site.get(ASSET).status for _ in range(12)} == {200}


def test_what_names_no_entry_point_is_not_asked_inside(site: Site) -> None:
    """The entry point for questions would be one of the defaults for other sites' routes otherwise."""
    route = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": {"name": "another", "namespace": "spillway"},
        "spec": {"routes": [{
            "kind": "Rule", "match": "Host(`other.example.com`)",
            "services": [{"name": "spillway-web", "port": "http"}],
        }]},
    }  # fmt: skip
    site.cluster.put(route)

    def found() -> list[Object]:
        return [one for one in site.told("routers") if "other.example.com" in one["rule"]]

    wait_until(lambda: bool(found()))
    assert sorted(name for one in found() for name in one["entryPoints"]) == ["web", "websecure"]
    site.cluster.put(route | {"spec": {"routes": []}})
    wait_until(lambda: not found())


def test_behind_another_proxy_each_question_names_the_client_as_a_page_does() -> None:
    with site_running("behind-a-proxy", websecure="127.0.0.1/32") as behind:
        said = {"X-Forwarded-For": "198.51.100.7"}
        page = behind.get("/t/token", said).json()["headers"]
        behind.get("/d/token/thing", said | {"X-Forwarded-Uri": "/d/another", "X-Forwarded-Method": "HEAD"})
        (asked,) = behind.instance.questions
        assert asked["x-forwarded-for"] == page["x-forwarded-for"] == "198.51.100.7, 127.0.0.1"
        assert (asked["x-forwarded-uri"], asked["x-forwarded-method"]) == ("/d/token/thing", "GET")


def test_behind_a_proxy_that_nobody_named_its_words_are_dropped() -> None:
    """The component alone believes nobody: it is the entry point that is told whom to trust."""
    with site_running("behind-a-proxy") as behind:
        behind.get("/d/token/thing", {"X-Forwarded-For": "198.51.100.7"})
        (asked,) = behind.instance.questions
        assert asked["x-forwarded-for"] == "127.0.0.1"


def test_the_cluster_is_heard_at_once(site: Site) -> None:
    site.send_to()
    site.send_to(site.instance.address)
    assert site.get("/t/token").status == 200


# --- What the values say


def test_traefik_is_told_the_same_as_with_compose() -> None:
    compose = yaml.safe_load((FOLDER.parent.parent / "docker-compose.yml").read_text())
    theirs = {
        argument.replace("entryPoints.web.", "entryPoints.websecure.")
        for argument in compose["x-proxy"]["entrypoint"]
    }
    only_here = {"--entryPoints.websecure.transport.lifeCycle.requestAcceptGraceTimeout=10s"}
    assert set(VALUES["additionalArguments"]) - theirs == only_here
    left = {argument.partition("=")[0] for argument in theirs - set(VALUES["additionalArguments"])}
    # What else Compose says is of Docker, of logs, of entry points that a cluster has by itself, and of other proxies.
    assert [name for name in left if not re.match(
        r"--(log|providers\.(docker|file)|ping|api|entryPoints\.status|entryPoints\.websecure\.(http\.middlewares|forwardedHeaders))|sh|/",
        name,
    )] == []  # fmt: skip
