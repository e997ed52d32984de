"""What the rules of a schema say of rows: which break one, which can keep all, and what follows from known cells."""

__all__: list[str] = []
