"""Redis with TLS, as clients and as Celery's broker: encrypted and checked, or not at all."""

import asyncio
import datetime
import ssl
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kombu.exceptions import OperationalError

from apps.common import redis_clients, redis_url
from apps.throttling.tests.own_redis import OwnRedis


def certificate(folder: Path) -> tuple[Path, Path]:
    """One of this machine's address, signed by itself: the file of it, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return files


class Encrypted:
    """What stands before a Redis that has no TLS of its own: it ends the encryption and passes everything on."""

    def __init__(self, port: int, files: tuple[Path, Path]) -> None:
        self._target = port
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(*files)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _end(self) -> None:
        self._server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis with TLS, and with the authority that vouches for it."""
    server = OwnRedis()
    server.start()
    files = certificate(tmp_path)
    front = Encrypted(server.port, files)
    yield f"rediss://127.0.0.1:{front.port}/0?ssl_ca_certs={files[0]}"
    front.close()
    server.stop()


def app_with(url: str) -> Celery:
    app = Celery(broker=redis_url.broker_url(url))
    app.conf.broker_use_ssl = redis_url.broker_tls(url)
    app.conf.broker_transport_options = redis_url.broker_options(url) | {"socket_timeout": 2}
    return app


def declare(app: Celery) -> str:
    with app.connection() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        channel: Any = connection.channel()
        return str(channel.queue_declare("tls-test").queue)


def test_clients_reach_a_redis_with_tls(encrypted: str) -> None:
    assert redis_clients.redis_client(encrypted, socket_timeout=5.0).ping()


def test_celery_reaches_it_too(encrypted: str) -> None:
    assert declare(app_with(redis_url.with_database(encrypted, 1))) == "tls-test"


def test_a_certificate_that_nobody_vouches_for_is_refused(encrypted: str) -> None:
    unknown = encrypted.partition("?")[0]
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        redis_clients.redis_client(unknown, socket_timeout=5.0).ping()
    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        declare(app_with(unknown))
