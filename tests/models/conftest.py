from tests.ward import model, table

__all__ = ["model", "table"]
