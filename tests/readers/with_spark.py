"""Counts the rows of datasets with Spark, and those of their newest revisions by SQL."""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

datasets = json.loads(Path(sys.argv[1]).read_text())
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
for name, dataset in datasets.items():
    # Files of one dataset may lack columns that others have.
    table = spark.read.option("mergeSchema", "true").parquet(*dataset["files"])
    table.createOrReplaceTempView("dataset")
    newest = spark.sql(dataset["sql"])
    found[name] = [table.count(), newest.count()]
    newest.limit(50).collect()
spark.stop()
print(json.dumps(found))
