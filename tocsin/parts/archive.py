"""The archive of a source: all its readings, unchanged."""

from __future__ import annotations

from pydantic import ValidationInfo, model_validator

from tocsin.foundation.lake_folder import check_place
from tocsin.foundation.sandbox import check_lake
from tocsin.parts.fields import Duration, StoreSettings
from tocsin.parts.part import Param, Part


class Archive(Part):
    """A dataset of a lake with all readings of a topic, including late ones.

    Each row has its partition and offset.
    """

    lake: str = Param(help="folder of the lake; empty for no archive")
    dataset: str = Param(
        help="name of the table, such as raw_air", pattern=r"^[a-z][a-z0-9_]*$", max_length=100
    )
    store: StoreSettings = Param({}, help="for a lake at s3://: as `store` of WriteToLake")
    span: Duration = Param("1 h", help="arrival time that one file covers", validate_default=True)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> Archive:
        if self.lake:
            check_lake(self.lake, info.context)
            check_place(self.lake)
        return self

    def as_sink(self) -> dict[str, object]:
        """The configuration of the WriteToLake step that writes the archive."""
        return {
            "lake": self.lake,
            **({"store": self.store} if self.store else {}),
            "dataset": self.dataset,
            "span": f"{self.span // 1_000_000} s",
            "by_arrival": True,
        }
