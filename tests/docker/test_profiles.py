"""What is there only when it is asked for: TLS, and an object store."""

import os
import shutil
import ssl
from urllib.parse import urlsplit

import requests

from deploy.fleet.platforms.compose import env_file
from tests.docker.project import Project
from tests.e2e.clients import download, upload, wait_ready
from tests.e2e.fleet import free_port, wait_until


def test_tls_without_a_name_is_refused_by_the_variables_name(project: Project) -> None:
    for given, missing in (({}, "SPILLWAY_DOMAIN"), ({"SPILLWAY_DOMAIN": "localhost"}, "ACME_EMAIL")):
        done = project.compose(
            "--profile",
            "tls",
            "run",
            "--rm",
            "--no-deps",
            "-T",
            "traefik-tls",
            check=False,
            environment=given,
        )
        assert done.returncode != 0
        assert missing in done.stderr


def test_tls_redirects_to_https_and_is_strict_about_it(project: Project) -> None:
    """A certificate authority that nobody answers at: the proxy serves its own certificate meanwhile."""
    http, https, before = free_port(), free_port(), project.env_file.read_text()
    env_file.update(project.env_file, {
        "SPILLWAY_DOMAIN": "localhost", "ACME_EMAIL": "nobody@localhost", "ACME_CA_SERVER": "https://127.0.0.1:1/",
        "TLS_BIND": "127.0.0.1", "TLS_HTTP_PORT": http, "TLS_HTTPS_PORT": https,
        "PUBLIC_URL": f"https://localhost:{https}",
    })  # fmt: skip
    try:
        project.compose(
            "--profile", "tls", "up", "-d", "--no-build", "--no-deps", "--wait", "web", "traefik-tls"
        )
        wait_until(lambda: project.known_to_proxy("traefik-tls"), 60, "the proxy knows the instances")
        plain = requests.get(f"http://localhost:{http}/t/x?y=1", allow_redirects=False, timeout=30)
        assert plain.status_code in {301, 308}
        assert plain.headers["Location"] == f"https://localhost:{https}/t/x?y=1"
        secure = requests.get(f"https://localhost:{https}/", verify=False, timeout=30)
        assert secure.status_code == 200
        assert "max-age=31536000" in secure.headers["Strict-Transport-Security"]
        assert "Secure" in secure.headers["Set-Cookie"]
        assert requests.get(f"https://localhost:{https}/statusz", verify=False, timeout=30).status_code == 404
        assert "TRAEFIK DEFAULT CERT" in _subject(https)
    finally:
        project.compose("--profile", "tls", "rm", "-sf", "traefik-tls")
        env_file.write(project.env_file, before)
        project.up("--no-deps", "web")


def _subject(port: int) -> str:
    from cryptography import x509

    pem = ssl.get_server_certificate(("localhost", port), timeout=30)
    return x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()


def test_an_object_store_starts_with_keys_of_its_own_and_lets_nobody_else_in(project: Project) -> None:
    try:
        project.compose(
            "--profile", "s3", "up", "-d", "--no-build", "--no-deps", "--wait", "--wait-timeout", "300", "s3"
        )
        container = project.container("s3")
        assert container.health == "healthy"
        assert {
            n.removeprefix(f"{project.name}_") for n in container.told["NetworkSettings"]["Networks"]
        } == {"front", "back"}
        assert container.published == []
        address = f"http://{container.address('back')}:8333"
        assert requests.get(address, timeout=30).status_code == 403
        assert requests.put(f"{address}/bucket", timeout=30).status_code == 403
    finally:
        project.compose("--profile", "s3", "rm", "-sfv", "s3")


def test_a_whole_site_comes_up_with_an_object_store_and_sends_and_receives_through_it(
    project: Project,
) -> None:
    """In a project of its own, from its first start on."""
    body = os.urandom(12 * 2**20 + 5)
    site = Project(
        f"{project.name}s3", STORE="s3", COMPOSE_PROFILES="s3", WEB_REPLICAS="1",
        IMAGE=project.name, RELEASE=project.release,
    )  # fmt: skip
    try:
        site.up()
        site.wait_routed(1)
        url, _ = upload(site.url, body, name="naïve.bin")
        file = wait_ready(url, seconds=120)[0]
        answer = download(file)
        assert [each.status_code for each in answer.history] == [302]
        assert urlsplit(answer.url).netloc == urlsplit(site.url).netloc
        assert answer.content == body
        assert "filename*=UTF-8''na%C3%AFve.bin" in answer.headers["Content-Disposition"]
        assert download(file, Range="bytes=5-9").content == body[5:10]
    finally:
        site.down()
        shutil.rmtree(site.folder, ignore_errors=True)


def test_an_object_store_without_keys_does_not_start(project: Project) -> None:
    argv = ["--profile", "s3", "run", "--rm", "--no-deps", "-T", "s3"]
    done = project.compose(*argv, check=False, environment={"S3_ACCESS_KEY": "", "S3_SECRET_KEY": ""})
    assert done.returncode != 0
    assert "AWS_ACCESS_KEY_ID: run ./spillway init" in done.stderr
