"""Which catalogs this code can work with, and what is said of one that it cannot. Pure: no statement is sent here.

A catalog has the number of its newest migration, and each migration writes the number of the oldest code that may
still use what it made: its own, unless it only adds. Where nothing is written, only code of that number may. Numbers
have four digits, so that they compare as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from graph_platform.errors import ErrorCode, PlatformError

HEAD = "0004"
"""The newest migration. A constant, because asking Alembic takes longer than a whole `mapping list`."""

MIGRATE = "graph-platform catalog migrate"

QUESTION = (
    "SELECT v.version_num, w.oldest_code FROM graph_platform.alembic_version v "
    "LEFT JOIN graph_platform.catalog_versions w ON w.version = v.version_num"
)
"""Asked by the statement that opens each transaction; it holds off migrations until that ends, see `migrate`."""


class Fitness(StrEnum):
    """How a catalog stands to this code."""

    CURRENT = "current"
    NEWER_USABLE = "newer, and usable"
    EMPTY = "empty"
    OLDER = "older"
    NEWER = "newer"
    UNRELEASED = "unreleased"


@dataclass(frozen=True)
class CatalogVersion:
    """What a catalog says of itself: no version where there is none yet, no oldest code where none is written."""

    version: str | None = None
    oldest_code: str | None = None

    @property
    def fitness(self) -> Fitness:
        """Whether this code can work with it, and if not, why."""
        if self.version is None:
            return Fitness.EMPTY
        if self.version == HEAD:
            return Fitness.CURRENT if self.oldest_code else Fitness.UNRELEASED
        if self.version < HEAD:
            return Fitness.OLDER
        return Fitness.NEWER_USABLE if self.oldest_code and self.oldest_code <= HEAD else Fitness.NEWER

    @property
    def usable(self) -> bool:
        """Whether this code can work with it."""
        return self.fitness in (Fitness.CURRENT, Fitness.NEWER_USABLE)

    @property
    def migratable(self) -> bool:
        """Whether this code's migrations make it usable."""
        return self.fitness in (Fitness.EMPTY, Fitness.OLDER)

    def refusal(self, where: str) -> PlatformError:
        """The error of a catalog that this code does not work with.

        Args:
            where: the catalog's URL as it may be shown.
        """
        details = {"catalog": self.version, "oldest_code": self.oldest_code, "code": HEAD}
        if self.fitness is Fitness.EMPTY:
            said = f"{where} has no catalog yet, and this platform makes one of version {HEAD} only when it is told to"
            hint = f"`{MIGRATE}` installs it there; if it should be there already, check GRAPH_PLATFORM_CATALOG"
        elif self.fitness is Fitness.OLDER:
            said = f"the catalog at {where} is of version {self.version}, and this platform works with {HEAD}"
            hint = (
                f"`{MIGRATE}` brings it to {HEAD}; whoever else uses it may then need a newer platform, "
                "so do it on purpose, or use the platform that it was made for"
            )
        elif self.fitness is Fitness.UNRELEASED:
            said = f"the catalog at {where} was made by this platform before its first release"
            hint = (
                "have it made anew: `graph-platform down` and the folder `postgres` of GRAPH_PLATFORM_HOME removed, or "
                f"DROP SCHEMA graph_platform CASCADE and `{MIGRATE}`"
            )
        else:
            said = (
                f"the catalog at {where} is of version {self.version} and wants code of "
                f"{self.oldest_code or self.version} or later; this platform is of {HEAD}"
            )
            hint = f"update the platform on this machine; `{MIGRATE}` of the newer one is what brought it there"
        return PlatformError(ErrorCode.INVALID_STATE, said, hint, details)
