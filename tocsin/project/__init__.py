"""The parts of the operator's project, imported as `tocsin.project.detectors.stuck_pump`.

They lie in the folder that the project's `tocsin.toml` names. In a job's packed code they lie here.
"""

from tocsin.foundation.project import find_project

_project = find_project()
if _project is not None:
    __path__.append(str(_project.parts))
