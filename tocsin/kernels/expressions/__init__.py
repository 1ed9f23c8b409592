"""A small, safe expression language over columns: parsed, typed against a schema, compiled to Arrow compute."""

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
