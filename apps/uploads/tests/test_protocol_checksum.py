"""Every MUST of tus 1.0.0's Checksum and Termination: a test's name is its sentence."""

import base64
import hashlib
import zlib

import pytest

from apps.transfers.models import File
from apps.uploads.models import Part, Upload
from apps.uploads.tests.client import Tus, code_of, path_of
from apps.uploads.tests.conftest import staged

pytestmark = pytest.mark.django_db(transaction=True)


def checksum(algorithm: str, body: bytes) -> str:
    digest = (
        zlib.crc32(body).to_bytes(4, "big") if algorithm == "crc32" else hashlib.new(algorithm, body).digest()
    )
    return f"{algorithm} {base64.b64encode(digest).decode()}"


def test_if_supported_the_server_must_add_checksum_to_the_tus_extension_header(tus: Tus) -> None:
    assert "checksum" in tus.call("OPTIONS", "/files/")["Tus-Extension"].split(",")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5", "crc32"])
def test_once_the_entire_request_has_been_received_the_server_must_verify_the_uploaded_chunk_against_the_provided_checksum_using_the_specified_algorithm(
    tus: Tus, algorithm: str
) -> None:
    url = path_of(tus.create(11))
    wrong = tus.patch(url, b"hello", Upload_Checksum=checksum(algorithm, b"hellO"))
    assert (wrong.status_code, code_of(wrong)) == (460, "upload_checksum_mismatch")
    right = tus.patch(url, b"hello", Upload_Checksum=checksum(algorithm, b"hello"))
    assert (right.status_code, right["Upload-Offset"]) == (204, "5")
    assert tus.patch(url, b" world", 5, Upload_Checksum=checksum(algorithm, b" world")).status_code == 204
    assert staged(Upload.objects.get().pk) == b"hello world"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (checksum("sha1", b"other"), 460),
        ("sha512 " + base64.b64encode(hashlib.sha512(b"hello").digest()).decode(), 400),
        ("crc32c AAAAAA==", 400),
    ],
)
def test_in_the_first_two_cases_the_uploaded_chunk_must_be_discarded_and_the_upload_and_its_offset_must_not_be_updated(
    tus: Tus, settings, header: str, status: int
) -> None:
    settings.COMMIT_BYTES = 1  # as much as in a long chunk: nothing may be kept on the way either
    url = path_of(tus.create(10))
    assert tus.patch(url, b"hello", Upload_Checksum=header).status_code == status
    assert (tus.offset(url), Part.objects.count()) == (0, 0)
    upload = Upload.objects.get()
    assert (upload.offset, upload.lease_token) == (0, None)
    assert not [path for path in settings.STORE_ROOT.rglob(f"*{upload.pk.hex}*/*") if path.is_file()]


def test_the_server_must_support_at_least_the_sha1_checksum_algorithm_identified_by_sha1(tus: Tus) -> None:
    assert "sha1" in tus.call("OPTIONS", "/files/")["Tus-Checksum-Algorithm"].split(",")
    # The protocol's own example.
    example = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="
    assert tus.patch(path_of(tus.create(11)), b"hello world", Upload_Checksum=example).status_code == 204


def test_the_names_of_the_checksum_algorithms_must_only_consist_of_ascii_characters_with_the_modification_that_uppercase_characters_are_excluded(
    tus: Tus,
) -> None:
    for name in tus.call("OPTIONS", "/files/")["Tus-Checksum-Algorithm"].split(","):
        assert name.isascii()
        assert name == name.lower()
    refused = tus.patch(path_of(tus.create()), b"hello", Upload_Checksum="SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")
    assert (refused.status_code, code_of(refused)) == (400, "upload_checksum_invalid")


def test_the_tus_checksum_algorithm_header_must_be_included_in_the_response_to_an_options_request(
    tus: Tus,
) -> None:
    assert tus.call("OPTIONS", "/files/")["Tus-Checksum-Algorithm"]


def test_the_tus_checksum_algorithm_response_header_must_be_a_comma_separated_list_of_the_checksum_algorithms_supported_by_the_server(
    tus: Tus,
) -> None:
    for algorithm in tus.call("OPTIONS", "/files/")["Tus-Checksum-Algorithm"].split(","):
        sent = tus.patch(path_of(tus.create()), b"hello", Upload_Checksum=checksum(algorithm, b"hello"))
        assert sent.status_code == 204


def test_if_the_server_can_handle_trailers_this_behavior_must_be_announced_by_adding_checksum_trailer_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "checksum-trailer" not in tus.call("OPTIONS", "/files/")["Tus-Extension"]
    chunked = tus.patch(
        path_of(tus.create()), b"hello", Transfer_Encoding="chunked", Trailer="Upload-Checksum"
    )
    assert (chunked.status_code, code_of(chunked)) == (411, "upload_length_required")


@pytest.mark.parametrize(
    "header",
    ["", "sha1", "sha1 ", "sha1:Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1 ???", "sha1 AAAA", "sha1  AAAA", " "],
)
def test_the_upload_checksum_header_must_consist_of_the_name_of_the_used_checksum_algorithm_and_the_base64_encoded_checksum_separated_by_a_space(
    tus: Tus, header: str
) -> None:
    url = path_of(tus.create())
    response = tus.patch(url, b"hello", Upload_Checksum=header)
    assert (response.status_code, code_of(response)) == (400, "upload_checksum_invalid")
    assert tus.offset(url) == 0


# Termination


def test_if_this_extension_is_supported_by_the_server_it_must_be_announced_by_adding_termination_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "termination" in tus.call("OPTIONS", "/files/")["Tus-Extension"].split(",")


def test_when_receiving_a_delete_request_for_an_existing_upload_the_server_should_free_associated_resources_and_must_respond_with_the_204_no_content_status_confirming_that_the_upload_was_terminated(
    tus: Tus,
) -> None:
    for url in (
        path_of(tus.create()),
        path_of(tus.create(10, b"hello")),
        path_of(tus.create(5, b"hello")),
        path_of(tus.defer(b"hello")),
        tus.partial(b"hello"),
    ):
        response = tus.call("DELETE", url)
        assert (response.status_code, response.content) == (204, b"")
        assert tus.call("HEAD", url).status_code == 404
        assert tus.patch(url, b"x").status_code == 404
        assert tus.call("DELETE", url).status_code == 404
    assert not Upload.objects.exists()
    assert not File.objects.exists()
    assert not Part.objects.exists()
