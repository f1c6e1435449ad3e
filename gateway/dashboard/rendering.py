"""Templates to HTML. All that goes into one is escaped, but for charts, which `drawing` writes as XML.

Apart from the routes because jinja2 and pygal take some megabytes and 0.1 s to import: for whoever asks for a
page.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.dashboard import figures
from gateway.dashboard.drawing import svg


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("gateway.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.globals["figures"] = figures
    templates.globals["svg"] = svg
    return templates


def render(name: str, context: dict[str, object]) -> str:
    """The page of that name."""
    return _templates().get_template(name).render(context)
