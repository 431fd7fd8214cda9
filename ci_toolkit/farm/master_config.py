"""The configuration of Buildbot's master for a farm, for `master.cfg` files: of its own, or part of another one.

A whole master:

    from ci_toolkit.farm.master_config import buildmaster_config
    BuildmasterConfig = buildmaster_config(basedir)

In a master that does other things, too:

    from ci_toolkit.farm.master_config import add_farm
    add_farm(BuildmasterConfig, "/srv/farm")
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildbot.config import BuilderConfig
from buildbot.configurators.janitor import JanitorConfigurator
from buildbot.process.factory import BuildFactory
from buildbot.schedulers.triggerable import Triggerable
from buildbot.www.authz import Authz
from buildbot.www.authz.endpointmatchers import AnyControlEndpointMatcher
from twisted.python import log as twisted_log

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.redaction import RedactingFormatter, Redactor
from ci_toolkit.farm.build_step import FarmBuildStep
from ci_toolkit.farm.engine import SCHEDULER, builder_names
from ci_toolkit.farm.farm_file import read_farm_file
from ci_toolkit.farm.farm_worker import FarmWorker
from ci_toolkit.farm.grpc_door import check_build_service
from ci_toolkit.farm.history_database import engine_settings
from ci_toolkit.farm.master_service import FarmService
from ci_toolkit.farm.running_farm import RunningFarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.farm.farm_file import FarmFile

_LONGEST_KEPT_DAYS = 180
_NOBODY = "nobody"
# A master reads its configuration again on SIGHUP; what runs stays as it is.
_FARMS: dict[Path, RunningFarm] = {}


def add_farm(config: dict[str, Any], folder: str) -> RunningFarm:
    """Add workers, builders and the farm's service to a configuration of Buildbot's."""
    top = Path(folder).resolve()
    farm = _FARMS.get(top)
    if farm is None:
        file = read_farm_file(top)
        check_build_service(file)
        _log_for_people(redactor := Redactor(os.environ))
        farm = RunningFarm(file, environ=os.environ, clock=SystemClock(), redactor=redactor)
        _FARMS[top] = farm
    config.setdefault("workers", []).extend(_workers(farm.file))
    builders = list(_builders(farm))
    config.setdefault("builders", []).extend(builders)
    # Buildbot wants to know of somebody who drives a builder.
    driver = Triggerable(name=SCHEDULER, builderNames=[builder.name for builder in builders])
    config.setdefault("schedulers", []).append(driver)
    config.setdefault("services", []).append(FarmService(farm=farm))
    return farm


def buildmaster_config(folder: str) -> dict[str, Any]:
    """Everything that a master of its own needs. Its pages show and control nothing: the farm's own API does."""
    config: dict[str, Any] = {}
    farm = add_farm(config, folder)
    layout, database = farm.file.layout, farm.file.database
    config |= {
        "title": "ci-toolkit farm",
        "titleURL": layout.url,
        "buildbotURL": layout.buildbot_url,
        "buildbotNetUsageData": None,
        "db": {"db_url": database, "engine_kwargs": engine_settings(database)},
        "protocols": {"pb": {"port": layout.workers_listen}},
        "collapseRequests": False,
        "logCompressionMethod": "zstd",
    }
    config.setdefault("configurators", []).append(JanitorConfigurator(logHorizon=_kept(farm.file), hour=3))
    if layout.buildbot_web is not None:
        rules = [AnyControlEndpointMatcher(role=_NOBODY)]
        config["www"] = {"port": layout.buildbot_web, "authz": Authz(allowRules=rules), "change_hook_dialects": {}}
    return config


class _BuildbotLog(logging.Handler):
    """Writes into the log of Buildbot's master, as `ci-toolkit`."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, or several."""
        twisted_log.msg(self.format(record), system="ci-toolkit")


def _log_for_people(redactor: Redactor) -> None:
    """What the farm says goes where Buildbot's own log goes, without secrets."""
    handler = _BuildbotLog()
    handler.setFormatter(RedactingFormatter(redactor))
    root = logging.getLogger("ci_toolkit")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False


def _workers(file: FarmFile) -> Iterator[FarmWorker]:
    for entry in file.workers.values():
        yield FarmWorker(entry.name, entry.password, max_builds=entry.slots)


def _builders(farm: RunningFarm) -> Iterator[BuilderConfig]:
    for entry in farm.file.workers.values():
        for name in builder_names(entry.name, entry.slots):
            factory = BuildFactory([FarmBuildStep(farm.attempts)])
            yield BuilderConfig(name=name, workernames=[entry.name], factory=factory, collapseRequests=False)


def _kept(file: FarmFile) -> Any:  # noqa: ANN401 - as Buildbot wants it
    days = max((repository.settings.log_days for repository in file.repositories.values()), default=0)
    return timedelta(days=min(days, _LONGEST_KEPT_DAYS) or _LONGEST_KEPT_DAYS)
