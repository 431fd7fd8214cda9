"""Reviews as merge requests of a GitLab: gitlab.com, or one of one's own by CI_FORGE_URL."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.forge_session import ForgeSession
from ci_toolkit.effects.token import GITLAB_VARIABLES
from ci_toolkit.forges.access import forge_token
from ci_toolkit.forges.gitlab_address import gitlab_address
from ci_toolkit.forges.service import ServiceForge, certificate_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.forges.spec import ForgeTools


class GitlabForge(ServiceForge):
    """Merge requests, an issue, and commit statuses."""

    name: ClassVar[str] = "gitlab"

    @contextmanager
    def connect(self, tools: ForgeTools) -> Iterator[ReviewClient]:
        """The project's client; nothing is asked yet."""
        # It takes its time to load, which only those pay who use it.
        import gitlab  # noqa: PLC0415

        from ci_toolkit.forges.gitlab_client import GitlabClient  # noqa: PLC0415

        address = gitlab_address(tools.settings, tools.environ)
        hint = "a project, group or personal access token with scope api; a job's own token may not open reviews"
        token = forge_token(tools.environ, GITLAB_VARIABLES, hint=hint)
        verify = certificates(tools)
        with ForgeSession(address=address.url, secret=token.private_header(), clock=tools.clock) as session:
            # A proxy or a wrong external_url in front of it changes addresses in answers; the token goes to none.
            api = gitlab.Gitlab(address.url, session=session, ssl_verify=verify, keep_base_url=True)
            project = api.projects.get(address.project, lazy=True)
            yield GitlabClient(api=api, project=project, token=token, url=address.url)


def certificates(tools: ForgeTools) -> str | bool:
    """The file to check the service's certificate with; True for what requests takes otherwise."""
    chosen = certificate_file(tools)
    if chosen is not None:
        return chosen
    # GitLab's runner leaves the certificate of its own service there.
    of_runner = tools.environ.get("CI_SERVER_TLS_CA_FILE", "")
    of_job = tools.environ.get("CI_SERVER_URL", "").rstrip("/")
    same = tools.settings.forge_url is None or tools.settings.forge_url.rstrip("/") == of_job
    return of_runner if of_runner and same and Path(of_runner).is_file() else True
