"""The committed code of the build service is that of its `.proto`, and the values that both sides know are in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from ci_toolkit.backends.build_service import build_service_pb2 as pb

TOP = Path(__file__).parents[2]
FOLDER = "ci_toolkit/backends/build_service"
PROTO = f"{FOLDER}/build_service.proto"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the code of the `.proto`, and with its description."""
    folder = tmp_path_factory.mktemp("made")
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, f"--descriptor_set_out={folder}/set", PROTO]
    subprocess.run(command, cwd=TOP, check=True, timeout=120)
    return folder


def test_the_committed_messages_are_those_of_the_proto(made: Path) -> None:
    [described] = descriptor_pb2.FileDescriptorSet.FromString((made / "set").read_bytes()).file
    committed = descriptor_pb2.FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    for field in (field for file in (described, committed) for message in file.message_type for field in message.field):
        field.ClearField("json_name")
    assert committed == described, "make protocol"


def test_the_committed_code_is_what_the_same_generator_writes(made: Path) -> None:
    # Others write the same in another way; what they mean is compared above.
    names = [f"build_service_pb2{end}" for end in (".py", ".pyi", "_grpc.py")]
    texts = {name: ((made / FOLDER / name).read_text(), (TOP / FOLDER / name).read_text()) for name in names}
    versions = [
        [line for line in text.splitlines() if "Protobuf Python Version" in line or "GRPC_GENERATED_VERSION = " in line]
        for pair in zip(*texts.values(), strict=True)
        for text in pair
    ]
    if versions[:3] != versions[3:]:
        pytest.skip("the committed code was written by another version of grpcio-tools")
    for name, (fresh, committed) in texts.items():
        assert committed == fresh, f"{name}: make protocol"
