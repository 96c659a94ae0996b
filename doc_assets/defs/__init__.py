"""All that Dagster sees, one module per stage; nothing else in the package imports Dagster."""
