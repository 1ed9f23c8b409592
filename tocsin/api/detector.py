"""What a detector may import."""

from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Collector, Fault
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
from tocsin.parts.part import Param, need_columns
from tocsin.parts.registry import find as find_part

__all__ = [
    "TAIL",
    "Collector",
    "Detector",
    "Duration",
    "Failure",
    "Fault",
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
    "need_columns",
    "numbers",
    "predict",
    "profile_at",
    "standing_out",
    "tail_surprise",
]
