"""Files of another project: the Parquet files of 2017 that pyarrow's wheel brings for its tests."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.damage import damaged
from tocsin.foundation.failure import Failure
from tocsin.parts.files.parquet_file import count_of_rows, footer, leaves_of, parquet_file

FILES = sorted((Path(pa.__file__).parent / "tests/data/parquet").glob("*.parquet"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_every_value_is_that_of_pyarrow(file: Path, rows: int) -> None:
    leaves = leaves_of(footer(str(file)))
    pieces = list(parquet_file(str(file), leaves, [], rows))
    found = [row for piece in pieces for row in piece.decoded.batch.to_pylist()]
    names = [leaf.name for leaf in leaves]
    assert names
    assert found == parquet.read_table(file, columns=names).to_pylist()
    assert not [fault for piece in pieces for fault in piece.decoded.faults]
    assert count_of_rows(str(file)) == sum(piece.count for piece in pieces) == len(found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_damaged_file_gives_rows_or_faults_or_a_sentence(file: Path, tmp_path: Path) -> None:
    """Any byte may be another, and the file may end anywhere."""
    draw, content = random.Random(file.name), file.read_bytes()
    broken = tmp_path / "broken.parquet"
    for _ in range(60):
        broken.write_bytes(damaged(content, draw))
        try:
            leaves = leaves_of(footer(str(broken)))
            for piece in parquet_file(str(broken), leaves, [], 4):
                reasons = [reason for _, reason in piece.decoded.faults]
                assert len(piece.decoded.rows) + len(reasons) >= min(piece.count, 1)
        except (ValueError, Failure) as error:
            assert str(broken) in str(error)  # noqa: PT017 - either way is right


def test_there_are_such_files() -> None:
    assert len(FILES) >= 4
