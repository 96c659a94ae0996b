"""People and their roles; passwords, second factors and sessions are Django's and allauth's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from typing_extensions import override

from doc_assets.errors import InputError
from doc_assets.web.access import ROLES

LOCAL_PERSON = "local"
"""Who comes by the one-time link on this machine."""


class ClosedAdapter(DefaultAccountAdapter):
    """People are added by an administrator, never by themselves."""

    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in.

    Attributes:
        name: with which.
        roles: in alphabetical order.
        is_active: False for a disabled account.
        last_login: None if never.
        has_second_factor: whether signing in asks for a code or key.
    """

    name: str
    roles: tuple[str, ...]
    is_active: bool
    last_login: datetime | None
    has_second_factor: bool


def add_person(name: str, roles: Iterable[str], password: str | None) -> None:
    """Adds somebody; without a password nobody can sign in with the name yet.

    Raises:
        InputError: if the name is taken or no name, or the password is too weak.
    """
    if User.objects.filter(username__iexact=name).exists():
        raise InputError(f"There is a person {name!r} already; `doc-assets people list` lists them.")
    user = User(username=name)
    try:
        user.clean_fields(exclude=["password"])
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        raise InputError(f"{name!r} was not added: {' '.join(error.messages)}") from error
    user.set_unusable_password() if password is None else user.set_password(password)
    user.save()
    set_roles(name, roles)


def set_password(name: str, password: str) -> None:
    """Gives somebody a password, and ends all sessions that were opened with another.

    Raises:
        InputError: if there is no such person, or the password is too weak.
    """
    user = _user(name)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InputError(f"The password of {name!r} was not changed: {' '.join(error.messages)}") from error
    user.set_password(password)  # sessions hold a hash of the password that they were opened with
    user.save()


def set_roles(name: str, roles: Iterable[str]) -> None:
    """Gives somebody these roles and no others.

    Raises:
        InputError: if there is no such person or role.
    """
    wanted = list(dict.fromkeys(roles))
    unknown = [role for role in wanted if role not in ROLES]
    if unknown:
        raise InputError(f"There is no role {unknown[0]!r}; there are {', '.join(ROLES)}.")
    _user(name).groups.set([Group.objects.get_or_create(name=role)[0] for role in wanted])


def set_active(name: str, *, is_active: bool) -> None:
    """Lets somebody sign in, or not; sessions of a disabled account end at once.

    Raises:
        InputError: if there is no such person.
    """
    user = _user(name)
    user.is_active = is_active
    user.save(update_fields=["is_active"])


def people() -> list[Person]:
    """Everybody, by name."""
    from allauth.mfa.models import Authenticator

    protected = set(Authenticator.objects.values_list("user_id", flat=True))
    return [
        Person(
            user.username,
            tuple(sorted(user.groups.values_list("name", flat=True))),
            user.is_active,
            user.last_login,
            user.pk in protected,
        )
        for user in User.objects.order_by("username")
    ]


def local_person() -> Any:  # noqa: ANN401 - Django's user
    """The person of this machine, who may judge and lead and has no password."""
    if not User.objects.filter(username=LOCAL_PERSON).exists():
        add_person(LOCAL_PERSON, ("reviewer", "lead"), None)
    return _user(LOCAL_PERSON)


def _user(name: str) -> Any:  # noqa: ANN401 - Django's user
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist as error:
        raise InputError(f"There is no person {name!r}; `doc-assets people list` lists them.") from error
