"""Reviews as pull requests of a Gitea or Forgejo, such as codeberg.org."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.forges.access import forge_project, forge_token
from ci_toolkit.forges.service import ServiceForge, certificate_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.forges.spec import ForgeTools


class GiteaForge(ServiceForge):
    """Pull requests, an issue, and commit statuses."""

    name: ClassVar[str] = "gitea"

    @contextmanager
    def connect(self, tools: ForgeTools) -> Iterator[ReviewClient]:
        """The repository's client; nothing is asked yet."""
        from ci_toolkit.forges.gitea_client import GiteaReviews  # noqa: PLC0415 - only those load it who use it

        project = forge_project(tools, service="gitea", default=None)
        token = forge_token(tools.environ, project.variables, hint="a token that may write repository and issue")
        client = GiteaReviews(
            url=project.url,
            repository=project.repository,
            token=token,
            ca=certificate_file(tools),
            unencrypted=project.unencrypted,
            clock=tools.clock,
        )
        with closing(client):
            yield client
