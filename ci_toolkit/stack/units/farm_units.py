"""The units of a farm's master and of the workers that run on this machine."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ci_toolkit.stack.limits import limit_of
from ci_toolkit.stack.output import Output, text_output
from ci_toolkit.stack.secret_names import DATABASE_URL
from ci_toolkit.stack.units.credentials import MASTER_UNIT, credential
from ci_toolkit.stack.units.unit_text import environment, folder_at, limits, lines, own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment

PROGRAM = "/opt/ci-toolkit/bin/ci-toolkit"
_USUAL_WORKERS = "/var/lib/ci-toolkit-worker"


def farm_units(deployment: Deployment) -> Iterator[Output]:
    """The master's unit, that of all workers, and what is particular to each worker here."""
    yield text_output(f"systemd/{MASTER_UNIT}", _master(deployment))
    if deployment.local_workers():
        yield text_output("systemd/ci-toolkit-farm-worker@.service", _WORKERS)
    for name in deployment.local_workers():
        particular = _worker(deployment, name)
        if particular:
            yield text_output(f"systemd/{worker_unit(name)}.d/ci-toolkit-stack.conf", f"[Service]\n{particular}")


def worker_unit(name: str) -> str:
    """The unit of a worker."""
    return f"ci-toolkit-farm-worker@{name}.service"


def _published(deployment: Deployment) -> Iterator[str]:
    """The folders that the master publishes into, with what lies beside these."""
    parents = set()
    for name, publish in deployment.farm.publish.items():
        if publish is not None and publish.startswith("/"):
            place = folder_at("/", publish, file="farm.toml", key=f"repositories.{name}.publish")
            parent = str(PurePosixPath(place).parent)
            parents.add(place if parent == "/" else parent)
    if parents:
        yield "# Where `publish` in farm.toml lies."
    yield from (f"ReadWritePaths=-{parent}" for parent in sorted(parents))


def _master(deployment: Deployment) -> str:
    stack = deployment.stack
    folder = folder_at(stack.installed_at, stack.farm, file="stack.toml", key="farm")
    return f"""\
[Unit]
Description=Master of the build farm: decides what is built, signs and publishes
PartOf=ci-toolkit-stack.target
Wants=network-online.target
After=network-online.target postgresql.service ci-toolkit-stack-database.service
StartLimitIntervalSec=0

[Service]
# It says that it is ready once schedules are taken.
Type=notify
User=ci-farm
Group=ci-farm
{own_folder(folder)}
WorkingDirectory={folder}
# What is published is for everybody to read; everything else lies in a folder that is the master's alone.
UMask=0022
Environment=HOME={folder} PYTHONUNBUFFERED=1
# CI_SIGNING_PASSPHRASE, and the tokens of notifiers. Readable by root alone: systemd reads it.
EnvironmentFile=-{stack.installed_at}/secrets/master.env
# Where Buildbot's data are, with a password, is looked for in the master's own folder.
{credential(stack.installed_at, DATABASE_URL)}
ExecStartPre=/usr/bin/install -m 600 ${{CREDENTIALS_DIRECTORY}}/{DATABASE_URL} {folder}/secrets/{DATABASE_URL}
ExecStartPre={PROGRAM} farm check {folder}
ExecStart={PROGRAM} farm master run {folder}
# SIGTERM: what is built is queued again, what is being published is published. It is repeated after a kill, too.
KillMode=mixed
TimeoutStopSec=90
TimeoutStartSec=300
Restart=always
RestartSec=5
LimitNOFILE=65536
{lines(limits(limit_of(stack, "master")), environment(deployment.internal_urls().items()))}

# It runs nobody's code but its own, git's and pacman's tools: nothing of this is needed for builds, which are
# elsewhere.
NoNewPrivileges=yes
CapabilityBoundingSet=
{lines("ProtectSystem=strict", _published(deployment))}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=ci-toolkit-stack.target
"""


_WORKERS = f"""\
# To be started as ci-toolkit-farm-worker@NAME.service.
[Unit]
Description=Worker %i of the build farm
PartOf=ci-toolkit-stack.target
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=ci-worker
Group=ci-worker
StateDirectory=ci-toolkit-worker/%i
StateDirectoryMode=0700
WorkingDirectory={_USUAL_WORKERS}/%i
UMask=0022
Environment=HOME={_USUAL_WORKERS}/%i PYTHONUNBUFFERED=1
# What holds for this machine: CI_BUILD_ROOT, CI_BUILD_MEMORY, CI_BUILD_DISK, CI_BUILD_CCACHE, CI_BUILD_ASSUME,
# CI_SANDBOX, CI_WORKER_ADMIN.
EnvironmentFile=-/etc/ci-toolkit/farm-worker.env
EnvironmentFile=-/etc/ci-toolkit/farm-worker-%i.env
ExecStartPre={PROGRAM} farm check {_USUAL_WORKERS}/%i
ExecStart={PROGRAM} farm worker run {_USUAL_WORKERS}/%i
# A reload has the worker finish what it builds and end; it is begun anew then, which is how an update is taken.
ExecReload=/bin/kill -HUP $MAINPID
# A stop has it finish, too (with ExecStop systemd would send SIGTERM at once after it). It takes no new builds then.
# At once: systemctl kill --kill-whom=main --signal=TERM ci-toolkit-farm-worker@NAME
KillSignal=SIGHUP
KillMode=mixed
# As long as a build may take: CI_BUILD_TIMEOUT (3600 s) and what comes after it. A reboot waits for that, too.
TimeoutStopSec=4500
Restart=always
RestartSec=5
LimitNOFILE=65536

# Builds are bubblewrap's to confine, which makes namespaces and mounts /proc anew without any rights of root. Therefore
# missing on purpose: RestrictNamespaces, PrivateUsers, ProtectKernelTunables, ProtectKernelLogs, ProtectProc,
# ProcSubset (the kernel refuses a new /proc where the old one is covered in part), PrivateDevices, RestrictSUIDSGID
# (packages have such files) and filters of system calls (a build would inherit them).
# With CI_BUILD_ROOT=oci:IMAGE podman maps users by newuidmap, which gains rights: the next two lines have to go there.
# With a folder they stay.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# All builds of this worker together.
TasksMax=16384
OOMPolicy=continue
OOMScoreAdjust=500
CPUWeight=50
IOWeight=50

[Install]
WantedBy=multi-user.target ci-toolkit-stack.target
"""


def _worker(deployment: Deployment, name: str) -> str:
    stack = deployment.stack
    usual = f"{_USUAL_WORKERS}/{name}"
    folder = folder_at(
        stack.installed_at, stack.workers[name].folder or usual, file="stack.toml", key=f"workers.{name}"
    )
    return lines(
        _elsewhere(folder) if folder != usual else "",
        environment(deployment.internal_urls().items()),
        limits(limit_of(stack, f"worker-{name}")),
    )


def _elsewhere(folder: str) -> str:
    return f"""\
StateDirectory=
{own_folder(folder)}
WorkingDirectory={folder}
Environment=HOME={folder}
ExecStartPre=
ExecStartPre={PROGRAM} farm check {folder}
ExecStart=
ExecStart={PROGRAM} farm worker run {folder}"""
