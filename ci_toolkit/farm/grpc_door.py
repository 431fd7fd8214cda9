"""The build service of a farm that has one by its `farm.toml`; gRPC is imported for that alone."""

from __future__ import annotations

import ssl
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.farm.build_service.server import BuildServiceServer, ServerKeys
    from ci_toolkit.farm.farm_file import FarmFile
    from ci_toolkit.farm.web.desk import Desk

_NEEDED = ("grpc", "grpc_health", "grpc_reflection")


def build_service(file: FarmFile, desk: Desk) -> BuildServiceServer | None:
    """What serves it, to be started; None where the farm has none. NotReadyError as `check_build_service`."""
    plan = file.layout.grpc
    if plan is None:
        return None
    check_build_service(file)
    from ci_toolkit.farm.build_service.server import BuildServiceServer  # noqa: PLC0415 - only where it is wanted

    if plan.certificate is None or plan.key is None:
        return BuildServiceServer(desk, plan.listen, None)
    return BuildServiceServer(desk, plan.listen, partial(_keys, file.top / plan.certificate, file.top / plan.key))


def check_build_service(file: FarmFile) -> None:
    """Nothing; NotReadyError when gRPC itself, the certificate or its key are missing, though the farm wants them.

    ConfigError when certificate and key do not belong together.
    """
    plan = file.layout.grpc
    if plan is None:
        return
    if any(find_spec(name) is None for name in _NEEDED):
        hint = "pip install 'ci-toolkit[farm,grpc]', or leave [grpc] out of farm.toml"
        raise NotReadyError("the build service needs gRPC, which is not installed", hint=hint)
    if plan.certificate is not None and plan.key is not None:
        _keys(file.top / plan.certificate, file.top / plan.key)


def _keys(certificate: Path, key: Path) -> ServerKeys:
    from ci_toolkit.farm.build_service.server import ServerKeys  # noqa: PLC0415 - only where it is wanted

    keys = ServerKeys(certificate=_content(certificate, "grpc.certificate"), key=_content(key, "grpc.key"))
    try:
        # gRPC takes anything, and refuses whoever comes.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        hint = f"{certificate} and {key} have to be PEM, without a passphrase, of one pair"
        raise ConfigError("has no certificate and key that belong together", key="grpc", hint=hint) from error
    return keys


def _content(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "paths begin at the master's folder; the master's user has to be able to read it"
        raise NotReadyError(f"{path} cannot be read: {error.strerror}", key=key, hint=hint) from error
