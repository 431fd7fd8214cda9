"""The mark on a commit of the default branch that says whether what it asks for was handed to the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ToolkitError, shortened
from ci_toolkit.forges.client import CommitStatus
from ci_toolkit.forges.spec import ForgeTools, RunNews

if TYPE_CHECKING:
    from ci_toolkit.forges.spec import Forge
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.scheduling.schedule import Schedule

STATUS_CONTEXT = "ci-toolkit/schedule"
_LONGEST_TEXT = 140


def schedule_status(schedule: Schedule, failure: str | None) -> CommitStatus | None:
    """The mark; none where there was nothing to hand over. `failure`: why not everything was."""
    if failure is not None:
        return CommitStatus(context=STATUS_CONTEXT, state="failure", text=shortened(failure, _LONGEST_TEXT))
    if schedule.is_empty:
        return None
    count = len(schedule.builds)
    text = f"{count} {'build' if count == 1 else 'builds'} handed over"
    return CommitStatus(context=STATUS_CONTEXT, state="success", text=text)


def tell_forge(forge: Forge, news: RunNews, workshop: Workshop, snapshot: Snapshot) -> tuple[str, ...]:
    """Tell how a run ended; gives a sentence for each thing that failed, and undoes nothing."""
    tools = ForgeTools(
        settings=snapshot.settings,
        environ=workshop.environ,
        clock=workshop.clock,
        top=workshop.top,
        memory=snapshot.state.forge,
    )
    try:
        return forge.conclude(news, tools)
    except ToolkitError as error:
        return (str(error),)
