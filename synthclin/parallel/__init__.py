"""Jobs in parallel processes of this machine or of a Ray cluster: the same results whatever runs them."""

from synthclin.parallel.jobs import ENGINES, EngineName, engine, processors, run_all

__all__ = ["ENGINES", "EngineName", "engine", "processors", "run_all"]
