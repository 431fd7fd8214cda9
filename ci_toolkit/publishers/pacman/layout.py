"""Where everything lies in a published folder.

    DIR/x86_64/                          what a client's `Server` names
        paru-1-1-x86_64.pkg.tar.zst      packages, and their .sig; older versions too, for as long as they are kept
        NAME.db -> .NAME/current/…       likewise NAME.db.sig, NAME.files, NAME.files.sig, NAME.gpg; they never change
        .NAME/
            current -> generations/7     THE switch: renaming this link over the old one publishes
            generations/7/               a database, its files database, signatures, the public key, the ledger
            staging/                     what is being made; nothing there is of use to the next run
            set-aside/                   files that `check --mend` took out of the way
            lock

One generation is complete before the link names it, and package files are there before their generation is. So a client
finds every file that any database names that was published less than the time of keeping ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.publishers.pacman.ledger import EMPTY, Ledger, parse_ledger

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = "ledger.json"
SIGNATURE = ".sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The paths of repository `name` for one architecture below `top`."""

    top: Path
    name: str
    arch: str

    @property
    def folder(self) -> Path:
        """What clients see."""
        return self.top / self.arch

    @property
    def own(self) -> Path:
        """What only the publisher looks at."""
        return self.folder / f".{self.name}"

    @property
    def current(self) -> Path:
        """The link to the published generation."""
        return self.own / "current"

    @property
    def generations(self) -> Path:
        """One folder a generation, called by its number."""
        return self.own / "generations"

    @property
    def staging(self) -> Path:
        """For what is not ready."""
        return self.own / "staging"

    @property
    def set_aside(self) -> Path:
        """For what was in the way."""
        return self.own / "set-aside"

    @property
    def lock(self) -> Path:
        """Locked by whoever writes."""
        return self.own / "lock"

    @property
    def database(self) -> str:
        """The database's file name in a generation."""
        return f"{self.name}.db.tar.zst"

    @property
    def files_database(self) -> str:
        """Likewise, with the names of all files."""
        return f"{self.name}.files.tar.zst"

    @property
    def public_key(self) -> str:
        """What clients add to their keyring."""
        return f"{self.name}.gpg"

    @property
    def links(self) -> dict[str, str]:
        """What stands in the folder for files of the current generation: name to target."""
        targets = {self.public_key: self.public_key}
        for kind, file in (("db", self.database), ("files", self.files_database)):
            targets |= {f"{self.name}.{kind}": file, f"{self.name}.{kind}{SIGNATURE}": f"{file}{SIGNATURE}"}
            targets |= {file: file, f"{file}{SIGNATURE}": f"{file}{SIGNATURE}"}
        return {name: f".{self.name}/current/{target}" for name, target in targets.items()}

    def numbers(self) -> list[int]:
        """The generations that are there, oldest first."""
        names = [path.name for path in self.generations.iterdir()] if self.generations.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def current_number(self) -> int:
        """The published generation, 0 before the first; FormatError when the link is gone or none of ours."""
        try:
            target = self.current.readlink()
        except FileNotFoundError as error:
            # One generation without a link is what a first run leaves that is killed; more have been published.
            newest = max(self.numbers(), default=0)
            if newest <= 1:
                return 0
            hint = f"a copy without links? this brings the newest back: ln -s generations/{newest} {self.current}"
            raise FormatError("is missing", key=str(self.current), hint=hint) from error
        if not target.name.isdecimal() or str(target.parent) != "generations":
            raise FormatError("names no generation", file=str(self.current), got=str(target))
        return int(target.name)

    def generation(self, number: int) -> Path:
        """The folder of a generation."""
        return self.generations / str(number)

    def ledger(self, number: int) -> Ledger:
        """What a generation publishes; FormatError when it cannot be read."""
        if number == 0:
            return EMPTY
        path = self.generation(number) / LEDGER
        try:
            return parse_ledger(path.read_bytes(), file=str(path))
        except FileNotFoundError as error:
            raise FormatError("is missing", key=str(path), hint="ci-toolkit publish check --mend") from error
