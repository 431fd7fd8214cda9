"""What every notifier must do, against services on loopback that have the limits of the real ones."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.redaction import SECRET_VARIABLES
from ci_toolkit.errors import NotifyError
from ci_toolkit.plugins import registered
from tests.support.certificates import self_signed
from tests.support.message_services import (
    MATRIX_TOKEN,
    ROOM,
    SMTP_PASSWORD,
    TELEGRAM_TOKEN,
    WEBHOOK_SECRET,
    MailService,
    MatrixService,
    TelegramService,
    WebhookService,
)
from tests.support.notifier_contract import NotifierContract, Post, notifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ci_toolkit.forges.spec import Mark
    from tests.support.http_service import JsonService

__all__ = ["notifier"]


class _HttpPost(Post):
    service: JsonService

    def limit(self, seconds: int) -> None:
        self.service.fail(".*", 429, {"error": "slow"}, headers={"Retry-After": str(seconds)})

    def break_down(self) -> None:
        self.service.fail(".*", 500, {"description": f"no: {self.secrets[0]}"})


class TelegramPost(_HttpPost):
    kind = "telegram"
    secrets = (TELEGRAM_TOKEN,)

    def __init__(self, service: TelegramService) -> None:
        self.service = self._service = service
        self.keys = {"CI_NOTIFY_TELEGRAM_CHAT": "-100123"}
        self.variables = {"CI_NOTIFY_TELEGRAM_TOKEN": TELEGRAM_TOKEN}
        self.further_variables = {"CI_NOTIFY_TELEGRAM_URL": service.url}

    def limit(self, seconds: int) -> None:
        """As Telegram says it: not by a header."""
        value = {"ok": False, "error_code": 429, "parameters": {"retry_after": seconds}}
        self.service.fail(".*", 429, value)

    def texts(self) -> list[str]:
        return self._service.texts


class MatrixPost(_HttpPost):
    kind = "matrix"
    secrets = (MATRIX_TOKEN,)
    knows_repetitions = True

    def __init__(self, service: MatrixService) -> None:
        self.service = self._service = service
        self.keys = {"CI_NOTIFY_MATRIX_ROOM": ROOM}
        self.variables = {"CI_NOTIFY_MATRIX_URL": service.url, "CI_NOTIFY_MATRIX_TOKEN": MATRIX_TOKEN}

    def limit(self, seconds: int) -> None:
        """As older homeservers say it."""
        self.service.fail(".*", 429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": seconds * 1000})

    def texts(self) -> list[str]:
        return self._service.texts


class WebhookPost(_HttpPost):
    kind = "webhook"
    secrets = (WEBHOOK_SECRET, "canary-path")
    knows_repetitions = True

    def __init__(self, service: WebhookService) -> None:
        self.service = self._service = service
        self.keys = {}
        self.variables = {
            "CI_NOTIFY_WEBHOOK_URL": f"{service.url}/hook/canary-path",
            "CI_NOTIFY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    def break_down(self) -> None:
        self.service.fail(".*", 500, {"message": f"no: {self.variables['CI_NOTIFY_WEBHOOK_URL']}"})

    def texts(self) -> list[str]:
        return self._service.texts


class MailPost(Post):
    kind = "mail"
    secrets = (SMTP_PASSWORD,)
    mentions = False

    def __init__(self, service: MailService) -> None:
        self.service = service
        self.keys = {"CI_NOTIFY_MAIL_TO": "people@example.org"}
        self.further_keys = {"CI_NOTIFY_MAIL_FROM": "bot@example.org"}
        self.variables = {"CI_NOTIFY_SMTP_URL": service.url, "CI_NOTIFY_SMTP_PASSWORD": SMTP_PASSWORD}

    def limit(self, seconds: int) -> None:
        pytest.skip("mail servers do not say how long")

    def break_down(self) -> None:
        self.service.answer = "451 later"

    def texts(self) -> list[str]:
        return self.service.texts


class StatusPost(Post):
    kind = "commit_status"
    secrets = ()
    mentions = False
    knows_repetitions = True
    overwrites = True
    shows_lines = False

    def __init__(self) -> None:
        self.keys = {}
        self.further_keys = {"BUILD_REPO": "pkgs"}
        self.variables = {}
        self.marks: dict[str, Mark] = {}
        self.error: NotifyError | None = None

    def mark(self, marks: Sequence[Mark], project: str | None) -> Sequence[str]:
        assert project is None
        if self.error:
            raise self.error
        self.marks.update({mark.status.context: mark for mark in marks})
        return ()

    def limit(self, seconds: int) -> None:
        self.error = NotifyError("limited", retry_after_s=float(seconds))

    def break_down(self) -> None:
        self.error = NotifyError("down")

    def texts(self) -> list[str]:
        return [f"{mark.status.context} {mark.status.state} {mark.status.text}" for mark in self.marks.values()]


@contextmanager
def _mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MailService("smtp", certificate).running() as service:
        yield MailPost(service)


@pytest.fixture(params=["commit_status", "mail", "matrix", "telegram", "webhook"])
def post(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    match request.param:
        case "commit_status":
            yield StatusPost()
        case "mail":
            with _mail(tmp_path, monkeypatch) as made:
                yield made
        case "matrix":
            with MatrixService() as matrix:
                yield MatrixPost(matrix)
        case "telegram":
            with TelegramService() as telegram:
                yield TelegramPost(telegram)
        case _:
            with WebhookService() as webhook:
                yield WebhookPost(webhook)


class TestEveryNotifierKeepsTheContract(NotifierContract):
    """All of it."""


def test_all_that_are_registered_are_tested() -> None:
    assert set(registered("notifiers")) == {"commit_status", "mail", "matrix", "telegram", "webhook"}


def test_their_secrets_are_hidden_in_all_output() -> None:
    assert {
        "CI_NOTIFY_MATRIX_TOKEN",
        "CI_NOTIFY_SMTP_PASSWORD",
        "CI_NOTIFY_TELEGRAM_TOKEN",
        "CI_NOTIFY_WEBHOOK_SECRET",
        "CI_NOTIFY_WEBHOOK_URL",
    } <= set(SECRET_VARIABLES)
