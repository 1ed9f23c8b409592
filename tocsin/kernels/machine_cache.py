"""Machine code that outlives its process, found by what it is made from.

Numba's own cache lies next to the sources and depends on their times, so every new version of the
code would compile every function again: 13 s of processor time for alarm management, in which a
restarted job raises no alarm. It also has no place for a function that calls another one that is
chosen at run time, which is what every detector is. And it imports the whole compiler to load what
is compiled.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from itertools import count
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import config
from numba.core import types
from numba.core.bytecode import FunctionIdentity
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.types.containers import BaseTuple
from numba.core.types.misc import NoneType, UnicodeType
from numba.core.typing import signature

from tocsin.kernels import machine_folder

# Version of the files: it changes with their content and with the options of `njit`.
_FORMAT = 2
_SIGNATURE = 3
"""Place of the signature in what Numba keeps of a compiled function."""


# Numba numbers the functions that it compiles, and the linker takes the first symbol of a name. Two
# processes that count from 1 give one symbol to two functions, and a third process that loads both
# calls the wrong one. So each process counts from a place of its own.
FunctionIdentity._unique_ids = count(int.from_bytes(os.urandom(6)))  # noqa: SLF001


class MachineCache:
    """The machine code of one function: a file for each signature. Numba calls its methods.

    No failure of a disk is one of the job: what cannot be read or written is compiled.
    """

    def __init__(self, name: str, stamp: str) -> None:
        """Name the function. stamp: what it is made from (`machine_stamp`)."""
        self._name = name
        self._stamp = stamp

    @property
    def cache_path(self) -> str:
        """Where Numba's statistics say that it is."""
        return str(machine_folder.folders()[0])

    def load_overload(self, given: Any, context: Any) -> Any:
        """The function compiled for the types of a signature, or None."""
        key = self._key(given, context)
        kept = None if key is None else machine_folder.load(self._file(key))
        if kept is None:
            return None
        # All that machine code needs of Numba. To refresh the context would import the compiler's
        # implementations of all functions, which takes longer than to load what is compiled.
        rtsys.initialize(context)
        try:
            return _rebuilt(kept, _arguments(given), context)
        except Exception:  # noqa: BLE001 - a file that is right, of a Numba that reads it otherwise
            return None

    def save_overload(self, given: Any, compiled: Any) -> None:
        """Keep the function compiled for a signature."""
        key = self._key(given, compiled.target_context)
        if key is not None and not compiled.lifted and not compiled.library.has_dynamic_globals:
            machine_folder.save(self._file(key), dumps(compiled._reduce()))  # noqa: SLF001

    def _file(self, key: str) -> str:
        return f"{self._name}-{key}"

    def _key(self, given: Any, context: Any) -> str | None:
        """A hash of what the machine code depends on. None: types of an unknown kind."""
        texts = [_text(one) for one in _arguments(given)]
        if None in texts:
            return None
        versions = (_FORMAT, numba.__version__, llvmlite.__version__, np.__version__)
        settings = (sys.implementation.cache_tag, config.OPT, config.BOUNDSCHECK)
        machine = context.codegen().magic_tuple()
        made_from = repr((self._stamp, texts, versions, settings, machine))
        return hashlib.sha256(made_from.encode()).hexdigest()[:32]


def keep(machine: Any, name: str, stamp: str) -> None:
    """Keep the machine code of a dispatcher on disk.

    name: for people who look into the folder. stamp: of the function (`machine_stamp`).
    """
    # Numba has no public way to say where and under what a cache entry is kept.
    machine._cache = MachineCache(name, stamp)  # noqa: SLF001


def _arguments(given: Any) -> tuple[Any, ...]:
    return tuple(given.args if hasattr(given, "args") else given)


def _rebuilt(kept: bytes, arguments: tuple[Any, ...], context: Any) -> Any:
    """The compiled function that a file holds, under the types of this process.

    A named tuple's class may have been made in that process; the same fields make it this one.
    """
    # The folder is one that only its owner writes to, as the sources (`machine_folder`).
    pieces = list(pickle.loads(kept))  # noqa: S301
    pieces[_SIGNATURE] = signature(pieces[_SIGNATURE].return_type, *arguments)
    return CompileResult._rebuild(context, *pieces)  # noqa: SLF001


def _text(kind: Any) -> str | None:
    """A type of arguments in words that no other type has. None: a kind that is not known here."""
    if isinstance(kind, types.Array):
        return f"{kind} {kind.aligned} {kind.mutable}" if _text(kind.dtype) else None
    if isinstance(kind, BaseTuple):
        inner = [_text(one) for one in kind]
        fields = getattr(kind, "fields", ())
        return None if None in inner else f"{type(kind).__name__} {kind} {fields} {inner}"
    plain = (types.Number, types.Boolean, NoneType, UnicodeType, types.UnicodeCharSeq)
    if isinstance(kind, (*plain, types.Record, types.NPDatetime, types.NPTimedelta)):
        return str(kind)
    return None
