"""Files of readings and tables, as other programs write them."""
