"""The positions of the city's sensors: districts, streets and coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

DISTRICTS = (
    "harbour",
    "old_town",
    "station",
    "hillside",
    "meadows",
    "foundry",
    "university",
    "airport",
)
STREETS = ("quay", "market", "bridge", "school", "mill", "garden", "chapel", "tower")
_CENTRE = (48.1, -1.67)


@dataclass(frozen=True)
class Places:
    """The sensors of one system.

    district, street: positions in `DISTRICTS` and `STREETS`. latitude, longitude: degrees.
    busy: from 0 to 1, how busy the place is.
    """

    ids: list[str]
    district: np.ndarray
    street: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    busy: np.ndarray

    def registry(self) -> pa.Table:
        """sensor_id, district, street, latitude and longitude of each sensor."""
        return pa.table(
            {
                "sensor_id": self.ids,
                "district": [DISTRICTS[d] for d in self.district],
                "street": [f"{STREETS[s]} street" for s in self.street],
                "latitude": np.round(self.latitude, 5),
                "longitude": np.round(self.longitude, 5),
            }
        )


def places(prefix: str, count: int, random: np.random.Generator) -> Places:
    """Distribute `count` sensors over the districts; equal generators give equal places."""
    district = np.arange(count) % len(DISTRICTS)
    angle = 2 * np.pi * district / len(DISTRICTS)
    spread = random.normal(0, 0.004, (2, count))
    return Places(
        [f"{prefix}-{number:05d}" for number in range(count)],
        district,
        random.integers(0, len(STREETS), count),
        _CENTRE[0] + 0.02 * np.cos(angle) + spread[0],
        _CENTRE[1] + 0.03 * np.sin(angle) + spread[1],
        random.beta(2, 2, count),
    )
