"""What asking for room costs: the sum of a sender's uploads reads an index alone."""

from typing import Any

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.uploads.models import Upload
from apps.uploads.room import Payer
from apps.uploads.tests.test_room import create, new_transfer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("doorbell", "store_root")]


def explained(sql: str, params: dict[str, Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE uploads_upload")
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}", params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    return plan


@pytest.mark.parametrize("signed_in", [True, False])
def test_the_sum_of_a_sender_reads_its_index_and_nothing_else(signed_in: bool) -> None:
    transfer = new_transfer(User.objects.create_user("alice") if signed_in else None)
    payer = Payer.of(transfer, "203.0.113.7")
    for _ in range(30):
        create(transfer, address="203.0.113.7")
    question = Upload.objects.payer_room(payer.owner_id, payer.address, lambda reserved, quota: None)
    plan = explained(question.sql, dict(question.params))
    index = "upload_room_of_owner" if signed_in else "upload_room_of_address"
    assert f"Index Only Scan using {index} on uploads_upload" in plan
