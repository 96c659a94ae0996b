"""The table ``api_keys``, beside people and sessions."""

from django.db import models


class ApiKey(models.Model):
    """A key of a program; of its secret only the digest is here. Revoked keys stay, their names may be given again."""

    prefix = models.CharField(max_length=8, unique=True)
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField()
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        """Of names in use there is one key each."""

        app_label = "keys"
        db_table = "api_keys"
        constraints = (
            models.UniqueConstraint(fields=["name"], condition=models.Q(revoked_at__isnull=True), name="api_keys_name"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"
