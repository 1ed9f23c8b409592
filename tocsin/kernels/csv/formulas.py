"""Cells of a CSV file that a spreadsheet would take for formulas."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# What OWASP's page on CSV injection lists, with the full-width forms of the signs.
_STARTS = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"


def without_formulas(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before each text that could start a formula.

    table: any columns, of which texts are judged and all others stay as they are, so a negative
    number stays a number. Null stays null.
    """
    columns = [
        pc.replace_substring_regex(column, _STARTS, r"'\0") if _is_text(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))
