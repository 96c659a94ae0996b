"""Commands that measure and print: ``python -m benchmarks.<name>``. Each writes JSON into ``benchmarks/results/``."""
