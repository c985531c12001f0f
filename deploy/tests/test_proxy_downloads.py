"""What the download path promises, asked of a real Traefik and a real nginx."""

import pytest

from deploy.tests.conftest import Proxy, ask

pytestmark = pytest.mark.e2e

KEY = "ab/cd/" + "0123456789abcdef" * 2
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def blob(proxy: Proxy) -> str:
    proxy.put_blob(KEY, CONTENT)
    return KEY


def test_an_allowed_download_is_served_whole(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    reply = proxy.get("/d/token/file")
    assert (reply.status, reply.body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("what", "question"), [("d", "download"), ("z", "archive"), ("p", "preview")], ids=lambda value: value
)
def test_files_archives_and_previews_each_have_a_question_of_their_own(
    proxy: Proxy, blob: str, what: str, question: str
) -> None:
    proxy.allow(blob)
    reply = proxy.get(f"/{what}/token/thing", {"Range": "bytes=5-"})
    assert (reply.status, reply.body) == (206, CONTENT[5:])
    asked = proxy.instance.questions[-1]
    assert (asked[":path"], asked["x-forwarded-uri"]) == (f"/internal/{question}", f"/{what}/token/thing")
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("what", ["d", "z", "p"])
def test_none_of_them_is_served_by_a_clients_own_word(proxy: Proxy, blob: str, what: str) -> None:
    proxy.instance.decision = (200, {}, b"")
    assert proxy.get(f"/{what}/token/thing", proxy.sign(blob)).status == 403


def test_an_allowed_download_can_be_asked_for_in_ranges(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    reply = proxy.get("/d/token/file", {"Range": "bytes=100-199"})
    assert (reply.status, reply.body) == (206, CONTENT[100:200])
    assert reply.headers["content-range"] == f"bytes 100-199/{len(CONTENT)}"
    assert reply.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("condition", ["nope", '"an-etag"', "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_range_stays_a_range_whatever_it_is_made_to_depend_on(
    proxy: Proxy, blob: str, condition: str
) -> None:
    proxy.allow(blob)
    reply = proxy.get("/d/token/file", {"Range": "bytes=1-", "If-Range": condition})
    assert (reply.status, reply.body) == (206, CONTENT[1:])


def test_many_cookies_are_no_reason_to_refuse_a_download(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    assert proxy.get("/d/token/file", {"Cookie": "a=" + "x" * 30_000}).status == 200


def test_secret_paths_are_not_written_to_the_log(proxy: Proxy) -> None:
    proxy.allow("ff/ff/" + "f" * 32)
    assert proxy.get("/d/a-secret-token/file").status == 404
    assert "a-secret-token" not in proxy.context.folder.log("nginx").read_text()


def test_a_range_beyond_the_end_is_refused(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    assert proxy.get("/d/token/file", {"Range": "bytes=99999999-"}).status == 416


def test_many_ranges_at_once_are_answered_with_the_whole(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    reply = proxy.get("/d/token/file", {"Range": "bytes=0-1,5-6"})
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["content-type"] == "text/plain"


def test_a_head_tells_the_size_without_the_bytes(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    reply = proxy.get("/d/token/file", method="HEAD")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", str(len(CONTENT)))


def test_a_download_says_what_it_is_and_runs_nothing(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob, kind="text/html", name="p%C3%A4ge.html")
    reply = proxy.get("/d/token/file")
    assert reply.headers["content-type"] == "text/html"
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''p%C3%A4ge.html"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["accept-ranges"] == "bytes"


def test_a_denied_download_gets_the_sites_own_answer(proxy: Proxy, blob: str) -> None:
    proxy.instance.decision = (
        403,
        {"Content-Type": "text/html", "X-Reason": "password"},
        b"<p>A password, please.</p>",
    )
    reply = proxy.get("/d/token/file")
    assert (reply.status, reply.body) == (403, b"<p>A password, please.</p>")
    assert reply.headers["x-reason"] == "password"


def test_a_redirect_from_the_site_passes_through(proxy: Proxy, blob: str) -> None:
    proxy.instance.decision = (302, {"Location": "/t/token"}, b"")
    reply = proxy.get("/d/token/file")
    assert (reply.status, reply.headers["location"]) == (302, "/t/token")


def test_an_answer_without_a_blob_serves_nothing(proxy: Proxy, blob: str) -> None:
    proxy.instance.decision = (200, {}, b"")
    assert proxy.get("/d/token/file").status == 403


def test_a_clients_own_blob_headers_never_reach_the_file_server(proxy: Proxy, blob: str) -> None:
    proxy.instance.decision = (200, {}, b"")
    assert proxy.get("/d/token/file", proxy.sign(blob)).status == 403


@pytest.mark.parametrize("separator", ["_", "."])
def test_aliases_of_blob_headers_never_reach_the_file_server(proxy: Proxy, blob: str, separator: str) -> None:
    proxy.instance.decision = (200, {}, b"")
    aliases = {name.replace("-", separator): value for name, value in proxy.sign(blob).items()}
    assert proxy.get("/d/token/file", aliases).status == 403


def test_a_client_cannot_replace_one_of_the_sites_headers(proxy: Proxy, blob: str) -> None:
    proxy.allow(blob)
    reply = proxy.get("/d/token/file", {"X-Blob-Type": "text/html"})
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain")


def test_the_question_is_about_what_the_client_asked(proxy: Proxy, blob: str) -> None:
    proxy.get("/d/token/file?x=1", {"Cookie": "spillway_session=abc", "X-Forwarded-Uri": "/d/other/file"})
    question = proxy.instance.questions[-1]
    assert question["x-forwarded-uri"] == "/d/token/file?x=1"
    assert question["x-forwarded-method"] == "GET"
    assert question["cookie"] == "spillway_session=abc"


def test_the_question_carries_the_true_client_last(proxy: Proxy, blob: str) -> None:
    proxy.get("/d/token/file", {"X-Forwarded-For": "6.6.6.6"})
    assert proxy.instance.questions[-1]["x-forwarded-for"] == "127.0.0.1"


def test_the_file_server_itself_serves_nothing_unsigned(proxy: Proxy, blob: str) -> None:
    assert ask(proxy.files, "/d/token/file").status == 403


def test_the_file_server_refuses_a_wrong_signature(proxy: Proxy, blob: str) -> None:
    headers = proxy.sign(blob) | {"X-Blob-Type": "text/html"}
    assert ask(proxy.files, "/d/token/file", headers).status == 403


def test_the_file_server_refuses_an_expired_signature(proxy: Proxy, blob: str) -> None:
    assert ask(proxy.files, "/d/token/file", proxy.sign(blob, expires_in=-1)).status == 410


def test_the_file_server_takes_a_good_signature(proxy: Proxy, blob: str) -> None:
    assert ask(proxy.files, "/d/token/file", proxy.sign(blob)).body == CONTENT


@pytest.mark.parametrize(
    "key", ["../../secrets.json", "ab/cd/../../../x", "ab/cd/", "", "ab/cd/zz", "/etc/passwd"]
)
def test_a_signed_key_that_is_no_blobs_is_refused(proxy: Proxy, key: str) -> None:
    assert ask(proxy.files, "/d/token/file", proxy.sign(key)).status == 403


def test_blobs_have_no_address_of_their_own(proxy: Proxy, blob: str) -> None:
    assert ask(proxy.files, f"/blobs/{blob}").status == 404
    assert ask(proxy.files, f"/static/../blobs/{blob}").status == 404


def test_a_blob_that_is_gone_is_not_found(proxy: Proxy) -> None:
    proxy.allow("ff/ff/" + "f" * 32)
    assert proxy.get("/d/token/file").status == 404


def test_assets_are_served_for_good(proxy: Proxy) -> None:
    (proxy.context.folder.static / "app.123.css").write_text("body{}")
    reply = proxy.get("/static/app.123.css")
    assert (reply.status, reply.body) == (200, b"body{}")
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-type"] == "text/css"


def test_an_asset_is_no_page_that_runs_something_and_no_other_sites(proxy: Proxy) -> None:
    (proxy.context.folder.static / "drawing.svg").write_text("<svg/>")
    headers = proxy.get("/static/drawing.svg").headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "sandbox" in headers["content-security-policy"]
    assert proxy.get("/static/nothing.svg").headers["x-content-type-options"] == "nosniff"


def test_assets_end_at_their_folder(proxy: Proxy) -> None:
    assert ask(proxy.files, "/static/../secrets.json").status in {400, 404}
    assert ask(proxy.files, "/static/%2e%2e/secrets.json").status in {400, 404}
    assert ask(proxy.files, "/static../secrets.json").status == 404
