"""Services on loopback that take messages, with the limits of the real ones and a record of what people would see."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from contextlib import contextmanager
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import server_context
from tests.support.http_service import JsonService, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.http_service import Request

TELEGRAM_TOKEN = "1234567:canary-telegram-AbCdEfGhIjKlMnOpQrStU"
MATRIX_TOKEN = "syt_canary_matrix_AbCdEfGhIjKl"
WEBHOOK_KEY = b"canary-webhook-key-of-32-bytes-!"
WEBHOOK_SECRET = f"whsec_{base64.b64encode(WEBHOOK_KEY).decode()}"
SMTP_USER, SMTP_PASSWORD = "bot", "canary-smtp-password"
ROOM = "!room:example.org"


class _Markup(HTMLParser):
    """Text without tags; those that are not closed, or not known, are a mistake."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.known, self.open, self.text = known, list[str](), ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in self.known, tag
        if tag == "br":
            self.text += "\n"
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(markup: str, known: frozenset[str]) -> str:
    """What a client shows of it."""
    parser = _Markup(known)
    parser.feed(markup)
    parser.close()
    assert not parser.open
    return parser.text


class TelegramService(JsonService):
    """core.telegram.org/bots/api, sendMessage."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def answer(self, request: Request) -> Reply:
        if request.path != f"/bot{TELEGRAM_TOKEN}/sendMessage":
            return Reply(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        assert request.body["parse_mode"] == "HTML"
        assert request.body["link_preview_options"] == {"is_disabled": True}
        try:
            text = plain(request.body["text"], frozenset({"a", "b", "code", "pre"}))
        except (AssertionError, IndexError):
            return _telegram_refusal("can't parse entities")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return _telegram_refusal("message is too long")
        if str(request.body["chat_id"]) != "-100123":
            return _telegram_refusal("chat not found")
        self.texts.append(text)
        return Reply(200, {"ok": True, "result": {"message_id": len(self.texts)}})


def _telegram_refusal(why: str) -> Reply:
    return Reply(400, {"ok": False, "error_code": 400, "description": f"Bad Request: {why}"})


class MatrixService(JsonService):
    """spec.matrix.org, PUT /rooms/ROOM/send/TYPE/TXN: a transaction that is known is no second event."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, dict[str, Any]] = {}

    @property
    def texts(self) -> list[str]:
        return [str(event["body"]) for event in self.events.values()]

    def answer(self, request: Request) -> Reply:
        found = re.fullmatch("/_matrix/client/v3/rooms/([^/]+)/send/m.room.message/([^/]+)", request.path)
        if request.headers.get("Authorization") != f"Bearer {MATRIX_TOKEN}":
            return Reply(401, {"errcode": "M_UNKNOWN_TOKEN", "error": "Unknown access token"})
        if found is None or request.method != "PUT" or unquote(found[1]) != ROOM:
            return Reply(403, {"errcode": "M_FORBIDDEN", "error": "not in room"})
        if len(json.dumps(request.body)) > 60_000:
            return Reply(413, {"errcode": "M_TOO_LARGE", "error": "event too large"})
        assert request.body["m.mentions"] == {}
        assert request.body["msgtype"] == "m.notice"
        plain(request.body["formatted_body"], frozenset({"a", "b", "br", "code", "pre"}))
        self.events.setdefault(found[2], request.body)
        return Reply(200, {"event_id": f"${found[2]}"})


class WebhookService(JsonService):
    """Somebody's own, which checks signatures and knows what it has had."""

    def __init__(self) -> None:
        super().__init__()
        self.deliveries: dict[str, dict[str, Any]] = {}

    @property
    def texts(self) -> list[str]:
        return [json.dumps(value, ensure_ascii=False) for value in self.deliveries.values()]

    def answer(self, request: Request) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.raw
        expected = base64.b64encode(hmac.digest(WEBHOOK_KEY, signed, hashlib.sha256)).decode()
        if headers["webhook-signature"] != f"v1,{expected}":
            return Reply(401, {"message": "wrong signature"})
        self.deliveries.setdefault(headers["webhook-id"], request.body)
        return Reply(204)


class MailService:
    """A mail server; `scheme` is how it is reached."""

    def __init__(self, scheme: str, certificate: Path | None = None) -> None:
        self.scheme = scheme
        self.url = ""
        self.mails: list[Any] = []
        self.answer = "250 OK"
        self.authenticated: list[bool] = []
        self.was_encrypted: list[bool] = []
        context = server_context(certificate) if certificate else None
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0}
        if scheme == "smtps":
            options |= {"ssl_context": context, "auth_require_tls": False}
        elif scheme == "smtp":
            options |= {"tls_context": context, "require_starttls": True}
        if scheme != "smtp+plain":
            options |= {"authenticator": self._authenticate, "auth_required": True}
        self._controller = _PortTold(self, **options)

    @property
    def texts(self) -> list[str]:
        return [str(mail.get_content()).replace("\r\n", "\n") for mail in self.mails]

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (
            SMTP_USER.encode(),
            SMTP_PASSWORD.encode(),
        )
        return AuthResult(success=good, handled=False)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(_mail(envelope.content))
            self.authenticated.append(bool(session.authenticated))
            self.was_encrypted.append(session.ssl is not None or self.scheme == "smtps")
        return self.answer

    @contextmanager
    def running(self) -> Iterator[MailService]:
        self._controller.start()
        user = "" if self.scheme == "smtp+plain" else f"{SMTP_USER}@"
        self.url = f"{self.scheme}://{user}127.0.0.1:{self._controller.port}"
        try:
            yield self
        finally:
            self._controller.stop()


class _PortTold(Controller):
    """One on a port that the system chooses."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # the library's


def _mail(content: bytes) -> Any:
    return message_from_bytes(content, policy=policy.default)
