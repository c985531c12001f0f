"""Owns an upload by tuspy with its own way of trying again. What tuspy does not do is done here: create again."""

import time
from typing import Any

import requests
import urllib3
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.survive.clients.order import Order, Told, note, order_given

_PIECE_BYTES = 65_536
_PAUSE_SECONDS = 0.5
_TRIES = 120


def main() -> None:
    order, told = order_given(), Told()
    _listen(told)
    _count(told, order.line_bytes_per_second)
    try:
        _send(order, told)
    except (TusCommunicationError, requests.RequestException) as error:
        told.error = f"{type(error).__name__}: {error}"
    told.say()


def _send(order: Order, told: Told) -> None:
    uploader = TusClient(order.endpoint).uploader(
        order.path,
        metadata={"filename": order.name, "transfer": order.transfer_secret},
        retries=_TRIES,
        retry_delay=_PAUSE_SECONDS,
        **({"chunk_size": order.chunk_bytes} if order.chunk_bytes else {}),
    )
    uploader.set_url(_created(uploader))
    told.used(uploader.url)
    uploader.upload()
    told.used(uploader.url)


def _created(uploader: Any) -> str:
    for _ in range(_TRIES):
        try:
            return str(uploader.create_url())
        except TusCommunicationError as error:
            note(f"not created: {error}")
            time.sleep(_PAUSE_SECONDS)
    return str(uploader.create_url())


def _listen(told: Told) -> None:
    """Note every answer, and every request that had none."""
    send = requests.Session.send

    def heard(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        try:
            response = send(session, request, **options)
        except requests.RequestException as error:
            told.answered(request.method or "", 0, str(error))
            raise
        said = response.text if response.status_code >= 400 else response.headers.get("Upload-Offset", "")
        told.answered(request.method or "", response.status_code, said)
        return response

    requests.Session.send = heard  # type: ignore[method-assign,assignment]


def _count(told: Told, bytes_per_second: int | None) -> None:
    """Bodies go out in pieces, as fast as the line, and are counted piece by piece."""

    class Line(urllib3.connection.HTTPConnection):
        in_body = False

        def putrequest(self, *arguments: Any, **options: Any) -> None:
            self.in_body = False
            super().putrequest(*arguments, **options)

        def endheaders(self, *arguments: Any, **options: Any) -> None:
            super().endheaders(*arguments, **options)
            self.in_body = True

        def send(self, data: Any) -> None:
            if not self.in_body:
                super().send(data)
                return
            for start in range(0, len(data), _PIECE_BYTES):
                piece = data[start : start + _PIECE_BYTES]
                told.sent_bytes += len(piece)
                super().send(piece)
                time.sleep(len(piece) / bytes_per_second if bytes_per_second else 0.0)

    urllib3.connectionpool.HTTPConnectionPool.ConnectionCls = Line


if __name__ == "__main__":
    main()
