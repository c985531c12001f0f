"""Indexes that the console's lists read: each page of a list of millions is a few reads of one of these.

Made beside the site's writes (CONCURRENTLY); the release before knows nothing of them, and needs not.
"""

from django.db import migrations

# As apps.console.searching writes it.
WORDS = r"to_tsvector('simple', translate({column}, './\_-@+()[]{{}}', '             '))"
INDEXES = {
    "console_transfer_newest": "transfers_transfer (created_at DESC, id DESC)",
    "console_transfer_expiry": "transfers_transfer (expires_at DESC, id DESC)",
    "console_transfer_down": "transfers_transfer (taken_down_at) WHERE taken_down_at IS NOT NULL",
    "console_transfer_closed": "transfers_transfer (created_at DESC, id DESC) WHERE closed_at IS NOT NULL",
    "console_transfer_words": f"transfers_transfer USING gin ({WORDS.format(column='title')})",
    "console_file_newest": "transfers_file (created_at DESC, id DESC)",
    "console_file_state": "transfers_file (state, created_at DESC, id DESC)",
    "console_file_sha256": "transfers_file (sha256) WHERE sha256 <> ''",
    "console_file_words": f"transfers_file USING gin ({WORDS.format(column='name')})",
    "console_mail_newest": "transfers_linkmail (created_at DESC, id DESC)",
    "console_mail_address": "transfers_linkmail (address)",
}


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("console", "0001_initial"),
        ("transfers", "0003_sharing"),
        ("uploads", "0003_upload_concat"),
    ]

    operations = [
        migrations.RunSQL(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {what}",
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        )
        for name, what in INDEXES.items()
    ]
