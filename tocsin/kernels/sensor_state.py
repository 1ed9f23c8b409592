"""What a detector remembers of one sensor: numbers by name, stored as one row of float64."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

from tocsin.kernels.batch import Floats


@dataclass(frozen=True)
class Numbers:
    """An array in a state. A size is a number, or the name of an attribute of the detector."""

    sizes: tuple[int | str, ...]
    start: float


def numbers(*sizes: int | str, start: float = 0.0) -> Any:
    """An array of numbers in a state.

    `readings: Floats = numbers("window")` has a number for each reading of the window. sizes: one
    for each dimension, as a number or as the name of a parameter or property of the detector.
    start: what each number is before the first reading.
    """
    return Numbers(sizes, start)


@dataclass(frozen=True)
class Place:
    """Where a field is in the row: its first number and its shape; () is a single number.

    start: what its numbers are before the first reading, each or one by one.
    """

    first: int
    shape: tuple[int, ...]
    start: float | tuple[float, ...]

    @property
    def size(self) -> int:
        """How many numbers the field has."""
        return prod(self.shape)


class _Field:
    """Reads and writes a field of a state in the state's row."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, state: SensorState | None, owner: type[SensorState]) -> Any:
        return self if state is None else state.read(self.name)

    def __set__(self, state: SensorState, value: Any) -> None:
        state.write(self.name, value)


class SensorState:
    """The base of a detector's `State`: each annotated attribute is a float or an array of floats.

    An attribute's value in the class is the value before the first reading. Single numbers come
    before arrays (see `numbers`). An instance is a view: to assign an attribute changes the row.
    Over a block of rows, one a sensor, an attribute is the column of that field.
    """

    declared: ClassVar[dict[str, float | Numbers]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared: dict[str, float | Numbers] = {}
        for name in inspect.get_annotations(cls):
            value = vars(cls).get(name)
            if hasattr(SensorState, name):
                raise TypeError(f"{cls.__qualname__}.{name}: every state has this; choose another")
            if not isinstance(value, float | int | Numbers):
                raise TypeError(f"{cls.__qualname__}.{name} needs a start value, such as 0.0")
            if not isinstance(value, Numbers) and any(
                isinstance(earlier, Numbers) for earlier in declared.values()
            ):
                raise TypeError(f"{cls.__qualname__}.{name}: single numbers come before arrays")
            declared[name] = value
            setattr(cls, name, _Field(name))
        cls.declared = declared

    def __init__(self, rows: Floats, places: dict[str, Place]) -> None:
        self._rows = rows
        self._places = places

    @property
    def rows(self) -> Floats:
        """The numbers that it is a view of: one sensor's row, or a block of rows."""
        return self._rows

    def read(self, name: str) -> Any:
        """The field's number or array; over a block, its column."""
        place = self._places[name]
        if place.shape == ():
            # A number where there is one row, and a column where there are many.
            return self._rows.T[place.first]
        array = self._rows[..., place.first : place.first + place.size]
        return array.reshape(*array.shape[:-1], *place.shape)

    def write(self, name: str, value: Any) -> None:
        """Change the field in the row."""
        place = self._places[name]
        if place.shape == ():
            self._rows[..., place.first] = value
        else:
            self.read(name)[...] = value


@dataclass(frozen=True)
class Layout:
    """A detector's `State` with the sizes of its arrays: where each field is in the row."""

    state: type[SensorState]
    places: dict[str, Place]

    @classmethod
    def of(cls, state: type[SensorState], detector: object) -> Self:
        """The layout for a detector, whose attributes give the sizes that are names."""
        places: dict[str, Place] = {}
        first = 0
        for name, declared in state.declared.items():
            array = declared if isinstance(declared, Numbers) else Numbers((), float(declared))
            shape = tuple(
                getattr(detector, size) if isinstance(size, str) else size for size in array.sizes
            )
            places[name] = Place(first, shape, array.start)
            first += places[name].size
        return cls(state, places)

    @classmethod
    def joined(cls, layouts: dict[str, Layout]) -> Self:
        """Several layouts one after the other; each is one array, under its name."""
        places: dict[str, Place] = {}
        first = 0
        for name, layout in layouts.items():
            places[name] = Place(first, (layout.width,), layout.start)
            first += layout.width
        return cls(SensorState, places)

    @property
    def width(self) -> int:
        """Numbers of state a sensor."""
        return sum(place.size for place in self.places.values())

    @property
    def sizes(self) -> dict[str, int]:
        """How many numbers each field has."""
        return {name: place.size for name, place in self.places.items()}

    @property
    def start(self) -> tuple[float, ...]:
        """The row of a sensor before its first reading."""
        start: list[float] = []
        for place in self.places.values():
            start += place.start if isinstance(place.start, tuple) else [place.start] * place.size
        return tuple(start)

    @property
    def bounds(self) -> tuple[int, ...]:
        """The width; then the first number and the shape of each array: what compiled code gets."""
        arrays = (place for place in self.places.values() if place.shape)
        return (self.width, *(bound for place in arrays for bound in (place.first, *place.shape)))

    def view(self, rows: Floats) -> Any:
        """A row's numbers by name; or, of a block of rows, the columns by name."""
        return self.state(rows, self.places)
