"""Counts the rows of Delta tables with Spark, and reads every column of some rows.

Arguments: the package of Delta for Spark, a folder, and tables in it. Spark fetches the package
with its own resolver of Maven artifacts. Prints the rows of each table's newest version, and of
its first version with files.
"""

import json
import sys

from pyspark.sql import SparkSession

package, lake, *names = sys.argv[1:]
settings = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.jars.packages": package,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
}
builder = SparkSession.builder.master("local[1]")
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
found = {}
for name in names:
    table = spark.read.format("delta").load(f"{lake}/{name}")
    before = spark.read.format("delta").option("versionAsOf", 1).load(f"{lake}/{name}")
    found[name] = [table.count(), before.count()]
    table.limit(50).collect()
spark.stop()
print(json.dumps(found))
