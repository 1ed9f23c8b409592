"""A process that commits files to a table until it has done its part or is killed.

Arguments: PLACE NAME COUNT, where PLACE is a folder or s3://BUCKET/LAKE/DATASET. Each commit adds a
file of one row and raises the mark NAME by one, so a process that starts again continues behind its
mark.
"""

from __future__ import annotations

import sys

import pyarrow as pa

from tocsin.table.commit import Change, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.places import place_of
from tocsin.table.table import Table, create_table


def main() -> None:
    """Create the table, and commit COUNT files."""
    lake, _, dataset = sys.argv[1].rpartition("/")
    name, count = sys.argv[2], int(sys.argv[3])
    place = str(place_of(lake) / dataset)
    schema = pa.schema([("name", pa.string()), ("number", pa.int64())])
    table = create_table(place, schema, [], {"maker": name})
    for number in range(1 + (table.mark(name) or 0), count + 1):
        rows = pa.table({"name": [name], "number": [number]}, schema=schema)
        file = write_data_file(place, data_path(0, name), rows)

        def change_of(table: Table, number: int = number, file: object = file) -> Change | None:
            if (table.mark(name) or 0) >= number:
                return None
            return Change("WRITE", [file], marks={name: number})  # type: ignore[list-item]

        commit(place, change_of)


if __name__ == "__main__":
    main()
