"""The build service of a farm without machines, on loopback, as a farm's master serves it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from ci_toolkit.backends.build_service import build_service_pb2_grpc as rpc
from ci_toolkit.backends.build_service.schedule_parts import schedule_messages
from ci_toolkit.backends.handed_schedule import HandedSchedule
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.farm.build_service.server import BuildServiceServer, ServerKeys
from ci_toolkit.farm.web.app import desk_of
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings
from tests.support.jobs import folders
from tests.support.quiet_farm import TOKEN, quiet_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

    from ci_toolkit.backends.build_service import build_service_pb2 as pb
    from ci_toolkit.farm.metrics import FarmMetrics
    from ci_toolkit.scheduling.schedule import Schedule
    from tests.support.quiet_farm import QuietFarm

LOOK_S = 0.1


@dataclass(frozen=True)
class GrpcFarm:
    """A farm whose build service is at `address`."""

    farm: QuietFarm
    metrics: FarmMetrics
    app: Flask
    server: BuildServiceServer
    address: str
    url: str


@contextmanager
def grpc_farm(farm: QuietFarm, *, port: int = 0, certificate: Path | None = None) -> Iterator[GrpcFarm]:
    """Served, with TLS where there is a certificate, whose key is in `key.pem` beside it."""
    with quiet_app(farm) as (app, metrics), grpc_served(app, port=port, certificate=certificate) as (server, address):
        url = f"{'http' if certificate is None else 'https'}://{address}"
        yield GrpcFarm(farm=farm, metrics=metrics, app=app, server=server, address=address, url=url)


@contextmanager
def grpc_served(
    app: Flask, *, port: int = 0, certificate: Path | None = None
) -> Iterator[tuple[BuildServiceServer, str]]:
    """The build service of an application's farm, and where it is."""
    read = None if certificate is None else partial(_keys, certificate)
    server = BuildServiceServer(desk_of(app), f"127.0.0.1:{port}", read, look_s=LOOK_S)
    bound = server.start()
    try:
        yield server, f"127.0.0.1:{bound}"
    finally:
        desk_of(app).ends.set()
        server.stop()


def _keys(certificate: Path) -> ServerKeys:
    return ServerKeys(certificate=certificate.read_bytes(), key=certificate.with_name("key.pem").read_bytes())


@contextmanager
def stub_of(farm: GrpcFarm) -> Iterator[Any]:
    """What a client of gRPC has that knows nothing of ci-toolkit's own."""
    with grpc.insecure_channel(farm.address) as channel:
        yield rpc.BuildServiceStub(channel)


def bearing(token: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata that a client sends; nothing without a token."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def schedule_parts(made: Schedule, text: str = "") -> list[pb.SubmitScheduleRequest]:
    """The messages of a schedule, with folders of that content."""
    contents = folders((build.pkgbase for build in made.builds), text)
    handed = HandedSchedule(schedule=made, at_s=1.0, folders=contents)
    return list(schedule_messages(handed, repository="samples", source="samples"))


def grpc_tools(url: str, top: Path, *, token: str = TOKEN, **more: str) -> BackendTools:
    """What the client is handed in a package repository."""
    values = {"REPO_NAME": "samples", "BUILD_REPO": "samples", "CI_BACKEND": "build_service", "CI_FARM_URL": url}
    text = "".join(f"{key}={value}\n" for key, value in (values | more).items()).encode()
    settings = parse_settings(KeyValueFile.parse(text, file=".ci/config"), {})
    return BackendTools(top=top, environ={**os.environ, "CI_FARM_TOKEN": token}, settings=settings, clock=SystemClock())
