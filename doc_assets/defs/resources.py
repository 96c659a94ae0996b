"""The resources of all definitions: the runtime of the home, and memory for what one op hands to the next."""

import dagster as dg

from doc_assets.archive.home import require_whole
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings


@dg.resource(description="The home of the settings; what a run changes of it stands in the config of its ops.")
def runtime() -> Runtime:
    """A runtime of its own for each run, sensor and schedule; no setting is shown or stored with a run."""
    return Runtime(load_settings())


@dg.definitions
def resources() -> dg.Definitions:
    """The resources of this home, and the executor that spares a process a step."""
    require_whole(load_settings().home)
    in_memory = dg.mem_io_manager  # what one op hands to the next never reaches a disk
    return dg.Definitions(resources={"runtime": runtime, "in_memory": in_memory}, executor=dg.in_process_executor)
