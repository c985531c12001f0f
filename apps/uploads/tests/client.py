"""A small tus client over Django's: what is said here is what goes over the wire."""

import base64
import uuid
from typing import Any

from django.test import Client

CHUNK = "application/offset+octet-stream"


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


class Tus:
    """One client; `Tus_Resumable=None` leaves a header out."""

    def __init__(self) -> None:
        self.http = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Any:
        told = {"Tus_Resumable": "1.0.0", **headers}
        names = {name.replace("_", "-"): value for name, value in told.items() if value is not None}
        kind = names.pop("Content-Type", CHUNK if body or method == "PATCH" else "")
        return self.http.generic(
            method, path, body, content_type=kind, headers={"Content-Type": kind, **names}
        )

    def create(
        self, length: int | str = 5, body: bytes = b"", name: str = "a.txt", **headers: str | None
    ) -> Any:
        told: dict[str, Any] = {
            "Upload_Metadata": metadata(filename=name),
            "Upload_Length": str(length),
            **headers,
        }
        return self.call("POST", "/files/", body, **told)

    def defer(self, body: bytes = b"", **headers: str | None) -> Any:
        """An upload whose length nobody knows yet."""
        told: dict[str, Any] = {"Upload_Length": None, "Upload_Defer_Length": "1", **headers}
        return self.create(0, body, **told)

    def partial(self, body: bytes, **headers: str | None) -> str:
        """A partial upload with all its bytes; its path."""
        told: dict[str, Any] = {"Upload_Metadata": None, "Upload_Concat": "partial", **headers}
        return path_of(self.create(len(body), body, **told))

    def final(self, *urls: str, **headers: str | None) -> Any:
        """The final upload of partial ones."""
        told: dict[str, Any] = {"Upload_Length": None, "Upload_Concat": f"final;{' '.join(urls)}", **headers}
        return self.create(0, **told)

    def offset(self, url: str) -> int:
        """What a HEAD says."""
        return int(self.call("HEAD", url)["Upload-Offset"])

    def patch(self, url: str, body: bytes, offset: int | str = 0, **headers: str | None) -> Any:
        return self.call("PATCH", url, body, Upload_Offset=str(offset), **headers)


def path_of(response: Any) -> str:
    return str(response["Location"]).removeprefix("http://testserver")


def code_of(response: Any) -> str:
    return str(response.json()["error"]["code"])


def id_of(url: str) -> uuid.UUID:
    return uuid.UUID(url.rsplit("/", 1)[1])


def bytes_of(url: str) -> bytes:
    """What a worker would read of the file that an upload makes."""
    from apps.processing.services import _parts
    from apps.uploads.models import Upload
    from apps.uploads.store import blob_store

    file = Upload.objects.get(pk=id_of(url)).file
    assert file is not None
    return b"".join(bytes(block) for block in blob_store().read_parts(_parts(file)))
