"""Where a Trino server is and how to prove who asks: the warehouse URL, and the credentials of the settings.

A password, a token or a key is held here and nowhere else; nothing of it is in a `repr` or an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import requests
from trino.auth import Authentication, BasicAuthentication, CertificateAuthentication, JWTAuthentication

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.settings import Settings, redacted

_FORM = "write trino://USER@HOST:PORT/CATALOG/SCHEMA"
_SECURE_PORTS = (443, 8443)
_FALSE = frozenset({"false", "0", "no"})


@dataclass(frozen=True)
class TrinoAddress:
    """A server, and the session that statements run in.

    `verify` is a file with the authorities to trust, True for those of the system, False for anybody. `roles` maps a
    catalog (or `system`) to a role, `properties` names session properties.
    """

    host: str
    port: int
    scheme: str
    user: str
    catalog: str | None = None
    schema: str | None = None
    verify: bool | str = True
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True)
class Credentials:
    """At most one proof: a password, a JSON web token, or a certificate with its key.

    What is in a file is read for each request: a token that is renewed there counts also for a statement under way.
    """

    password: str = field(default="", repr=False)
    password_file: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    certificate: str = ""
    key: str = ""

    def __bool__(self) -> bool:
        return any((self.password, self.password_file, self.token, self.token_file, self.certificate))

    def authentication(self, user: str) -> Authentication | None:
        """The proof in the client's terms, None if there is none.

        Raises:
            PlatformError: VALIDATION_FAILED, for a file that cannot be read or holds no token.
        """
        proof = self._proof(user)
        return _ReadAnew(self, user) if proof and (self.token_file or self.password_file) else proof

    def _proof(self, user: str) -> Authentication | None:
        if self.token or self.token_file:
            token = self.token or _secret_of("GRAPH_PLATFORM_WAREHOUSE_JWT_FILE", self.token_file)
            if not token.isascii() or any(c.isspace() or not c.isprintable() for c in token):
                # The HTTP library would refuse it too, and print it.
                message = "the JSON web token of the warehouse has characters that no token has"
                raise PlatformError(
                    ErrorCode.VALIDATION_FAILED, message, "check GRAPH_PLATFORM_WAREHOUSE_JWT or its file"
                )
            return JWTAuthentication(token)
        if self.certificate:
            return CertificateAuthentication(self.certificate, self.key or self.certificate)
        if self.password or self.password_file:
            password = self.password or _secret_of("GRAPH_PLATFORM_WAREHOUSE_PASSWORD_FILE", self.password_file)
            # The HTTP library writes both in Latin-1, and Trino reads UTF-8.
            return BasicAuthentication(*(text.encode().decode("latin-1") for text in (user, password)))
        return None


class _ReadAnew(Authentication):
    """The proof that is in the file when a request is made, not when its statement was begun."""

    def __init__(self, credentials: Credentials, user: str) -> None:
        self._credentials = credentials
        self._user = user

    def set_http_session(self, http_session: requests.Session) -> requests.Session:
        http_session.auth = self._prove
        return http_session

    def get_exceptions(self) -> tuple[Any, ...]:
        return ()

    def _prove(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        session = requests.Session()
        proof = self._credentials._proof(self._user)
        if proof is not None:
            proof.set_http_session(session)
        return session.auth(request) if callable(session.auth) else request


def _secret_of(variable: str, path: str) -> str:
    try:
        content = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED, f"{variable} names {path}, which cannot be read: {reason}"
        ) from None
    if not content:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{variable} names {path}, which is empty")
    return content


def address_of(settings: Settings) -> tuple[TrinoAddress, Credentials]:
    """The server and the credentials that the settings name.

    Raises:
        PlatformError: VALIDATION_FAILED, for a URL that cannot be read, credentials of two kinds, or a secret that
            would travel unencrypted.
    """
    shown = redacted(settings, "warehouse")
    parts, host, port = _split(settings.warehouse, shown)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    credentials = Credentials(
        password=unquote(parts.password or "") or settings.warehouse_password,
        password_file="" if parts.password else settings.warehouse_password_file,
        token=settings.warehouse_jwt,
        token_file=settings.warehouse_jwt_file,
        certificate=settings.warehouse_certificate,
        key=settings.warehouse_key,
    )
    _one_kind(credentials)
    scheme = options.pop("http_scheme", "https" if credentials or port in _SECURE_PORTS else "http")
    if scheme not in ("http", "https"):
        raise _wrong(shown, f"http_scheme is {scheme!r}", "write http_scheme=https or http_scheme=http")
    if credentials and scheme == "http":
        raise _wrong(shown, "credentials would travel unencrypted over http", "use https")
    catalog, schema = _names(parts, shown)
    address = TrinoAddress(
        host=host,
        port=port or (443 if scheme == "https" else 8080),
        scheme=scheme,
        user=unquote(parts.username or "") or settings.user,
        catalog=catalog,
        schema=schema,
        verify=_verify(options.pop("verify", "true")),
        roles=MappingProxyType(_roles(options.pop("roles", ""), shown)),
        properties=MappingProxyType(_properties(options, shown)),
    )
    return address, credentials


def _split(url: str, shown: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # The cause is not passed on, since it may quote the password.
        raise _wrong(shown, "its host or port cannot be read", f"{_FORM}, a password percent-encoded") from None
    if not host:
        raise _wrong(shown, "it names no host", _FORM)
    return parts, (f"[{host}]" if ":" in host else host), port


def _names(parts: SplitResult, shown: str) -> tuple[str | None, str | None]:
    names = [unquote(name) for name in parts.path.split("/") if name]
    if len(names) > 2:
        raise _wrong(shown, "it has more than a catalog and a schema", _FORM)
    catalog, schema = (*names, None, None)[:2]
    return catalog, schema


def _one_kind(credentials: Credentials) -> None:
    kinds = {
        "a password": credentials.password or credentials.password_file,
        "a JSON web token": credentials.token or credentials.token_file,
        "a certificate": credentials.certificate,
    }
    given = [name for name, value in kinds.items() if value]
    if len(given) > 1:
        message = f"the settings give the warehouse {' and '.join(given)}, where one proof is wanted"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "unset all GRAPH_PLATFORM_WAREHOUSE_… but one kind")


def _verify(text: str) -> bool | str:
    lowered = text.strip().lower()
    if lowered in ("", "true", "1", "yes"):
        return True
    return False if lowered in _FALSE else str(Path(text).expanduser())


def _roles(text: str, shown: str) -> dict[str, str]:
    """`analyst` is the system's role; `system:analyst,hive:admin` names one per catalog."""
    roles = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        catalog, colon, role = item.partition(":")
        if colon and not (catalog and role):
            raise _wrong(shown, f"the role {item!r} is incomplete", "write roles=ROLE or roles=CATALOG:ROLE,…")
        roles[catalog if colon else "system"] = role if colon else item
    return roles


def _properties(options: Mapping[str, str], shown: str) -> dict[str, str]:
    wrong = [name for name in options if not name.startswith("session.") or name == "session."]
    if wrong:
        hint = "it may have http_scheme, verify, roles and session.PROPERTY"
        raise _wrong(shown, f"it has the unknown parameter {wrong[0]!r}", hint)
    return {name.removeprefix("session."): value for name, value in options.items()}


def _wrong(shown: str, reason: str, hint: str) -> PlatformError:
    return PlatformError(ErrorCode.VALIDATION_FAILED, f"the warehouse URL {shown!r} cannot be used: {reason}", hint)
