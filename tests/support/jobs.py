"""Schedules, folders and jobs for tests of what keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import PackageFolder
from ci_toolkit.formats.deptree import DeptreeRecord
from ci_toolkit.formats.git_objects import ObjectDraft
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.scheduling.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.backends.job_database import JobDatabase

COMMIT = Oid("c" * 40)
# A way from queued to every other state, by legal steps.
WAYS: Mapping[JobState, tuple[JobState, ...]] = {
    JobState.QUEUED: (),
    JobState.WAITING: (JobState.WAITING,),
    JobState.BUILDING: (JobState.BUILDING,),
    JobState.PUBLISHING: (JobState.BUILDING, JobState.PUBLISHING),
    JobState.SUCCEEDED: (JobState.BUILDING, JobState.PUBLISHING, JobState.SUCCEEDED),
    JobState.FAILED: (JobState.BUILDING, JobState.FAILED),
    JobState.SKIPPED: (JobState.BUILDING, JobState.SKIPPED),
    JobState.ALREADY_BUILT: (JobState.ALREADY_BUILT,),
    JobState.TIMED_OUT: (JobState.BUILDING, JobState.TIMED_OUT),
    JobState.CANCELLED: (JobState.CANCELLED,),
    JobState.REPLACED: (JobState.REPLACED,),
}


def folder(name: str, text: str = "", *, srcinfo: str | None = None) -> PackageFolder:
    """A package folder; another text is another folder."""
    contents = {"PKGBUILD": f"pkgname={name}\n{text}".encode()}
    if srcinfo is not None:
        contents[".SRCINFO"] = srcinfo.encode()
    return folder_of(contents)


def folder_of(contents: Mapping[str, bytes]) -> PackageFolder:
    """A package folder with these files."""
    draft = ObjectDraft()
    tree = draft.add_folder({path: ("100644", draft.add("blob", content)) for path, content in contents.items()})
    files = {path: UpstreamFile(mode="100644", content=content) for path, content in contents.items()}
    return PackageFolder(tree=tree, epoch_s=1_700_000_000, files=files)


def folders(names: Iterable[str], text: str = "") -> dict[Pkgbase, PackageFolder]:
    """Likewise, several."""
    return {Pkgbase(name): folder(name, text) for name in names}


def schedule(
    request: str,
    *builds: str,
    there: Iterable[str] = (),
    removed: bool = False,
    needs: Mapping[str, str] | None = None,
) -> Schedule:
    """Builds written as `name` or `name/class`; `there` are packages of the repository beside those that are built."""
    pending = [
        PendingBuild(pkgbase=Pkgbase(name), builder_class=class_ or None)
        for name, _, class_ in (build.partition("/") for build in builds)
    ]
    names = sorted({*(build.pkgbase for build in pending), *map(Pkgbase, there)})
    records = tuple(
        DeptreeRecord(pkgbase=name, names=(name,), dependencies=tuple((needs or {}).get(name, "").split()))
        for name in names
    )
    return Schedule(
        request=request,
        commit=COMMIT,
        builds=tuple(pending),
        deptree=records,
        remaining=tuple(names) if removed else None,
    )


def submit(
    database: JobDatabase,
    request: str,
    *builds: str,
    source: str = "pkgs",
    now_s: float = 100.0,
    text: str = "",
    there: Iterable[str] = (),
    removed: bool = False,
) -> tuple[Job, ...]:
    """Hand a schedule over; the jobs that it made."""
    made = schedule(request, *builds, there=there, removed=removed)
    contents = folders((build.pkgbase for build in made.builds), text)
    done = database.submit(made, contents, source=source, now_s=now_s)
    return database.jobs(JobFilter(numbers=frozenset(done.jobs))) if done.jobs else ()


def job_of(database: JobDatabase, number: int) -> Job:
    """A job as it is now."""
    [job] = database.jobs(JobFilter(numbers=frozenset({number})))
    return job


def bring(database: JobDatabase, job: Job, state: JobState, *, now_s: float = 200.0, **facts: float | str) -> Job:
    """Take a queued job to a state, by legal steps; `facts` go with the last."""
    way = WAYS[state]
    for step in way:
        last = facts if step is way[-1] else {}
        assert database.move(job_of(database, job.number), step, f"to {step.value}", now_s=now_s, **last)
    return job_of(database, job.number)
