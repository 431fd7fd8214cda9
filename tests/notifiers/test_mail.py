"""Mail over each kind of connection, and what is refused."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, NotifyError
from ci_toolkit.notifiers.mail import MailNotifier
from ci_toolkit.notifiers.spec import NotifierTools
from tests.support.certificates import self_signed
from tests.support.digests import usual
from tests.support.forge_world import settings_from
from tests.support.message_services import SMTP_PASSWORD, MailService
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from pathlib import Path

# The library's remark on servers that speak TLS at once.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def tools(url: str, *, to: str = "people@example.org", password: str = SMTP_PASSWORD) -> NotifierTools:
    keys = {"CI_NOTIFY_MAIL_TO": to, "GIT_AUTHOR_EMAIL": "bot@example.org"}
    environ = {"CI_NOTIFY_SMTP_URL": url, "CI_NOTIFY_SMTP_PASSWORD": password}
    return NotifierTools(
        settings=settings_from(keys), environ=environ, clock=QuickClock(), mark=lambda _marks, _project: ()
    )


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.mark.parametrize("scheme", ["smtps", "smtp", "smtp+plain"])
def test_it_is_sent_encrypted_but_on_this_machine_itself(
    scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MailService(scheme, certificate).running() as service:
        assert not MailNotifier().send(usual(), tools(service.url))
    [mail] = service.mails
    assert (mail["From"], mail["To"]) == ("bot@example.org", "people@example.org")
    assert mail["Subject"].strip() == "samples: 1 failed, 1 timed out, 2 built, 1 removed, 1 trouble of workers"
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<d1@example.org>", "auto-generated")
    assert service.was_encrypted == service.authenticated == [scheme != "smtp+plain"]
    [text] = service.texts
    assert "broken failed: in phase build: it is broken (status 4)" in text
    assert "\nhttps://builds.example.org/jobs/samples/6\n    one\n    it is broken\n" in text
    assert text.endswith("All builds: https://builds.example.org\n")


def test_one_address_that_is_refused_keeps_no_other_from_being_told() -> None:
    with MailService("smtp+plain").running() as service:
        said = MailNotifier().send(usual(), tools(service.url, to="nobody@example.org people@example.org"))
        assert said == ("127.0.0.1 refuses mail to nobody@example.org: 550",)
        assert len(service.mails) == 1
        with pytest.raises(NotifyError, match=r"127\.0\.0\.1 does not take mail: 550 no such user"):
            MailNotifier().send(usual(), tools(service.url, to="nobody@example.org"))


def test_a_server_nobody_vouches_for_a_wrong_password_and_no_server_are_said_without_secrets(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailService("smtps", certificate).running() as service:
        said = [failure(tools(service.url))]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        said.append(failure(tools(service.url, password="canary-wrong-one")))
    said.append(failure(tools(service.url)))
    with MailService("smtp+plain").running() as service:
        said.append(failure(tools(service.url.replace("smtp+plain", "smtp"))))
    for text, part in zip(said, ("certificate", "535", "refused", "offers no STARTTLS"), strict=True):
        assert part in text
        assert "canary" not in text
    assert service.mails == []


def failure(made: NotifierTools) -> str:
    with pytest.raises(NotifyError) as caught:
        MailNotifier().send(usual(), made)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "smtp://bot:canary-password@mail.example.org",
        "smtp+plain://mail.example.org",
        "https://mail.example.org",
        "mail.example.org:587",
        "smtp://mail.example.org/path",
        "smtp://mail.example.org:99999",
        "smtp://",
    ],
)
def test_addresses_that_are_none_are_refused_without_being_said(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MailNotifier().check(tools(url))
    assert caught.value.key == "CI_NOTIFY_SMTP_URL"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("to", ["people", "a@b\u00e4", "a@b,c@d", "<a@b>"])
def test_addresses_of_people_are_checked(to: str) -> None:
    with pytest.raises(ConfigError, match="CI_NOTIFY_MAIL_TO is no address"):
        MailNotifier().check(tools("smtp+plain://localhost", to=to))
