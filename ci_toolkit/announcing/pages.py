"""Where people read of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from ci_toolkit.model.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPages:
    """Pages of builds at `url` (None: nowhere), below it the one of a job, as `template` with NUMBER in it says."""

    url: str | None
    template: str

    def of(self, job: Job) -> str | None:
        """The page that has a job's log, or tells why it has none."""
        return None if self.url is None else f"{self.url}/{self.template.replace('NUMBER', str(job.number))}"


def report_pages(url: str | None) -> BuildPages:
    """Those that `ci-toolkit builds report` writes."""
    return BuildPages(url=url, template="builds/NUMBER.html")


def farm_pages(url: str | None, repository: str) -> BuildPages:
    """Those of a farm, for one of the repositories that it publishes."""
    return BuildPages(url=url, template=f"jobs/{quote(repository, safe='')}/NUMBER")
