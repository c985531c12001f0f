"""Previews: what is made of which file, and what is not looked at. Real database, store and child processes."""

import io
import json
import subprocess
import sys
import zipfile
import zlib
from datetime import timedelta

import pytest
from django.utils import timezone
from PIL import Image

from apps.processing import previewing, rules, services
from apps.processing.models import Preview, PreviewJob
from apps.processing.previewing import file_preview, preview_request
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.transfers.services import file_delete
from apps.uploads.store import blob_store
from tests.browser import samples

pytestmark = pytest.mark.django_db


@pytest.fixture
def look(sent, publish):
    """Has previews made of these bytes; the job, and the previews by kind and position."""

    def at(name, data):
        file = publish(sent, name, data)
        preview_request(file_id=file.pk, content_type=file.content_type, size=file.size)
        file_preview(file_id=file.pk)
        previews = {(one.kind, one.position): one for one in Preview.objects.filter(file=file)}
        return PreviewJob.objects.filter(file=file).first(), previews

    return at


def bytes_of(preview) -> bytes:
    return blob_store().read_head(preview.blob_key, preview.size + 1)


def image_of(preview) -> Image.Image:
    return Image.open(io.BytesIO(bytes_of(preview)))


class TestPictures:
    def test_a_picture_gets_a_thumbnail_and_a_full_view(self, look):
        job, previews = look("a.jpg", samples.picture(4000, 1000))
        thumbnail, full = previews["thumbnail", 0], previews["picture", 0]
        assert (thumbnail.width, thumbnail.height) == image_of(thumbnail).size == (160, 40)
        assert (full.width, full.height) == image_of(full).size == (2048, 512)
        assert {one.content_type for one in previews.values()} == {"image/webp"}
        assert (job.state, job.kind, job.thumbnail) == ("ready", "picture", thumbnail.pk)

    def test_it_is_turned_the_right_way_and_tells_nothing_of_the_camera(self, look):
        data = samples.picture(640, 400, turned=True)
        assert b"Camera of Alice" in data
        _, previews = look("a.jpg", data)
        full = previews["picture", 0]
        assert (full.width, full.height) == (400, 640)
        assert b"Camera of Alice" not in bytes_of(full)
        assert not image_of(full).getexif()

    def test_what_can_be_seen_through_stays_so(self, look):
        target = io.BytesIO()
        Image.new("RGBA", (50, 50), (255, 0, 0, 0)).save(target, "PNG")
        _, previews = look("a.png", target.getvalue())
        assert image_of(previews["picture", 0]).mode == "RGBA"

    def test_a_small_picture_that_unpacks_to_a_huge_one_is_not_unpacked(self, look):
        job, previews = look("bomb.png", _png_of(40_000, 40_000))
        assert (job.state, previews) == ("failed", {})

    def test_a_damaged_one_fails_and_the_file_stays_ready(self, look):
        job, previews = look("a.jpg", samples.picture()[:600] + b"x" * 50)
        assert (job.state, previews) == ("failed", {})
        assert job.reason
        assert File.objects.get().state == FileState.READY


