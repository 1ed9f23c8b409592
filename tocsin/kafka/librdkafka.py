"""Memory and functions of a C library, from compiled code: messages of librdkafka without a Python object each.

Imports Numba, so import this module where it is needed first. Addresses are integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)


@intrinsic  # type: ignore[untyped-decorator]
def _load(typing_context: Any, address: Any) -> Any:
    """The 64-bit word at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _WORD.as_pointer()))

    return types.int64(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _copy(typing_context: Any, target: Any, source: Any, size: Any) -> Any:
    """memcpy of `size` bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        octet = ir.IntType(8).as_pointer()
        into, out = (builder.inttoptr(address, octet) for address in arguments[:2])
        cgutils.raw_memcpy(builder, into, out, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _call2(typing_context: Any, function: Any, first: Any, second: Any) -> Any:
    """A C function of two words that gives a word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_WORD, _WORD])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _call4(
    typing_context: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any
) -> Any:
    """A C function of four words that gives a word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_WORD] * 4)
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(*[types.int64] * 5), generate


# Words of rd_kafka_message_t from its start (librdkafka's public header).
_ERROR, _PAYLOAD, _LENGTH, _KEY, _KEY_LENGTH, _OFFSET = 0, 24, 32, 40, 48, 56
# Bytes of a schema GUID in a header.
GUID = 17


@njit(cache=True, nogil=True)
def sizes(messages, count):  # type: ignore[no-untyped-def]
    """Bytes of all payloads and of all keys of `count` messages without errors, and how many have an error."""
    payloads, keys, faults = 0, 0, 0
    for row in range(count):
        message = messages[row]
        if _load(message + _ERROR) & 0xFFFFFFFF:
            faults += 1
            continue
        if _load(message + _PAYLOAD):
            payloads += _load(message + _LENGTH)
        if _load(message + _KEY):
            keys += _load(message + _KEY_LENGTH)
    return payloads, keys, faults


@njit(cache=True, nogil=True)
def take(  # type: ignore[no-untyped-def]
    messages,
    count,
    functions,
    name,
    values,
    value_ends,
    value_nulls,
    keys,
    key_ends,
    key_nulls,
    offsets,
    stamps,
    guids,
):
    """Copy what messages without errors hold into arrays, and give the messages back to the library.

    functions: addresses of rd_kafka_message_timestamp, _headers, rd_kafka_header_get_last and rd_kafka_message_destroy.
    name: address of the name of the header with a schema GUID. stamps: milliseconds, -1 where unknown. guids: a row a
    message; its last byte is 1 where there is one. Gives whether there is any.
    """
    words = np.zeros(3, np.int64)
    here = words.ctypes.data
    row, at, key_at, any_guid = 0, 0, 0, False
    for position in range(count):
        message = messages[position]
        if _load(message + _ERROR) & 0xFFFFFFFF:
            continue
        payload, size = _load(message + _PAYLOAD), _load(message + _LENGTH)
        if payload:
            _copy(values.ctypes.data + at, payload, size)
            at += size
        value_nulls[row] = payload == 0
        value_ends[row] = at
        key, size = _load(message + _KEY), _load(message + _KEY_LENGTH)
        if key:
            _copy(keys.ctypes.data + key_at, key, size)
            key_at += size
        key_nulls[row] = key == 0
        key_ends[row] = key_at
        offsets[row] = _load(message + _OFFSET)
        words[0] = 0
        stamp = _call2(functions[0], message, here)
        stamps[row] = stamp if words[0] & 0xFFFFFFFF else -1
        has_headers = _call2(functions[1], message, here) & 0xFFFFFFFF == 0
        if (
            has_headers
            and _call4(functions[2], words[0], name, here + 8, here + 16) & 0xFFFFFFFF == 0
            and words[2] == GUID
        ):
            _copy(guids.ctypes.data + row * (GUID + 1), words[1], GUID)
            guids[row, GUID] = 1
            any_guid = True
        _call2(functions[3], message, 0)
        row += 1
    return any_guid
