"""What is to go of the store's bytes has a row until it is gone."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transfers', '0005_file_trouble'),
    ]

    operations = [
        migrations.CreateModel(
            name='Discard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('blob_key', models.CharField(blank=True, db_index=True, max_length=64)),
                ('upload_id', models.UUIDField(blank=True, db_index=True, null=True)),
                ('created_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('blob_key', ''), ('upload_id__isnull', False)), models.Q(models.Q(('blob_key', ''), _negated=True), ('upload_id__isnull', True)), _connector='OR'), name='discard_is_one_thing')],
            },
        ),
    ]
