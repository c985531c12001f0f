"""Every MUST of tus 1.0.0's Concatenation: a test's name is its sentence."""

import pytest

from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.models import Upload
from apps.uploads.tests.client import Tus, bytes_of, code_of, metadata, path_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_if_the_server_supports_this_extension_it_must_add_concatenation_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "concatenation" in tus.call("OPTIONS", "/files/")["Tus-Extension"].split(",")


def test_the_length_of_the_final_upload_must_be_the_sum_of_the_length_of_all_partial_uploads(
    tus: Tus,
) -> None:
    final = tus.final(tus.partial(b"hello"), tus.partial(b" world"), tus.partial(b""))
    head = tus.call("HEAD", path_of(final))
    assert (head["Upload-Length"], head["Upload-Offset"]) == ("11", "11")
    assert (File.objects.get().size, File.objects.get().state) == (11, FileState.PROCESSING)


def test_in_order_to_create_a_new_final_upload_the_client_must_add_the_upload_concat_header_to_the_upload_creation_request(
    tus: Tus,
) -> None:
    url = tus.partial(b"hello")
    assert code_of(tus.create(0, Upload_Length=None)) == "upload_length_invalid"
    assert tus.final(url).status_code == 201


@pytest.mark.parametrize(
    "value",
    ["", "final", "final;", "final; ", "final {}", "final,{}", "Final;{}", "finale;{}", "partial;{}", ";{}"],
)
def test_the_value_must_be_final_followed_by_a_semicolon_and_a_space_separated_list_of_the_partial_upload_urls_that_need_to_be_concatenated(
    tus: Tus, value: str
) -> None:
    url = tus.partial(b"hello")
    response = tus.final(Upload_Concat=value.format(url))
    assert (response.status_code, code_of(response)) == (400, "upload_concat_invalid")
    assert tus.final(url).status_code == 201


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_partial_uploads_must_be_concatenated_as_per_the_order_specified_in_the_list(
    tus: Tus, order: tuple[int, ...]
) -> None:
    bodies = [b"one ", b"two ", b"three "]
    urls = [tus.partial(body) for body in bodies]
    final = path_of(tus.final(*(urls[n] for n in order)))
    assert bytes_of(final) == b"".join(bodies[n] for n in order)


def test_the_client_must_not_include_the_upload_length_header_in_the_final_upload_creation(tus: Tus) -> None:
    url = tus.partial(b"hello")
    for headers in ({"Upload_Length": "5"}, {"Upload_Defer_Length": "1"}):
        response = tus.final(url, **headers)
        assert (response.status_code, code_of(response)) == (400, "upload_concat_invalid")
    assert not File.objects.exists()


def test_this_feature_must_be_explicitly_announced_by_the_server_by_adding_concatenation_unfinished_to_the_tus_extension_header(
    tus: Tus,
) -> None:
    assert "concatenation-unfinished" not in tus.call("OPTIONS", "/files/")["Tus-Extension"]
    whole, half = tus.partial(b"hello"), path_of(tus.create(6, b" wo", Upload_Concat="partial"))
    response = tus.final(whole, half)
    assert (response.status_code, code_of(response)) == (409, "partial_unfinished")
    assert response.json()["error"]["uploads"] == [half.removeprefix("/files/")]
    assert tus.patch(half, b"rld", 3).status_code == 204
    assert tus.final(whole, half).status_code == 201


def test_when_creating_a_new_final_upload_the_partial_uploads_metadata_shall_not_be_transferred_to_the_new_final_upload(
    tus: Tus,
) -> None:
    theirs, its_own = metadata(filename="part.bin", secret="x"), metadata(filename="whole.bin")
    url = tus.partial(b"hello", Upload_Metadata=theirs)
    assert code_of(tus.final(url, Upload_Metadata=None)) == "upload_metadata_invalid"
    final = path_of(tus.final(url, Upload_Metadata=its_own))
    assert tus.call("HEAD", final)["Upload-Metadata"] == its_own
    assert File.objects.get().name == "whole.bin"
    assert tus.call("HEAD", url)["Upload-Metadata"] == theirs


