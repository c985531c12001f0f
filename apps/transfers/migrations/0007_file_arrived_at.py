"""How long a file has waited for a worker is told from a time of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("transfers", "0006_discard"),
    ]

    operations = [
        migrations.AddField(
            model_name="file",
            name="arrived_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When it was handed to the workers.", null=True
            ),
        ),
    ]
