"""Every MUST of tus 1.0.0's Creation, Creation With Upload and Expiration: a test's name is its sentence."""

import base64
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from django.utils import timezone

from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.models import Upload
from apps.uploads.tests.client import Tus, bytes_of, code_of, metadata, path_of

pytestmark = pytest.mark.django_db(transaction=True)
NAME = metadata(filename="a.txt")


def extensions(tus: Tus) -> list[str]:
    return str(tus.call("OPTIONS", "/files/")["Tus-Extension"]).split(",")


# Creation


def test_if_the_server_supports_this_extension_it_must_add_creation_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "creation" in extensions(tus)


@pytest.mark.parametrize("value", ["", "0", "2", "true", "01", "1 "])
def test_the_upload_defer_length_headers_value_must_be_1(tus: Tus, value: str) -> None:
    response = tus.defer(Upload_Defer_Length=value)
    assert (response.status_code, code_of(response)) == (400, "upload_length_invalid")
    assert not Upload.objects.exists()


def test_if_the_length_of_an_upload_is_not_deferred_this_header_must_be_omitted(tus: Tus) -> None:
    assert tus.create(5, Upload_Defer_Length="1").status_code == 400
    assert "Upload-Defer-Length" not in tus.call("HEAD", path_of(tus.create()))


def test_the_upload_metadata_request_and_response_header_must_consist_of_one_or_more_comma_separated_key_value_pairs(
    tus: Tus,
) -> None:
    assert tus.create(Upload_Metadata=f"{NAME},a YQ==,b Yg==").status_code == 201
    for header in (f"{NAME},", f",{NAME}", f"{NAME},,a YQ==", f"{NAME};a YQ=="):
        assert code_of(tus.create(Upload_Metadata=header)) == "upload_metadata_invalid"


@pytest.mark.parametrize("header", ["filename=YQ==", "filename\tYQ==", "filename:YQ==", "filenameYQ=="])
def test_the_key_and_value_must_be_separated_by_a_space(tus: Tus, header: str) -> None:
    assert code_of(tus.create(Upload_Metadata=header)) == "upload_metadata_invalid"


@pytest.mark.parametrize("pair", ["", "a b YQ==", "  "])
def test_the_key_must_not_contain_spaces_and_commas_and_must_not_be_empty(tus: Tus, pair: str) -> None:
    assert code_of(tus.create(Upload_Metadata=f"{NAME},{pair}")) == "upload_metadata_invalid"


@pytest.mark.parametrize("value", ["???", "YQ", "Y=Q=", "YQ==YQ", "\u00e9"])
def test_the_key_should_be_ascii_encoded_and_the_value_must_be_base64_encoded(tus: Tus, value: str) -> None:
    response = tus.create(Upload_Metadata=f"{NAME},more {value}")
    assert (response.status_code, code_of(response)) == (400, "upload_metadata_invalid")


def test_all_keys_must_be_unique(tus: Tus) -> None:
    assert code_of(tus.create(Upload_Metadata=f"{NAME},a YQ==,a Yg==")) == "upload_metadata_invalid"


def test_the_client_must_send_a_post_request_against_a_known_upload_creation_url_to_request_a_new_upload_resource(
    tus: Tus,
) -> None:
    for path in ("/files/", "/files"):
        response = tus.call("POST", path, Upload_Length="5", Upload_Metadata=NAME)
        assert response.status_code == 201
        assert tus.offset(path_of(response)) == 0
    assert tus.call("POST", "/files/elsewhere", Upload_Length="5", Upload_Metadata=NAME).status_code == 404


def test_the_request_must_include_one_of_the_following_headers(tus: Tus) -> None:
    """Upload-Length or Upload-Defer-Length."""
    assert code_of(tus.create(Upload_Length=None)) == "upload_length_invalid"
    assert tus.create(5).status_code == 201
    assert tus.defer().status_code == 201


def test_if_the_length_was_deferred_using_upload_defer_length_1_the_client_must_set_the_upload_length_header_in_the_next_patch_request_once_the_length_is_known(
    tus: Tus,
) -> None:
    url = path_of(tus.defer())
    assert tus.patch(url, b"hello").status_code == 204
    assert File.objects.get().state == FileState.UPLOADING
    assert tus.patch(url, b"world", 5, Upload_Length="10").status_code == 204
    assert File.objects.get().state == FileState.PROCESSING
    assert bytes_of(url) == b"helloworld"


def test_once_set_the_length_must_not_be_changed(tus: Tus) -> None:
    url = path_of(tus.defer())
    tus.patch(url, b"hello", Upload_Length="10")
    for length in ("9", "11", "5"):
        response = tus.patch(url, b"w", 5, Upload_Length=length)
        assert (response.status_code, code_of(response)) == (400, "upload_length_fixed")
    assert code_of(tus.patch(path_of(tus.create(5)), b"h", Upload_Length="6")) == "upload_length_fixed"
    assert tus.call("HEAD", url)["Upload-Length"] == "10"
    assert tus.patch(url, b"world", 5, Upload_Length="10").status_code == 204


def test_as_long_as_the_length_of_the_upload_is_not_known_the_server_must_set_upload_defer_length_1_in_all_responses_to_head_requests(
    tus: Tus,
) -> None:
    url = path_of(tus.defer())
    for offset in range(3):
        head = tus.call("HEAD", url)
        assert (head["Upload-Defer-Length"], head["Upload-Offset"]) == ("1", str(offset))
        tus.patch(url, b"x", offset)
    tus.patch(url, b"x", 3, Upload_Length="9")
    assert "Upload-Defer-Length" not in tus.call("HEAD", url)


