"""The contract between processors and the rest: small enough to read at one sitting."""

from sen4cap.processing.context import (
    Context,
    Progress,
    no_progress,
    part,
    publish,
    sweep,
    write_whole,
)
from sen4cap.processing.params import (
    Parameter,
    Params,
    as_text,
    config_key,
    config_metadata,
    parameter,
    parameters_of,
    validate,
)
from sen4cap.processing.processor import Processor, Scope, Step
from sen4cap.processing.registry import processor, processors
from sen4cap.processing.schema import json_schema
from sen4cap.processing.task import Ended, Task, Usage

__all__ = [
    "Context",
    "Ended",
    "Parameter",
    "Params",
    "Processor",
    "Progress",
    "Scope",
    "Step",
    "Task",
    "Usage",
    "as_text",
    "config_key",
    "config_metadata",
    "json_schema",
    "no_progress",
    "parameter",
    "parameters_of",
    "part",
    "processor",
    "processors",
    "publish",
    "sweep",
    "validate",
    "write_whole",
]
