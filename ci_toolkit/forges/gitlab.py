"""Reviews as merge requests of a GitLab: gitlab.com, or one of one's own by CI_FORGE_URL."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.forge_http import ForgeHttp, ForgeManners
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
        # They take their time to load, which only those pay who use them.
        from ci_toolkit.forges.gitlab_client import GitlabClient  # noqa: PLC0415
        from ci_toolkit.forges.gitlab_library import gitlab_api  # noqa: PLC0415

        address = gitlab_address(tools.settings, tools.environ)
        hint = "a project, group or personal access token with scope api; a job's own token may not open reviews"
        token = forge_token(tools.environ, GITLAB_VARIABLES, hint=hint)
        http = ForgeHttp(
            url=address.url,
            token=token,
            secret=token.private_header(),
            ca=certificates(tools),
            clock=tools.clock,
            manners=ForgeManners(
                timeout_s=60.0, most_waiting_s=180.0, run_limit_s=1_200.0, unencrypted=address.unencrypted
            ),
        )
        with closing(http):
            api = gitlab_api(http)
            yield GitlabClient(http=http, api=api, project=api.projects.get(address.project, lazy=True))


def certificates(tools: ForgeTools) -> str | None:
    """The file to check the service's certificate with; None for what requests takes otherwise."""
    chosen = certificate_file(tools)
    if chosen is not None:
        return chosen
    # GitLab's runner leaves the certificate of its own service there.
    of_runner = tools.environ.get("CI_SERVER_TLS_CA_FILE", "")
    of_job = tools.environ.get("CI_SERVER_URL", "").rstrip("/")
    same = tools.settings.forge_url is None or tools.settings.forge_url.rstrip("/") == of_job
    return of_runner if of_runner and same and Path(of_runner).is_file() else None
