"""Somebody makes an API token, a program sends a file with it through the fleet, and the token is revoked."""

from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from tests.browser.people import person, prove, sign_in
from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet


def test_a_program_sends_with_a_token_until_it_is_revoked(
    guarded: Page, guarded_fleet: Fleet, tmp_path: Path
) -> None:
    sign_in(guarded, person(guarded_fleet))
    guarded.goto("/accounts/tokens/")
    prove(guarded)
    guarded.get_by_label("Name").fill("nightly backup")
    guarded.get_by_label("It may").select_option("write")
    guarded.get_by_role("button", name="Make it").click()
    secret = guarded.get_by_label("Token", exact=True).input_value()
    api, headers = f"{guarded_fleet.url}/api/v1", {"Authorization": f"Bearer {secret}"}

    made = requests.post(f"{api}/transfers", json={"title": "Backup"}, headers=headers, timeout=10).json()
    upload(guarded_fleet.url, b"all of it", name="backup.tar", transfer=made["secret"])
    wait_ready(made["url"])
    told = requests.get(f"{api}/transfers/{made['id']}/files", headers=headers, timeout=10).json()
    assert [(file["name"], file["state"], file["size"]) for file in told["files"]] == [
        ("backup.tar", "ready", 9)
    ]
    assert requests.get(told["files"][0]["url"], timeout=10).content == b"all of it"
    me = requests.get(f"{api}/me", headers=headers, timeout=10).json()
    assert me["quota"]["used_bytes"] == 9

    guarded.goto("/accounts/")
    expect(guarded.locator("main")).to_contain_text("9 bytes of")
    guarded.goto("/accounts/tokens/")
    guarded.get_by_role("button", name="Revoke nightly backup").click()
    expect(guarded.get_by_role("status")).to_contain_text("revoked")
    refused = requests.get(f"{api}/me", headers=headers, timeout=10)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_revoked")
