"""/api/v1/requests: links that ask others for files, with the rules of the page."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.api.tests.program import Program, refusal
from apps.transfers import asking
from apps.transfers.asking import request_answer, request_close, request_create
from apps.transfers.models import FileRequest, Transfer

NEVER = uuid.UUID(int=0)


@pytest.fixture
def asked(program: Program) -> FileRequest:
    """A request of Alice's."""
    return request_create(owner=program.user, title="Photos", message="All of them")


class TestCreate:
    def test_it_answers_with_the_link_which_takes_files_at_once(self, program: Program) -> None:
        response = program.post("/requests", {"title": "Photos", "message": "All", "expires_days": 2})
        made, asked = response.json(), FileRequest.objects.get()
        assert response.status_code == 201
        assert (asked.owner, asked.title, asked.message) == (program.user, "Photos", "All")
        assert asked.expires_at - timezone.now() <= timedelta(days=2)
        assert (made["id"], made["url"]) == (str(asked.pk), f"http://testserver/r/{asked.token}")
        assert (made["link"], made["received"], made["closed_at"]) == ("open", 0, None)
        assert Client().get(made["url"]).status_code == 200

    def test_everything_may_be_left_out(self, program: Program) -> None:
        assert program.post("/requests", {}).status_code == 201

    def test_it_may_end_at_a_moment(self, program: Program) -> None:
        at = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
        assert program.post("/requests", {"expires_at": at.isoformat()}).status_code == 201
        assert FileRequest.objects.get().expires_at == at

    @pytest.mark.parametrize(
        ("name", "value"),
        [("title", "x" * 201), ("message", "x" * 5001), ("expires_days", 0), ("expires_days", 1000)],
    )
    def test_the_sites_limits_hold(self, program: Program, name: str, value: object) -> None:
        response = program.post("/requests", {name: value})
        assert refusal(response) == (400, "invalid_transfer")
        assert response.json()["error"]["field"] == name
        assert not FileRequest.objects.exists()

    @pytest.mark.parametrize("name", ["password", "titel"])
    def test_what_cannot_be_chosen_is_refused(self, program: Program, name: str) -> None:
        response = program.post("/requests", {name: "x"})
        assert refusal(response) == (400, "invalid_request")
        assert response.json()["error"]["field"] == name
        assert not FileRequest.objects.exists()

    def test_more_open_ones_than_there_may_be_are_refused(
        self, program: Program, asked: FileRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "OPEN_REQUESTS_MAX", 1)
        assert refusal(program.post("/requests", {})) == (400, "invalid_transfer")

    def test_it_counts_as_on_the_page(self, program: Program, settings: Any) -> None:
        settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "1/minute"}
        assert program.post("/requests", {}).status_code == 201
        assert refusal(program.post("/requests", {})) == (429, "too_many_requests")

    def test_a_token_that_may_only_read_makes_none(self, reader: Program) -> None:
        assert refusal(reader.post("/requests", {})) == (403, "token_scope")
        assert not FileRequest.objects.exists()


class TestList:
    def test_pages_follow_each_other_without_a_gap(self, program: Program) -> None:
        made = [str(request_create(owner=program.user).pk) for _ in range(5)]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = program.get(f"/requests?limit=2&cursor={cursor}").json()
            seen += [each["id"] for each in page["requests"]]
            cursor = page["next"]
        assert seen == made[::-1]

    def test_closed_and_expired_ones_are_listed_as_such(self, reader: Program, asked: FileRequest) -> None:
        past = request_create(owner=reader.user)
        FileRequest.objects.filter(pk=past.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        request_close(request=asked)
        assert [each["link"] for each in reader.get("/requests").json()["requests"]] == ["expired", "closed"]

    def test_others_are_not_listed(self, stranger: Program, asked: FileRequest) -> None:
        assert stranger.get("/requests").json() == {"requests": [], "next": None}

    def test_a_cursor_that_none_of_our_pages_said_is_refused(self, program: Program) -> None:
        assert refusal(program.get("/requests?cursor=nope")) == (400, "cursor_invalid")

    @pytest.mark.parametrize("limit", ["0", "101", "x"])
    def test_a_page_of_another_length_is_refused(self, program: Program, limit: str) -> None:
        assert refusal(program.get(f"/requests?limit={limit}")) == (400, "invalid_request")


class TestRead:
    def test_it_counts_what_came(self, reader: Program, asked: FileRequest) -> None:
        request_answer(request=asked, sender_name="Bob")
        read = reader.get(f"/requests/{asked.pk}").json()
        assert (read["received"], read["title"], read["message"]) == (1, "Photos", "All of them")

    def test_somebody_elses_is_not_found(self, stranger: Program, asked: FileRequest) -> None:
        assert refusal(stranger.get(f"/requests/{asked.pk}")) == (404, "not_found")

    def test_one_that_is_not_there_is_not_found(self, program: Program) -> None:
        assert refusal(program.get(f"/requests/{NEVER}")) == (404, "not_found")

    def test_the_links_token_is_no_id(self, program: Program, asked: FileRequest) -> None:
        assert program.get(f"/requests/{asked.token}").status_code == 404


class TestClose:
    def test_nothing_more_is_taken_through_it(self, program: Program, asked: FileRequest) -> None:
        response = program.post(f"/requests/{asked.pk}/close")
        assert (response.status_code, response.json()["link"]) == (200, "closed")
        assert Client().get(asked.get_absolute_url()).status_code == 410

    def test_closing_twice_keeps_the_first_moment(self, program: Program, asked: FileRequest) -> None:
        first, second = (program.post(f"/requests/{asked.pk}/close").json() for _ in range(2))
        assert first == second

    def test_somebody_elses_is_not_found(self, stranger: Program, asked: FileRequest) -> None:
        assert refusal(stranger.post(f"/requests/{asked.pk}/close")) == (404, "not_found")
        asked.refresh_from_db()
        assert asked.closed_at is None

    def test_a_token_that_may_only_read_closes_none(self, reader: Program, asked: FileRequest) -> None:
        assert refusal(reader.post(f"/requests/{asked.pk}/close")) == (403, "token_scope")
        asked.refresh_from_db()
        assert asked.closed_at is None


class TestWhatCame:
    def test_it_is_a_transfer_that_says_through_which_request_and_from_whom(
        self, reader: Program, asked: FileRequest
    ) -> None:
        came, _ = request_answer(request=asked, sender_name="Bob")
        read = reader.get(f"/transfers/{came.pk}").json()
        assert (read["request"], read["sender_name"]) == (str(asked.pk), "Bob")

    def test_what_came_through_one_request_is_listed_alone(
        self, program: Program, asked: FileRequest
    ) -> None:
        came, _ = request_answer(request=asked)
        request_answer(request=request_create(owner=program.user))
        program.post("/transfers", {})
        found = program.get(f"/transfers?request={asked.pk}").json()["transfers"]
        assert [each["id"] for each in found] == [str(came.pk)]
        assert Transfer.objects.count() == 3

    def test_through_somebody_elses_request_nothing_came(self, stranger: Program, asked: FileRequest) -> None:
        request_answer(request=asked)
        assert stranger.get(f"/transfers?request={asked.pk}").json()["transfers"] == []

    def test_a_request_that_is_no_id_is_refused(self, program: Program) -> None:
        response = program.get("/transfers?request=nope")
        assert refusal(response) == (400, "invalid_request")
        assert response.json()["error"]["field"] == "request"
