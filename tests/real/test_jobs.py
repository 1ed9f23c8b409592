"""Real recordings through the city's jobs, compared with pandas on the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.recordings import recording
from tocsin.compiler.checker import check_file
from tocsin.kernels.batch import micros
from tocsin.kernels.domains.air_quality import air_quality_index, micrograms_of_ppb, nowcast
from tocsin.kernels.domains.climate import heat_index, vapour_pressure
from tocsin.lake.query import open_lake
from tocsin.simulator.messages import encode, keys_of

ROOT = Path(__file__).parents[2]


def recorded(name: str) -> pd.DataFrame:
    """Sensor, metric, ts (UTC) and value, sorted by time."""
    frame = parquet.read_table(
        recording(name), columns=["seq", "ts", "sensor_id", "metric", "value"]
    ).to_pandas()
    frame["sensor_id"], frame["metric"] = (
        frame["sensor_id"].astype(str),
        frame["metric"].astype(str),
    )
    frame["ts"] = pd.to_datetime(frame["ts"]).dt.tz_localize("UTC")
    return frame.sort_values(["ts", "seq"], kind="stable")


def run(
    job: str, rows: pd.DataFrame, key: str, topic: str, send: Any, kafka: Any, schema: str
) -> Any:
    """Run a job over rows with the columns of its schema."""
    from tocsin.engines.beam.running import run_bounded

    batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    at = batch.schema.get_field_index("observed_at")
    batch = batch.set_column(
        at, "observed_at", batch.column("observed_at").cast(pa.timestamp("us", tz="UTC"))
    )
    values = encode(batch, (ROOT / "schemas" / schema).read_text())
    stamps = (micros(batch.column("observed_at")) // 1000).tolist()
    # The embedded Kafka holds 5 MB per partition, so sensors are spread over partitions.
    partitions = (rows[key].astype("category").cat.codes % 4).astype(int).tolist()
    send(topic, list(zip(values, keys_of(batch, key), stamps, partitions, strict=True)))
    assert kafka.ensure_whole(topic) == len(rows)
    ledger = run_bounded(check_file(f"jobs/{job}.yaml")[0])
    assert ledger.balances
    return ledger


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    return tmp_path / "lake"


def query(lake: Path, sql: str) -> pd.DataFrame:
    found: pd.DataFrame = open_lake(lake)[0].execute(sql).df()
    return found


def near(one: pd.Series[Any], other: pd.Series[Any]) -> bool:
    return bool(
        np.allclose(
            one.to_numpy(float), other.to_numpy(float), rtol=1e-9, atol=1e-9, equal_nan=True
        )
    )


def test_vehicle_counts_equal_pandas(
    lake: Path, kafka: Any, send: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """telraam_fr: hourly counts of window cameras, with the 85th percentile of speed."""
    wide = (
        recorded("telraam_fr.parquet")
        .pivot_table(index=["ts", "sensor_id"], columns="metric", values="value")
        .reset_index()
    )
    wide = wide.sort_values("ts", kind="stable")
    rows = pd.DataFrame(
        {
            "detector_id": wide["sensor_id"],
            "observed_at": wide["ts"],
            "interval": np.int32(3600),
            "vehicles": (wide["car"] + wide["heavy"]).round().astype(np.int32),
            "occupancy": np.nan,
            "speed": wide["v85"],
        }
    )
    rows["occupancy"] = rows["occupancy"].astype(float)
    sensors = sorted(rows["detector_id"].unique())
    registry = pd.DataFrame(
        {
            "detector_id": sensors,
            "station": sensors,
            "downstream": "none",
            "approach": sensors,
            "lane": 0,
        }
    )
    registry = registry.assign(
        length_km=0.5, free_speed=50, district="d", latitude=48.0, longitude=-1.0
    )
    registry["detector_id"] = [f"det-{one}" for one in sensors]
    registry["station"] = [f"st-{one}" for one in sensors]
    rows["detector_id"] = "det-" + rows["detector_id"]
    registry.to_csv(tmp_path / "registry.csv", index=False)
    monkeypatch.setenv("TRAFFIC_REGISTRY", str(tmp_path / "registry.csv"))
    ledger = run(
        "traffic", rows, "detector_id", "city.traffic", send, kafka, "traffic_reading.avsc"
    )
    assert ledger.steps["Validate"].kept == len(rows)

    found = query(
        lake,
        "select approach, window_start, vehicle_km, vehicle_hours, lost_hours "
        "from traffic_approaches",
    )
    known = rows.copy()
    known["window_start"] = known["observed_at"].dt.floor("1h")
    known["approach"] = known["detector_id"].str.removeprefix("det-").astype(float)
    speed = known["speed"].where(known["speed"] > 0)
    known["km"] = known["vehicles"] * 0.5
    known["hours"] = known["km"] / speed
    known["lost"] = known["km"] * np.maximum(1 / speed - 1 / 50, 0)
    wanted = known.groupby(["approach", "window_start"]).agg(
        km=("km", "sum"), hours=("hours", "sum"), lost=("lost", "sum")
    )
    found["approach"] = found["approach"].astype(float)
    both = found.set_index(["approach", "window_start"]).sort_index()
    wanted = wanted.sort_index()
    assert len(both) == len(wanted) > 10_000
    assert near(both["vehicle_km"], wanted["km"])
    assert near(both["vehicle_hours"].fillna(0), wanted["hours"])
    assert near(both["lost_hours"].fillna(0), wanted["lost"])
    lanes = query(
        lake, "select sum(vehicles) as vehicles, max(abs(speed * 1.0)) as speed from traffic_lanes"
    )
    assert int(lanes["vehicles"][0]) == int(rows["vehicles"].sum())


def test_room_climate_equals_pandas(lake: Path, kafka: Any, send: Any) -> None:
    """open_smart_home: temperature and humidity of rooms, joined every ten minutes."""
    frame = recorded("open_smart_home.parquet")
    frame = frame[frame["metric"].isin(["Temperature", "Humidity"])].drop_duplicates(
        ["sensor_id", "metric", "ts"]
    )
    rows = pd.DataFrame(
        {
            "sensor_id": frame["sensor_id"],
            "metric": frame["metric"].str.lower(),
            "observed_at": frame["ts"],
            "value": frame["value"],
            "quality": np.int32(1),
        }
    )
    run("climate", rows, "sensor_id", "city.climate", send, kafka, "climate_reading.avsc")
    rows["window_start"] = rows["observed_at"].dt.floor("10min")
    means = rows.pivot_table(
        values="value", index=["sensor_id", "window_start"], columns="metric", aggfunc="mean"
    ).dropna()
    found = (
        query(lake, "select * from climate_felt")
        .set_index(["sensor_id", "window_start"])
        .sort_index()
    )
    assert len(found) == len(means) > 10_000
    assert near(found["temperature"], means["temperature"])
    assert near(found["humidity"], means["humidity"])
    wanted = heat_index(means["temperature"].to_numpy(), means["humidity"].to_numpy())
    assert near(found["heat_index"], pd.Series(wanted))
    means["e"] = vapour_pressure(means["temperature"].to_numpy(), means["humidity"].to_numpy())
    hours = means.reset_index()
    hours["window_start"] = hours["window_start"].dt.floor("1h")
    hours = hours.groupby(["sensor_id", "window_start"])[["temperature", "e"]].mean().sort_index()
    humid = (
        query(lake, "select * from climate_humidity")
        .set_index(["sensor_id", "window_start"])
        .sort_index()
    )
    assert near(humid["vapour_pressure"], hours["e"])


def test_street_sensors_equal_pandas(
    lake: Path, kafka: Any, send: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """epa_toco: particles and ozone of street sensors, one reading per minute."""
    frame = recorded("epa_toco.parquet")
    frame = frame[frame["metric"].isin(["PM2.5 (µg/m³)", "O3 (ppb)"])].drop_duplicates(
        ["sensor_id", "metric", "ts"]
    )
    # The embedded Kafka holds the first half of the recording.
    frame = frame[frame["ts"] < frame["ts"].min() + (frame["ts"].max() - frame["ts"].min()) / 2]
    frame["metric"] = np.where(frame["metric"].str.startswith("O3"), "o3", "pm25")
    ozone = (frame["metric"] == "o3").to_numpy()
    ppb = frame["value"].to_numpy()
    micrograms = micrograms_of_ppb("o3", ppb, np.full(len(ppb), 20.0), np.full(len(ppb), 1013.25))
    rows = pd.DataFrame(
        {
            "sensor_id": frame["sensor_id"],
            "metric": frame["metric"],
            "observed_at": frame["ts"],
            "value": np.round(np.where(ozone, micrograms, ppb), 3),
            "quality": np.int32(1),
        }
    )
    monkeypatch.setenv("AIR_CADENCE", "1 min")
    sensors = sorted(rows["sensor_id"].unique())
    registry = pd.DataFrame(
        {"sensor_id": sensors, "district": "d", "latitude": 35.9, "longitude": -78.9}
    )
    registry.to_csv(tmp_path / "registry.csv", index=False)
    monkeypatch.setenv("AIR_REGISTRY", str(tmp_path / "registry.csv"))
    run("air_quality", rows, "sensor_id", "city.air", send, kafka, "air_reading.avsc")

    rows["window_start"] = rows["observed_at"].dt.floor("1h")
    by = ["sensor_id", "metric", "window_start"]
    wanted = rows.groupby(by)["value"].agg(["mean", "count"]).sort_index()
    found = query(lake, "select * from air_quality_hours").set_index(by).sort_index()
    assert len(found) == len(wanted) > 2_000
    whole = (found["flag"] != 4).to_numpy()
    assert whole.mean() > 0.9
    assert (found["n"].to_numpy()[whole] == wanted["count"].to_numpy()[whole]).all()
    assert (found["n"].to_numpy() <= wanted["count"].to_numpy()).all()
    assert near(found["mean"][whole], wanted["mean"][whole])
    assert (found["valid"].to_numpy() == (found["n"].to_numpy() >= 45)).all()
    for metric in ("pm25", "o3"):
        here = found.xs(metric, level="metric")
        band = air_quality_index("eu-2024", f"{metric}_1h", here["mean"].to_numpy(float))
        assert near(here["band"], pd.Series(np.where(here["valid"], band, np.nan)))

    # NowCast by a loop over hourly means, if no reading of the twelve hours failed.
    hours = wanted["mean"].xs("pm25", level="metric")
    good = found["flag"].xs("pm25", level="metric")
    index = (
        query(lake, "select * from air_quality_index")
        .set_index(["sensor_id", "window_end"])["nowcast"]
        .sort_index()
    )
    compared = 0
    for (sensor, end), value in index.items():
        ends = [(sensor, end - pd.Timedelta(hours=back + 1)) for back in range(12)]
        if any(good.get(one, 1) == 4 for one in ends):
            continue
        plain = nowcast(np.array([[hours.get(one, np.nan) for one in ends]]))[0]
        assert np.allclose(value, plain, equal_nan=True, rtol=1e-9)
        compared += 1
    assert compared > 500
