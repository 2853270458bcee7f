"""The trials as a figure: an SVG of dropout over drop-connect, coloured by score."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from trainer.trial_records import TrialRecord

WIDTH, HEIGHT = 640, 480  # pixels
LEFT, RIGHT, TOP, BOTTOM = 70, 40, 50, 60
TICKS = 5
RADIUS = 9
BEST_COLOUR, WORST_COLOUR, FAILED_COLOUR = (33, 102, 172), (253, 219, 199), "#b2182b"
AXES = ("dropout_rate", "drop_connect_rate")


def trials_figure(records: Sequence[TrialRecord], ranking: Sequence[TrialRecord], score_name: str) -> str:
    """Draws every trial where its two rates lie.

    Args:
      records: all trials.
      ranking: those that finished, the best first, at least one; darker is better and the first one is ringed.
      score_name: what they are ranked by.

    Returns:
      An SVG document: failed and stopped trials are crosses, the default values a square; each has a tooltip.
    """
    svg = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=str(WIDTH))
    svg.set("font-family", "sans-serif")
    svg.set("font-size", "12")
    ET.SubElement(svg, "rect", width=str(WIDTH), height=str(HEIGHT), fill="white")
    best, worst = ranking[0].score or 0.0, ranking[-1].score or 0.0
    _text(svg, LEFT, 24, f"{score_name}: {best:.4f} (dark, ringed) to {worst:.4f}; square: default; cross: no result")
    spans = [_span([record.values.get(axis, 0.0) for record in records]) for axis in AXES]
    _draw_axes(svg, spans)
    for record in records:
        x, y = (
            _place(record.values.get(axis, 0.0), span, *ends)
            for axis, span, ends in zip(AXES, spans, ((LEFT, WIDTH - RIGHT), (HEIGHT - BOTTOM, TOP)), strict=True)
        )
        mark = _mark(svg, x, y, record, _colour(record.score, best, worst))
        ET.SubElement(mark, "title").text = _tooltip(record, score_name)
        if record.trial == ranking[0].trial:
            ring = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": str(RADIUS + 5)}
            ET.SubElement(svg, "circle", {**ring, "fill": "none", "stroke": "black", "stroke-width": "2"})
    return ET.tostring(svg, encoding="unicode", xml_declaration=True)


def _mark(svg: ET.Element, x: float, y: float, record: TrialRecord, colour: str) -> ET.Element:
    if record.status != "completed":
        arms = f"M{x - 6:.1f},{y - 6:.1f}l12,12m0,-12l-12,12"
        return ET.SubElement(svg, "path", {"d": arms, "stroke": FAILED_COLOUR, "stroke-width": "3"})
    paint = {"fill": colour, "stroke": "black"}
    if record.is_default:
        corner = {"x": f"{x - RADIUS:.1f}", "y": f"{y - RADIUS:.1f}"}
        return ET.SubElement(svg, "rect", {**corner, "width": str(2 * RADIUS), "height": str(2 * RADIUS), **paint})
    return ET.SubElement(svg, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": str(RADIUS), **paint})


def _draw_axes(svg: ET.Element, spans: Sequence[tuple[float, float]]) -> None:
    bottom = HEIGHT - BOTTOM
    frame = {"x": str(LEFT), "y": str(TOP), "width": str(WIDTH - LEFT - RIGHT), "height": str(bottom - TOP)}
    ET.SubElement(svg, "rect", {**frame, "fill": "none", "stroke": "#888"})
    _text(svg, WIDTH / 2, HEIGHT - 15, "dropout", "middle")
    _text(svg, 10, TOP - 10, "drop-connect")
    for tick in range(TICKS):
        x, y = (low + (high - low) * tick / (TICKS - 1) for low, high in spans)
        _text(svg, _place(x, spans[0], LEFT, WIDTH - RIGHT), bottom + 20, f"{x:.2f}", "middle")
        _text(svg, LEFT - 8, _place(y, spans[1], bottom, TOP) + 4, f"{y:.2f}", "end")


def _text(svg: ET.Element, x: float, y: float, text: str, anchor: str = "start") -> None:
    ET.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}).text = text


def _span(values: Sequence[float]) -> tuple[float, float]:
    """What an axis shows: the values with some room, and not nothing where all are the same."""
    room = max((max(values) - min(values)) * 0.1, 0.02)
    return min(values) - room, max(values) + room


def _place(value: float, span: tuple[float, float], start: float, end: float) -> float:
    return start + (value - span[0]) / (span[1] - span[0]) * (end - start)


def _colour(score: float | None, best: float, worst: float) -> str:
    share = 0.0 if score is None or best == worst else (score - best) / (worst - best)
    mixed = (b + (w - b) * min(max(share, 0.0), 1.0) for b, w in zip(BEST_COLOUR, WORST_COLOUR, strict=True))
    return f"rgb({','.join(str(round(level)) for level in mixed)})"


def _tooltip(record: TrialRecord, score_name: str) -> str:
    outcome = record.reason or f"{score_name} {record.score:.4f}"
    values = ", ".join(f"{name} {value:.4g}" for name, value in record.values.items())
    return f"trial {int(record.trial) + 1}: {values}: {outcome}"
