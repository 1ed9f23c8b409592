"""What a part is: its typed configuration, its code and its examples on one class."""
