"""Every object that is applied is one that Kubernetes takes, by its published API schemas, unknown fields refused."""

import copy
from typing import Any

import kubernetes_validate
import pytest

from deploy.tests.kubernetes_objects import COMPONENTS, OVERLAYS, Object, Overlay

# The oldest that docs/kubernetes.md names, and the newest there is a schema for.
RELEASES = ("1.31", kubernetes_validate.latest_version())
TRAEFIK = "traefik.io/v1alpha1"


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package reads a megabyte of definitions for each object."""
    read, known = kubernetes_validate.utils.schema_contents, _KNOWN

    def once(filename: str, version: str) -> Any:
        if filename not in known:
            known[filename] = read(filename, version)
        return known[filename]

    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", once)


_KNOWN: dict[str, Any] = {}


def validate(found: Object, release: str) -> None:
    kubernetes_validate.validate(found, release, strict=True)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("components", [(), COMPONENTS], ids=["alone", "with-all-components"])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid(overlay: str, components: tuple[str, ...], release: str) -> None:
    objects = [one for one in Overlay.read(overlay, *components).objects if one["apiVersion"] != TRAEFIK]
    assert len(objects) > 10
    for found in objects:
        validate(found, release)


def test_what_no_schema_is_published_for_is_traefiks_own() -> None:
    """test_kubernetes_traefik.py has Traefik itself read those."""
    kinds = {
        (one["apiVersion"], one["kind"])
        for one in Overlay.read("production").objects
        if "." in one["apiVersion"].split("/")[0]
    }
    assert {kind for version, kind in kinds if version == TRAEFIK} == {
        "IngressRoute",
        "Middleware",
        "ServersTransport",
    }
    assert not [one for one in Overlay.read("small").objects if one["apiVersion"] == TRAEFIK]


def test_a_field_that_kubernetes_does_not_know_would_be_seen() -> None:
    web = copy.deepcopy(Overlay.read("small").one("Deployment", "spillway-web"))
    web["spec"]["template"]["spec"]["terminationGracePeriodSecond"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(web, RELEASES[0])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_two_objects_have_the_same_name(overlay: str) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in Overlay.read(overlay).objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_lies_in_the_one_namespace(overlay: str) -> None:
    made = Overlay.read(overlay)
    (namespace,) = made.kind("Namespace")
    rest = [one for one in made.objects if one["kind"] != "Namespace"]
    assert {one["metadata"].get("namespace") for one in rest} == {namespace["metadata"]["name"]}
