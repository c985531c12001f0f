"""Mail where no mail server is set."""

import pytest
from django.core.mail import EmailMessage, get_connection, send_mail
from structlog.testing import capture_logs

ADDRESS = "bob@example.org"
LINK = "https://example.org/accounts/password/reset/key/1-Zm9vYmFyYmF6cXV4/"


@pytest.fixture(autouse=True)
def nowhere(settings) -> None:
    settings.EMAIL_BACKEND = "apps.common.unsent.UnsentBackend"


def test_of_mail_that_is_not_sent_the_log_says_only_that_there_was_some() -> None:
    with capture_logs() as lines:
        assert send_mail("Your link, Bob", LINK, None, [ADDRESS]) == 0
    [line] = lines
    assert (line["event"], line["log_level"], line["count"]) == ("mail_not_sent", "warning", 1)
    assert not any(told in str(line) for told in (ADDRESS, "Bob", LINK))


def test_several_at_once_are_one_line() -> None:
    letters = [EmailMessage("a", LINK, None, [ADDRESS]) for _ in range(3)]
    with capture_logs() as lines:
        assert get_connection().send_messages(letters) == 0
    assert [line["count"] for line in lines] == [3]
