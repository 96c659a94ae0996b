"""The table ``api_keys``."""

from typing import Any, ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    dependencies: ClassVar[list[Any]] = []
    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("prefix", models.CharField(max_length=8, unique=True)),
                ("name", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64)),
                ("scopes", models.JSONField()),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "api_keys",
                "constraints": [
                    models.UniqueConstraint(
                        fields=["name"], condition=models.Q(revoked_at__isnull=True), name="api_keys_name"
                    )
                ],
            },
        ),
    ]
