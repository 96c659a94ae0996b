"""Running the product: its home and logs, backup, erasure, health, metrics, alerts, upkeep, the document server."""
