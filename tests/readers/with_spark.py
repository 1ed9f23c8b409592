"""Counts the rows of datasets with Spark, and reads every column of some rows."""

import json
import sys

from pyspark.sql import SparkSession

lake, *names = sys.argv[1:]
settings = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.bindAddress": "127.0.0.1",
}
builder = SparkSession.builder.master("local[1]")
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
found = {}
for name in names:
    table = spark.read.parquet(f"{lake}/{name}")
    found[name] = table.count()
    table.limit(50).collect()
spark.stop()
print(json.dumps(found))
