"""Puts the search spaces into the wheel, inside the package, where an installed program finds them."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SearchSpaces(BuildHookInterface):
    """An editable install must not have them: a second, half-empty package would hide the checkout's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"]["search_spaces"] = "optimizer/search_spaces"
