"""Owns how a test reads the mails that a fleet sends: it writes each into a file. Checks nothing."""

from email import message_from_string, policy
from email.message import EmailMessage

from tests.e2e.fleet import Fleet, wait_until

_END = f"\n{'-' * 79}\n"  # Django writes it behind each mail


def letters_to(fleet: Fleet, address: str) -> list[EmailMessage]:
    """All mails to this address that are written whole, in no order."""
    texts = [path.read_text() for path in (fleet.data / "mail").iterdir()]
    whole = [text for each in texts for text in each.split(_END)[:-1]]
    letters = [message_from_string(text, policy=policy.default) for text in whole]
    return [letter for letter in letters if letter["To"] == address]


def letter_to(fleet: Fleet, address: str, *, seconds: float = 60) -> EmailMessage:
    """The one mail to this address, once it is there."""
    wait_until(lambda: letters_to(fleet, address), seconds, f"a mail to {address}", every_seconds=0.3)
    (letter,) = letters_to(fleet, address)
    return letter


def words_of(letter: EmailMessage) -> str:
    """Its plain text."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
