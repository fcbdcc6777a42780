"""A page: sections of tables, plots, pictures and texts, written as one HTML file. What comes from users is escaped."""

import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jssl
from jssl import storage


class Section(NamedTuple):
  """One section: `blocks` are pairs of a kind, a macro of page.html, and its content."""

  id: str
  title: str
  blocks: Sequence[tuple[str, Any]]
  note: str = ''


class Report:
  """A report, which a notebook shows.

  Attributes:
    html: the page.
    sections: ids of its sections.
    left_out: section -> why it is not in the page.
  """

  def __init__(self, text: str, sections: Sequence[str], left_out: Mapping[str, str]):
    self.html, self.sections, self.left_out = text, list(sections), dict(left_out)

  def save(self, path: Path) -> None:
    """Writes the page to a file."""
    storage.make(path.parent)
    storage.replace(path, self.html)

  def __repr__(self) -> str:
    return f'Report({", ".join(self.sections)}; {len(self.html.encode()) / 1e6:.1f} MB)'

  def _repr_html_(self) -> str:
    return f'<iframe srcdoc="{html.escape(self.html)}" style="width: 100%; height: 800px; border: 0"></iframe>'


def page(
  title: str,
  kind: str,
  sections: Sequence[Section],
  *,
  lead: str = '',
  notices: Sequence[tuple[str, str]] = (),
  cards: Sequence[Mapping[str, str]] = (),
  left_out: Mapping[str, str] | None = None,
) -> Report:
  """Makes a page.

  Args:
    title: the heading.
    kind: a line above it.
    sections: in order; one that lists `left_out` is added.
    lead: a line below it.
    notices: ('good', 'warn' or 'bad', text) of sentences at the top.
    cards: dict(name, text, note) of figures at the top.
    left_out: section -> why it is not in the page.
  """
  from jinja2 import Environment, StrictUndefined
  from markupsafe import Markup

  files = resources.files('jssl.report') / 'page'
  read = lambda name: (files / name).read_text('utf-8')
  if left_out:
    sections = [*sections, Section('left-out', 'Left out', [('table', dict(head=('section', 'reason'), rows=list(left_out.items())))])]
  environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
  text = environment.from_string(read('page.html')).render(
    title=title, kind=kind, lead=lead, notices=notices, cards=cards, sections=sections, version=jssl.__version__,
    style=Markup(read('page.css')), script=Markup(read('page.js')), date=datetime.now().strftime('%Y-%m-%d %H:%M'),
  )  # fmt: skip
  return Report(text, [section.id for section in sections], left_out or {})


def number(x: Any) -> str:
  """A figure in few digits."""
  if x is None:
    return 'not finite'
  if isinstance(x, bool) or not isinstance(x, int | float):
    return str(x)
  if isinstance(x, int):
    return f'{x:,}'
  return f'{x:.3f}' if 1e-3 <= abs(x) < 1e3 or x == 0 else f'{x:.3g}'


def duration(seconds: float) -> str:
  """A time in seconds, minutes or hours."""
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f'{hours} h {minutes} min' if hours else f'{minutes} min {rest} s' if minutes else f'{seconds:.1f} s'


def memory(size: float) -> str:
  """A number of bytes."""
  unit = next((unit for unit in ('B', 'kB', 'MB') if size < 1000 or not (size := size / 1000)), 'GB')
  return f'{size:.0f} {unit}' if size >= 10 or unit == 'B' else f'{size:.1f} {unit}'
