"""What an operation is asked for: the base of its request, which its job, its command and its service share.

A request class is the one place where an operation's fields are written: the job's config and its descriptions in the
Launchpad are made from it, and so are the tags of its run. The classes themselves stand beside their services.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """The base of every request. Its docstring is what the job says of itself.

    No rule is checked here, since a request refused at its first field would hide what is wrong with the others: the
    services refuse, with everything that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: ClassVar[str]
    """The name of the Dagster job: verb, then noun."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The request that a job's config is.

        Raises:
            PlatformError: VALIDATION_FAILED with the report, for a mapping that is none.
        """
        return cls.model_validate(document)

    def config(self) -> dict[str, Any]:
        """The request as a job's config: what is None is left to the job."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value is not None}

    def about(self) -> dict[str, str]:
        """What a run of it is about, as far as that is known before it starts: kinds (`mapping`, `snapshot`,
        `instance`) with names or ids, by which the run is found. It holds nobody up.
        """
        return {}

    def excludes(self) -> str | None:
        """What two runs must not share, as `KIND:NAME`; None where runs go side by side."""
        return None


def mapping_name(reference: str) -> str:
    """The mapping of `MAPPING[@VERSION]`."""
    return reference.partition("@")[0]


DATA_CHECKS = (
    "How much of the data is looked at: trusted (nothing), sampled (one key in seventeen; what is found is a warning) "
    "or enforced (every row; keys that are absent or doubled, and edges without their nodes, are errors)."
)
TTL = "How long it lives, 7d, 4h or 90m, or in ISO 8601 P7D; empty: the installation's default."
INACTIVITY = "How long it lives while nobody uses it, 3d, 4h or 90m, or in ISO 8601 P3D; empty: the default."
"""Descriptions of fields that several requests have."""
