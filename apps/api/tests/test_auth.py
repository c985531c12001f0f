"""Who may use the API: a token, and nothing else."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import ApiToken, User
from apps.accounts.tokens import api_token_revoke
from apps.api.tests.program import Program, refusal


def test_without_a_token_nothing_is_told(db: None, client: Client) -> None:
    response = client.get("/api/v1/me")
    assert refusal(response) == (401, "token_required")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "sp_abc", "Token sp_abc"])
def test_another_kind_of_proof_is_refused(db: None, client: Client, header: str) -> None:
    assert refusal(client.get("/api/v1/me", headers={"Authorization": header})) == (401, "token_required")


@pytest.mark.parametrize("secret", ["sp_" + "x" * 32, "x" * 5000, "' OR 1=1 --", "\xff\xfe", "sp_\x00"])
def test_a_wrong_token_is_refused(db: None, client: Client, secret: str) -> None:
    response = client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert refusal(response) == (401, "token_invalid")


def test_a_revoked_token_is_refused(program: Program) -> None:
    api_token_revoke(user=program.user, token_id=program.token.pk)
    assert refusal(program.get("/me")) == (401, "token_revoked")


def test_a_token_whose_time_is_over_is_refused(program: Program) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refusal(program.get("/me")) == (401, "token_expired")


def test_the_token_of_a_closed_account_is_refused(program: Program) -> None:
    User.objects.update(is_active=False)
    assert refusal(program.get("/me")) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/transfers"),
        ("patch", "/transfers/{id}"),
        ("delete", "/transfers/{id}"),
        ("post", "/transfers/{id}/close"),
    ],
)
def test_a_token_that_may_only_read_changes_nothing(reader: Program, sent, method: str, path: str) -> None:
    assert refusal(reader.ask(method, path.format(id=sent.transfer.pk), {})) == (403, "token_scope")
    sent.transfer.refresh_from_db()
    assert sent.transfer.closed_at is None


def test_a_token_that_may_only_read_reads(reader: Program) -> None:
    assert reader.get("/transfers").status_code == 200


def test_a_session_cookie_is_no_token(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert refusal(client.get("/api/v1/me")) == (401, "token_required")


def test_the_scheme_is_spelt_as_one_likes(program: Program) -> None:
    assert program.get("/me", Authorization=f"bearer  {program.secret}").status_code == 200


def test_wrong_tokens_of_one_address_are_throttled(db: None, client: Client, settings: Settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"api_token": "2/minute"}
    wrong = {"Authorization": "Bearer sp_wrong"}
    answers = [client.get("/api/v1/me", headers=wrong) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


def test_a_right_token_is_not_shut_out_by_its_neighbours_wrong_ones(
    program: Program, settings: Settings
) -> None:
    settings.THROTTLES = settings.THROTTLES | {"api_token": "1/minute"}
    for _ in range(2):
        program.get("/me", Authorization="Bearer sp_wrong")
    assert program.get("/me").status_code == 200


def test_one_token_is_throttled_and_another_is_not(
    program: Program, reader: Program, settings: Settings
) -> None:
    settings.THROTTLES = settings.THROTTLES | {"api": "2/minute"}
    assert [program.get("/me").status_code for _ in range(3)] == [200, 200, 429]
    assert refusal(program.get("/me")) == (429, "too_many_requests")
    assert reader.get("/me").status_code == 200


def test_no_answer_is_kept_in_a_cache(program: Program) -> None:
    assert program.get("/me")["Cache-Control"] == "no-store"


def test_no_session_is_made(program: Program) -> None:
    assert program.get("/me").cookies == {}


def test_a_token_of_staff_sees_only_what_is_its_owners(stranger: Program, sent) -> None:
    User.objects.filter(pk=stranger.user.pk).update(is_staff=True, is_superuser=True)
    assert stranger.get(f"/transfers/{sent.transfer.pk}").status_code == 404
    assert stranger.get("/transfers").json()["transfers"] == []
    assert (
        stranger.client.get("/admin/", headers={"Authorization": f"Bearer {stranger.secret}"}).status_code
        == 302
    )


def test_its_use_is_shown_on_the_account_page(program: Program) -> None:
    program.get("/me")
    program.token.refresh_from_db()
    assert program.token.last_used_at is not None
