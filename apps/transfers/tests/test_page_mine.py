"""My transfers: whose rows, which of them, in what order, at what cost; and taking over what a browser sent."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.transfers.models import DownloadDay, LinkMail, Transfer
from apps.transfers.rules import FileState, MailState
from apps.transfers.services import transfer_create
from apps.transfers.tests.cast import by_browser, by_form
from apps.transfers.views.paging import PAGE_ROWS
from apps.uploads.models import Upload

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def own(send, alice):
    """Makes a transfer that Alice owns."""

    def make(title="Holiday", **choices):
        return send(**{"owner": alice, "title": title, **choices})

    return make


def page(client, query="", **headers):
    return client.get(f"/mine{query}", headers=headers).content.decode()


def titles(client, query=""):
    rows = client.get(f"/mine{query}").context["rows"]
    return [row.transfer.title for row in rows]


class TestWhose:
    def test_an_account_sees_what_it_sent(self, alices, own, send):
        own("mine")
        send(title="a browser's")
        send(title="another's", owner=User.objects.create_user("bob"))
        assert titles(alices) == ["mine"]

    def test_a_browser_sees_what_it_sent(self, bob, charlie):
        by_browser(bob, title="bob's")
        by_browser(charlie, title="charlie's")
        assert titles(bob) == ["bob's"]

    def test_who_has_sent_nothing_is_told_so(self, bob, own):
        own("alice's")
        body = page(bob)
        assert "Nothing was sent from this browser yet" in body
        assert "alice&#x27;s" not in body

    def test_what_nobody_was_told_of_is_not_listed(self, alices, alice):
        transfer_create(owner=alice, title="hidden", hidden=True)
        assert titles(alices) == []

    def test_what_others_sent_to_the_account_has_a_list_of_its_own(self, alices, alice, own):
        from apps.transfers.asking import request_answer, request_create

        own("sent")
        asked = request_create(owner=alice, title="asked")
        request_answer(request=asked, sender_name="Bob B")
        assert titles(alices) == ["sent"]
        body = alices.get("/mine/received").content.decode()
        assert "asked" in body
        assert "from Bob B" in body

    def test_received_is_for_accounts(self, bob):
        response = bob.get("/mine/received")
        assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/mine/received")


class TestRows:
    def test_a_row_says_title_files_size_and_state(self, alices, own):
        sent = own("Holiday")
        sent.add("a", size=1_500_000)
        sent.add("b", size=1_500_000)
        body = page(alices)
        assert "Holiday" in body
        assert "2 files, 2.9" in body
        assert "ends in 6" in body

    def test_without_a_title_a_file_stands_for_it(self, alices, own):
        sent = own("")
        sent.add("film.mov")
        assert "film.mov" in page(alices)
        sent.add("more.mov")
        assert "film.mov and 1 more" in page(alices)

    def test_a_title_is_text(self, alices, own):
        own("<b>x</b>")
        assert "<b>x</b>" not in page(alices)

    def test_progress_is_what_is_durable(self, alices, own):
        sent = own()
        file = sent.add("a", FileState.UPLOADING, size=1000)
        until = timezone.now() + timedelta(days=1)
        Upload.objects.create(file=file, transfer=sent.transfer, length=1000, offset=430, expires_at=until)
        sent.add("b", size=1000)
        (row,) = alices.get("/mine").context["rows"]
        assert (row.durable, row.size, row.durable_percent) == (1430, 2000, 71)
        assert row.moves

    def test_a_refused_file_is_waited_for_by_nobody(self, alices, own):
        sent = own()
        sent.add("a", FileState.REJECTED)
        sent.add("b")
        (row,) = alices.get("/mine").context["rows"]
        assert (row.size, row.durable_percent, row.moves) == (1000, 100, False)

    def test_downloads_of_thirty_days_are_drawn_and_told(self, alices, own):
        sent, today = own(), timezone.now().date()
        for days, downloads in ((0, 2), (29, 5), (30, 100)):
            day = today - timedelta(days=days)
            DownloadDay.objects.create(transfer=sent.transfer, day=day, downloads=downloads)
        (row,) = alices.get("/mine").context["rows"]
        assert (row.spark.counts[0], row.spark.counts[29], row.spark.total) == (5, 2, 7)
        assert "7 downloads in the last 30 days, most on" in page(alices)

    def test_a_mail_that_failed_is_told(self, alices, own):
        sent = own(emails=["bob@example.com"])
        LinkMail.objects.update(state=MailState.FAILED)
        sent.add()
        assert "1 mail could not be sent" in page(alices)

    def test_only_what_moves_makes_the_page_look_again(self, alices, own):
        own("still").add()
        assert "data-pending" not in page(alices)
        own("moving").add("a", FileState.PROCESSING)
        assert page(alices).count("data-pending") == 1

    def test_htmx_gets_the_rows_alone(self, alices, own):
        own("Holiday")
        body = page(alices, **HTMX)
        assert body.strip().startswith("<li")
        assert "<html" not in body

    def test_the_page_is_never_stored(self, alices):
        assert alices.get("/mine")["Cache-Control"] == "no-store"

    def test_queries_do_not_grow_with_rows(self, alices, own):
        def asked():
            with CaptureQueriesContext(connection) as queries:
                assert alices.get("/mine").status_code == 200
            return len(queries)

        own("first", emails=["bob@example.com"]).add()
        asked()  # whatever is asked once of a new session is not the list's
        few = asked()
        for _ in range(15):
            sent = own("more", emails=["bob@example.com"])
            for name in "abc":
                sent.add(name)
            DownloadDay.objects.create(transfer=sent.transfer, day=timezone.now().date(), downloads=1)
        assert asked() == few


class TestSearchAndFilter:
    def test_search_finds_part_of_a_title_in_any_case(self, alices, own):
        own("Holiday film")
        own("Papers")
        assert titles(alices, "?q=FILM") == ["Holiday film"]

    @pytest.mark.parametrize("query", ["?q=100%25", "?q=_", "?q=%00", "?q=" + "x" * 5000])
    def test_whatever_is_searched_for_is_text(self, alices, own, query):
        own("abc")
        assert titles(alices, query) in ([], ["abc"])
        if query != "?q=%00":
            assert titles(alices, query) == []

    def test_by_state(self, alices, own):
        own("open")
        own("closed").change(closed_at=timezone.now())
        own("down").change(taken_down_at=timezone.now())
        own("expired").change(expires_at=timezone.now() - timedelta(seconds=1))
        assert titles(alices, "?state=open") == ["open"]
        assert titles(alices, "?state=closed") == ["down", "closed"]
        assert titles(alices, "?state=expired") == ["expired"]
        assert len(titles(alices, "?state=nonsense")) == 4

    def test_nothing_found_is_told(self, alices, own):
        own("abc")
        assert "Nothing here fits" in page(alices, "?q=xyz")


class TestPages:
    @pytest.fixture
    def many(self, own):
        """Fifty, of which some were made at the very same moment."""
        moment = timezone.now()
        for number in range(50):
            own(f"{number}").change(created_at=moment - timedelta(minutes=number // 3))

    def walk(self, client, direction, start="/mine"):
        seen, address = [], start
        while address:
            context = client.get(address).context
            seen.append([row.transfer.pk for row in context["rows"]])
            cursor = getattr(context["page"], direction)
            address = cursor and f"/mine?{'after' if direction == 'older' else 'before'}={cursor}"
        return seen, context

    def test_every_row_is_on_one_page_in_one_order(self, alices, many):
        pages, _ = self.walk(alices, "older")
        assert [len(each) for each in pages] == [PAGE_ROWS, PAGE_ROWS, 10]
        order = list(Transfer.objects.order_by("-created_at", "-pk").values_list("pk", flat=True))
        assert [pk for each in pages for pk in each] == order

    def test_the_way_back_shows_the_same_pages(self, alices, many):
        there, last = self.walk(alices, "older")
        back, _ = self.walk(alices, "newer", f"/mine?before={last['page'].newer}")
        assert back[::-1] == there[:2]

    def test_a_page_stays_when_newer_ones_come(self, alices, many, own):
        second = alices.get("/mine").context["page"].older
        before = [row.transfer.pk for row in alices.get(f"/mine?after={second}").context["rows"]]
        own("new")
        assert [row.transfer.pk for row in alices.get(f"/mine?after={second}").context["rows"]] == before

    @pytest.mark.parametrize("cursor", ["x", "1-2", "9" * 400 + "-" + "a" * 32, "-", "1--", "²-" + "a" * 32])
    def test_a_cursor_that_is_none_of_ours_shows_the_first_page(self, alices, own, cursor):
        own("abc")
        assert titles(alices, f"?after={cursor}") == ["abc"]

    def test_the_filter_stays_on_the_next_page(self, alices, many):
        assert "state=open" in page(alices, "?state=open").split('rel="next"')[1].split(">")[0]


class TestClaim:
    def test_who_signs_in_is_asked_about_what_the_browser_sent(self, bob, alice):
        by_browser(bob)
        by_browser(bob)
        bob.force_login(alice)
        assert "2 transfers were sent from this browser before you signed in" in page(bob)
        assert titles(bob) == []

    def test_and_takes_it_over(self, bob, alice):
        by_browser(bob, title="before")
        bob.force_login(alice)
        response = by_form(bob, "/mine/claim")
        assert (response.status_code, response["Location"]) == (303, "/mine")
        assert titles(bob) == ["before"]
        assert "before you signed in" not in page(bob)

    def test_too_much_for_the_account_is_told_on_the_page(self, bob, alice, store_root):
        alice.quota_bytes = 10
        alice.save()
        sent = by_browser(bob)
        until = timezone.now() + timedelta(days=1)
        Upload.objects.create(transfer=sent.transfer, length=100, reserved=100, expires_at=until)
        bob.force_login(alice)
        by_form(bob, "/mine/claim")
        assert "more than your account may have" in page(bob)
        assert Transfer.objects.get().owner is None

    def test_a_visitor_is_refused(self, bob):
        by_browser(bob)
        assert by_form(bob, "/mine/claim").status_code == 401

    def test_another_sites_page_is_refused(self, bob, alice):
        by_browser(bob)
        bob.force_login(alice)
        assert bob.post("/mine/claim").status_code == 403
        assert Transfer.objects.get().owner is None

    def test_without_such_a_browser_nothing_is_taken(self, alices, send):
        send(browser="a" * 22)
        by_form(alices, "/mine/claim")
        assert Transfer.objects.get().owner is None

    def test_signed_out_again_the_browser_sees_it_no_more(self, bob, alice):
        by_browser(bob, title="before")
        bob.force_login(alice)
        by_form(bob, "/mine/claim")
        bob.logout()
        assert titles(bob) == []


def test_lists_are_only_read():
    for path in ("/mine", "/mine/received"):
        assert Client().post(path).status_code == 405