def test_if_the_server_supports_deferring_length_it_must_add_creation_defer_length_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "creation-defer-length" in extensions(tus)


@pytest.mark.parametrize(
    "header",
    [
        NAME,
        f"is_confidential,{NAME}",
        f"{NAME},empty ,none",
        f"{NAME},bytes {base64.b64encode(bytes(range(256))).decode()}",
        f"{NAME}, spaced YQ==,UPPER YQ==,x.y-z YQ==",
    ],
)
def test_if_an_upload_contains_additional_metadata_responses_to_head_requests_must_include_the_upload_metadata_header_and_its_value_as_specified_by_the_client_during_the_creation(
    tus: Tus, header: str
) -> None:
    url = path_of(tus.create(Upload_Metadata=header))
    assert tus.call("HEAD", url)["Upload-Metadata"] == header
    tus.patch(url, b"hello")
    assert tus.call("HEAD", url)["Upload-Metadata"] == header


def test_if_the_length_of_the_upload_exceeds_the_maximum_which_may_be_specified_using_the_tus_max_size_header_the_server_must_respond_with_the_413_request_entity_too_large_status(
    tus: Tus, settings
) -> None:
    settings.MAX_FILE_BYTES = 100
    assert tus.create(101).status_code == 413
    assert tus.create(10**30).status_code == 413
    url = path_of(tus.defer())
    assert tus.patch(url, b"x", Upload_Length="101").status_code == 413
    assert tus.patch(url, b"x" * 101).status_code == 413
    assert (tus.offset(url), Upload.objects.get().length) == (0, None)


def test_the_server_must_acknowledge_a_successful_upload_creation_with_the_201_created_status(
    tus: Tus,
) -> None:
    assert tus.create().status_code == 201
    assert tus.create(5, b"hello").status_code == 201
    assert tus.create(0).status_code == 201


def test_the_server_must_set_the_location_header_to_the_url_of_the_created_resource(tus: Tus) -> None:
    location = tus.create()["Location"]
    assert location == f"http://testserver/files/{Upload.objects.get().pk}"


def test_the_client_must_perform_the_actual_upload_using_the_core_protocol(tus: Tus) -> None:
    url = path_of(tus.create(5))
    assert tus.call("PUT", url, b"hello").status_code == 405
    assert tus.call("POST", url, b"hello", Upload_Offset="0").status_code == 405
    assert tus.patch(url, b"hello").status_code == 204


# Creation With Upload


def test_if_the_server_supports_this_extension_it_must_advertise_this_by_including_creation_with_upload_in_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "creation-with-upload" in extensions(tus)


def test_therefore_if_the_server_does_not_offer_the_creation_extension_it_must_not_offer_the_creation_with_upload_extension_either(
    tus: Tus,
) -> None:
    told = extensions(tus)
    assert ("creation" in told) >= ("creation-with-upload" in told)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_the_client_must_include_the_content_type_application_offset_octet_stream_header(
    tus: Tus, kind: str
) -> None:
    response = tus.create(5, b"hello", Content_Type=kind)
    assert (response.status_code, code_of(response)) == (415, "upload_content_type")
    assert not Upload.objects.exists()


@pytest.mark.parametrize("body", [b"", b"h", b"hello"])
def test_the_server_should_accept_as_many_bytes_as_possible_and_must_include_the_upload_offset_header_in_the_response_and_must_set_its_value_to_the_offset_of_the_upload_after_applying_the_accepted_bytes(
    tus: Tus, body: bytes
) -> None:
    for created in (tus.create(5, body), tus.defer(body)):
        assert created["Upload-Offset"] == str(len(body))
        assert tus.offset(path_of(created)) == len(body)


# Expiration


def test_in_order_to_indicate_this_behavior_to_the_client_the_server_must_add_expiration_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "expiration" in extensions(tus)


def test_this_header_must_be_included_in_every_patch_response_if_the_upload_is_going_to_expire(
    tus: Tus,
) -> None:
    url = path_of(tus.create(10))
    assert "Upload-Expires" in tus.patch(url, b"hello")
    assert "Upload-Expires" in tus.patch(url, b"hello", 0)  # a conflict
    assert "Upload-Expires" in tus.patch(url, b"xx", 5, Upload_Checksum="crc32 AAAAAA==")  # a mismatch
    assert "Upload-Expires" not in tus.patch(url, b"world", 5)  # whole: it does not expire any more
    partial = path_of(tus.create(5, Upload_Concat="partial"))
    assert "Upload-Expires" in tus.patch(partial, b"hello")  # whole, but no file yet


def test_if_the_expiration_is_known_at_the_creation_the_upload_expires_header_must_be_included_in_the_response_to_the_initial_post_request(
    tus: Tus,
) -> None:
    assert "Upload-Expires" in tus.create()
    assert "Upload-Expires" in tus.create(10, b"hello")
    assert "Upload-Expires" in tus.defer()
    assert "Upload-Expires" not in tus.create(5, b"hello")


def test_the_value_of_the_upload_expires_header_must_be_in_rfc_9110_datetime_format(
    tus: Tus, settings
) -> None:
    told = tus.create()["Upload-Expires"]
    expires = parsedate_to_datetime(told)
    assert told == expires.strftime("%a, %d %b %Y %H:%M:%S GMT")
    expected = timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRES_SECONDS)
    assert abs(expires - expected) < timedelta(seconds=60)
