"""Reviews as pull requests of github.com, or of a GitHub of one's own by CI_FORGE_URL."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.forges.access import forge_project, forge_token
from ci_toolkit.forges.addresses import github_api_url
from ci_toolkit.forges.service import ServiceForge, certificate_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.forges.spec import ForgeTools

_PUBLIC = "https://github.com"


class GithubForge(ServiceForge):
    """Pull requests, an issue, and commit statuses."""

    name: ClassVar[str] = "github"

    @contextmanager
    def connect(self, tools: ForgeTools) -> Iterator[ReviewClient]:
        """The repository's client; nothing is asked yet."""
        # It takes a third of a second to load, which only those pay who use it.
        from ci_toolkit.forges.github_client import GithubReviews  # noqa: PLC0415

        project = forge_project(tools, service="github", default=_PUBLIC)
        token = forge_token(tools.environ, project.variables, hint="a token with contents and pull requests: write")
        api_url = project.api_url or github_api_url(project.url)
        client = GithubReviews(
            api_url=api_url,
            repository=project.repository,
            token=token,
            ca=certificate_file(tools),
            unencrypted=project.unencrypted,
            clock=tools.clock,
        )
        with closing(client):
            yield client
