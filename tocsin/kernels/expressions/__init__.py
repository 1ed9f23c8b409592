"""A small, safe expression language over columns, typed against a schema and run by Arrow."""

from tocsin.kernels.expressions.evaluate import evaluate
from tocsin.kernels.expressions.syntax import (
    Call,
    Column,
    Expression,
    ExpressionError,
    Literal,
    columns_of,
    parse,
)
from tocsin.kernels.expressions.typing import type_of

__all__ = [
    "Call",
    "Column",
    "Expression",
    "ExpressionError",
    "Literal",
    "columns_of",
    "evaluate",
    "parse",
    "type_of",
]
