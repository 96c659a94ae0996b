"""Named keys: made, listed, revoked, and looked up by what a request carries.

A key reads ``da_<prefix>_<secret>``. The prefix names it in lists, logs and the audit; the secret is 160 random bits.
Only the SHA-256 digest of the whole key is kept. A slow digest, as for passwords, would add nothing: nobody can guess
160 bits.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Q

from doc_assets.errors import InputError
from doc_assets.web.access import SCOPES, Scope
from doc_assets.web.keys.models import ApiKey

KEY_HEADER = "X-API-Key"
LONGEST_DAYS = 3650
_PREFIX_BYTES, _SECRET_BYTES = 4, 20
_KEY = re.compile(r"da_([0-9a-f]{8})_[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOTED_EVERY = timedelta(minutes=1)
_NO_DIGEST = "0" * 64

KeyState = Literal["valid", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a program.

    Attributes:
        prefix: names it, 8 hexadecimal digits.
        name: that its operator gave it.
        scopes: what it may be used for.
        made_at, expires_at: when.
        used_at: last use, to the minute; None if it was never used.
        revoked_at: None if it was not.
    """

    prefix: str
    name: str
    scopes: frozenset[Scope]
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> KeyState:
        """Whether it opens anything."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if now < self.expires_at else "expired"


def add_key(name: str, scopes: Iterable[str], days: int, now: datetime) -> tuple[Key, str]:
    """Makes a key.

    Returns:
        The key, and its text, which is kept nowhere.

    Raises:
        InputError: if the name is taken or no name, a scope is unknown or there is none, or the days are out of range.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise InputError(f"There is no scope {unknown[0] if unknown else ''!r}; there are {', '.join(SCOPES)}.")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name of a key: 1 to 64 letters (a-z), digits and ._-, a letter or digit first."
        )
    if not 1 <= days <= LONGEST_DAYS:
        raise InputError(f"A key holds for 1 to {LONGEST_DAYS} days, not {days}.")
    if ApiKey.objects.filter(name=name, revoked_at__isnull=True).exists():
        raise InputError(f"There is a key {name!r} already; `doc-assets keys revoke {name}` ends it.")
    prefix = secrets.token_hex(_PREFIX_BYTES)
    text = f"da_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    row = ApiKey.objects.create(
        prefix=prefix,
        name=name,
        digest=_digest(text),
        scopes=wanted,
        made_at=now,
        expires_at=now + timedelta(days=days),
    )
    return _key(row), text


def revoke_key(which: str, now: datetime) -> Key:
    """Ends a key at once, by its prefix or by its name.

    Raises:
        InputError: if no key that was not revoked yet is called so.
    """
    row = ApiKey.objects.filter(Q(prefix=which) | Q(name=which), revoked_at__isnull=True).order_by("id").first()
    if row is None:
        raise InputError(f"There is no key {which!r} that could be revoked; `doc-assets keys list` lists them.")
    row.revoked_at = now
    row.save(update_fields=["revoked_at"])
    return _key(row)


def all_keys() -> list[Key]:
    """Every key that was ever made, the newest first."""
    return [_key(row) for row in ApiKey.objects.order_by("-id")]


def shown_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries, as it came; None if it carries none. Addresses are never looked at.

    Args:
        headers: of the request, found in any case.
    """
    if (shown := headers.get(KEY_HEADER)) is not None:
        return shown
    kind, _, shown = headers.get("Authorization", "").partition(" ")
    return shown.strip() if kind.lower() == "bearer" else None


def valid_key(text: str, now: datetime) -> Key | None:
    """The key of this text, its use noted; None if there is none, or it has expired or was revoked."""
    found = _KEY.fullmatch(text)
    row = ApiKey.objects.filter(prefix=found[1]).first() if found else None
    is_right = hmac.compare_digest(_digest(text), row.digest if row is not None else _NO_DIGEST)
    if row is None or not is_right:
        return None
    key = _key(row)
    if key.state(now) != "valid":
        return None
    if key.used_at is None or now - key.used_at >= _NOTED_EVERY:
        is_due = Q(used_at__isnull=True) | Q(used_at__lte=now - _NOTED_EVERY)
        ApiKey.objects.filter(is_due, pk=row.pk).update(used_at=now)
    return key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Any) -> Key:  # noqa: ANN401 - Django's model has no types
    scopes: frozenset[Scope] = frozenset(row.scopes)
    return Key(row.prefix, row.name, scopes, row.made_at, row.expires_at, row.used_at, row.revoked_at)
