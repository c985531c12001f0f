"""Every MUST of tus 1.0.0's core protocol: a test's name is its sentence.

Left out is what only a server without extensions could do ("If no extensions are supported, the Tus-Extension header MUST
be omitted").
"""

import re

import pytest

from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.models import Part, Upload
from apps.uploads.tests.client import CHUNK, Tus, code_of, path_of
from apps.uploads.tests.conftest import staged

pytestmark = pytest.mark.django_db(transaction=True)
NOT_NUMBERS = ["", "-1", "1.5", "+1", "0x1", "many", " ", "٣", "1_0"]


def test_all_clients_and_servers_must_implement_the_core_protocol(tus: Tus) -> None:
    url = path_of(tus.create(10))
    assert tus.offset(url) == 0
    assert tus.patch(url, b"hello", 0).status_code == 204
    assert tus.offset(url) == 5
    assert tus.patch(url, b"world", 5).status_code == 204
    assert staged(Upload.objects.get().pk) == b"helloworld"
    assert File.objects.get().state == FileState.PROCESSING


# Headers


@pytest.mark.parametrize("offset", NOT_NUMBERS)
def test_the_upload_offset_header_indicates_a_byte_offset_within_a_resource_the_value_must_be_a_non_negative_integer(
    tus: Tus, offset: str
) -> None:
    url = path_of(tus.create())
    response = tus.patch(url, b"hello", offset)
    assert (response.status_code, code_of(response)) == (400, "upload_offset_invalid")
    assert tus.offset(url) == 0


@pytest.mark.parametrize("length", NOT_NUMBERS)
def test_the_upload_length_header_indicates_the_size_of_the_entire_upload_the_value_must_be_a_non_negative_integer(
    tus: Tus, length: str
) -> None:
    response = tus.create(length)
    assert (response.status_code, code_of(response)) == (400, "upload_length_invalid")


def test_the_tus_version_response_header_must_be_a_comma_separated_list_of_protocol_versions_supported_by_the_server(
    tus: Tus,
) -> None:
    for version in tus.call("OPTIONS", "/files/")["Tus-Version"].split(","):
        assert tus.create(Tus_Resumable=version).status_code == 201


def test_the_list_must_be_sorted_by_servers_preference_where_the_first_one_is_the_most_preferred_one(
    tus: Tus,
) -> None:
    preferred = tus.call("OPTIONS", "/files/")["Tus-Version"].split(",")[0]
    assert tus.create()["Tus-Resumable"] == preferred


def test_the_tus_resumable_header_must_be_included_in_every_request_and_response_except_for_options_requests(
    tus: Tus, settings
) -> None:
    url = path_of(tus.create(10))
    answers = {
        201: tus.create(),
        200: tus.call("HEAD", url),
        204: tus.patch(url, b"hello"),
        400: tus.create("x"),
        404: tus.call("HEAD", "/files/nonsense"),
        405: tus.call("PUT", url, b"x"),
        409: tus.patch(url, b"hello", 3),
        411: tus.patch(url, b"hello", 5, Transfer_Encoding="chunked"),
        412: tus.create(Tus_Resumable="0.2.2"),
        413: tus.create(10**17),
        415: tus.patch(url, b"hello", 5, Content_Type="text/plain"),
    }
    assert {status: answer.status_code for status, answer in answers.items()} == {s: s for s in answers}
    assert all(answer["Tus-Resumable"] == "1.0.0" for answer in answers.values())
    assert tus.call("POST", "/files/", Tus_Resumable=None, Upload_Length="5").status_code == 412
    assert tus.call("OPTIONS", "/files/", Tus_Resumable=None).status_code == 204
    assert "Tus-Resumable" not in tus.call("OPTIONS", "/files/")
    settings.ALLOWED_HOSTS = ["elsewhere.example"]
    refused = tus.create()
    assert (refused.status_code, refused["Tus-Resumable"]) == (400, "1.0.0")


