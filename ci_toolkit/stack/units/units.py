"""Everything around a farm without containers: units, what the distribution's units are told, and the database's role.

The rendered folder is at `installed_at`; what is below `systemd/` belongs into `/etc/systemd/system`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.output import Output, text_output
from ci_toolkit.stack.secret_names import DATABASE_PASSWORD, plugin_secret
from ci_toolkit.stack.units.credentials import DATABASE_UNIT, MASTER_UNIT, credential, credential_path
from ci_toolkit.stack.units.dropins import distribution_units, dropins
from ci_toolkit.stack.units.farm_units import farm_units, worker_unit
from ci_toolkit.stack.units.plugin_units import plugin_units, service_unit
from ci_toolkit.stack.units.unit_text import command, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment

TARGET = "ci-toolkit-stack.target"


_CLOSED = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM"""


def systemd_outputs(deployment: Deployment) -> Iterator[Output]:
    """All units, drop-ins, and the role's file; nothing where everything is in containers."""
    if deployment.stack.is_composed:
        return
    yield text_output(f"systemd/{TARGET}", _target(deployment))
    yield from farm_units(deployment)
    yield text_output(f"systemd/{DATABASE_UNIT}", _database(deployment))
    yield from dropins(deployment)
    yield from plugin_units(deployment)
    yield text_output("postgres/role.sql", role_sql(), comment="--")


def _target(deployment: Deployment) -> str:
    services = (service for bundle in deployment.bundles for service in bundle.fragment.services)
    units = (
        MASTER_UNIT,
        DATABASE_UNIT,
        *map(worker_unit, deployment.local_workers()),
        *distribution_units(deployment),
        *map(service_unit, services),
    )
    return lines(
        "[Unit]",
        "Description=A build farm and everything around it",
        (f"Wants={unit}" for unit in units),
        "\n[Install]",
        "WantedBy=multi-user.target",
    )


def _seeded(deployment: Deployment) -> list[Bundle]:
    return [bundle for bundle in deployment.bundles if bundle.fragment.seeds]


def _database(deployment: Deployment) -> str:
    top, seeded = deployment.stack.installed_at, _seeded(deployment)
    psql = ("/usr/bin/psql", "--no-psqlrc", "--quiet", f"--port={deployment.port('postgres')}")
    return lines(
        "[Unit]",
        "Description=Roles, databases and rows that the build farm needs, as far as they are missing",
        "PartOf=ci-toolkit-stack.target",
        "Requires=postgresql.service",
        "After=postgresql.service",
        "\n[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "User=postgres",
        credential(top, DATABASE_PASSWORD),
        (credential(top, plugin_secret(bundle.name, DATABASE_PASSWORD)) for bundle in seeded),
        command("ExecStart", *psql, "--dbname=postgres", f"--file={top}/postgres/role.sql"),
        (
            command("ExecStart", *psql, "--dbname=farm", f"--file={top}/plugins/{bundle.name}/seed.sql")
            for bundle in seeded
        ),
        "# It reads its files and the passwords, and speaks to the server by its socket.",
        _CLOSED,
        "\n[Install]",
        "WantedBy=ci-toolkit-stack.target",
    )


def role_sql() -> str:
    """What psql is to run as often as one likes: the role and database `farm`, with the password of its file."""
    # The one value in it is a path of our own.
    return f"""\
\\set ON_ERROR_STOP on
\\set password `cat {credential_path(DATABASE_PASSWORD)}`
-- The password is in no log of the server.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SELECT :'password' = '' AS is_missing \\gset
\\if :is_missing
DO 'BEGIN RAISE EXCEPTION ''secrets/{DATABASE_PASSWORD} is missing or empty''; END';
\\endif
SELECT 'CREATE ROLE farm LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'farm') \\gexec
ALTER ROLE farm PASSWORD :'password';
SELECT 'CREATE DATABASE farm OWNER farm' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'farm') \\gexec"""  # noqa: S608 - see above