@pytest.mark.parametrize("offset", [0, 5, 11])
@pytest.mark.parametrize("body", [b"", b"x"])
def test_the_server_must_respond_with_the_403_forbidden_status_to_patch_requests_against_a_final_upload_url_and_must_not_modify_the_final_or_its_partial_uploads(
    tus: Tus, offset: int, body: bytes
) -> None:
    one, two = tus.partial(b"hello"), tus.partial(b" world")
    final = path_of(tus.final(one, two))
    before = list(Upload.objects.order_by("pk").values())
    response = tus.patch(final, body, offset, Content_Type="application/offset+octet-stream")
    assert (response.status_code, code_of(response)) == (403, "upload_final")
    assert list(Upload.objects.order_by("pk").values()) == before
    assert bytes_of(final) == b"hello world"


def test_after_successful_concatenation_the_upload_offset_and_upload_length_must_be_set_and_their_values_must_be_equal(
    tus: Tus,
) -> None:
    created = tus.final(tus.partial(b"hello"))
    assert created["Upload-Offset"] == "5"
    head = tus.call("HEAD", path_of(created))
    assert head["Upload-Offset"] == head["Upload-Length"] == "5"


def test_the_response_to_a_head_request_for_a_partial_upload_must_contain_the_upload_offset_header(
    tus: Tus,
) -> None:
    url = path_of(tus.create(5, Upload_Concat="partial"))
    assert tus.call("HEAD", url)["Upload-Offset"] == "0"
    tus.patch(url, b"hello")
    assert tus.call("HEAD", url)["Upload-Offset"] == "5"
    tus.final(url)
    assert tus.call("HEAD", url)["Upload-Offset"] == "5"


def test_the_upload_length_header_must_be_included_if_the_length_of_the_final_resource_can_be_calculated_at_the_time_of_the_request(
    tus: Tus,
) -> None:
    url = tus.partial(b"hello")
    assert tus.call("HEAD", url)["Upload-Length"] == "5"
    assert tus.call("HEAD", path_of(tus.final(url)))["Upload-Length"] == "5"


def test_response_to_head_request_against_partial_or_final_upload_must_include_the_upload_concat_header_and_its_value_as_received_in_the_upload_creation_request(
    tus: Tus,
) -> None:
    one, two = tus.partial(b"hello"), tus.partial(b" world")
    value = f"final;http://testserver{one}  {two.removeprefix('/files/')}"
    final = path_of(tus.final(Upload_Concat=value))
    assert tus.call("HEAD", final)["Upload-Concat"] == value
    assert tus.call("HEAD", one)["Upload-Concat"] == "partial"
    assert "Upload-Concat" not in tus.call("HEAD", path_of(tus.create()))


def test_the_upload_concat_request_and_response_header_must_be_set_in_both_partial_and_final_upload_creation_requests(
    tus: Tus,
) -> None:
    alone = path_of(tus.create(5, b"hello"))
    response = tus.final(alone)
    assert (response.status_code, code_of(response)) == (400, "upload_concat_invalid")
    made = path_of(tus.final(tus.partial(b"hello")))
    assert code_of(tus.final(made)) == "upload_concat_invalid"


@pytest.mark.parametrize("value", ["Partial", "partial ;", "partial;", "part", "1", "PARTIAL"])
def test_if_the_upload_is_a_partial_one_the_header_value_must_be_partial(tus: Tus, value: str) -> None:
    response = tus.create(5, Upload_Concat=value)
    assert (response.status_code, code_of(response)) == (400, "upload_concat_invalid")
    assert not Upload.objects.exists()


@pytest.mark.parametrize("form", ["http://testserver{}", "https://upload.example{}", "{}", "..{}"])
def test_the_partial_uploads_urls_may_be_absolute_or_relative_and_must_not_contain_spaces_as_defined_in_rfc_3986(
    tus: Tus, form: str
) -> None:
    one, two = tus.partial(b"hello"), tus.partial(b" world")
    final = path_of(tus.final(form.format(one), form.format(two)))
    assert bytes_of(final) == b"hello world"
    spaced = tus.final(one.replace("/files/", "/files/ "))
    assert (spaced.status_code, code_of(spaced)) == (400, "upload_concat_invalid")