@pytest.mark.parametrize("version", ["", "1", "1.0", "1.0.1", "0.2.2", "2.0.0", "1.0.0,0.2.2"])
def test_the_value_must_be_the_version_of_the_protocol_used_by_the_client_or_the_server(
    tus: Tus, version: str
) -> None:
    assert tus.create(Tus_Resumable=version).status_code == 412
    assert tus.create()["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_if_the_version_specified_by_the_client_is_not_supported_by_the_server_it_must_respond_with_the_412_precondition_failed_status_and_must_include_the_tus_version_header_into_the_response(
    tus: Tus, method: str
) -> None:
    url = "/files/" if method == "POST" else path_of(tus.create())
    response = tus.call(method, url, Tus_Resumable="0.2.2", Upload_Length="5", Upload_Offset="0")
    assert (response.status_code, response["Tus-Version"]) == (412, "1.0.0")


def test_in_addition_the_server_must_not_process_the_request(tus: Tus) -> None:
    url = path_of(tus.create())
    tus.create(Tus_Resumable="0.2.2")
    tus.patch(url, b"hello", Tus_Resumable="0.2.2")
    tus.call("DELETE", url, Tus_Resumable="0.2.2")
    assert (Upload.objects.get().offset, Part.objects.count()) == (0, 0)


def test_the_tus_extension_response_header_must_be_a_comma_separated_list_of_the_extensions_supported_by_the_server(
    tus: Tus,
) -> None:
    assert tus.call("OPTIONS", "/files/")["Tus-Extension"].split(",") == [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "termination",
        "expiration",
        "concatenation",
    ]


@pytest.mark.parametrize(("file", "transfer", "told"), [(100, 0, 100), (100, 60, 60), (100, 500, 100)])
def test_the_tus_max_size_response_header_must_be_a_non_negative_integer_indicating_the_maximum_allowed_size_of_an_entire_upload_in_bytes(
    tus: Tus, settings, file: int, transfer: int, told: int
) -> None:
    settings.MAX_FILE_BYTES, settings.MAX_TRANSFER_BYTES = file, transfer
    assert tus.call("OPTIONS", "/files/")["Tus-Max-Size"] == str(told)
    assert tus.create(told).status_code == 201
    assert tus.create(told + 1).status_code == 413


def test_the_x_http_method_override_request_header_must_be_a_string_which_must_be_interpreted_as_the_requests_method_by_the_server_if_the_header_is_presented(
    tus: Tus,
) -> None:
    url = path_of(tus.create())
    assert tus.call("POST", url, b"he", Upload_Offset="0", X_HTTP_Method_Override="PATCH").status_code == 204
    head = tus.call("POST", url, X_HTTP_Method_Override="HEAD")
    assert (head.status_code, head["Upload-Offset"]) == (200, "2")
    assert tus.call("POST", url, X_HTTP_Method_Override="OPTIONS")["Tus-Version"] == "1.0.0"
    assert tus.call("POST", url, X_HTTP_Method_Override="BREW").status_code == 405
    assert tus.call("POST", url, X_HTTP_Method_Override="DELETE").status_code == 204
    assert not Upload.objects.exists()


