"""All that Dagster sees, one folder a stage; nothing else in the package imports Dagster."""
