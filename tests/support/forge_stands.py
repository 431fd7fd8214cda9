"""The three services on loopback behind one face, for tests of what a person sees at any of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ci_toolkit.plugins import load_forge
from tests.support import gitea_service, github_service, gitlab_service
from tests.support.forge_world import forge_tools
from tests.support.gitea_service import GiteaService
from tests.support.github_description import github_description
from tests.support.github_service import GithubService
from tests.support.gitlab_service import GitlabService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ci_toolkit.forges.client import ReviewClient

_CANARY = "canary0123456789ABCDEFGHIJ/+x0123456789"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A review as people see it; `state` is open, closed or merged."""

    number: int
    url: str
    branch: str
    target: str
    title: str
    body: str
    state: str
    is_draft: bool
    labels: list[str]
    assignees: list[str]
    reviewers: list[str]
    comments: list[str]


class Stand(ABC):
    """A service that runs. What a person does there is done on `service`."""

    kind: ClassVar[str]
    token: ClassVar[str] = _CANARY
    variables: ClassVar[Mapping[str, str]]  # which a run needs
    missing: ClassVar[str]  # what a run says without them
    page: ClassVar[int]
    listing: ClassVar[str]
    # Whether a closed review is reopened whose branch was made anew.
    reopens: ClassVar[bool] = False

    service: Any

    @property
    def url(self) -> str:
        return str(self.service.url)

    @abstractmethod
    def settings(self, **more: str) -> dict[str, str]:
        """Keys of `.ci/config`."""

    @abstractmethod
    def job(self) -> dict[str, str]:
        """The variables of a CI job of this project, with a token."""

    @abstractmethod
    def reviews(self) -> list[Seen]:
        """All, the oldest first."""

    @abstractmethod
    def issues(self) -> list[str]:
        """Their descriptions."""

    @abstractmethod
    def add_review(
        self, branch: str, body: str, *, target: str = "main", state: str = "open", is_foreign: bool = False
    ) -> None:
        """One that is there already; `is_foreign`: its branch lies in a fork."""

    @abstractmethod
    def write_body(self, number: int, body: str) -> None:
        """What a person does to a description."""

    @abstractmethod
    def asked(self) -> list[str]:
        """Requests so far as `METHOD path`."""

    def written(self) -> list[str]:
        """Requests that change something."""
        return [one for one in self.asked() if not one.startswith("GET ")]

    def forget_asked(self) -> None:
        self.service.requests.clear()

    @abstractmethod
    def break_down(
        self, status: int | None = None, *, method: str = "", body: bytes = b'{"message":"x"}', hang_s: float = 0.0
    ) -> None:
        """Let requests fail, or be slow, until it recovers."""

    @abstractmethod
    def refuse_edits(self, number: int, status: int) -> None:
        """Let changes of one review fail."""

    @abstractmethod
    def forget_reviews(self) -> None:
        """There have never been any."""

    @abstractmethod
    def recover(self) -> None:
        """Work again."""

    def connect(self, top: Path, **more: str) -> AbstractContextManager[ReviewClient]:
        """A client for it."""
        forge: Any = load_forge(self.kind)
        connected: AbstractContextManager[ReviewClient] = forge.connect(
            forge_tools(self.settings(**more), self.variables, top)
        )
        return connected


class GitlabStand(Stand):
    kind = "gitlab"
    token = gitlab_service.TOKEN
    variables: ClassVar = {"ACCESS_TOKEN": gitlab_service.TOKEN}
    missing = "ACCESS_TOKEN or GITLAB_TOKEN is missing"
    page = 100
    listing = "GET /projects/group%2Fpackages/merge_requests"
    reopens = True

    def __init__(self, service: GitlabService) -> None:
        self.service: GitlabService = service

    def settings(self, **more: str) -> dict[str, str]:
        return {"CI_FORGE": "gitlab", "CI_FORGE_URL": self.url, "CI_FORGE_PROJECT": gitlab_service.PATH, **more}

    def job(self) -> dict[str, str]:
        number = str(gitlab_service.NUMBER)
        return {"GITLAB_CI": "true", "CI_SERVER_URL": self.url, "CI_PROJECT_ID": number, "ACCESS_TOKEN": self.token}

    def reviews(self) -> list[Seen]:
        names = {number: name for name, number in self.service.users.items()}
        return [
            Seen(
                number=one.iid,
                url=f"{self.url}/{gitlab_service.PATH}/-/merge_requests/{one.iid}",
                branch=one.source,
                target=one.target,
                title=one.title.removeprefix("Draft: "),
                body=one.description,
                state="open" if one.state == "opened" else one.state,
                is_draft=one.title.startswith("Draft: "),
                labels=one.labels,
                assignees=[names[number] for number in one.assignees],
                reviewers=[names[number] for number in one.reviewers],
                comments=one.notes,
            )
            for one in self.service.merge_requests
        ]

    def issues(self) -> list[str]:
        return [one.description for one in self.service.issues]

    def add_review(
        self, branch: str, body: str, *, target: str = "main", state: str = "open", is_foreign: bool = False
    ) -> None:
        self.service.add_merge_request(
            branch,
            description=body,
            target=target,
            state="opened" if state == "open" else state,
            source_project=77 if is_foreign else gitlab_service.NUMBER,
        )

    def write_body(self, number: int, body: str) -> None:
        self.service.merge_request(number).description = body

    def refuse_edits(self, number: int, status: int) -> None:
        self.service.fail(f"PUT /projects/group%2Fpackages/merge_requests/{number}", status)

    def forget_reviews(self) -> None:
        self.service.merge_requests.clear()

    def asked(self) -> list[str]:
        return list(self.service.requests)

    def break_down(
        self, status: int | None = None, *, method: str = "", body: bytes = b'{"message":"x"}', hang_s: float = 0.0
    ) -> None:
        self.service.fail(method, status, body=body, hang_s=hang_s)

    def recover(self) -> None:
        self.service.wrong.clear()


