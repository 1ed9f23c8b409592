"""The changes that a mutant makes: a choice of cosmic-ray's operators, and two of our own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Name

# Replacements that nearly every test notices, such as `+` by `**`, would flatter the figure.
_BINARY = {
    "Add": ["Sub"],
    "Sub": ["Add"],
    "Mul": ["Div"],
    "Div": ["Mul"],
    "FloorDiv": ["Mul"],
    "Mod": ["FloorDiv"],
    "Pow": ["Mul"],
    "RShift": ["LShift"],
    "LShift": ["RShift"],
    "BitOr": ["BitAnd"],
    "BitAnd": ["BitOr"],
    "BitXor": ["BitAnd"],
}
_COMPARISON = {
    "Eq": ["NotEq"],
    "NotEq": ["Eq"],
    "Lt": ["LtE", "GtE"],
    "LtE": ["Lt", "Gt"],
    "Gt": ["GtE", "LtE"],
    "GtE": ["Gt", "Lt"],
    "Is": ["IsNot"],
    "IsNot": ["Is"],
}
_OTHERS = [
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_Invert",
    "ReplaceUnaryOperator_Delete_USub",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "ZeroIterationForLoop",
]
# Functions whose arguments' order changes no result.
_SYMMETRIC = {
    "min", "max", "minimum", "maximum", "hypot", "equal", "not_equal", "and_", "or_", "and_kleene",
    "or_kleene", "logical_and", "logical_or", "add", "multiply", "isclose", "gcd",
}  # fmt: skip
# Functions that raise at once when their arguments are swapped: every test would notice.
_TYPED = {"isinstance", "issubclass", "getattr", "setattr", "hasattr", "empty", "zeros", "full"}


class SwapArguments(Operator):
    """Two neighbouring positional arguments of a call change places."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        """One for each pair."""
        for at, other in self._pairs(node):
            yield node.children[at].start_pos, node.children[other].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The call with the pair `index` swapped."""
        at, other = self._pairs(node)[index]
        first, second = node.children[at], node.children[other]
        prefixes = first.get_first_leaf().prefix, second.get_first_leaf().prefix
        first.get_first_leaf().prefix, second.get_first_leaf().prefix = reversed(prefixes)
        node.children[at], node.children[other] = second, first
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """For the tests."""
        return (Example("f(a, b)", "f(b, a)"), Example("f(a, b, c)", "f(a, c, b)", occurrence=1))

    def _pairs(self, node: Any) -> list[tuple[int, int]]:
        if node.type != "arglist" or node.parent.type != "trailer":
            return []
        called = node.parent.get_previous_sibling()
        if called is None or called.get_last_leaf().value in _SYMMETRIC | _TYPED:
            return []
        places = [at for at, child in enumerate(node.children) if self._is_positional(child)]
        return [
            (at, other)
            for at, other in pairwise(places)
            if node.children[at].get_code().strip() != node.children[other].get_code().strip()
        ]

    @staticmethod
    def _is_positional(child: Any) -> bool:
        return child.type != "argument" and getattr(child, "value", "") != ","


class DeleteStatement(Operator):
    """A call for its effect, an assignment to an item or attribute, or `+=` becomes `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        """One for each such statement."""
        if node.type == "simple_stmt" and self._has_effect(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """`pass` in its place."""
        first = node.children[0].get_first_leaf()
        node.children[0] = Name("pass", first.start_pos, first.prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """For the tests."""
        return (Example("f(a)\n", "pass\n"), Example("a[1] = b\n", "pass\n"))

    @staticmethod
    def _has_effect(statement: Any) -> bool:
        if statement.type in ("power", "atom_expr"):
            return bool(statement.children[-1].get_first_leaf().value == "(")
        if statement.type != "expr_stmt":
            return False
        target, sign = statement.children[:2]
        return sign.type == "operator" and (
            sign.value != "=" or target.type in ("power", "atom_expr")
        )


def operators() -> dict[str, Operator]:
    """Every operator by its name."""
    known = OperatorProvider()
    names = [
        *(f"ReplaceBinaryOperator_{one}_{to}" for one, others in _BINARY.items() for to in others),
        *(
            f"ReplaceComparisonOperator_{one}_{to}"
            for one, others in _COMPARISON.items()
            for to in others
        ),
        *_OTHERS,
    ]
    ours: list[type[Operator]] = [SwapArguments, DeleteStatement]
    return {
        **{name: known[name]() for name in names},
        **{operator.__name__: operator() for operator in ours},
    }
