"""/api/v1/transfers: somebody's own, with the rules of the pages."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.api.tests.program import Program, refusal
from apps.transfers.models import LinkMail, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import transfer_create
from apps.transfers.tests.cast import Sent


def path(sent: Sent, more: str = "") -> str:
    return f"/transfers/{sent.transfer.pk}{more}"


def moment(at: datetime) -> str:
    """As JSON has it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


class TestCreate:
    def test_it_answers_with_the_link_and_the_secret(self, program: Program) -> None:
        response = program.post("/transfers", {"title": "Plans", "expires_days": 2, "download_limit": 3})
        made = response.json()
        transfer = Transfer.objects.get()
        assert response.status_code == 201
        assert transfer.owner == program.user
        assert made["id"] == str(transfer.pk)
        assert made["url"] == f"http://testserver/t/{transfer.token}"
        assert made["upload_url"] == "http://testserver/files/"
        assert made["manage_url"] == f"http://testserver/m/{transfer.token}#{made['secret']}"
        assert (made["title"], made["download_limit"], made["link"]) == ("Plans", 3, "open")
        assert Transfer.objects.with_secret(made["secret"]).get() == transfer

    def test_all_choices_may_be_left_out(self, program: Program) -> None:
        assert program.post("/transfers", {}).status_code == 201

    def test_null_means_not_chosen(self, program: Program) -> None:
        made = program.post("/transfers", {"title": None, "expires_days": None, "password": None})
        assert made.status_code == 201
        assert made.json()["has_password"] is False

    def test_every_choice_is_taken(self, program: Program) -> None:
        at = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
        choices = {
            "title": "Plans",
            "message": "As promised",
            "expires_at": at.isoformat(),
            "password": "secret",
            "download_limit": 5,
            "delete_after_download": True,
            "notify_on_download": True,
            "emails": ["bob@example.com"],
        }
        assert program.post("/transfers", choices).status_code == 201
        transfer = Transfer.objects.get()
        assert (transfer.message, transfer.expires_at) == ("As promised", at)
        assert (transfer.delete_after_download, transfer.notify_on_download) == (True, True)
        assert transfer.password
        assert LinkMail.objects.get().address == "bob@example.com"

    def test_a_choice_that_there_is_not_is_refused(self, program: Program) -> None:
        response = program.post("/transfers", {"pasword": "secret"})
        assert refusal(response) == (400, "invalid_request")
        assert response.json()["error"]["field"] == "pasword"
        assert not Transfer.objects.exists()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("title", 5),
            ("expires_days", "5"),
            ("expires_days", True),
            ("expires_at", "2030-01-01T00:00:00"),
            ("delete_after_download", "yes"),
            ("emails", "bob@example.com"),
            ("emails", [5]),
        ],
    )
    def test_a_choice_of_the_wrong_kind_is_refused(self, program: Program, name: str, value: object) -> None:
        response = program.post("/transfers", {name: value})
        assert refusal(response) == (400, "invalid_request")
        assert response.json()["error"]["field"].startswith(name)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("expires_days", 0),
            ("expires_days", 1000),
            ("download_limit", 0),
            ("title", "x" * 201),
            ("emails", ["bob"]),
        ],
    )
    def test_the_sites_limits_hold(self, program: Program, name: str, value: object) -> None:
        response = program.post("/transfers", {name: value})
        assert refusal(response) == (400, "invalid_transfer")
        assert response.json()["error"]["field"] == name

    @pytest.mark.parametrize("body", ["{", "[]", "5", '"text"', "\x00", "[" * 20000])
    def test_what_is_no_json_object_is_refused(self, program: Program, body: str) -> None:
        response = program.client.post(
            "/api/v1/transfers",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {program.secret}"},
        )
        assert response.status_code == 400
        assert response.json()["error"]["code"] in {"invalid_input", "invalid_request"}

    def test_a_text_that_no_choice_needs_is_refused(self, program: Program) -> None:
        assert refusal(program.post("/transfers", {"message": "x" * 2**21})) == (413, "body_too_large")

    def test_who_may_send_is_the_sites_choice(self, program: Program, settings: Settings) -> None:
        settings.SEND_POLICY = "staff"
        assert refusal(program.post("/transfers", {})) == (403, "forbidden")
        settings.SEND_POLICY = "signed-in"
        assert program.post("/transfers", {}).status_code == 201

    def test_it_counts_as_on_the_pages(self, program: Program, settings: Settings) -> None:
        settings.THROTTLES = settings.THROTTLES | {"transfer_create": "1/minute"}
        assert program.post("/transfers", {}).status_code == 201
        assert refusal(program.post("/transfers", {})) == (429, "too_many_requests")

    def test_mails_are_counted_as_on_the_pages(self, program: Program, settings: Settings) -> None:
        settings.THROTTLES = settings.THROTTLES | {"mail": "2/hour"}
        many = {"emails": ["a@example.com", "b@example.com", "c@example.com"]}
        assert refusal(program.post("/transfers", many)) == (429, "too_many_requests")
        assert not Transfer.objects.exists()


