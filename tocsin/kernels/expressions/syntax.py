"""The parser of expressions, from text to a tree.

value * 1.8 + 32          quality in [0, 1] and value is not null
sensor_id == 'a-17'       if(relative_humidity > 1, relative_humidity / 100, relative_humidity)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Literal:
    """A constant: number, text, true, false or null. `at` is its position in the text."""

    value: Value
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Column:
    """A column of the input. `at` is its position in the text."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Call:
    """A function or operator with its arguments.

    Attributes:
        function: name of the function, or the operator.
        arguments: positional arguments.
        named: arguments written as name=constant.
        at: position in the text.
    """

    function: str
    arguments: tuple[Expression, ...]
    named: tuple[tuple[str, Value], ...] = ()
    at: int = field(default=0, compare=False)


Expression = Literal | Column | Call


class ExpressionError(ValueError):
    """A fault in an expression. `at` is its position in the text, from 0."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)"
    r"|(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<operator>==|!=|<=|>=|[-+*/%<>=(),\[\]])|(?P<end>$))"
)
_COMPARISONS = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_WORDS = {"and", "or", "not", "in", "is", "null", "true", "false"}
_MOST_NESTED = 50
# A chain such as 1 + 1 + 1 is a tree as deep as it is long.
_MOST_OPERATIONS = 200
_MOST_CHARACTERS = 100_000
_GREATEST = 2**63 - 1


class _Parser:
    """Recursive descent, one method for each level of precedence, the loosest (`either`) first."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self.depth = 0
        self.operations = 0
        position = 0
        if len(text) > _MOST_CHARACTERS:
            raise ExpressionError(f"longer than {_MOST_CHARACTERS:,} characters", 0)
        while True:
            match = _TOKEN.match(text, position)
            if match is None:
                start = position + len(text[position:]) - len(text[position:].lstrip())
                raise ExpressionError(f"unexpected '{text[start]}'", start)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
            self._count(kind, match[kind])
            if kind == "end":
                break

    def _count(self, kind: str, text: str) -> None:
        """Bound the depth of the tree by the number of its operations."""
        is_sign = kind == "operator" and text not in ("(", ")", "[", "]", ",", "=")
        self.operations += is_sign or (kind == "name" and text in ("and", "or", "not"))
        if self.operations > _MOST_OPERATIONS:
            raise ExpressionError(f"more than {_MOST_OPERATIONS} operations", self.tokens[-1][2])

    def peek(self) -> str:
        kind, text, _ = self.tokens[self.at]
        return "" if kind in ("text", "end") else text

    def position(self) -> int:
        return self.tokens[self.at][2]

    def take(self) -> tuple[str, str, int]:
        token = self.tokens[self.at]
        self.at += token[0] != "end"
        return token

    def expect(self, text: str) -> None:
        if self.peek() != text:
            kind, found, at = self.tokens[self.at]
            seen = "the end" if kind == "end" else f"'{found}'"
            raise ExpressionError(f"expected '{text}', found {seen}", at)
        self.take()

    def either(self) -> Expression:
        self.depth += 1
        if self.depth > _MOST_NESTED:
            raise ExpressionError(f"nested deeper than {_MOST_NESTED}", self.position())
        left = self.both()
        while self.peek() == "or":
            at = self.take()[2]
            left = Call("or", (left, self.both()), at=at)
        self.depth -= 1
        return left

    def both(self) -> Expression:
        left = self.negated()
        while self.peek() == "and":
            at = self.take()[2]
            left = Call("and", (left, self.negated()), at=at)
        return left

    def negated(self) -> Expression:
        turns = []
        while self.peek() == "not":
            turns.append(self.take()[2])
        result = self.compared()
        for at in reversed(turns):
            result = Call("not", (result,), at=at)
        return result

    def compared(self) -> Expression:
        left = self.sum()
        word, at = self.peek(), self.position()
        if word in _COMPARISONS:
            self.take()
            return Call(_COMPARISONS[word], (left, self.sum()), at=at)
        if word == "is":
            self.take()
            inverted = self.peek() == "not"
            if inverted:
                self.take()
            self.expect("null")
            return Call("is_valid" if inverted else "is_null", (left,), at=at)
        inverted = word == "not" and self.tokens[self.at + 1][1] == "in"
        if inverted:
            self.take()
        if self.peek() == "in":
            self.take()
            found = Call("in", (left, *self.items()), at=at)
            return Call("not", (found,), at=at) if inverted else found
        return left

    def items(self) -> list[Literal]:
        opening = self.peek()
        if opening not in ("[", "("):
            raise ExpressionError("expected a list such as [0, 1] after 'in'", self.position())
        self.take()
        closing = "]" if opening == "[" else ")"
        found = [self.constant()]
        while self.peek() == ",":
            self.take()
            found.append(self.constant())
        self.expect(closing)
        return found

    def constant(self) -> Literal:
        at = self.position()
        value = self.signed()
        if not isinstance(value, Literal):
            raise ExpressionError("only constants may stand here", at)
        return value

    def sum(self) -> Expression:
        left = self.product()
        while self.peek() in ("+", "-"):
            _, operator, at = self.take()
            left = Call(operator, (left, self.product()), at=at)
        return left

    def product(self) -> Expression:
        left = self.signed()
        while self.peek() in ("*", "/", "%"):
            _, operator, at = self.take()
            left = Call(operator, (left, self.signed()), at=at)
        return left

    def signed(self) -> Expression:
        signs = []
        while self.peek() in ("-", "+"):
            signs.append(self.take())
        result = self.atom()
        for _, sign, at in reversed(signs):
            if sign == "+":
                continue
            if isinstance(result, Literal) and isinstance(result.value, int | float):
                result = Literal(-result.value, at)
            else:
                result = Call("negate", (result,), at=at)
        return result

    def atom(self) -> Expression:
        kind, text, at = self.take()
        if kind == "number":
            return Literal(_number(text, at), at)
        if kind == "text":
            return Literal(text[1:-1].replace(text[0] * 2, text[0]), at)
        if text == "(":
            inner = self.either()
            self.expect(")")
            return inner
        if kind == "name" and text in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[text], at)
        if kind == "name" and text not in _WORDS:
            return self.call(text, at) if self.peek() == "(" else Column(text, at)
        seen = "the end" if kind == "end" else f"'{text}'"
        raise ExpressionError(f"expected a value, found {seen}", at)

    def call(self, name: str, at: int) -> Expression:
        self.expect("(")
        arguments: list[Expression] = []
        named: list[tuple[str, Value]] = []
        while self.peek() != ")":
            is_named = self.tokens[self.at][0] == "name" and self.tokens[self.at + 1][1:2] == ("=",)
            if is_named:
                key = self.take()[1]
                self.take()
                named.append((key, self.constant().value))
            else:
                arguments.append(self.either())
            if self.peek() != ")":
                self.expect(",")
        self.expect(")")
        return Call(name, tuple(arguments), tuple(named), at)


def _number(text: str, at: int) -> float | int:
    """A finite double, or an integer of 64 bits."""
    if any(character in text for character in ".eE"):
        number = float(text)
        if math.isinf(number):
            raise ExpressionError("beyond the range of a double", at)
        return number
    # Python refuses to read some thousand digits.
    digits = text.lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > _GREATEST:
        raise ExpressionError("beyond 64 bits; write a decimal point for a double", at)
    return int(digits)


def parse(text: str) -> Expression:
    """The tree of an expression.

    Raises:
        ExpressionError: for the first syntax error, with its position.
    """
    parser = _Parser(text)
    result = parser.either()
    kind, found, at = parser.tokens[parser.at]
    if found == "=":
        raise ExpressionError("unexpected '='; write == to compare", at)
    if kind != "end":
        raise ExpressionError(f"unexpected '{found}'", at)
    return result


def columns_of(expression: Expression) -> list[Column]:
    """The columns that an expression uses, in order, with repetitions."""
    if isinstance(expression, Column):
        return [expression]
    if isinstance(expression, Call):
        return [column for argument in expression.arguments for column in columns_of(argument)]
    return []
