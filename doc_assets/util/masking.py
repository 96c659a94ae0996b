"""Values of settings as they may be shown and kept: without passwords, keys and tokens."""

import re
from typing import Any

from pydantic import SecretStr

_MASK = "**********"
_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]+)(?=@)")
_SECRET_OPTION = re.compile(r"key|token|secret|password", re.IGNORECASE)


def shown(value: Any) -> str:  # noqa: ANN401 - whatever type a setting has
    """A value as text; secrets in it are masked."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return _without_password(secret) if "://" in secret else _MASK
    if isinstance(value, dict):
        return str({name: _MASK if _SECRET_OPTION.search(name) else shown(part) for name, part in value.items()})
    return _without_password(str(value))


def _without_password(text: str) -> str:
    masked = _IN_URL.sub(rf"\1:{_MASK}", text)
    return re.sub(r"(?<=[?&])([^=&]*(?:password|key|token|secret)[^=&]*)=[^&]*", rf"\1={_MASK}", masked, flags=re.I)


def is_secret(value: Any) -> bool:  # noqa: ANN401 - whatever type a setting has
    """Whether a value is a secret as a whole, so that only its name may be kept."""
    return isinstance(value, SecretStr)
