"""Stops a run, in the queue or at work: ``docker compose exec daemon python stack/stop_run.py RUN``.

The web server cannot, because it does not reach the Docker socket; the daemon does. A run whose container is merely
stopped counts as crashed and is tried again.
"""

import sys

import dagster as dg


def main(run_id: str) -> int:
    """Returns the exit code: 0, or 1 if there is no such run or it has ended."""
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            sys.stderr.write(f"stop_run: {run_id} {'has ended' if run else 'is no run of this stack'}.\n")
            return 1
        return 0 if instance.run_coordinator.cancel_run(run_id) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
