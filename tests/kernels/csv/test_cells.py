"""Records and cells are those of Python's csv module, and a bad line takes no other with it."""

from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.csv.cells import Records, records

cell = st.text(alphabet='ab",;\n\r é0', max_size=5)
tables = st.lists(st.lists(cell, min_size=2, max_size=4), max_size=6)


def scanned(data: bytes, most: int = 1000, is_last: bool = True, at: int = 0) -> Records:
    return records(np.frombuffer(data or b"\0", np.uint8)[: len(data)], at, 44, most, is_last)


def cells_of(found: Records) -> list[list[str]]:
    rows = []
    for first, count in zip(found.first_cells, found.counts, strict=True):
        row = []
        for at in range(first, first + count):
            start = found.cell_starts[at]
            text = found.data[start : start + found.cell_sizes[at]].tobytes().decode()
            row.append(text.replace('""', '"') if found.quoting[at] == 2 else text)
        rows.append(row)
    return rows


def written(table: list[list[str]], end: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    return out.getvalue().encode()


@given(tables, st.sampled_from(["\n", "\r\n"]), st.integers(1, 4))
def test_what_pythons_csv_writes_is_read_back(table: list[list[str]], end: str, most: int) -> None:
    data = written(table, end)
    rows: list[list[str]] = []
    at = line = 0
    while at < len(data):
        found = scanned(data, most, at=at)
        assert (found.faults == 0).all()
        rows += cells_of(found)
        at, line = found.end, line + found.line
    assert rows == table
    assert line == data.count(b"\n")


@given(st.lists(st.lists(st.text("ab1 ", min_size=1, max_size=3), min_size=2, max_size=3)))
def test_cells_without_quotes_are_read(table: list[list[str]]) -> None:
    data = "\n".join(",".join(row) for row in table).encode()
    assert cells_of(scanned(data)) == table


@given(st.binary(max_size=40).map(lambda raw: bytes(b',"\n\ra'[byte % 5] for byte in raw)))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    found = scanned(data)
    assert found.end == len(data)
    assert found.line == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    assert (np.diff(found.lines) > 0).all()


@given(tables, st.integers(0, 60))
def test_a_block_that_is_cut_gives_only_whole_records(table: list[list[str]], cut: int) -> None:
    data = written(table, "\n")
    first = scanned(data[:cut], is_last=False)
    second = scanned(data, at=first.end)
    assert cells_of(first) + cells_of(second) == table


def test_a_quote_that_is_not_closed_takes_only_its_line() -> None:
    found = scanned(b'a,b\n"c,d\ne,f\n"g"h,i\nj,k\n')
    assert cells_of(found) == [["a", "b"], [], ["e", "f"], [], ["j", "k"]]
    assert found.lines.tolist() == [0, 1, 2, 3, 4]
    assert (found.faults > 0).tolist() == [False, True, False, True, False]


def test_a_blank_line_is_no_record_but_counts_as_a_line() -> None:
    found = scanned(b"a,b\n\r\n\nc,d")
    assert (cells_of(found), found.lines.tolist()) == ([["a", "b"], ["c", "d"]], [0, 3])