class _PullStand(Stand):
    """What GitHub and Gitea have in common."""

    service: GithubService | GiteaService

    def asked(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.service.requests]

    def issues(self) -> list[str]:
        return [one.body for one in self.service.issues]

    def add_review(
        self, branch: str, body: str, *, target: str = "main", state: str = "open", is_foreign: bool = False
    ) -> None:
        foreign = {"repository_id": 77} if is_foreign else {}
        head = self.service.branches.head(branch) or ""
        made = self.service.pull(branch, body=body, target=target, seen=head, **foreign)
        if state == "closed":
            self.service.close_by_person(made.number)

    def write_body(self, number: int, body: str) -> None:
        next(one for one in self.service.pulls if one.number == number).body = body

    def refuse_edits(self, number: int, status: int) -> None:
        self.service.fail(f"PATCH .*/pulls/{number}", status, {"message": "it failed"})

    def forget_reviews(self) -> None:
        self.service.pulls.clear()

    def break_down(
        self, status: int | None = None, *, method: str = "", body: bytes = b'{"message":"x"}', hang_s: float = 0.0
    ) -> None:
        self.service.fail(f"{method}.*", status, body, hang_s=hang_s)

    def recover(self) -> None:
        self.service.faults.clear()

    def _workflow(self, api_url: str, repository: str) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": self.url,
            "GITHUB_API_URL": api_url,
            "GITHUB_REPOSITORY": repository,
            "GITHUB_TOKEN": self.token,
        }

    def _seen(self, one: github_service.Pull | gitea_service.Pull, *, url: str, title: str, is_draft: bool) -> Seen:
        return Seen(
            number=one.number,
            url=url,
            branch=one.branch,
            target=one.target,
            title=title,
            body=one.body or "",
            state="merged" if one.merged else one.state,
            is_draft=is_draft,
            labels=self.service.labels(one.number),
            assignees=one.assignees,
            reviewers=one.reviewers,
            comments=one.comments,
        )


class GithubStand(_PullStand):
    kind = "github"
    variables: ClassVar = {"GITHUB_TOKEN": _CANARY}
    missing = "ACCESS_TOKEN or GH_TOKEN or GITHUB_TOKEN is missing"
    page = 100
    listing = f"GET /api/v3/repos/{github_service.REPOSITORY}/pulls"

    def __init__(self, service: GithubService) -> None:
        self.service: GithubService = service

    def settings(self, **more: str) -> dict[str, str]:
        return {"CI_FORGE": "github", "CI_FORGE_URL": self.url, "CI_FORGE_PROJECT": github_service.REPOSITORY, **more}

    def job(self) -> dict[str, str]:
        return self._workflow(f"{self.url}/api/v3", github_service.REPOSITORY)

    def reviews(self) -> list[Seen]:
        pages = f"{self.url}/{github_service.REPOSITORY}/pull"
        return [
            self._seen(one, url=f"{pages}/{one.number}", title=one.title, is_draft=one.draft)
            for one in self.service.pulls
        ]


class GiteaStand(_PullStand):
    kind = "gitea"
    variables: ClassVar = {"GITEA_TOKEN": _CANARY}
    missing = "ACCESS_TOKEN or GITEA_TOKEN or FORGEJO_TOKEN is missing"
    page = 50
    listing = f"GET /api/v1/repos/{gitea_service.REPOSITORY}/pulls"

    def __init__(self, service: GiteaService) -> None:
        self.service: GiteaService = service

    def settings(self, **more: str) -> dict[str, str]:
        return {"CI_FORGE": "gitea", "CI_FORGE_URL": self.url, "CI_FORGE_PROJECT": gitea_service.REPOSITORY, **more}

    def job(self) -> dict[str, str]:
        return {**self._workflow(f"{self.url}/api/v1", gitea_service.REPOSITORY), "GITEA_ACTIONS": "true"}

    def reviews(self) -> list[Seen]:
        pages = f"{self.url}/{gitea_service.REPOSITORY}/pulls"
        return [
            self._seen(
                one,
                url=f"{pages}/{one.number}",
                title=one.title.removeprefix("WIP: "),
                is_draft=one.title.startswith("WIP: "),
            )
            for one in self.service.pulls
        ]


KINDS = ("gitlab", "github", "gitea")


@contextmanager
def open_stand(
    kind: str, heads: Callable[[str], str | None] | None = None, *, certificate: Path | None = None
) -> Iterator[Stand]:
    """A running service; `certificate` is one whose key lies beside it in `key.pem`."""
    service: GitlabService | GithubService | GiteaService
    if kind == "gitlab":
        service = GitlabService(heads)
    elif kind == "github":
        github_description()  # when it is not installed, that is what to say
        service = GithubService(_CANARY, prefix="/api/v3", heads=heads)
    else:
        service = GiteaService(_CANARY, heads=heads)
    if certificate:
        service.encrypt(certificate)
    with service:
        if isinstance(service, GithubService):
            yield GithubStand(service)
            assert service.faults_of_requests() == []
        else:
            yield GitlabStand(service) if isinstance(service, GitlabService) else GiteaStand(service)
