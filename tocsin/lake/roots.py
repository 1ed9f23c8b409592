"""The lake that `tocsin lake` works on: a folder, or an address of an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.foundation.failure import Failure, Mistake
from tocsin.foundation.lake_folder import check_place, is_in_store
from tocsin.table.mirrors import with_datasets
from tocsin.table.places import mirror_for, shown

__all__ = ["lake_root", "shown"]


@contextmanager
def lake_root(lake: str) -> Iterator[Path]:
    """The folder of a lake. That of an object store holds what was read, and goes at the end.

    Raises:
        Mistake: where there is no lake, or an address is wrong.
        Failure: where the store gives no answer.
    """
    if not is_in_store(lake):
        if not Path(lake).is_dir():
            raise Mistake(f"no lake at {lake}")
        yield Path(lake)
        return
    try:
        check_place(lake)
    except ValueError as error:
        raise Mistake(str(error)) from None
    found = mirror_for(lake)
    try:
        root = with_datasets(found)
        if not any(root.iterdir()):
            raise Mistake(f"no lake at {lake}")
        yield root
    except Failure as failure:
        raise type(failure)(shown(failure.sentence)) from None
    except OSError as error:
        raise Failure(shown(str(error))) from None
