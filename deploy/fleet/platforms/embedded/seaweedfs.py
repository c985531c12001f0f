"""Owns how the object store (SeaweedFS) is started and stopped from its wheel. Makes no bucket."""

import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.service import Context, Service, loopback, plain_environment, when_true
from deploy.fleet.probes import http_answers
from deploy.fleet.processes import Command

NAME = "s3"
BUCKET = "spillway"
REGION = "us-east-1"
# One program, several servers: each has a port for people and one for the others.
_HEADER_BYTES = 8
_PARTS = ("master", "volume", "filer")
# Room is taken in such pieces, several at once: small enough for a small disk.
_VOLUME_MIB = 256


def url(context: Context) -> str:
    return f"http://{loopback(context.ports.claim_once(NAME))}"


def settings(context: Context) -> dict[str, str]:
    """What the site is told of it."""
    return {
        "STORE": "s3",
        "S3_ENDPOINT_URL": url(context),
        "S3_BUCKET": BUCKET,
        "S3_REGION": REGION,
        "S3_ACCESS_KEY": context.credentials.s3_access_key,
        "S3_SECRET_KEY": context.credentials.s3_secret_key,
    }


def routes(context: Context) -> dict[str, str]:
    """What the proxy is told of it: browsers get blobs through it, under the site's own address."""
    return {"OBJECTS_ADDRESS": loopback(context.ports.claim_once(NAME)), "OBJECTS_BUCKET": BUCKET}


def filled_volumes(folder: DataFolder) -> Iterator[Path]:
    """The volumes in which objects of the bucket lie; an empty one has nothing but its header."""
    volumes = (folder.root / NAME).glob(f"{BUCKET}_*.dat")
    return (path for path in volumes if path.stat().st_size > _HEADER_BYTES)


def binary() -> Path:
    return Path(sysconfig.get_path("scripts")) / "weed"


def arguments(context: Context, folder: Path) -> list[str]:
    """Every address on loopback, nothing reported to anybody, and what we do not use switched off."""
    port = context.ports.claim_once
    found = [
        "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        # Alone, it wins its election at once; by default it waits 10 s and more.
        "-master.electionTimeout=1s",
        f"-master.volumeSizeLimitMB={_VOLUME_MIB}", "-volume.max=0", "-volume.preStopSeconds=0",
        "-filer", "-filer.disableHttp", f"-filer.localSocket={folder / 'filer.sock'}",
        "-s3", f"-s3.port={port(NAME)}", f"-s3.port.grpc={port(f'{NAME}-grpc')}", "-s3.ip.bind=127.0.0.1",
        f"-s3.localSocket={folder / 's3.sock'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
    ]  # fmt: skip
    for part in _PARTS:
        name = f"{NAME}-{part}"
        found += [f"-{part}.port={port(name)}", f"-{part}.port.grpc={port(f'{name}-grpc')}"]
    return found


def service(context: Context) -> Service:
    folder = context.folder.root / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    address = loopback(context.ports.claim_once(NAME))
    environment = plain_environment(context) | {
        "AWS_ACCESS_KEY_ID": context.credentials.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": context.credentials.s3_secret_key,
    }
    return Service(
        name=NAME,
        kind="service",
        command=Command(
            [str(binary()), *arguments(context, folder)], environment, folder, context.folder.log(NAME)
        ),
        ready=when_true(lambda: http_answers(address, "/healthz")),
        address=address,
        # Of data that nobody will miss nothing needs to be closed.
        fast_stop_signal=signal.SIGTERM if context.durable else signal.SIGKILL,
        # It waits 15 s for its own servers to hang up on each other, then closes its files.
        stop_limit_seconds=25.0,
        start_limit_seconds=120.0,
    )
