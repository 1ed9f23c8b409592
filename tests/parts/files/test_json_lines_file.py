"""Lines of JSON: each is a row or a fault, however the file is cut into blocks."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.parts.files import byte_blocks, json_lines_file
from tocsin.parts.files.byte_blocks import count_of_lines

LEAVES = leaves(
    parse_schema('{"type": "record", "name": "r", "fields": [{"name": "v", "type": "long"}]}')
)


def fates(path: Path, rows: int) -> list[object]:
    """The value of each line, or None for a fault."""
    found: list[object] = []
    for piece in json_lines_file.json_lines_file(str(path), LEAVES, rows):
        assert 1 <= piece.count <= rows
        by_line = dict(zip(piece.decoded.rows.tolist(), _values(piece.decoded.batch), strict=True))
        found += [by_line.get(at) for at in range(piece.count)]
    return found


def _values(batch: pa.RecordBatch) -> list[int]:
    values: list[int] = batch.column("v").to_pylist()
    return values


@given(
    lines=st.lists(st.none() | st.integers(0, 10**6), max_size=12),
    block=st.integers(1, 40),
    rows=st.integers(1, 5),
    ending=st.sampled_from([b"\n", b"\r\n"]),
    is_ended=st.booleans(),
)
def test_blocks_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[int | None],
    block: int,
    rows: int,
    ending: bytes,
    is_ended: bool,
) -> None:
    texts = [b"nothing" if one is None else b'{"v": %d}' % one for one in lines]
    path = tmp_path_factory.mktemp("lines") / "r.jsonl"
    path.write_bytes(ending.join(texts) + (ending if is_ended and texts else b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_blocks.blocks, "__defaults__", (block,))
        assert fates(path, rows) == lines
        assert count_of_lines(str(path)) == len(lines)


@pytest.mark.parametrize("block", [7, 100, 1 << 20])
def test_a_line_that_is_too_long_is_a_fault_and_the_next_is_read(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines_file, "LONGEST_LINE", 50)
    monkeypatch.setattr(byte_blocks.blocks, "__defaults__", (block,))
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"v": 1}\n' + b" " * 60 + b'{"v": 2}\n{"v": 3}\n' + b" " * 60))
    assert fates(path, 2) == [1, None, 3, None]
    assert count_of_lines(str(path)) == 4


def test_a_line_of_the_longest_size_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b'{"v": 1}'
    monkeypatch.setattr(json_lines_file, "LONGEST_LINE", len(line))
    (tmp_path / "r.jsonl").write_bytes(line + b"\n " + line)
    assert fates(tmp_path / "r.jsonl", 9) == [1, None]
