"""`spillway init`: make the `.env` that docker-compose.yml reads. What is there already is never changed."""

import re
import secrets
from argparse import Namespace
from pathlib import Path

from deploy.fleet.checkout import ROOT
from deploy.fleet.errors import FleetError
from deploy.fleet.platforms.compose import env_file
from deploy.fleet.platforms.embedded.release import release_of
from deploy.fleet.storage import PRIVATE

# Hexadecimal: it can stand in an address, a command line and a configuration file as it is.
_SECRETS_BYTES = {
    "SECRET_KEY": 32,
    "DOWNLOAD_KEY": 32,
    "POSTGRES_PASSWORD": 24,
    "REDIS_PASSWORD": 24,
    "ADMIN_PASSWORD": 10,
    "S3_ACCESS_KEY": 10,
    "S3_SECRET_KEY": 24,
    "GRAFANA_PASSWORD": 10,
}
_RELEASE = "RELEASE"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_HEAD = """\
# Read by docker-compose.yml. Made by `./spillway init`, which adds what is missing and changes nothing.
# Keep it to yourself, and keep a copy elsewhere: a backup of the database is worth little without SECRET_KEY.
"""
_OPTIONAL = """
# What you may want to set; README's table of settings has the rest.
# The address people use, if it is not http://localhost:HTTP_PORT or https://SPILLWAY_DOMAIN:
# PUBLIC_URL=https://send.example.org
# Where the site is published without TLS: for this machine only, unless HTTP_BIND says otherwise.
# HTTP_PORT=8000
# HTTP_BIND=127.0.0.1
# TLS with certificates of Let's Encrypt, on ports 80 and 443: all three.
# COMPOSE_PROFILES=tls
# SPILLWAY_DOMAIN=send.example.org
# ACME_EMAIL=you@example.org
# Files in an object store: SeaweedFS in this project, with both (and `tls,s3` where TLS is wanted too)...
# COMPOSE_PROFILES=s3
# STORE=s3
# ...or any other one, without the profile: browsers must reach it, too, or set S3_PUBLIC_URL.
# S3_ENDPOINT_URL=https://s3.example.org
# Prometheus and Grafana (http://localhost:3000, admin and GRAFANA_PASSWORD), beside any other profile:
# COMPOSE_PROFILES=monitoring
# How many instances and workers:
# WEB_REPLICAS=3
# WORKER_REPLICAS=1
# Where mail goes; without it none is sent:
# EMAIL_URL=smtp+tls://user:password@mail.example.org:587
"""


def run(options: Namespace, rest: list[str]) -> int:
    path: Path = options.env_file
    is_new = not path.exists()
    missing = _missing(env_file.read(path), release_of(ROOT))
    if is_new:
        env_file.write(path, _HEAD + _OPTIONAL + "\n# Generated.\n")
    if missing:
        env_file.update(path, missing)
    was_open = not is_new and _close(path)
    print("\n".join(_told(path, is_new, missing, was_open)))
    return 0


def _missing(known: dict[str, str], release: str) -> dict[str, str]:
    made = {name: secrets.token_hex(size) for name, size in _SECRETS_BYTES.items() if not known.get(name)}
    return made if known.get(_RELEASE) else made | {_RELEASE: image_tag(release)}


def image_tag(release: str) -> str:
    """The release as the tag of an image. Raises FleetError if it cannot be one."""
    if not _TAG.fullmatch(release):
        raise FleetError(f"The release {release!r} cannot name an image: set RELEASE in .env yourself.")
    return release


def _close(path: Path) -> bool:
    """Take others' rights to read the secrets away; whether there were any."""
    if path.stat().st_mode & 0o077 == 0:
        return False
    path.chmod(PRIVATE)
    return True


def _told(path: Path, is_new: bool, missing: dict[str, str], was_open: bool) -> list[str]:
    if is_new:
        lines = [f"Made {path}, readable by you alone: {', '.join(missing)}."]
    elif missing:
        lines = [f"Added to {path}: {', '.join(missing)}. What was there is unchanged."]
    else:
        lines = [f"{path} is complete; nothing was changed."]
    if was_open:
        lines.append("Others could read it; now only you can.")
    if "ADMIN_PASSWORD" in missing:
        lines.append("The password of the first admin is ADMIN_PASSWORD in it.")
    return [*lines, "Next: docker compose up -d --build --wait"]
