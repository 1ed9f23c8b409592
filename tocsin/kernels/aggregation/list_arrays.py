"""List columns as flat values and the group of each: the form in which sketches and points are merged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import Int64s


def explode(column: Any, ids: Int64s) -> tuple[Int64s, Any]:
    """The group number of each list item, and the items; null lists have none."""
    parents = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    return ids[parents], pc.list_flatten(column)


def implode(item_groups: Int64s, items: Any, groups: int) -> pa.Array:
    """One list a group from items that are sorted by group."""
    offsets = np.searchsorted(item_groups, np.arange(groups + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items)
