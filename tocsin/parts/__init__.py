"""The plug-in kit: a part is a class with its typed configuration, code and examples."""
