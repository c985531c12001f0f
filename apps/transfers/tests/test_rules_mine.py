"""Who may have links mailed, and how a month of downloads is drawn."""

import re

import pytest

from apps.transfers.rules import MailPolicy, may_mail, spark_path


@pytest.mark.parametrize(
    ("policy", "visitor", "account"),
    [(MailPolicy.ANYONE, True, True), (MailPolicy.SIGNED_IN, False, True), (MailPolicy.NOBODY, False, False)],
)
def test_who_may_have_links_mailed(policy, visitor, account):
    assert may_mail(policy, signed_in=False) is visitor
    assert may_mail(policy, signed_in=True) is account


def levels(path, height=24):
    return [height - float(value) for value in re.findall(r"V([\d.]+)H", path)]


def test_the_highest_day_is_as_high_as_the_drawing_and_the_others_in_proportion():
    assert levels(spark_path([0, 5, 10], width=120, height=24)) == [0, 12, 24]


def test_a_single_download_beside_a_thousand_is_still_seen():
    assert levels(spark_path([1, 1000], width=120, height=24))[0] == 2


@pytest.mark.parametrize("counts", [[], [0, 0, 0]])
def test_nothing_is_drawn_as_nothing(counts):
    assert set(levels(spark_path(counts, width=120, height=24))) <= {0}


def test_the_drawing_ends_where_it_is_wide():
    assert "H120V24Z" in spark_path([1, 2, 3], width=120, height=24)
