"""Reads an exported dataset with GeoPandas."""

import json
import sys

import geopandas

frame = geopandas.read_parquet(sys.argv[1])
placed = frame[frame.geometry.notna()]
found = {
    "rows": len(frame),
    "places": len(placed),
    "corners": list(map(float, placed.total_bounds)),
    "system": str(frame.crs),
}
print(json.dumps(found))
