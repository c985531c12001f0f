"""/api/v1/transfers/.../files and .../downloads: of somebody's own transfers."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.api.tests.program import Program, refusal
from apps.transfers.models import DownloadDay, File
from apps.transfers.rules import FileState
from apps.transfers.tests.cast import Sent
from apps.uploads.models import Upload


def path(sent: Sent, more: str = "") -> str:
    return f"/transfers/{sent.transfer.pk}{more}"


def arriving(sent: Sent) -> tuple[File, Upload]:
    file = sent.add("big.iso", FileState.UPLOADING)
    later = timezone.now() + timedelta(days=1)
    return file, Upload.objects.create(file=file, length=1000, offset=400, expires_at=later)


def test_a_list_has_exactly_the_promised_shape(reader: Program, sent: Sent) -> None:
    file, upload = arriving(sent)
    assert reader.get(path(sent, "/files")).json() == {
        "files": [
            {
                "id": str(file.pk),
                "name": "big.iso",
                "folder": "",
                "size": 1000,
                "type": "",
                "sha256": "",
                "state": "uploading",
                "reason": "",
                "offset": 400,
                "upload_url": f"http://testserver/files/{upload.pk}",
                "url": f"http://testserver/d/{sent.transfer.token}/{file.pk}",
                "downloads": 0,
            }
        ]
    }


def test_a_list_costs_three_queries_whatever_the_number(
    reader: Program, sent: Sent, django_assert_num_queries
) -> None:
    for _ in range(5):
        arriving(sent)
    reader.get("/me")
    with django_assert_num_queries(3):
        reader.get(path(sent, "/files"))


def test_one_file_is_read(reader: Program, sent: Sent) -> None:
    file = sent.add("report.pdf", size=77)
    row = reader.get(path(sent, f"/files/{file.pk}")).json()
    assert (row["name"], row["offset"], row["upload_url"], row["sha256"]) == (
        "report.pdf",
        77,
        None,
        "ab" * 32,
    )


def test_one_file_is_deleted(program: Program, sent: Sent) -> None:
    kept, gone = sent.add("kept.txt"), sent.add("gone.txt")
    assert program.delete(path(sent, f"/files/{gone.pk}")).status_code == 204
    assert list(File.objects.all()) == [kept]


@pytest.mark.parametrize("more", ["/files", "/files/{file}", "/downloads"])
def test_of_somebody_elses_transfer_nothing_is_found(stranger: Program, sent: Sent, more: str) -> None:
    file = sent.add()
    assert refusal(stranger.get(path(sent, more.format(file=file.pk)))) == (404, "not_found")


def test_nobody_deletes_a_file_of_somebody_else(stranger: Program, sent: Sent) -> None:
    file = sent.add()
    assert refusal(stranger.delete(path(sent, f"/files/{file.pk}"))) == (404, "not_found")
    assert File.objects.exists()


def test_a_file_of_another_own_transfer_is_not_found(program: Program, sent: Sent) -> None:
    other = program.post("/transfers", {}).json()["id"]
    file = sent.add()
    assert refusal(program.delete(f"/transfers/{other}/files/{file.pk}")) == (404, "not_found")
    assert File.objects.exists()


def test_a_file_that_is_not_there_is_not_found(program: Program, sent: Sent) -> None:
    assert refusal(program.get(path(sent, f"/files/{uuid.uuid4()}"))) == (404, "not_found")


def test_a_token_that_may_only_read_deletes_no_file(reader: Program, sent: Sent) -> None:
    file = sent.add()
    assert refusal(reader.delete(path(sent, f"/files/{file.pk}"))) == (403, "token_scope")
    assert File.objects.exists()


def test_downloads_are_told_by_day_and_by_file(reader: Program, sent: Sent) -> None:
    file = sent.add("report.pdf")
    assert File.objects.count_download(transfer_id=sent.transfer.pk, file_ids=[file.pk])
    today = DownloadDay.objects.get().day
    assert reader.get(path(sent, "/downloads")).json() == {
        "total": 1,
        "days": [{"day": today.isoformat(), "downloads": 1, "bytes": 1000}],
        "files": [{"id": str(file.pk), "name": "report.pdf", "downloads": 1}],
    }