def _png_of(width: int, height: int) -> bytes:
    """A PNG that says it is this large; its pixels would be zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return len(data).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    packed = zlib.compress(bytes(10 * 2**20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


class TestDocuments:
    def test_the_first_ten_pages_become_pictures(self, look):
        job, previews = look("a.pdf", samples.document(12))
        assert job.kind == "page"
        assert {place for kind, place in previews if kind == "page"} == set(range(10))
        assert image_of(previews["page", 0]).size == (previews["page", 0].width, previews["page", 0].height)
        assert ("thumbnail", 0) in previews

    def test_a_pdf_that_is_none_fails(self, look):
        job, previews = look("a.pdf", b"%PDF-1.7\n" + b"nothing" * 100)
        assert (job.state, previews) == ("failed", {})


class TestTexts:
    def test_a_text_is_shown_as_utf_8(self, look):
        job, previews = look("a.txt", "Grüße\n日本\n".encode())
        assert job.kind == "text"
        assert bytes_of(previews["text", 0]).decode() == "Grüße\n日本\n"
        assert previews["text", 0].content_type == "text/plain; charset=utf-8"

    def test_only_the_beginning_of_a_long_one_is_kept(self, look):
        _, previews = look("a.txt", b"line\n" * 200_000)
        assert previews["text", 0].size == 256 * 2**10

    @pytest.mark.parametrize(
        "data",
        [b"<html><script>alert(1)</script></html>", b"<svg xmlns='x'><script>alert(1)</script></svg>"],
        ids=["html", "svg"],
    )
    def test_what_a_browser_might_run_is_only_ever_shown_as_text(self, look, data):
        job, previews = look("a", data)
        assert job.kind == "text"
        assert [one.content_type for one in previews.values()] == ["text/plain; charset=utf-8"]


class TestListings:
    def test_a_zip_is_shown_as_names_and_sizes(self, look):
        job, previews = look("a.zip", samples.archive(**{"a/b.txt": b"x" * 7, "über.txt": b""}))
        assert job.kind == "listing"
        found = json.loads(bytes_of(previews["listing", 0]))
        assert found == {"entries": [["a/b.txt", 7], ["über.txt", 0]], "count": 2}

    def test_at_most_a_thousand_names_are_shown(self, look):
        _, previews = look("a.zip", samples.archive(**{f"{number}": b"" for number in range(1200)}))
        found = json.loads(bytes_of(previews["listing", 0]))
        assert (len(found["entries"]), found["count"]) == (1000, 1200)

    def test_only_the_end_of_a_large_one_is_read(self, look, monkeypatch):
        monkeypatch.setattr(previewing, "_TAIL_BYTES", 2000)
        _, previews = look("a.zip", samples.archive(large=bytes(50_000), small=b"x"))
        assert json.loads(bytes_of(previews["listing", 0]))["count"] == 2

    def test_one_whose_directory_is_not_in_its_end_fails(self, look, monkeypatch):
        monkeypatch.setattr(previewing, "_TAIL_BYTES", 2000)
        job, _ = look("a.zip", samples.archive(**{f"{number:050}": b"" for number in range(200)}))
        assert job.state == "failed"

    def test_a_zip_that_unpacks_to_terabytes_is_not_unpacked(self, look):
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("bomb", bytes(30 * 2**20))
        data = target.getvalue().replace(
            (30 * 2**20).to_bytes(4, "little"), (2**32 - 2).to_bytes(4, "little")
        )
        job, previews = look("bomb.zip", data)
        assert job.state == "ready"
        assert json.loads(bytes_of(previews["listing", 0]))["entries"] == [["bomb", 2**32 - 2]]


class TestAsking:
    @pytest.mark.parametrize(
        ("content_type", "task"),
        [
            ("image/jpeg", "picture"),
            ("application/pdf", "pages"),
            ("text/csv", "text"),
            ("image/svg+xml", "text"),
            ("application/zip", "listing"),
            ("application/vnd.android.package-archive", "listing"),
            ("application/octet-stream", None),
            ("video/mp4", None),
        ],
    )
    def test_what_is_made_depends_on_what_the_bytes_are(self, content_type, task):
        assert rules.preview_task(content_type) == task

    def asked(self, sent, **changes):
        file = sent.add("a.jpg")
        preview_request(**{"file_id": file.pk, "content_type": "image/jpeg", "size": 10, **changes})
        return PreviewJob.objects.filter(file=file).exists()

    def test_a_picture_is_asked_for(self, sent):
        assert self.asked(sent)

    def test_nothing_is_made_where_the_site_does_not_want_it(self, sent, settings):
        settings.PREVIEWS = False
        assert not self.asked(sent)

    def test_nothing_is_made_of_a_picture_that_is_too_large(self, sent, settings):
        settings.PREVIEW_MAX_BYTES = 9
        assert not self.asked(sent)

    def test_an_empty_file_has_nothing_to_look_at(self, sent):
        assert not self.asked(sent, size=0)


class TestWork:
    def waiting(self, sent, publish):
        file = publish(sent, "a.txt", b"hello")
        preview_request(file_id=file.pk, content_type="text/plain", size=5)
        return file

    def test_what_a_killed_worker_began_another_makes_again(self, sent, publish):
        file = self.waiting(sent, publish)
        dead = previewing._claim(file.pk)
        assert dead is not None
        key = rules.blob_key("ab" * 16)
        Preview.objects.create(file=file, kind="text", blob_key=key, content_type="text/plain", size=1)
        assert file_preview(file_id=file.pk) is False
        PreviewJob.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert previewing.previews_sweep() == 1
        assert file_preview(file_id=file.pk) is True
        assert Preview.objects.get(file=file).blob_key != key
        assert not PreviewJob.objects.claimed_by(file.pk, dead.token).exists()

    def test_one_that_was_tried_too_often_fails(self, sent, publish):
        file = self.waiting(sent, publish)
        PreviewJob.objects.update(attempts=rules.MOST_PREVIEW_ATTEMPTS)
        assert file_preview(file_id=file.pk) is False
        assert PreviewJob.objects.get().state == "failed"

    def test_a_store_that_is_away_leaves_it_to_a_later_sweep(self, sent, publish, store_root):
        file = self.waiting(sent, publish)
        (store_root / "blobs").rename(store_root / "away")
        assert file_preview(file_id=file.pk) is False
        (store_root / "away").rename(store_root / "blobs")
        assert PreviewJob.objects.get().state == "waiting"

    def test_a_maker_that_takes_too_long_is_ended(self, sent, publish, monkeypatch, tmp_path):
        file = self.waiting(sent, publish)
        never = tmp_path / "never"
        never.write_text("#!/bin/sh\nexec sleep 600\n")
        never.chmod(0o755)
        monkeypatch.setattr(previewing, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(sys, "executable", str(never))
        assert file_preview(file_id=file.pk) is False
        job = PreviewJob.objects.get()
        assert (job.state, job.reason) == ("failed", "took longer than 0 s")

    @pytest.mark.django_db(transaction=True)
    def test_a_file_that_is_removed_takes_its_previews_along(self, sent, publish, store_root):
        file = self.waiting(sent, publish)
        file_preview(file_id=file.pk)
        key = Preview.objects.get().blob_key
        file_delete(file=file)
        assert not Preview.objects.exists()
        services.bytes_discard(blob_keys=[key], upload_ids=[])
        assert blob_store().blob_size(key) is None

    def test_its_bytes_are_not_taken_for_orphans(self, sent, publish):
        file_preview(file_id=self.waiting(sent, publish).pk)
        assert services.orphans_discard(older_than_seconds=-1) == 0


class TestMistrust:
    """What the maker says is believed only as far as it can be checked."""

    def told(self, tmp_path, *rows):
        (tmp_path / "text-0").write_text("x")
        return previewing._checked(json.dumps(rows).encode(), tmp_path)

    def test_what_was_asked_for_is_taken(self, tmp_path):
        assert [one.size for one in self.told(tmp_path, ["text", 0, "text-0", 0, 0])] == [1]

    @pytest.mark.parametrize(
        "row",
        [
            ["text", 0, "../../etc/passwd", 0, 0],
            ["secret", 0, "secret-0", 0, 0],
            ["text", 0, "text-0", -1, 0],
            ["text", 0, "text-0", 10**9, 0],
            ["text", 99, "text-99", 0, 0],
            ["text", 0],
            "nonsense",
        ],
        ids=str,
    )
    def test_anything_else_is_not(self, tmp_path, row):
        with pytest.raises(previewing.NotLookedAtError):
            self.told(tmp_path, row)

    def test_a_link_to_somewhere_else_is_not(self, tmp_path):
        (tmp_path / "picture-0").symlink_to("/etc/passwd")
        with pytest.raises(previewing.NotLookedAtError):
            self.told(tmp_path, ["picture", 0, "picture-0", 0, 0])

    def test_the_maker_has_limits_and_none_of_our_secrets(self, tmp_path):
        words = subprocess.run(
            [
                sys.executable,
                "-c",
                "import resource; from apps.processing import previewer as p; p.text = lambda *a: iter(()); "
                "p.main('text', '/dev/null', '/tmp'); "
                "print([resource.getrlimit(what)[0] for what, _ in p.LIMITS] == [most for _, most in p.LIMITS])",
            ],
            cwd=previewing._CODE,
            capture_output=True,
            text=True,
            check=True,
        )
        assert words.stdout.split() == ["[]", "True"]
