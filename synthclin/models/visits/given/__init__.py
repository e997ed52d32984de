"""Given patients: visits of real patients that are read, completed, imputed and continued under the fitted model."""

__all__: list[str] = []
