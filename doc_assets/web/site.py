"""Django as the desk uses it: accounts and sessions, pages, no data of the domain."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from doc_assets.archive.ledger.grants import DESK_SCHEMA
from doc_assets.settings import Settings

_HERE = Path(__file__).parent
MAX_FORM_BYTES = 64 << 10
_IDLE_S = 30 * 60
_PLACE = ("ENGINE", "NAME", "HOST", "PORT")
CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],  # data: is the QR code of a second factor, drawn here
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
}


@dataclass(frozen=True, slots=True)
class Door:
    """How the desk is reached.

    Attributes:
        secret: signs cookies.
        hosts: names and addresses that browsers may use for it.
        is_secure: whether browsers come by TLS, here or at a proxy in front.
        proxy_secret: that a proxy in front shows with every request; empty without one.
        names_people: whether that proxy says who somebody is.
    """

    secret: str
    hosts: tuple[str, ...]
    is_secure: bool
    proxy_secret: str = ""
    names_people: bool = False


def accounts_database(settings: Settings) -> dict[str, Any]:
    """Where accounts and sessions are: beside the ledger, in a schema or file of their own."""
    url = make_url(settings.ledger_address)
    if url.get_backend_name() == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": settings.accounts_file,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 60},
        }
    asked = dict(url.query)  # a socket's folder, sslmode and the like
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username,
        "PASSWORD": url.password,
        "HOST": url.host or asked.pop("host", ""),
        "PORT": url.port or asked.pop("port", ""),
        "OPTIONS": {**asked, "options": f"-c search_path={DESK_SCHEMA}"},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def configure(settings: Settings, door: Door) -> None:
    """Sets Django up for this process, once.

    Args:
        settings: of the home.
        door: how the desk is reached.

    Raises:
        RuntimeError: if this process works on the accounts of another home.
    """
    import django
    from django.conf import settings as configured

    if configured.configured:
        wanted, used = accounts_database(settings), configured.DATABASES["default"]
        if any((wanted.get(name) or "") != (used.get(name) or "") for name in _PLACE):  # Django writes "" for none
            raise RuntimeError("this process works on the accounts of another home already")
        return
    configured.configure(**_values(settings, door))
    django.setup()


def migrate() -> None:
    """Brings the tables of accounts up to date; quick if they are."""
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Looked for first: a role that works on the rows alone may not even ask for a schema that is there.
            cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [DESK_SCHEMA])
            if not cursor.fetchone()[0]:
                cursor.execute(f"CREATE SCHEMA {DESK_SCHEMA}")
    else:
        file = Path(connection.settings_dict["NAME"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        file.chmod(0o600)  # digests of passwords, and sessions
    call_command("migrate", verbosity=0, interactive=False)


def _values(settings: Settings, door: Door) -> dict[str, Any]:
    return {
        "DEBUG": False,
        "SECRET_KEY": door.secret,
        "ALLOWED_HOSTS": list(door.hosts),
        "ROOT_URLCONF": "doc_assets.web.urls",
        "DATABASES": {"default": accounts_database(settings)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.humanize",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            "allauth",
            "allauth.account",
            "allauth.mfa",
            "allauth.usersessions",
            "doc_assets.web.keys",
        ],
        "MIDDLEWARE": [
            "doc_assets.web.access_log.access_line",
            "doc_assets.web.middleware.behind_proxy",
            "django.middleware.security.SecurityMiddleware",
            "csp.middleware.CSPMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.locale.LocaleMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "doc_assets.web.middleware.named_by_proxy",
            "doc_assets.web.middleware.sessions",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            "allauth.account.middleware.AccountMiddleware",
            "doc_assets.web.middleware.by_role",
            "doc_assets.web.receiving.receive_files",
        ],
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [_HERE / "templates"],
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                        "doc_assets.web.wording.words",
                        "doc_assets.web.profile.keys_of",
                    ]
                },
            }
        ],
        "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",  # not in a cookie: names
        "LANGUAGE_CODE": "ko",
        "LANGUAGES": [("ko", "한국어"), ("en", "English")],
        "LANGUAGE_COOKIE_SECURE": door.is_secure,
        "LANGUAGE_COOKIE_HTTPONLY": True,
        "LANGUAGE_COOKIE_SAMESITE": "Strict",
        "USE_TZ": True,
        "TIME_ZONE": settings.timezone,
        "STATIC_URL": "/static/",
        "STATICFILES_DIRS": [_HERE / "static"],
        "CONTENT_SECURITY_POLICY": {"DIRECTIVES": CSP},
        "FILE_UPLOAD_TEMP_DIR": str(settings.uploads_dir),  # where a body waits, without a name, until it is read
        **_accounts(door),
        **_cookies(door),
        "LOGGING_CONFIG": None,  # ``access_log`` does it
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",  # the desk sends no mail
    }


def _accounts(door: Door) -> dict[str, Any]:
    return {
        "AUTHENTICATION_BACKENDS": [
            "django.contrib.auth.backends.ModelBackend",
        ],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.Argon2PasswordHasher"],
        "AUTH_PASSWORD_VALIDATORS": [
            {
                "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
                "OPTIONS": {"min_length": 12},
            },
            {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
            {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
        ],
        "ACCOUNT_ADAPTER": "doc_assets.web.accounts.ClosedAdapter",
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*"],
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_RATE_LIMITS": {"login_failed": "5/5m/key,20/5m/ip", "login": "30/m/ip"},
        "ACCOUNT_LOGOUT_ON_GET": False,
        "ACCOUNT_SESSION_REMEMBER": False,
        "ACCOUNT_CHANGE_EMAIL": False,
        "ALLAUTH_TRUSTED_PROXY_COUNT": 1 if door.proxy_secret else 0,
        "ACCOUNT_PREVENT_ENUMERATION": "strict",
        "ACCOUNT_REAUTHENTICATION_TIMEOUT": 300,
        "MFA_SUPPORTED_TYPES": ["totp", "recovery_codes", "webauthn"],
        "MFA_TOTP_ISSUER": "doc_assets",
        "LOGIN_URL": "account_login",
        "LOGIN_REDIRECT_URL": "/",
        "USERSESSIONS_TRACK_ACTIVITY": True,
    }


def _cookies(door: Door) -> dict[str, Any]:
    prefix = "__Host-" if door.is_secure else ""  # browsers take the prefix by TLS alone
    return {
        "SESSION_COOKIE_NAME": f"{prefix}session",
        "SESSION_COOKIE_SECURE": door.is_secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Strict",
        "SESSION_COOKIE_AGE": _IDLE_S,
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "CSRF_FAILURE_VIEW": "doc_assets.web.problems.stale_form",
        "CSRF_COOKIE_NAME": f"{prefix}csrf",
        "CSRF_COOKIE_SECURE": door.is_secure,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Strict",
        "X_FRAME_OPTIONS": "DENY",
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY": "same-origin",
        "SECURE_HSTS_SECONDS": 31_536_000 if door.is_secure else 0,
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https") if door.proxy_secret else None,
        "DESK_PROXY_SECRET": door.proxy_secret,
        "DESK_FORWARD_SIGN_IN": door.names_people,
        "DATA_UPLOAD_MAX_MEMORY_SIZE": MAX_FORM_BYTES,
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 100,
        "FILE_UPLOAD_HANDLERS": [],  # no page takes files but one, which brings its own; see ``receiving``
    }
