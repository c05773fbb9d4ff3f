"""Presets: sizes and conventions of a whole evaluation, one TOML file each. Importing this package imports no torch."""

__all__ = ["preset_names"]


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package: its TOML files."""
    from importlib import resources

    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))
