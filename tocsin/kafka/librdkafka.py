"""Kernels that copy librdkafka's messages to arrays. They call its C functions from compiled code.

Addresses are integers. This module imports Numba, so import it where it is used, not at the start.
"""

# Numba passes an intrinsic's arguments whether it uses them or not.
# ruff: noqa: ARG001

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tocsin.kernels.avro.byte_strings import Octets
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled

_WORD = ir.IntType(64)


@intrinsic  # type: ignore[untyped-decorator]
def _load(typing_context: Any, address: Any) -> Any:
    """The 64-bit word at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _WORD.as_pointer()))

    return types.int64(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _copy(typing_context: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy `size` bytes, as memcpy does."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        octet = ir.IntType(8).as_pointer()
        into, out = (builder.inttoptr(address, octet) for address in arguments[:2])
        cgutils.raw_memcpy(builder, into, out, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _call2(typing_context: Any, function: Any, first: Any, second: Any) -> Any:
    """The result of a C function of two 64-bit words."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_WORD, _WORD])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _call4(
    typing_context: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any
) -> Any:
    """The result of a C function of four 64-bit words."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_WORD] * 4)
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(*[types.int64] * 5), generate


# Byte offsets in rd_kafka_message_t (librdkafka's public header).
_ERROR, _PAYLOAD, _LENGTH, _KEY, _KEY_LENGTH, _OFFSET = 0, 24, 32, 40, 48, 56
# Length of a schema GUID in a header, bytes.
GUID = 17


@compiled
def sizes(messages: Int64s, count: int) -> tuple[int, int, int]:
    """The total bytes of payloads and of keys, and the number of messages with an error.

    Messages with an error do not count to the bytes.

    Args:
        messages: addresses of rd_kafka_message_t.
        count: how many of them to read.
    """
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


@compiled
def take(
    messages: Int64s,
    count: int,
    functions: Int64s,
    name: int,
    values: Octets,
    value_ends: Int64s,
    value_nulls: Any,
    keys: Octets,
    key_ends: Int64s,
    key_nulls: Any,
    offsets: Int64s,
    times: Int64s,
    guids: Octets,
) -> bool:
    """Copy messages without an error to arrays, and free them.

    Args:
        messages: addresses of rd_kafka_message_t.
        count: how many of them to read.
        functions: addresses of rd_kafka_message_timestamp, rd_kafka_message_headers,
            rd_kafka_header_get_last and rd_kafka_message_destroy.
        name: address of the name of the header with a schema GUID.
        values: gets the payloads without gaps.
        value_ends: gets the end of each payload.
        value_nulls: gets whether a message has no payload.
        keys: gets the keys without gaps.
        key_ends: gets the end of each key.
        key_nulls: gets whether a message has no key.
        offsets: gets each offset.
        times: gets each timestamp in milliseconds, -1 if unknown.
        guids: gets each GUID in a row whose last byte is 1 if the message has one.

    Returns:
        Whether any message has a GUID.
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
        time = _call2(functions[0], message, here)
        times[row] = time if words[0] & 0xFFFFFFFF else -1
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
