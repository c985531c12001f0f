from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("uploads", "0002_reserve_and_concatenate")]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="concat",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="Upload-Concat as the client sent it."
            ),
        ),
    ]
