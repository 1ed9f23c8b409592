"""Reads an exported dataset with DuckDB and its extension `spatial`, from a package."""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_extension_spatial

extension = next(Path(duckdb_extension_spatial.__file__).parent.rglob("*.duckdb_extension"))
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"install '{extension}'")
connection.execute("load spatial")
lake = f"read_parquet('{sys.argv[1]}')"
((_, kind, *_),) = connection.execute(f"describe select geometry from {lake}").fetchall()
rows, places, *corners = connection.execute(
    "select count(*), count(geometry), min(st_x(geometry)), min(st_y(geometry)), "
    f"max(st_x(geometry)), max(st_y(geometry)) from {lake}"
).fetchone()
print(
    json.dumps({"rows": rows, "places": places, "corners": corners, "system": kind.split("'")[1]})
)
