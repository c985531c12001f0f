"""Owns making requests up: tus requests that are right, then bent in a few places. Sends nothing, decides nothing.

Everything comes out of one `random.Random`: a seed is a sequence of requests.
"""

import base64
import random
import re
import string
import uuid
from dataclasses import dataclass, field

from tests.protocol.wire import CHUNK_TYPE

_FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(rb"/[\x21-\x7e]{0,4000}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]{0,8000}")
_METHODS = [b"POST", b"PATCH", b"PATCH", b"PATCH", b"HEAD", b"DELETE", b"OPTIONS", b"GET", b"PUT"]
_ODD_METHODS = [
    b"patch",
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"FOO",
    b"P@TCH",
    b"GET\x00",
    b"M" * 300,
    b"",
    b"\xff",
]
_VERSIONS = [
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/9.9",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"HTTP/1",
    b"",
    b"HTTP/1.1\x00",
]
_NAMES = [
    b"Tus-Resumable", b"Upload-Length", b"Upload-Offset", b"Upload-Metadata", b"Upload-Defer-Length", b"Upload-Concat",
    b"Upload-Checksum", b"Content-Type", b"Content-Length", b"Transfer-Encoding", b"X-HTTP-Method-Override", b"Expect",
    b"Connection", b"Cookie", b"Range", b"Accept", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Request-Id", b"Host",
    b"Content-Encoding", b"Accept-Encoding", b"If-Match", b"Origin", b"Upgrade", b"Trailer", b"Upload_Offset", b"Te",
    b"Authorization", b"X-Forwarded-Host", b"Forwarded", b"", b"\xc3\xa4", b"a b", b"X-Blob-Key", b"Accept-Language",
]  # fmt: skip
_VALUES = [
    b"", b" ", b"0", b"1", b"-1", b"+1", b"00", b"1e3", b"0x10", b"1.0", b"1,1", b"1, 2", b"1 2", b"\xd9\xa3",
    b"\xff\xfe", b"9" * 18, b"9" * 19, b"9" * 40, b"9" * 5000, b"18446744073709551616", b"NaN", b"null",
    b"true", b"*", b"\x00", b"a\rb", b"chunked", b"gzip, chunked", b"identity", b"Chunked", b"\x0bchunked",
    b"close", b"keep-alive", b"100-continue", b"1.0.0", b"1.0.1", b"0.2.2", b"PATCH", b"DELETE", b"HEAD",
    b"sha1 AAAA", b"sha256", b"partial", b"final;/files/a", b"text/plain", b"multipart/form-data",
    b"application/x-www-form-urlencoded", b"text/plain; charset=nope", b"bytes=0-", b"filename", b"filename ",
    b"filename !!!", b"filename YQ==,filename YQ==", b"transfer YQ==", b"127.0.0.1", b"::1", b"https",
    b"a" * 9_000, b"b" * 50_000, b"spillway_session=x; csrftoken=y",
]  # fmt: skip
_PATHS = [
    b"/files", b"/files//", b"/files/%00", b"/files/%ff", b"/files/../files/", b"//files/", b"*", b"", b"/files/\xe4",
    b"/files/" + b"x" * 9_000, b"/files/?a=%FF", b"http://x/files/", b"/files/a b", b"/files/%2e%2e",
]  # fmt: skip


@dataclass
class Request:
    """`head` ends before the body; `is_odd`: where it ends is not for everybody to see, so nothing may follow it."""

    head: bytes
    body: bytes
    method: bytes
    upload: int | None = None
    is_odd: bool = False
    # Its answer has no body, as the server sees it.
    is_head: bool = False
    version: bytes = b"HTTP/1.1"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def names(self) -> set[bytes]:
        return {name.lower() for name, _ in self.headers}

    def is_cut(self) -> bool:
        """Whether somebody may think that the body should have gone on."""
        values = [value.strip() for name, value in self.headers if name.lower() == b"content-length"]
        return b"transfer-encoding" in self.names() or any(
            value.isdigit() and (len(value) > 12 or int(value) > len(self.body)) for value in values
        )


