"""Pages made from the code: the reference of public functions and of everything that a config can name, and a page for each system.

They are written to docs/reference/ and docs/system/ when the site is built.
"""

import importlib
import inspect
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jssl
from jssl import configs, show
from jssl.ledger import catalogue, records
from jssl.ledger.fidelity import parts
from jssl.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
FORMULAS = tomllib.loads((ROOT / 'docs' / 'formulas.toml').read_text())
SECTIONS = ('Args', 'Returns', 'Raises', 'Reference', 'Yields', 'Attributes')
TITLES = dict(
  objectives='Objectives', ops='Operations', metrics='Metrics', models='Networks and heads', views='Views', samplers='Samplers',
  masks='Masks of patches', token_masks='Masks of tokens', step_masks='Masks of series', noise='Noise', negatives='Negatives',
  data='Data sets', passes='Passes', refreshes='Refreshes', teachers='Teachers', environments='Environments', memories='Memories',
  guards='Guards', schedules='Schedules', optimizers='Optimisers', estimators='Estimators', assignments='Assignments',
  transforms='Transforms', evaluators='Evaluation protocols',
)  # fmt: skip

FAMILIES = dict(distil='Distillation', kg='Knowledge graphs', labelled='Supervised', starts='Initial networks')
NOTATION = """\
Pure functions of arrays: `from jssl.objectives import nt_xent` in your own code, or `dict(name='nt_xent', of=..., ...)` among the losses of a
config. Options are the arguments after `*`. See [objectives in your own code](../objectives.md) and [passes, losses and phases](../passes.md).

In the formulas $i$ and $j$ run over the $b$ examples of the global batch. $q_i$ and $k_i$ are rows of the arrays with these names, at unit
length where the text says so. $\\tau$ is `temperature`, $\\sigma$ the logistic function, $\\operatorname{sg}$ a stop-gradient, $H$ the
entropy or cross entropy, $m_{in}$ the mask, and $[\\cdot]$ is 1 where the condition holds. $\\ell_i$ is the loss of an example. $\\ell$ is
a loss that does not separate into examples."""


def write(folder: Path) -> None:
  """Writes all generated pages below docs/."""
  pages = {'reference/api.md': api(), 'reference/ops.md': package('ops'), 'reference/metrics.md': package('metrics')}
  pages |= {f'reference/{name}.md': table(name) for name in TABLES if name not in ('objectives', 'metrics')}
  pages['reference/objectives.md'] = objectives()
  rows = catalogue.systems()
  pages |= {f'system/{row["name"]}.md': system(row) for row in rows}
  pages['reference/index.md'] = index('Reference', ['api', *(name for name in TITLES if f'reference/{name}.md' in pages)])
  pages |= {f'system/family-{name}.md': family(name, rows) for name in {row['family'] for row in rows}}
  pages['system/index.md'] = overview(rows)
  for name, text in pages.items():
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:  # so that only pages that changed are read again
      path.write_text(text)


def sources(app: Any, name: str, source: list[str]) -> None:
  """The first page begins with the README. Links to files outside the documentation become their names: the site is read without a checkout."""
  if name == 'index':
    readme = (ROOT / 'README.md').read_text().replace('](docs/', '](')
    title, introduction, rest = re.sub(r'\[([^\]]+)\]\([A-Z]+\.md\)', r'\1', readme).split('\n\n', 2)
    page = [title, introduction, '[![One training step](step.svg)](concepts.md)', rest]
    source[0] = '\n\n'.join(page) + contents(source[0].removeprefix('README\n'), Path(app.srcdir))
  if '/' not in name:  # on pages in folders, ../ leads to other pages
    source[0] = re.sub(r'\]\(\.\./configs/\w+/(\w+)\.py\)', r'](system/\1.md)', source[0])
    source[0] = re.sub(r'(?<!!)\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]*\)', r'\1', source[0])


def contents(text: str, folder: Path) -> str:
  """Tables of contents with the pages that match a pattern in place of it, and without tables that would be empty."""
  found = lambda pattern: sorted(path.relative_to(folder).with_suffix('').as_posix() for path in folder.glob(f'{pattern}.md'))
  text = re.sub(r'^[\w/]*\*\n', lambda match: ''.join(f'{name}\n' for name in found(match[0].strip())), text, flags=re.M)
  return re.sub(r'```{toctree}\n(:.*\n)*```\n', '', text)


def index(title: str, names: list[str]) -> str:
  return f'# {title}\n\n```{{toctree}}\n:maxdepth: 1\n\n' + '\n'.join(names) + '\n```\n'


