"""A file whose staged bytes went away is given up; an operator sees why, puts them back, and has it tried again."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.console import JOBS, act, expect_audited, named, ring, row, search
from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until

DATA = (b"The first half, ", b"and the second.")
_REFUSED = "SELECT id FROM transfers_file WHERE id = %s AND state = 'rejected'"
# As if it had been tried all day: the pauses between tries grow to a minute.
_LATER = "UPDATE transfers_file SET attempts = 20, claimed_until = NULL WHERE id = %s AND attempts > 0 RETURNING id"
_FILE = "SELECT file_id FROM uploads_upload WHERE id = %s"


@dataclass(frozen=True)
class Broken:
    """A file that cannot be put together: its id, its link, and where its first half was put aside."""

    file_id: str
    link: str
    part: Path
    aside: Path

    def mend(self) -> None:
        """Put the bytes back, as one would from a copy of the disk."""
        shutil.move(self.aside, self.part)


def break_one(fleet: Fleet, folder: Path, title: str) -> Broken:
    """Send half a file, take the half out of the store, send the rest."""
    made = requests.post(f"{fleet.url}/transfers/", json={"title": title}, timeout=20).json()
    whole = b"".join(DATA)
    _, begun = upload(fleet.url, DATA[0], name="plans.txt", length=len(whole), transfer=made["secret"])
    address = begun.headers["Location"]
    upload_id = address.rsplit("/", 1)[1]
    (part,) = Path(fleet.environment["STORE_ROOT"]).glob(f"staging/*/{upload_id.replace('-', '')}/0-*")
    shutil.move(part, folder / upload_id)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(len(DATA[0]))}
    headers["Content-Type"] = "application/offset+octet-stream"
    rest = requests.patch(address, data=DATA[1], headers=headers, timeout=20)
    assert rest.status_code == 204, rest.text
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        row = database.execute(_FILE, [upload_id]).fetchone()
    assert row is not None
    return Broken(str(row[0]), f"{fleet.url}{made['url']}", part, folder / upload_id)


def give_up(fleet: Fleet, broken: Broken) -> None:
    """Wait until a worker has failed at it, let it have failed often, and wait until it is given up."""
    with psycopg.connect(fleet.environment["DATABASE_URL"], autocommit=True) as database:
        wait_until(lambda: database.execute(_LATER, [broken.file_id]).fetchone(), 30, "a try that failed")
        ring(fleet, "processing.process_file", broken.file_id)
        wait_until(lambda: database.execute(_REFUSED, [broken.file_id]).fetchone(), 30, "refused for good")


@pytest.fixture
def given_up(fleet: Fleet, tmp_path: Path) -> list[Broken]:
    """Two files that were given up."""
    found = [break_one(fleet, tmp_path, named("Broken plans")) for _ in range(2)]
    for broken in found:
        give_up(fleet, broken)
    ring(fleet, "console.find_failed")
    return found


def test_a_failed_job_is_shown_with_its_reason_and_succeeds_when_it_is_tried_again_after_its_cause_was_mended(
    operator: Page, context: BrowserContext, fleet: Fleet, given_up: list[Broken]
) -> None:
    broken, other = given_up
    operator.goto("/admin/")
    # The page looks again by itself.
    operator.get_by_role("link", name="2 jobs failed for good").click(timeout=30_000)
    operator.wait_for_url("**/failedjob/?state__exact=failed")
    search(operator, JOBS, broken.file_id)
    failed = row(operator, "processing.process_file")
    for fact in ("failed", "a part is gone"):
        expect(failed).to_contain_text(fact, ignore_case=True)
    job = failed.locator("input.action-select").input_value()

    broken.mend()
    failed.get_by_role("link", name="Retry…").click()
    operator.get_by_role("button", name="Try it again").click()
    expect(operator.get_by_text("It is tried again.")).to_be_visible()
    wait_ready(broken.link)
    recipient = context.new_page()
    recipient.goto(broken.link)
    with recipient.expect_download() as download:
        recipient.get_by_role("link", name="Download plans.txt").click()
    assert download.value.path().read_bytes() == b"".join(DATA)
    search(operator, JOBS, broken.file_id)
    expect(row(operator, "processing.process_file")).to_contain_text("retried", ignore_case=True)
    expect_audited(operator, job, "job_retried", broken.file_id)

    # The other one is let be.
    search(operator, JOBS, other.file_id)
    act(operator, "processing.process_file", "Dismiss")
    expect(operator.get_by_text("1 job is dismissed.")).to_be_visible()
    operator.goto("/admin/")
    expect(operator.locator("#c-dashboard")).to_be_visible()
    expect(operator.get_by_role("link", name="failed for good")).to_have_count(0)
