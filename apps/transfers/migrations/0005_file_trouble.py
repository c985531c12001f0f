from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("transfers", "0004_mine"),
    ]

    operations = [
        migrations.AddField(
            model_name="file",
            name="trouble",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="What was wrong when it was last tried in vain: for whoever runs the site.",
                max_length=200,
            ),
        ),
    ]