def api() -> str:
  """The public names of `jssl`."""
  found = [f'# jssl\n\n{_prose(jssl.__doc__.partition("Public names")[0])}']
  for name in jssl.__all__:
    entry = getattr(jssl, name)
    if not inspect.ismodule(entry):
      found.append(_entry(f'jssl.{name}', entry))
      if inspect.isclass(entry):
        found += [
          _entry(f'{name}.{member}', value, level=3)
          for member, value in vars(entry).items()
          if not member.startswith('_') and inspect.isfunction(value)
        ]
  return '\n\n'.join(found) + '\n'


def package(name: str) -> str:
  """The public functions of a package, by module."""
  found = [f'# {TITLES[name]}']
  for path in sorted((ROOT / 'jssl' / name).glob('[!_]*.py')):
    module = importlib.import_module(f'jssl.{name}.{path.stem}')
    found.append(f'## {path.stem}\n\n{_prose(inspect.getdoc(module) or "")}')
    found += [
      _entry(f'jssl.{name}.{path.stem}.{key}', entry, level=3)
      for key, entry in vars(module).items()
      if not key.startswith('_') and callable(entry) and getattr(entry, '__module__', '') == module.__name__
    ]
  return '\n\n'.join(found) + '\n'


def objectives() -> str:
  """All objectives by the file that they are in, which is their mathematics, each with its formula."""
  found = [f'# {TITLES["objectives"]}', NOTATION]
  entries = {key: getattr(entry, 'judge', entry) for key, entry in TABLES['objectives'].items()}
  for module in sorted({entry.__module__ for entry in entries.values()}):
    title = module.rpartition('.')[2].replace('_', ' ').capitalize()
    found.append(f'## {title}\n\n{_prose(inspect.getdoc(importlib.import_module(module)) or "")}')
    of = sorted(key for key, entry in entries.items() if entry.__module__ == module)
    found += [_entry(key, entries[key], level=3, formula=FORMULAS[key]) for key in of]
  return '\n\n'.join(found) + '\n'


def table(name: str) -> str:
  """Everything that a config can name in a table."""
  found = [f'# {TITLES[name]}\n\nNames for configs: `dict(name=..., ...)`. Options are the arguments after `*`.']
  for key in sorted(TABLES[name]):
    entry = getattr(TABLES[name][key], 'judge', TABLES[name][key])
    found.append(_entry(key, entry))
  return '\n\n'.join(found) + '\n'


def overview(rows: list[dict[str, Any]]) -> str:
  """The families of systems."""
  count = Counter(row['family'] for row in rows)
  lines = [f'| [{FAMILIES.get(name, name.capitalize())}](family-{name}.md) | {n} |' for name, n in sorted(count.items())]
  found = [
    '# Systems',
    'Each system has a page with its paper, its claim, the parts of its method and its options. [Claims](../systems.md) lists all figures.',
    '\n'.join(['| family | systems |', '|---|---|', *lines]),
    '```{toctree}\n:hidden:\n\n' + '\n'.join(f'family-{name}' for name in sorted(count)) + '\n```',
  ]
  return '\n\n'.join(found) + '\n'


def family(name: str, rows: list[dict[str, Any]]) -> str:
  """The systems of a family."""
  of = [row for row in rows if row['family'] == name]
  lines = [f'| [{row["name"]}]({row["name"]}.md) | {_text(row["paper"])} | {row["fidelity"]} | {_state(row)} |' for row in of]
  found = [
    f'# {FAMILIES.get(name, name.capitalize())}',
    '\n'.join(['| system | paper | fidelity | claim |', '|---|---|---|---|', *lines]),
    '```{toctree}\n:hidden:\n\n' + '\n'.join(row['name'] for row in of) + '\n```',
  ]
  return '\n\n'.join(found) + '\n'


def system(row: dict[str, Any]) -> str:
  """The page of a system."""
  name = row['name']
  module = configs.module(name)
  found = [f'# {name}', _prose(inspect.getdoc(module) or '')]
  found.append(f'- Scales: {", ".join(f"`{name}:{scale}`" for scale in row["scales"])}\n- Fidelity: {row["fidelity"]}\n- Claim: {_state(row)}')
  c = configs.load_config(name).to_dict()
  used = sorted({loss['name'] for loss in c.get('losses', {}).values()} & {*FORMULAS})
  if used:
    found[-1] += '\n- Objectives: ' + ', '.join(f'[`{name}`](../reference/objectives.md#{name})' for name in used)
  found += claim(row)
  if stated := parts(c):
    lines = [f'{i}. {_text(p.text)}' + (f' *Left out ({p.out}): {_text(p.why)}.*' if p.out else '') for i, p in enumerate(stated, 1)]
    found.append('## Parts of the method\n\n' + '\n'.join(lines))
  lines = ['| option | value | default | meaning |', '|---|---|---|---|']
  for o in show.options(c):
    place = f'**{o.place}**' if o.given else o.place
    default = '' if o.default in (None, o.value) else f'`{_cell(show.short(o.default))}`'
    lines.append(f'| {place} | `{_cell(show.short(o.value))}` | {default} | {_text(o.means)} |')
  found += ['## Options at the scale small', 'Options that the config sets are in bold.', '\n'.join(lines)]
  return '\n\n'.join(found) + '\n'


