"""What machine code is made from: a function, and the values that it reads, in one hash.

Not the files: a changed comment, or a new version of the code in another folder, compiles nothing.
"""

from __future__ import annotations

import builtins
import hashlib
import sys
from collections.abc import Iterator
from enum import Enum
from inspect import CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS, isroutine
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_DATA = (int, float, complex, str, bytes, type(None), type(...), slice)
# Numba's dispatcher changes the other flags of code that it calls under a profiler.
_FLAGS = CO_VARARGS | CO_VARKEYWORDS | CO_GENERATOR
# What a function may read from a module.
_READ = (*_DATA, tuple, type, np.ndarray, np.generic, ModuleType)
# Their versions are in the key of the cache, so their functions count by name.
_LIBRARIES = {*sys.stdlib_module_names, "numpy", "numba", "llvmlite", "scipy"}


class Unstampable(Exception):
    """A function reads a value of a kind whose content is unknown here."""


def stamp_of(*values: Any) -> str:
    """A hash of functions and of everything that they are compiled from, as 32 hex digits.

    values: functions, kernels, or data that their machine code depends on. A function counts with
    its bytecode, its constants and each global value that it reads; a function or kernel among
    these likewise. Names of files and line numbers do not count.

    Raises Unstampable for a value that is none of: data, arrays, functions, classes and modules.
    """
    found = hashlib.sha256()
    seen: dict[int, Any] = {}
    for value in values:
        for piece in _pieces(value, seen):
            found.update(len(piece).to_bytes(8, "little") + piece)
    return found.hexdigest()[:32]


def _pieces(value: Any, seen: dict[int, Any]) -> Iterator[bytes]:
    """The content of a value. seen: functions and modules that are in it already."""
    if isinstance(value, Enum):
        yield f"{value.name} {value.value!r} of".encode()
        yield from _of_class(type(value))
    elif isinstance(value, _DATA):
        yield f"{type(value).__name__} {value!r}".encode()
    elif isinstance(value, tuple | list | frozenset):
        yield f"{type(value).__qualname__} {len(value)}".encode()
        inner = sorted(value, key=repr) if isinstance(value, frozenset) else value
        for one in inner:
            yield from _pieces(one, seen)
    elif isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            raise Unstampable(f"an array of {value.dtype}")
        yield f"{value.dtype} {value.shape}".encode() + value.tobytes()
    elif isinstance(value, np.dtype):
        yield repr(value).encode()
    elif isinstance(value, CodeType):
        yield from _of_code(value, seen)
    elif isinstance(value, type):
        yield from _of_class(value)
    else:
        yield from _of_callable(value, seen)


def _of_class(kind: type) -> Iterator[bytes]:
    """A class by its name; a named tuple with its fields, an enumeration with its values."""
    fields = getattr(kind, "_fields", ())
    members = [(one.name, one.value) for one in kind] if issubclass(kind, Enum) else []
    yield f"class {kind.__module__} {kind.__qualname__} {fields} {members}".encode()


def _of_callable(value: Any, seen: dict[int, Any]) -> Iterator[bytes]:
    """A function, a kernel, something of Numba's, or a module."""
    if id(value) in seen:
        yield f"seen {list(seen).index(id(value))}".encode()
        return
    seen[id(value)] = value
    function = _plain(value)
    if isinstance(value, ModuleType):
        yield f"module {value.__name__}".encode()
    elif isinstance(value, np.ufunc):
        yield f"ufunc {value.__name__}".encode()
    elif isroutine(value) and (function is None or _is_of_library(value)):
        yield f"function {value.__module__} {value.__qualname__}".encode()
    elif function is not None:
        yield from _of_function(function, seen)
    elif type(value).__module__.startswith(("numba.core.types", "llvmlite.ir")):
        yield f"{type(value).__name__} {value}".encode()
    else:
        raise Unstampable(f"a value of the class {type(value).__qualname__}")


def _is_of_library(value: Any) -> bool:
    """Whether a module or a function comes from the standard library, NumPy or Numba."""
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__
    return str(module).partition(".")[0] in _LIBRARIES


def _plain(value: Any) -> Any:
    """The Python function of what is compiled or is called by compiled code; else None."""
    if isinstance(value, FunctionType):
        return value
    for name in ("plain", "py_func", "_defn"):
        # A Kernel of ours; a dispatcher and an intrinsic of Numba.
        function = getattr(value, name, None)
        if isinstance(function, FunctionType):
            return function
    return None


def _of_function(function: FunctionType, seen: dict[int, Any]) -> Iterator[bytes]:
    code = function.__code__
    yield f"def {function.__module__} {function.__qualname__}".encode()
    yield from _of_code(code, seen)
    yield from _pieces((function.__defaults__, *(function.__kwdefaults__ or {}).items()), seen)
    for cell in function.__closure__ or ():
        yield from _pieces(cell.cell_contents, seen)
    names = sorted(set(_names(code)))
    for name in names:
        if name in function.__globals__:
            yield name.encode()
            yield from _read(function.__globals__[name], names, seen)
        elif not hasattr(builtins, name):
            # An attribute, or a global that is not there yet.
            yield f"no global {name}".encode()


def _read(value: Any, names: list[str], seen: dict[int, Any]) -> Iterator[bytes]:
    """A global; of a module, also those attributes that the function may read from it."""
    is_new = id(value) not in seen
    yield from _pieces(value, seen)
    if not (isinstance(value, ModuleType) and is_new) or _is_of_library(value):
        return
    for name in names:
        inner = getattr(value, name, None)
        if isinstance(inner, _READ) or _plain(inner):
            yield name.encode()
            try:
                yield from _read(inner, names, seen)
            except Unstampable:
                # It has the name of an attribute that the function reads from something else.
                yield b"not data"


def _of_code(code: CodeType, seen: dict[int, Any]) -> Iterator[bytes]:
    """Bytecode with its names and constants, and the code of functions within it."""
    yield code.co_code
    yield code.co_exceptiontable
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    flags = code.co_flags & _FLAGS
    yield repr((counts, flags, code.co_names, code.co_varnames, code.co_freevars)).encode()
    for constant in code.co_consts:
        yield from _pieces(constant, seen)


def _names(code: CodeType) -> Iterator[str]:
    """Globals and attributes that the code and the functions within it may read."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
