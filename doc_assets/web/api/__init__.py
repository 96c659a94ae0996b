"""The API of the desk for programs: ``/api/v1`` and ``/metrics``, read only."""
