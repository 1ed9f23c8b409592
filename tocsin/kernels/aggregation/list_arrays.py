"""List columns as flat items with a group number each: the form in which sketches merge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import Int64s


def explode(column: Any, ids: Int64s) -> tuple[Int64s, Any]:
    """The group number of each list item, and the items. A null list has no items.

    Args:
        column: a list array.
        ids: the group number of each list.
    """
    parents = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    return ids[parents], pc.list_flatten(column)


def implode(item_groups: Int64s, items: Any, groups: int) -> pa.Array:
    """One list for each group.

    Args:
        item_groups: the group number of each item, sorted.
        items: the items in the same order.
        groups: the number of groups.
    """
    offsets = np.searchsorted(item_groups, np.arange(groups + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items)
