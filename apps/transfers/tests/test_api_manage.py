"""Checks /m/<token>: the sender's page, its rows, and what a sender removes. Only the secret proves the sender."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads.models import Upload

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


def expire(sent):
    sent.change(expires_at=timezone.now() - timedelta(days=1))


def arriving(sent, name="big.iso", offset=400):
    file = sent.add(name, FileState.UPLOADING)
    later = timezone.now() + timedelta(days=1)
    return file, Upload.objects.create(file=file, length=1000, offset=offset, expires_at=later)


class TestPage:
    def test_it_is_a_shell_that_names_no_file(self, bob, sent):
        sent.add("photo.jpg")
        page = bob.get(sent.manage)
        assert page.status_code == 200
        assert f'data-token="{sent.transfer.token}"' in page.content.decode()
        assert b"photo.jpg" not in page.content

    def test_it_does_not_show_what_a_password_protects(self, bob, send):
        assert b"Secret plans" not in bob.get(send(password="x", title="Secret plans").manage).content

    def test_it_is_kept_out_of_caches_referers_and_search_engines(self, bob, sent):
        page = bob.get(sent.manage)
        assert page["Cache-Control"] == "no-store"
        assert page["Referrer-Policy"] == "no-referrer"
        assert "noindex" in page["X-Robots-Tag"]

    def test_an_unknown_one_is_not_found(self, bob, db):
        assert bob.get("/m/abcdefghijklmnopqrstuv").status_code == 404

    def test_an_expired_one_is_gone(self, bob, sent):
        expire(sent)
        assert bob.get(sent.manage).status_code == 410


class TestFiles:
    def ask(self, client, sent, **headers):
        return client.get(f"{sent.manage}/files", headers={**sent.headers, **headers})

    def test_json_has_exactly_the_promised_shape(self, bob, sent):
        file, upload = arriving(sent)
        assert self.ask(bob, sent, **JSON).json() == {
            "state": "uploading",
            "url": f"http://testserver{sent.link}",
            "expires_at": sent.transfer.expires_at.isoformat(),
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
                    "upload_url": f"/files/{upload.pk}",
                    "downloads": 0,
                }
            ],
        }

    def test_a_ready_file_is_all_there(self, bob, sent):
        sent.add(size=77, download_count=3)
        row = self.ask(bob, sent, **JSON).json()["files"][0]
        assert (row["offset"], row["upload_url"], row["downloads"]) == (77, None, 3)

    def test_a_rejected_file_says_why(self, bob, sent):
        sent.add(state=FileState.REJECTED, reason="The checksum does not match.")
        assert self.ask(bob, sent, **JSON).json()["files"][0]["reason"] == "The checksum does not match."

    def test_htmx_gets_rows(self, bob, sent):
        file, upload = arriving(sent)
        text = self.ask(bob, sent).content.decode()
        assert "<html" not in text
        assert f'data-upload-url="/files/{upload.pk}"' in text
        assert 'data-offset="400"' in text
        assert str(file.pk) in text

    def test_it_takes_two_queries_whatever_the_number_of_files(self, bob, sent, django_assert_num_queries):
        for number in range(10):
            arriving(sent, f"{number}.iso")
            sent.add(f"{number}.txt")
        with django_assert_num_queries(2):
            self.ask(bob, sent)
        with django_assert_num_queries(2):
            self.ask(bob, sent, **JSON)

    def test_looking_often_is_not_throttled(self, bob, sent, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        assert [self.ask(bob, sent).status_code for _ in range(5)] == [200] * 5

    def test_no_secret_finds_nothing(self, bob, sent):
        assert bob.get(f"{sent.manage}/files").status_code == 404

    def test_the_public_token_is_no_secret(self, bob, sent):
        headers = {"Transfer-Secret": sent.transfer.token, **JSON}
        response = bob.get(f"{sent.manage}/files", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")

    def test_another_transfers_secret_finds_nothing(self, charlie, sent, send):
        assert charlie.get(f"{sent.manage}/files", headers=send().headers).status_code == 404

    def test_an_unknown_transfer_cannot_be_told_from_a_foreign_one(self, charlie, sent, send):
        own = send().headers | JSON
        foreign = charlie.get(f"{sent.manage}/files", headers=own).json()["error"]
        unknown = charlie.get("/m/abcdefghijklmnopqrstuv/files", headers=own).json()["error"]
        assert {**foreign, "request_id": ""} == {**unknown, "request_id": ""}

    @pytest.mark.parametrize("secret", ["x" * 5000, "\xff\xfe", "' OR 1=1 --"])
    def test_a_strange_secret_finds_nothing(self, bob, sent, secret):
        assert bob.get(f"{sent.manage}/files", headers={"Transfer-Secret": secret}).status_code == 404

    def test_guessing_secrets_is_throttled(self, charlie, sent, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        guess = {"Transfer-Secret": "guess", **JSON}
        answers = [charlie.get(f"{sent.manage}/files", headers=guess).status_code for _ in range(3)]
        assert answers == [404, 404, 429]

    def test_an_expired_transfer_is_gone(self, bob, sent):
        expire(sent)
        response = self.ask(bob, sent, **JSON)
        assert (response.status_code, response.json()["error"]["code"]) == (410, "transfer_expired")


class TestRemove:
    def test_the_sender_removes_one_file(self, bob, sent):
        kept, gone = sent.add("kept.txt"), sent.add("gone.txt")
        response = bob.delete(f"{sent.manage}/files/{gone.pk}", headers=sent.headers)
        assert (response.status_code, response.content) == (204, b"")
        assert list(File.objects.all()) == [kept]

    def test_the_sender_removes_the_transfer_and_the_link_is_dead(self, bob, sent):
        sent.add()
        assert bob.delete(sent.manage, headers=sent.headers).status_code == 204
        assert not Transfer.objects.exists()
        assert bob.get(sent.link).status_code == 404

    def test_an_expired_transfer_can_still_be_removed(self, bob, sent):
        expire(sent)
        assert bob.delete(sent.manage, headers=sent.headers).status_code == 204

    def test_nobody_removes_a_file_without_the_secret(self, charlie, sent):
        file = sent.add()
        assert charlie.delete(f"{sent.manage}/files/{file.pk}").status_code == 404
        assert File.objects.exists()

    def test_nobody_removes_a_transfer_without_the_secret(self, charlie, sent):
        assert charlie.delete(sent.manage, headers={"Transfer-Secret": "guess"}).status_code == 404
        assert Transfer.objects.exists()

    def test_a_file_of_another_transfer_is_not_found(self, charlie, sent, send):
        file, own = sent.add(), send()
        assert charlie.delete(f"{own.manage}/files/{file.pk}", headers=own.headers).status_code == 404
        assert File.objects.exists()

    def test_a_file_that_is_gone_is_not_found(self, bob, sent):
        file = sent.add()
        address = f"{sent.manage}/files/{file.pk}"
        assert [bob.delete(address, headers=sent.headers).status_code for _ in range(2)] == [204, 404]

    def test_an_id_that_is_none_is_not_found(self, bob, sent):
        assert bob.delete(f"{sent.manage}/files/nope", headers=sent.headers).status_code == 404


def test_a_program_gets_its_link_as_https_behind_a_proxy_that_ends_tls(bob, sent, settings):
    settings.PUBLIC_URL = "https://files.example"
    settings.ALLOWED_HOSTS = ["files.example"]
    told = bob.get(f"{sent.manage}/files", headers={**sent.headers, **JSON, "Host": "files.example"})
    assert told.json()["url"] == f"https://files.example{sent.link}"