def claim(row: dict[str, Any]) -> Iterator[str]:
  """What a system claims, and what came of it in the last runs of its final seeds."""
  if not row['claim']['text']:
    return
  record = records.read(row['name'])
  yield f'## Claim\n\n{_plain(row["claim"]["text"])}: {_state(row)}. [How claims are tested](../house.md#claims).'
  if record['looks']:
    yield '\n'.join(f'- {_plain(text)}' for text in records.summary(record).split('; '))
    if (ROOT / 'experiments' / 'ledger' / f'{row["name"]}.png').exists():
      yield f'![Figures of the claim, by row](../../experiments/ledger/{row["name"]}.png)'


def _state(row: dict[str, Any]) -> str:
  claim = row['claim']
  return claim['state'].replace('_', ' ') + (' (stale)' if claim['stale'] else '')


def _entry(name: str, entry: Any, level: int = 2, formula: str = '') -> str:
  """A function or class: signature, what it does, its sections. A formula takes the place of the one in plain text."""
  base = entry
  while hasattr(base, 'func') and hasattr(base, 'keywords'):  # a partial, such as a network of a size
    base = base.func
  doc = inspect.getdoc(base) or ''
  try:
    signature = str(inspect.signature(base if not inspect.isclass(base) else base.__init__))
  except (TypeError, ValueError):
    signature = '(...)'
  short = name.rpartition('.')[2]
  text, sections = split(doc)
  found = [f'{"#" * level} {short}', f'```python\n{name}{_wrapped(signature)}\n```', _prose(text, formula)]
  for title, body in sections:
    if title in ('Args', 'Attributes'):
      found.append('\n'.join(f'- `{key}`: {_plain(what)}' for key, what in described(body)) or _prose(body))
    else:
      found.append(f'**{title}.** {_plain(" ".join(body.split()))}')
  return '\n\n'.join(x for x in found if x.strip())


def split(doc: str) -> tuple[str, list[tuple[str, str]]]:
  """A docstring without its sections, and the sections."""
  pieces = re.split(rf'^({"|".join(SECTIONS)}):[ \n]', doc, flags=re.M)
  return pieces[0].strip(), list(zip(pieces[1::2], map(textwrap.dedent, pieces[2::2]), strict=True))


def described(body: str) -> Iterator[tuple[str, str]]:
  found = re.split(r'^(\w+(?:, \w+)*): ', body, flags=re.M)[1:]
  return ((name, ' '.join(text.split())) for name, text in zip(found[::2], found[1::2], strict=True))


def _wrapped(signature: str) -> str:
  short = re.sub(r'jaxtyping\.|typing\.|collections\.abc\.|jssl\.types\.|jaxlib\._jax\.|flax\.nnx\.\w+\.', '', signature)
  short = re.sub(r"<(?:class|function|built-in function) '?([\w.]+)[^>]*>", r'\1', short)  # of a default value
  return short if len(short) < 84 else '\n'.join(textwrap.wrap(short, 84, subsequent_indent='    ', break_long_words=False))


def _prose(text: str, formula: str = '') -> str:
  """Paragraphs of a docstring; what is indented, and formulas, are set as they are. A formula in LaTeX stands for those in plain text."""
  rows = re.sub(r'\n +', ' ', formula.strip())
  found, latex = [], f'```{{math}}\n{rows}\n```' if formula else ''
  for paragraph in re.split(r'\n\s*\n', text.strip()):
    verbatim = paragraph.startswith(' ') or (
      re.search(r'[=<]', paragraph) and len(paragraph.splitlines()) <= 4 and not paragraph.rstrip().endswith('.')
    )
    if verbatim and formula:
      found.append(latex)
      latex = ''
    else:
      found.append(f'```text\n{textwrap.dedent(paragraph)}\n```' if verbatim else _plain(' '.join(paragraph.split())))
  return '\n\n'.join(x for x in [*found, latex] if x)


def _plain(text: str) -> str:
  """Text of a docstring in Markdown: names in backticks stay, other signs stand for themselves."""
  return ''.join(part if part.startswith('`') else re.sub(r'([*_\[\]<>|$\\{}])', r'\\\1', part) for part in re.split(r'(`[^`]*`)', text))


def _text(text: str) -> str:
  """Text in a cell of a table, or in one line of a list."""
  return _plain(' '.join(text.split()))


def _cell(text: str) -> str:
  """Code in a cell of a table."""
  return text.replace('|', '\\|').replace('\n', ' ')
