"""Somebody is invited, makes an account, confirms the address, and chooses a new password when it is forgotten."""

import uuid

from playwright.sync_api import Page, expect

from tests.browser.people import PASSWORD, address_of, link_in_letter, person, sign_in
from tests.e2e.fleet import Fleet


def test_an_invitation_makes_one_account_whose_address_is_confirmed_by_mail(
    guarded: Page, guarded_fleet: Fleet
) -> None:
    name = f"p{uuid.uuid4().hex[:12]}"
    address = address_of(name)
    invitation = guarded_fleet.run("manage", "invite", "--email", address).stdout.split()[-1]
    guarded.goto(invitation)
    expect(guarded.get_by_label("Email")).to_have_value(address)
    guarded.get_by_label("Username").fill(name)
    guarded.get_by_label("Password", exact=True).fill(PASSWORD)
    guarded.get_by_label("Password (again)").fill(PASSWORD)
    guarded.get_by_role("button", name="Make an account").click()
    expect(guarded.get_by_role("heading", name="Look into your mail")).to_be_visible()

    guarded.goto(link_in_letter(guarded_fleet, address))
    guarded.get_by_role("button", name="Yes, confirm it").click()
    sign_in(guarded, name)
    guarded.goto("/accounts/")
    expect(guarded.locator("main")).to_contain_text(address)
    expect(guarded.locator("main")).not_to_contain_text("not confirmed")


def test_a_forgotten_password_is_replaced_by_mail(guarded: Page, guarded_fleet: Fleet) -> None:
    name, new = person(guarded_fleet), "another long enough sentence"
    guarded.goto("/accounts/password/reset/")
    guarded.get_by_label("Email").fill(address_of(name))
    guarded.get_by_role("button", name="Send the letter").click()
    expect(guarded.get_by_role("heading", name="Look into your mail")).to_be_visible()
    guarded.goto(link_in_letter(guarded_fleet, address_of(name)))
    guarded.get_by_label("New Password", exact=True).fill(new)
    guarded.get_by_label("New Password (again)").fill(new)
    guarded.get_by_role("button", name="Change the password").click()
    expect(guarded.get_by_role("heading", name="Your password is changed")).to_be_visible()
    sign_in(guarded, name, password=new)
    guarded.goto("/accounts/")
    expect(guarded.get_by_role("heading", name="Your account")).to_be_visible()
