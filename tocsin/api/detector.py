"""The names that a detector may import.

For every detector: `Detector`, `Param`, and `SensorState` with `numbers` for its arrays.
For parameters: `Duration`, `format_duration`.
For functions that a `step` calls: `kernel`.
For medians: `in_order`, `median_deviation`. For linear predictions: `predict`, `learn`.
For profiles of a day or week: `profile_at`, `learn_profile`.
For how rare a number is: `tail_surprise`, `TAIL`.
For several columns: `components`, `standing_out`.
For models of other libraries: `ObjectDetector`, `class_of`.
For detectors that contain others: `find_part`, `Layout`.
For types of NumPy arrays: `Floats`, `Int64s`.
"""

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import kernel
from tocsin.kernels.detection.components import components, standing_out
from tocsin.kernels.detection.least_squares import learn, predict
from tocsin.kernels.detection.medians import in_order, median_deviation
from tocsin.kernels.detection.profiles import learn_profile, profile_at
from tocsin.kernels.detection.tails import TAIL, tail_surprise
from tocsin.kernels.sensor_state import Layout, SensorState, numbers
from tocsin.kernels.time.durations import format_duration
from tocsin.parts.detector import Detector
from tocsin.parts.fields import Duration
from tocsin.parts.model_detector import ObjectDetector, class_of
from tocsin.parts.part import Param
from tocsin.parts.registry import find as find_part

__all__ = [
    "TAIL",
    "Detector",
    "Duration",
    "Floats",
    "Int64s",
    "Layout",
    "ObjectDetector",
    "Param",
    "SensorState",
    "class_of",
    "components",
    "find_part",
    "format_duration",
    "in_order",
    "kernel",
    "learn",
    "learn_profile",
    "median_deviation",
    "numbers",
    "predict",
    "profile_at",
    "standing_out",
    "tail_surprise",
]
