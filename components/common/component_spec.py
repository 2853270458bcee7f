"""TFX's side of a component, typed once."""

from tfx.types.component_spec import ComponentSpec


class TypedSpec(ComponentSpec, validate=False):
    """TFX's specification, whose constructor has no types: a base of specifications, and none itself."""

    def __init__(self, **arguments: object) -> None:
        """Takes the arguments by their names in PARAMETERS, INPUTS and OUTPUTS."""
        ComponentSpec.__init__(self, **arguments)
