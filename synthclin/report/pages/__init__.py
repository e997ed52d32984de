"""The sections of the report's page: from findings to figures with text, picture and table."""

__all__: list[str] = []
