"""Where the figures in docs/benchmarks.md come from; each file is one command."""
