"""The city's parts: a folder a verb of the pipeline, a file a part."""
