"""An app, a passkey, a recovery code; and staff who must have one of them."""

from playwright.sync_api import Page, expect

from tests.browser.people import code_of, person, prove, sign_in, with_a_key
from tests.e2e.fleet import Fleet


def add_passkey(page: Page) -> None:
    """With the password given again where it is asked for."""
    page.goto("/accounts/2fa/webauthn/add/")
    prove(page)
    page.get_by_label("Name of the key").fill("laptop")
    page.get_by_label("Sign in with this key alone").check()
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.locator("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_passkey_is_added_and_signs_in_alone(guarded: Page, guarded_fleet: Fleet) -> None:
    with_a_key(guarded)
    sign_in(guarded, person(guarded_fleet))
    add_passkey(guarded)
    guarded.goto("/accounts/2fa/webauthn/")
    expect(guarded.locator("main")).to_contain_text("laptop")
    expect(guarded.locator("main")).to_contain_text("passkey")
    sign_out(guarded)
    guarded.goto("/accounts/login/?next=/accounts/sessions/")
    guarded.get_by_role("button", name="Sign in with a passkey").click()
    expect(guarded.get_by_role("heading", name="Where you are signed in")).to_be_visible()


def test_a_key_is_the_second_factor_after_the_password(guarded: Page, guarded_fleet: Fleet) -> None:
    with_a_key(guarded)
    name = person(guarded_fleet)
    sign_in(guarded, name)
    add_passkey(guarded)
    sign_out(guarded)
    sign_in(guarded, name)
    guarded.get_by_role("button", name="Use a key").click()
    guarded.wait_for_url(f"{guarded_fleet.url}/")
    guarded.goto("/accounts/")
    expect(guarded.locator("main")).to_contain_text(name)


def test_a_key_that_is_refused_is_said_in_words(guarded: Page, guarded_fleet: Fleet) -> None:
    sign_in(guarded, person(guarded_fleet))
    guarded.goto("/accounts/2fa/webauthn/add/")
    prove(guarded)
    # As if somebody had pressed "cancel".
    guarded.evaluate(
        "() => { navigator.credentials.create = async () => { throw new DOMException('no', 'NotAllowedError') } }"
    )
    guarded.get_by_role("button", name="Add the key").click()
    expect(guarded.get_by_role("alert")).to_contain_text("the key did not answer in time")


def test_an_app_is_set_up_and_a_recovery_code_signs_in_when_it_is_lost(
    guarded: Page, guarded_fleet: Fleet
) -> None:
    name = person(guarded_fleet)
    sign_in(guarded, name)
    guarded.goto("/accounts/2fa/totp/activate/")
    prove(guarded)
    expect(guarded.locator("img.qr")).to_be_visible()
    guarded.get_by_label("Authenticator code").fill(code_of(guarded.get_by_label("Secret").input_value()))
    guarded.get_by_role("button", name="Set it up").click()
    codes = guarded.get_by_label("10 unused codes").input_value().split()
    assert len(codes) == 10
    with guarded.expect_download() as download:
        guarded.get_by_role("link", name="Download them").click()
    assert set(download.value.path().read_text().split()) == set(codes)
    sign_out(guarded)

    sign_in(guarded, name)
    guarded.get_by_label("Code", exact=True).fill(codes[3])
    guarded.locator("main").get_by_role("button", name="Sign in").click()
    guarded.wait_for_url(f"{guarded_fleet.url}/")
    guarded.goto("/accounts/2fa/")
    expect(guarded.locator("main")).to_contain_text("9 codes are left")


def test_staff_are_led_to_a_second_factor_and_then_into_the_admin(
    guarded: Page, guarded_fleet: Fleet
) -> None:
    with_a_key(guarded)
    name = person(guarded_fleet, staff=True)
    guarded.goto("/admin/")
    sign_in(guarded, name)
    expect(guarded.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    expect(guarded.locator("main")).to_contain_text("a password alone is not enough")
    guarded.get_by_role("link", name="Add a key").click()
    prove(guarded)
    guarded.get_by_role("button", name="Add the key").click()
    expect(guarded.get_by_role("heading", name="Recovery codes")).to_be_visible()
    guarded.goto("/admin/")
    assert guarded.url == f"{guarded_fleet.url}/admin/"
