"""What a pod of deploy/kubernetes may do: run as nobody, write where it must, take so much and no more."""

import re

from deploy.fleet.checkout import ROOT
from deploy.tests.kubernetes_objects import Overlay

DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()


def test_every_pod_keeps_to_the_strictest_rules(overlay: Overlay) -> None:
    """Those of Kubernetes' Pod Security Standard `restricted`, and a file system that nobody can write."""
    (namespace,) = overlay.kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (account,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    for pod in overlay.pods.values():
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == account
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"])
        assert [
            volume for volume in pod["spec"]["volumes"] if not {"emptyDir", "configMap"} & set(volume)
        ] == []
    for name, container in overlay.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_everything_that_is_written_to_has_a_size(overlay: Overlay) -> None:
    for pod in overlay.pods.values():
        for volume in pod["spec"]["volumes"]:
            assert "configMap" in volume or volume["emptyDir"]["sizeLimit"]
    for name, container in overlay.containers():
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert container["resources"]["limits"].keys() == {"memory"}, name


def test_the_site_may_write_where_it_does(overlay: Overlay) -> None:
    (run_dir,) = set(re.findall(r"RUN_DIR=(\S+)", DOCKERFILE))
    for name, container in overlay.site_containers():
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", run_dir}, name
