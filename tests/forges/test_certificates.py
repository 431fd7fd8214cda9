from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.token import Token
from ci_toolkit.forges.gitea_client import GiteaReviews
from ci_toolkit.forges.github_client import GithubReviews
from tests.support import gitea_service, github_service
from tests.support.certificates import self_signed
from tests.support.gitea_service import GiteaService
from tests.support.github_service import GithubService
from tests.support.http_service import FakeClock
from tests.support.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary0123456789abcdef0123456789abcdef01"
Service = GithubService | GiteaService


@pytest.fixture(params=[GithubService, GiteaService], ids=["github", "gitea"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    # Not started by `with`: it has to get its certificate first.
    made: Service = request.param(CANARY)
    yield made
    made.__exit__()


def client(service: Service, ca: Path | None) -> GithubReviews | GiteaReviews:
    named = None if ca is None else str(ca)
    if isinstance(service, GiteaService):
        return GiteaReviews(
            url=service.url, repository=gitea_service.REPOSITORY, token=Token(CANARY), ca=named, clock=FakeClock()
        )
    return GithubReviews(
        api_url=service.api_url, repository=github_service.REPOSITORY, token=Token(CANARY), ca=named, clock=FakeClock()
    )


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    service.encrypt(certificate)
    service.__enter__()
    error = refused(CANARY, client(service, None).open_reviews)
    assert "127.0.0.1 cannot be asked: its certificate is not accepted" in str(error)
    assert "CI_FORGE_CA" in str(error)
    assert service.requests == []
    # What the environment says for all hosts does not take the place of what was named for this one.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(self_signed(elsewhere)))
    assert client(service, certificate).open_reviews() == ()


def test_a_certificate_for_another_host_is_not_accepted(service: Service, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, address="127.0.0.2")
    service.encrypt(certificate)
    service.__enter__()
    error = refused(CANARY, client(service, certificate).open_reviews)
    assert "its certificate is not accepted" in str(error)
    assert service.requests == []
