"""Beam's side of the ingest, typed once: Beam types no `expand`, and a step with several outputs yields all kinds."""

from typing import Any, TypeAlias

import apache_beam as beam

Elements: TypeAlias = beam.PCollection[Any]
"""What flows between steps; the docstring of a step says of what."""

Transform: TypeAlias = beam.PTransform[Any, Any]
"""From a collection, or a few, to others."""

Emitted: TypeAlias = Any
"""An element of the main output, or a `TaggedOutput` of another one. Beam reads this annotation as a type hint."""

Tagged: TypeAlias = beam.pvalue.TaggedOutput[Any, Any]
"""An element of another output than the main one."""

NamedElements: TypeAlias = Any
"""Collections by name, as a step with several outputs returns them; Beam would warn of any other type hint."""