class TestList:
    def make(self, owner: User, count: int) -> list[str]:
        """Their ids, the newest first; two of each moment."""
        now, ids = timezone.now(), []
        for number in range(count):
            transfer, _ = transfer_create(owner=owner, title=str(number))
            Transfer.objects.filter(pk=transfer.pk).update(created_at=now - timedelta(seconds=number // 2))
            ids.append((now - timedelta(seconds=number // 2), transfer.pk))
        return [str(identity) for _, identity in sorted(ids, reverse=True)]

    def test_pages_follow_each_other_without_a_gap(self, program: Program) -> None:
        wanted, seen, cursor = self.make(program.user, 11), [], ""
        while True:
            page = program.get(f"/transfers?limit=3&cursor={cursor}").json()
            seen += [row["id"] for row in page["transfers"]]
            if page["next"] is None:
                break
            cursor = page["next"]
        assert seen == wanted

    def test_a_new_one_does_not_shift_the_next_page(self, program: Program) -> None:
        wanted = self.make(program.user, 4)
        first = program.get("/transfers?limit=2").json()
        program.post("/transfers", {})
        second = program.get(f"/transfers?limit=2&cursor={first['next']}").json()
        assert [row["id"] for row in second["transfers"]] == wanted[2:]

    def test_the_last_page_says_so(self, program: Program) -> None:
        self.make(program.user, 2)
        assert program.get("/transfers?limit=2").json()["next"] is None

    def test_it_costs_three_queries_whatever_the_number(
        self, program: Program, django_assert_num_queries
    ) -> None:
        self.make(program.user, 12)
        program.get("/me")
        # The token with its user, the page, what the files of the page add up to.
        with django_assert_num_queries(3):
            program.get("/transfers")

    def test_files_are_summed_up(self, program: Program, sent: Sent) -> None:
        sent.add("a", size=10)
        sent.add("b", FileState.UPLOADING, size=5)
        (row,) = program.get("/transfers").json()["transfers"]
        assert (row["files"], row["bytes"], row["state"]) == (2, 15, "uploading")

    def test_others_are_not_listed(self, stranger: Program, sent: Sent) -> None:
        assert stranger.get("/transfers").json() == {"transfers": [], "next": None}

    def test_an_upload_that_may_never_be_whole_is_not_listed(self, program: Program) -> None:
        transfer_create(owner=program.user, hidden=True)
        assert program.get("/transfers").json()["transfers"] == []

    @pytest.mark.parametrize("cursor", ["x", "%00", "AAAA", "a" * 300, "MjAzMC0wMS0wMSBub3BlCg", "é"])
    def test_a_cursor_that_none_of_our_pages_said_is_refused(self, program: Program, cursor: str) -> None:
        assert refusal(program.get(f"/transfers?cursor={cursor}")) == (400, "cursor_invalid")

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "many"])
    def test_a_page_of_another_length_is_refused(self, program: Program, limit: str) -> None:
        response = program.get(f"/transfers?limit={limit}")
        assert refusal(response) == (400, "invalid_request")
        assert response.json()["error"]["field"] == "limit"


class TestRead:
    def test_it_has_exactly_the_promised_shape(self, reader: Program, sent: Sent) -> None:
        assert reader.get(path(sent)).json() == {
            "id": str(sent.transfer.pk),
            "url": f"http://testserver{sent.link}",
            "state": "empty",
            "link": "open",
            "title": "Holiday",
            "message": "See you",
            "has_password": False,
            "files": 0,
            "bytes": 0,
            "downloads": 0,
            "download_limit": None,
            "delete_after_download": False,
            "notify_on_download": False,
            "created_at": moment(sent.transfer.created_at),
            "expires_at": moment(sent.transfer.expires_at),
            "closed_at": None,
            "request": None,
            "sender_name": "",
        }

    def test_an_expired_one_can_still_be_read(self, reader: Program, sent: Sent) -> None:
        sent.change(expires_at=timezone.now() - timedelta(days=1))
        assert reader.get(path(sent)).json()["link"] == "expired"

    def test_somebody_elses_is_not_found(self, stranger: Program, sent: Sent) -> None:
        assert refusal(stranger.get(path(sent))) == (404, "not_found")

    def test_one_that_nobody_owns_is_not_found(self, program: Program) -> None:
        transfer, _ = transfer_create(owner=None)
        assert refusal(program.get(f"/transfers/{transfer.pk}")) == (404, "not_found")

    def test_somebody_elses_cannot_be_told_from_one_that_is_not(self, stranger: Program, sent: Sent) -> None:
        foreign = stranger.get(path(sent)).json()["error"] | {"request_id": ""}
        unknown = stranger.get(f"/transfers/{uuid.uuid4()}").json()["error"] | {"request_id": ""}
        assert foreign == unknown

    @pytest.mark.parametrize("identity", ["nope", "1", "%00"])
    def test_an_id_that_is_none_is_not_found(self, program: Program, identity: str) -> None:
        assert refusal(program.get(f"/transfers/{identity}")) == (404, "not_found")

    def test_the_links_token_is_no_id(self, program: Program, sent: Sent) -> None:
        assert program.get(f"/transfers/{sent.transfer.token}").status_code == 404


class TestChange:
    def test_what_is_said_is_changed_and_the_rest_stays(self, program: Program, sent: Sent) -> None:
        changed = program.patch(path(sent), {"title": "Better", "download_limit": 7}).json()
        assert (changed["title"], changed["message"], changed["download_limit"]) == ("Better", "See you", 7)
        sent.transfer.refresh_from_db()
        assert sent.transfer.title == "Better"

    def test_null_takes_a_choice_away(self, program: Program, sent: Sent) -> None:
        program.patch(path(sent), {"download_limit": 7, "password": "secret"})
        assert program.get(path(sent)).json()["has_password"] is True
        changed = program.patch(
            path(sent), {"download_limit": None, "password": None, "message": None}
        ).json()
        assert (changed["download_limit"], changed["has_password"], changed["message"]) == (None, False, "")

    def test_nothing_said_changes_nothing(self, program: Program, sent: Sent) -> None:
        assert program.patch(path(sent), {}).json()["title"] == "Holiday"

    def test_the_sites_limits_hold(self, program: Program, sent: Sent) -> None:
        assert refusal(program.patch(path(sent), {"expires_days": 1000})) == (400, "invalid_transfer")

    def test_an_expired_one_is_refused(self, program: Program, sent: Sent) -> None:
        sent.change(expires_at=timezone.now() - timedelta(days=1))
        assert refusal(program.patch(path(sent), {"title": "x"})) == (410, "transfer_expired")

    def test_one_that_staff_took_down_is_refused(self, program: Program, sent: Sent) -> None:
        sent.change(taken_down_at=timezone.now())
        assert refusal(program.patch(path(sent), {"title": "x"})) == (410, "transfer_taken_down")

    def test_somebody_elses_is_not_found(self, stranger: Program, sent: Sent) -> None:
        assert refusal(stranger.patch(path(sent), {"title": "x"})) == (404, "not_found")

    def test_a_choice_that_there_is_not_is_refused(self, program: Program, sent: Sent) -> None:
        assert refusal(program.patch(path(sent), {"emails": ["bob@example.com"]})) == (400, "invalid_request")


class TestCloseAndOpen:
    # The page that everybody sees of a link is forgotten when the change is committed.
    @pytest.mark.django_db(transaction=True)
    def test_a_closed_link_opens_for_nobody_until_it_is_opened(self, program: Program, sent: Sent) -> None:
        assert program.post(path(sent, "/close")).json()["link"] == "closed"
        assert program.client.get(sent.link).status_code == 410
        assert program.post(path(sent, "/open")).json()["link"] == "open"
        assert program.client.get(sent.link).status_code == 200

    def test_an_expired_one_stays_shut(self, program: Program, sent: Sent) -> None:
        sent.change(expires_at=timezone.now() - timedelta(days=1))
        assert refusal(program.post(path(sent, "/open"))) == (410, "transfer_expired")

    @pytest.mark.parametrize("what", ["/close", "/open"])
    def test_somebody_elses_is_not_found(self, stranger: Program, sent: Sent, what: str) -> None:
        assert refusal(stranger.post(path(sent, what))) == (404, "not_found")


class TestDelete:
    def test_the_link_is_dead_at_once(self, program: Program, sent: Sent) -> None:
        response = program.delete(path(sent))
        assert (response.status_code, response.content) == (204, b"")
        assert not Transfer.objects.exists()

    def test_twice_is_not_found(self, program: Program, sent: Sent) -> None:
        program.delete(path(sent))
        assert refusal(program.delete(path(sent))) == (404, "not_found")

    def test_somebody_elses_is_not_found(self, stranger: Program, sent: Sent) -> None:
        assert refusal(stranger.delete(path(sent))) == (404, "not_found")
        assert Transfer.objects.exists()
