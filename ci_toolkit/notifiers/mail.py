"""Mail by SMTP, encrypted: one message a digest (RFC 5321, 5322, 3207, 8314; RFC 3834 for automatic ones)."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlsplit

from ci_toolkit.errors import ConfigError, NotifyError, shortened
from ci_toolkit.formats.service_url import is_loopback
from ci_toolkit.notifiers.secrets import secret
from ci_toolkit.notifiers.wording import Item, fitted, headline, items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.model.news import Digest
    from ci_toolkit.notifiers.spec import NotifierTools

URL = "CI_NOTIFY_SMTP_URL"
PASSWORD = "CI_NOTIFY_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
_HINT = "smtp://user@host (STARTTLS), smtps://user@host, or smtp+plain://localhost; the password is a variable apart"
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_TIMEOUT_S = 15.0
_LIMIT = 100_000
_SHOWN_LINES = 40
_LINE_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    scheme: str
    host: str
    port: int
    user: str | None


class MailNotifier:
    """Its Message-ID is that of the digest, so that servers which look for repetitions find them."""

    name: ClassVar[str] = "mail"
    follows_jobs: ClassVar[bool] = False

    def check(self, tools: NotifierTools) -> None:
        """Server, password and addresses."""
        server = _server(tools)
        if server.user is not None:
            secret(tools.environ, PASSWORD, shape=r"[^\x00-\x1f\x7f]{6,1024}", hint=f"the password of {server.user}")
        if not tools.settings.mail_to:
            raise ConfigError("is missing", key="CI_NOTIFY_MAIL_TO", hint="addresses with blanks between them")
        for address in tools.settings.mail_to:
            if _ADDRESS.fullmatch(address) is None:
                raise ConfigError("is no address", key="CI_NOTIFY_MAIL_TO", got=address)
        if _ADDRESS.fullmatch(_sender(tools)) is None:
            raise ConfigError("is no address", key="CI_NOTIFY_MAIL_FROM", got=_sender(tools))

    def send(self, digest: Digest, tools: NotifierTools) -> tuple[str, ...]:
        """Send it; gives a sentence for each address that the server refuses."""
        self.check(tools)
        server = _server(tools)
        try:
            with _connected(server, tools) as connection:
                refused = connection.send_message(_message(digest, tools))
        except smtplib.SMTPException as error:
            raise NotifyError(f"{server.host} does not take mail: {_said(error)}") from None
        except ssl.SSLError:
            raise NotifyError(f"{server.host} cannot be reached: its certificate is not accepted") from None
        except OSError as error:
            raise NotifyError(f"{server.host} cannot be reached: {error.strerror or type(error).__name__}") from None
        return tuple(f"{server.host} refuses mail to {address}: {code}" for address, (code, _) in refused.items())


@contextmanager
def _connected(server: _Server, tools: NotifierTools) -> Iterator[smtplib.SMTP]:
    context = ssl.create_default_context()
    if server.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT_S, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S)
    with connection:
        if server.scheme == "smtp":
            connection.starttls(context=context)  # one that does not offer it is an error
        if server.user is not None:
            connection.login(server.user, tools.environ[PASSWORD].strip())
        yield connection


def _server(tools: NotifierTools) -> _Server:
    """The server; ConfigError, without its text, which may have a password in it."""
    text = tools.environ.get(URL, "")
    if not text:
        raise ConfigError("is missing in the environment", key=URL, hint=_HINT)
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ConfigError("is no address of a mail server", key=URL, hint=_HINT) from None
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.password is not None:
        raise ConfigError("is no address of a mail server", key=URL, hint=_HINT)
    if parts.scheme == "smtp+plain" and not is_loopback(parts.hostname):
        raise ConfigError("is not encrypted, which is for this machine itself alone", key=URL, hint=_HINT)
    user = unquote(parts.username) if parts.username else None
    return _Server(scheme=parts.scheme, host=parts.hostname, port=port, user=user)


def _sender(tools: NotifierTools) -> str:
    return tools.settings.mail_from or tools.settings.author_email


def _message(digest: Digest, tools: NotifierTools) -> EmailMessage:
    sender = _sender(tools)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(tools.settings.mail_to)
    message["Subject"] = headline(digest)
    message["Date"] = format_datetime(datetime.fromtimestamp(digest.at_s, UTC))
    message["Message-ID"] = f"<{digest.id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    end = f"\n\nAll builds: {digest.url}\n" if digest.url else "\n"
    text = fitted(
        headline(digest),
        map(_item, items(digest)),
        limit=_LIMIT,
        more=lambda left: f"\n\n… and {left} more",
    )
    message.set_content(text + end)
    return message


def _item(item: Item) -> tuple[str, str]:
    rows = [f"\n\n{item.what}" + (f": {item.why}" if item.why else "")]
    rows += [item.url] if item.url else []
    lines = [f"    {line[:_LINE_MAX]}" for line in item.lines[-_SHOWN_LINES:]]
    return "\n".join(rows), "\n".join([*rows, *lines])


def _said(error: smtplib.SMTPException) -> str:
    """Status and sentence of the server's answer; nothing of what was sent."""
    match error:
        case smtplib.SMTPResponseException(smtp_code=int(code), smtp_error=said):
            text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            code, answer = next(iter(refused.values()))
            text = answer.decode(errors="replace")
        case smtplib.SMTPServerDisconnected():
            return "it hung up"
        case smtplib.SMTPNotSupportedError():
            return "it offers no STARTTLS, or no way to log in"
        case _:
            return type(error).__name__
    return f"{code} {shortened(''.join(char if char.isprintable() else ' ' for char in text), 200)}"