class Nonsense:
    """Requests to one site. `uploads` are paths and offsets of uploads that exist, as the caller knows them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def request(self, uploads: list[tuple[str, int, int]]) -> Request:
        """A request at one of these (path, offset, length), at none of them, or at the collection."""
        draw = self.random
        method = draw.choice(_ODD_METHODS if draw.random() < 0.04 else _METHODS)
        upload = draw.randrange(len(uploads)) if method != b"POST" or draw.random() < 0.1 else None
        path, offset, length = uploads[upload] if upload is not None else ("/files/", 0, 0)
        body = (
            draw.randbytes(draw.choice([0, 1, 10, 100, 3_000, 20_000]))
            if method in {b"POST", b"PATCH", b"PUT"}
            else b""
        )
        if upload is not None and method == b"PATCH" and draw.random() < 0.5:
            body = body[: length - offset]
        headers = self._right(method, offset, body)
        made = Request(b"", body, method, upload, headers=headers)
        for _ in range(draw.choice([0, 1, 1, 2, 2, 3, 5])):
            self._bend(made)
        return self._written(made, path.encode())

    def _right(self, method: bytes, offset: int, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = [(b"Host", b"localhost"), (b"Tus-Resumable", b"1.0.0")]
        if method in {b"POST", b"PATCH", b"PUT"}:
            headers.append((b"Content-Length", str(len(body)).encode()))
        if method == b"PATCH" or (method == b"POST" and body):
            headers.append((b"Content-Type", CHUNK_TYPE.encode()))
        if method == b"PATCH":
            headers.append((b"Upload-Offset", str(offset).encode()))
        if method == b"POST":
            name = base64.b64encode(
                self.random.choice(["a.bin", "ä ö.txt", "x" * 250, "a\u202eb", "👍"]).encode()
            )
            length = len(body) + self.random.choice([0, 1, 30_000])
            headers += [(b"Upload-Length", str(length).encode()), (b"Upload-Metadata", b"filename " + name)]
        return headers

    def _bend(self, made: Request) -> None:
        """Change one thing about the headers."""
        draw, headers = self.random, made.headers
        how = draw.choice(["value", "value", "add", "add", "drop", "twice", "case"])
        at = draw.randrange(len(headers)) if headers else 0
        if not headers or how == "add":
            headers.insert(at, (draw.choice(_NAMES), self._value()))
        elif how == "value":
            headers[at] = (headers[at][0], self._value())
        elif how == "drop":
            del headers[at]
        elif how == "twice":
            headers.append((headers[at][0], draw.choice([headers[at][1], self._value()])))
        else:
            headers[at] = (draw.choice([headers[at][0].upper(), headers[at][0].lower()]), headers[at][1])

    def _suspect(self, made: Request) -> None:
        """Where does this request end, and must a server read it at all? Then it may hang up rather than answer."""
        lengths = [value for name, value in made.headers if name.lower() == b"content-length"]
        made.is_odd |= lengths not in ([], [str(len(made.body)).encode()]) or bool(made.body and not lengths)
        made.is_odd |= [value for name, value in made.headers if name.lower() == b"host"] != [b"localhost"]
        made.is_odd |= not made.names().isdisjoint(_FRAMING - {b"content-length"})
        made.is_odd |= not all(
            _NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in made.headers
        )

    def _value(self) -> bytes:
        draw = self.random
        kind = draw.random()
        if kind < 0.75:
            return draw.choice(_VALUES)
        if kind < 0.85:
            return str(draw.randrange(-5, 10 ** draw.randrange(1, 30))).encode()
        if kind < 0.95:
            return draw.randbytes(draw.randrange(40)).replace(b"\n", b"").replace(b"\r", b"")
        return "".join(draw.choices(string.printable[:95], k=draw.randrange(200))).encode()

    def _written(self, made: Request, path: bytes) -> Request:
        draw = self.random
        if draw.random() < 0.05:
            made.upload, path = (
                None,
                draw.choice([*_PATHS, f"/files/{uuid.UUID(int=draw.getrandbits(128))}".encode()]),
            )
        if draw.random() < 0.03:
            made.version, made.is_odd = draw.choice(_VERSIONS), True
        if made.method in _ODD_METHODS:
            made.is_odd = True
        made.is_odd |= not _PATH.fullmatch(path)
        self._frame(made)
        self._suspect(made)
        lines = [
            b" ".join([made.method, path, made.version]),
            *(name + b": " + value for name, value in made.headers),
        ]
        made.head = b"\r\n".join(lines) + b"\r\n\r\n"
        if draw.random() < 0.01:
            made.is_odd, at = True, draw.randrange(len(made.head))
            made.head = made.head[:at] + draw.randbytes(3) + made.head[at + 3 * draw.randrange(2) :]
        made.is_head = made.method == b"HEAD"
        return made

    def _frame(self, made: Request) -> None:
        """Now and then a body that is not as long as was said, or in chunks, or both."""
        if not made.body or self.random.random() > 0.1:
            return
        made.is_odd = True
        how = self.random.choice(["longer", "shorter", "chunked", "both", "broken chunk", "none"])
        others = [(name, value) for name, value in made.headers if name.lower() != b"content-length"]
        length = len(made.body) + {"longer": 100, "shorter": -1}.get(how, 0)
        if how in {"longer", "shorter", "both"}:
            others.append((b"Content-Length", str(length).encode()))
        if how in {"chunked", "both", "broken chunk"}:
            others.append((b"Transfer-Encoding", b"chunked"))
            size = (
                b"%x" % len(made.body)
                if how != "broken chunk"
                else self.random.choice([b"-1", b"zz", b"f" * 40, b""])
            )
            made.body = size + b"\r\n" + made.body + b"\r\n0\r\n\r\n"
        made.headers = others
