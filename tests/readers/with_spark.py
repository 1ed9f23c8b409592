"""Counts the rows of Delta tables with Spark, and reads every column of some rows.

Arguments: the package of Delta for Spark, and a file with SQL for the newest revisions, by folder
of the table. Spark fetches the package with its own resolver of Maven artifacts. Prints the rows of
each table's newest version, of its version 1, and of the newest revisions.
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

package, asked = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
settings = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
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
for place, sql in asked.items():
    table = spark.read.format("delta").load(place)
    before = spark.read.format("delta").option("versionAsOf", 1).load(place)
    newest = spark.sql(sql.rstrip().rstrip(";"))
    found[place] = [table.count(), before.count(), newest.count()]
    newest.limit(50).collect()
spark.stop()
print(json.dumps(found))
