"""States in code that Numba compiles: `state.mean` is the number at a fixed place of the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.core.types.containers import UniTuple
from numba.core.types.misc import CPointer
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    intrinsic,
    lower_getattr_generic,
    lower_setattr_generic,
    models,
    register_model,
)
from numba.np.arrayobj import populate_array

from tocsin.kernels.sensor_state import Numbers, SensorState


class StateType(types.Type):
    """The Numba type of a state. It depends on names and dimensions only.

    Sizes travel with the value, so one compilation serves every configuration.
    """

    def __init__(self, dimensions: tuple[tuple[str, int], ...]) -> None:
        self.numbers = {name: at for at, (name, count) in enumerate(dimensions) if count == 0}
        self.arrays: dict[str, tuple[int, int]] = {}
        bound = 1
        for name, count in dimensions:
            if count:
                self.arrays[name] = (bound, count)
                bound += 1 + count
        self.bounds = UniTuple(types.int64, bound)
        super().__init__(name=f"SensorState{dimensions}")


@register_model(StateType)
class _StateModel(models.StructModel):  # type: ignore[misc]
    """The row's address, and `Layout.bounds`."""

    def __init__(self, manager: Any, kind: StateType) -> None:
        members = [("row", CPointer(types.float64)), ("bounds", kind.bounds)]
        super().__init__(manager, kind, members)


@infer_getattr
class _StateAttributes(AttributeTemplate):  # type: ignore[misc]
    """The types of a state's attributes."""

    key = StateType

    def generic_resolve(self, kind: StateType, name: str) -> Any:
        if name in kind.numbers:
            return types.float64
        if name in kind.arrays:
            return types.Array(types.float64, kind.arrays[name][1], "C")
        return None


@lower_getattr_generic(StateType)  # type: ignore[untyped-decorator]
def _read(context: Any, builder: Any, kind: StateType, value: Any, name: str) -> Any:
    state = cgutils.create_struct_proxy(kind)(context, builder, value=value)
    if name in kind.numbers:
        return builder.load(_number(builder, kind, state, name))
    first, count = kind.arrays[name]
    bounds = cgutils.unpack_tuple(builder, state.bounds)
    shape = bounds[first + 1 : first + 1 + count]
    strides = [ir.Constant(ir.IntType(64), 8)]
    for size in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], size))
    array_type = types.Array(types.float64, count, "C")
    array = context.make_array(array_type)(context, builder)
    # The block of rows outlives the call, so the array needs no owner.
    data = builder.gep(state.row, [bounds[first]])
    populate_array(
        array,
        data=data,
        shape=shape,
        strides=strides,
        itemsize=ir.Constant(ir.IntType(64), 8),
        meminfo=None,
    )
    return impl_ret_borrowed(context, builder, array_type, array._getvalue())  # noqa: SLF001 - Numba's own way


@lower_setattr_generic(StateType)  # type: ignore[untyped-decorator]
def _write(context: Any, builder: Any, signature: Any, arguments: Any, name: str) -> None:
    kind, value_type = signature.args
    target, value = arguments
    state = cgutils.create_struct_proxy(kind)(context, builder, value=target)
    number = context.cast(builder, value, value_type, types.float64)
    builder.store(number, _number(builder, kind, state, name))


def _number(builder: Any, kind: StateType, state: Any, name: str) -> Any:
    """The address of a single number."""
    return builder.gep(state.row, [ir.Constant(ir.IntType(64), kind.numbers[name])])


def dimensions_of(state: type[SensorState]) -> tuple[tuple[str, int], ...]:
    """Each field of a state with the number of its dimensions; 0 is a single number."""
    return tuple(
        (name, len(declared.sizes) if isinstance(declared, Numbers) else 0)
        for name, declared in state.declared.items()
    )


def state_of(state: type[SensorState]) -> Callable[..., Any]:
    """A function for compiled code: (row, bounds) to the state that they hold."""
    kind = StateType(dimensions_of(state))

    @intrinsic  # type: ignore[untyped-decorator]
    def made(_typing: Any, row: Any, bounds: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value = cgutils.create_struct_proxy(kind)(context, builder)
            array = context.make_array(row)(context, builder, arguments[0])
            value.row, value.bounds = array.data, arguments[1]
            return value._getvalue()  # noqa: SLF001 - Numba's own way

        return kind(row, bounds), generate

    found: Callable[..., Any] = made
    return found