@pytest.mark.parametrize("actual", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_the_actual_method_of_the_request_must_be_ignored(tus: Tus, actual: str) -> None:
    url = path_of(tus.create())
    assert (
        tus.call(actual, url, b"hello", Upload_Offset="0", X_HTTP_Method_Override="PATCH").status_code == 204
    )
    assert tus.offset(url) == 5


# HEAD


def test_the_server_must_always_include_the_upload_offset_header_in_the_response_for_a_head_request_even_if_the_offset_is_0_or_the_upload_is_already_considered_completed(
    tus: Tus,
) -> None:
    url = path_of(tus.create())
    assert tus.call("HEAD", url)["Upload-Offset"] == "0"
    tus.patch(url, b"hello")
    assert tus.call("HEAD", url)["Upload-Offset"] == "5"
    assert tus.call("HEAD", path_of(tus.create(0)))["Upload-Offset"] == "0"


def test_if_the_size_of_the_upload_is_known_the_server_must_include_the_upload_length_header_in_the_response(
    tus: Tus,
) -> None:
    assert tus.call("HEAD", path_of(tus.create(7)))["Upload-Length"] == "7"
    assert tus.call("HEAD", path_of(tus.create(0)))["Upload-Length"] == "0"
    assert "Upload-Length" not in tus.call("HEAD", path_of(tus.defer()))


def test_the_server_must_prevent_the_client_and_or_proxies_from_caching_the_response_by_adding_the_cache_control_no_store_header_to_the_response(
    tus: Tus,
) -> None:
    assert tus.call("HEAD", path_of(tus.create()))["Cache-Control"] == "no-store"
    assert tus.call("HEAD", "/files/nonsense")["Cache-Control"] == "no-store"


# PATCH


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "text/plain", "application/json"])
def test_all_patch_requests_must_use_content_type_application_offset_octet_stream_otherwise_the_server_should_return_a_415_unsupported_media_type_status(
    tus: Tus, kind: str
) -> None:
    url = path_of(tus.create())
    response = tus.patch(url, b"hello", Content_Type=kind)
    assert (response.status_code, code_of(response)) == (415, "upload_content_type")
    assert tus.offset(url) == 0
    assert tus.patch(url, b"hello", Content_Type=CHUNK).status_code == 204


@pytest.mark.parametrize("offset", [0, 1, 4, 6, 10, 10**15])
def test_the_upload_offset_headers_value_must_be_equal_to_the_current_offset_of_the_resource(
    tus: Tus, offset: int
) -> None:
    url = path_of(tus.create(10, b"hello"))
    assert tus.patch(url, b"x", offset).status_code == 409
    assert tus.patch(url, b"x", 5).status_code == 204


def test_if_the_offsets_do_not_match_the_server_must_respond_with_the_409_conflict_status_without_modifying_the_upload_resource(
    tus: Tus,
) -> None:
    url = path_of(tus.create(10, b"hello"))
    before = Upload.objects.values().get()
    response = tus.patch(url, b"world", 0)
    assert (response.status_code, code_of(response)) == (409, "upload_offset_conflict")
    assert response["Upload-Offset"] == "5"
    assert Upload.objects.values().get() == before
    assert Part.objects.count() == 1


def test_the_server_must_acknowledge_successful_patch_requests_with_the_204_no_content_status(
    tus: Tus,
) -> None:
    response = tus.patch(path_of(tus.create()), b"hello")
    assert (response.status_code, response.content) == (204, b"")


def test_it_must_include_the_upload_offset_header_containing_the_new_offset(tus: Tus) -> None:
    url = path_of(tus.create())
    assert tus.patch(url, b"he")["Upload-Offset"] == "2"
    assert tus.patch(url, b"llo", 2)["Upload-Offset"] == "5"


def test_the_new_offset_must_be_the_sum_of_the_offset_before_the_patch_request_and_the_number_of_bytes_received_and_processed_or_stored_during_the_current_patch_request(
    tus: Tus,
) -> None:
    url, offset = path_of(tus.create(15)), 0
    for size in range(1, 6):
        told = int(tus.patch(url, b"x" * size, offset)["Upload-Offset"])
        assert told == offset + size == tus.offset(url)
        offset = told


# OPTIONS


@pytest.mark.parametrize("path", ["/files", "/files/", "/files/nonsense"])
def test_a_successful_response_indicated_by_the_204_no_content_or_200_ok_status_must_contain_the_tus_version_header(
    tus: Tus, path: str
) -> None:
    response = tus.call("OPTIONS", path)
    assert (response.status_code, response["Tus-Version"]) == (204, "1.0.0")


@pytest.mark.parametrize("version", [None, "1.0.0", "0.2.2", "nonsense"])
def test_the_client_should_not_include_the_tus_resumable_header_in_the_request_and_the_server_must_ignore_the_header(
    tus: Tus, version: str | None
) -> None:
    response = tus.call("OPTIONS", "/files/", Tus_Resumable=version)
    assert re.fullmatch(r"\d+\.\d+\.\d+(,\d+\.\d+\.\d+)*", response["Tus-Version"])
