"""Who writes a dataset: its owner, and the run that writes it now."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.foundation.failure import Failure
from tocsin.table.table import Table

OWNER, KIND, CURRENT_RUN, SHARDS = "tocsin.owner", "tocsin.kind", "tocsin.run", "tocsin.shards"
LIVE, BOUNDED = "live", "bounded"


@dataclass(frozen=True)
class Writer:
    """A step that writes a dataset.

    Attributes:
        place: folder of the dataset's table.
        dataset: its name.
        owner: job and step, as `job/step`.
        run: '' for a live job; otherwise an id that a restart within the run does not change.
        shards: the number of units of one span.
        rerun: `continue`, `append` or `replace`: what becomes of the rows of earlier runs.
    """

    place: str
    dataset: str
    owner: str
    run: str
    shards: int = 1
    rerun: str = "continue"

    @property
    def marks(self) -> str:
        """How the names of its marks begin."""
        return f"{self.owner}/{self.run}"

    @property
    def properties(self) -> dict[str, str]:
        """The properties of a table that it makes."""
        kind = BOUNDED if self.run else LIVE
        return {OWNER: self.owner, KIND: kind, SHARDS: str(self.shards)}

    def ended(self, shard: str) -> str:
        """The name of the mark that a shard has read its input to the end."""
        return f"{self.marks}/{shard}/end"

    def check(self, table: Table) -> None:
        """Check that the step may write the table.

        Raises:
            Failure: if another step owns it, if a bounded run would write the dataset of a live
                job, and if the number of shards changed in a way that would double rows.
        """
        known = table.properties
        owner = known.get(OWNER, self.owner)
        if owner != self.owner:
            raise Failure(
                f"the dataset '{self.dataset}' belongs to '{owner}', and '{self.owner}' may not "
                "write it; write another dataset, or give it to this step with "
                "`tocsin lake FOLDER adopt`"
            )
        if self.run and known.get(KIND) == LIVE:
            raise Failure(
                f"a live job writes the dataset '{self.dataset}', and a run with an end would "
                "write its rows twice; use `tocsin backfill`, or write another dataset"
            )
        shards = known.get(SHARDS, str(self.shards))
        if self.rerun == "continue" and shards != str(self.shards):
            raise Failure(
                f"the dataset '{self.dataset}' was written with `shards: {shards}`, and this run "
                f"has {self.shards}; keep {shards}, or set `rerun` to replace or append"
            )

    def is_current(self, table: Table) -> bool:
        """Whether the table knows that this run writes it.

        Raises:
            Failure: if another run began after this one.
        """
        current = table.properties.get(CURRENT_RUN, "")
        if current == self.run:
            return not self.run or table.mark(self.begun) is not None
        if self.run and table.mark(self.begun) is not None:
            raise Failure(
                f"another run of '{self.owner}' writes the dataset '{self.dataset}' now; "
                "this run stops"
            )
        return False

    @property
    def begun(self) -> str:
        """The name of the mark that the run has begun."""
        return f"{self.marks}/begun"
