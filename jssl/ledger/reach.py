"""The definitions that the results of a config depend on, and a hash of them.

A definition is a top-level function, class or assignment of a module. It refers to the definitions of jssl that are named in its body,
decorators and default values. The reached definitions are all that are referred to, directly or indirectly, from the functions that compute
results and from the table entries that the config names. Changes of other definitions, comments and docstrings do not change the hash. Names in
annotations are not followed, but are part of the text.

The analysis is static. A method belongs to its class, and code that creates an object refers to that class. Names must not be composed at run
time: code names a table entry by a literal, in `dict(name='...')`, a look-up or a default value.
"""

import ast
import functools
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jssl import experiments
from jssl.modules import own_name

_package = Path(__file__).parents[1]
TABLES, KEYS = 'jssl.tables', 'jssl.keys'
REST = '*'  # statements of a module that define nothing: they belong to all of its definitions
# Code that computes results for any config; for a system with a custom loop, that loop.
CLAIM = ('jssl.ledger.blind.settled', 'jssl.ledger.claims.judge')
FIGURES = (
  'jssl.core.build.plan', 'jssl.run.choose', 'jssl.panel.make_panel', 'jssl.run.learn', 'jssl.run.starts_of', 'jssl.run.compare',
  'jssl.data.core.roles.final', *CLAIM,
)  # fmt: skip
LOOP = ('jssl.loops.make', 'jssl.loops.run', *CLAIM)
# config key -> package of the entries under it
ROOMS = dict(evaluators='evaluators', heads='models', losses='objectives', memories='parts', metrics='metrics', passes='passes')
# Code that reports on a run, stores it or locks its folder; it does not affect results.
LEFT_OUT = (
  'jssl.configs', 'jssl.core.agreement', 'jssl.core.checkpoint', 'jssl.core.log', 'jssl.core.ownership', 'jssl.core.stored',
  'jssl.devices.chips', 'jssl.devices.operations', 'jssl.devices.traffic', 'jssl.devices.usage',
  'jssl.errors', 'jssl.locks', 'jssl.metrics.health', 'jssl.model', 'jssl.modules', 'jssl.pictures', 'jssl.plans', 'jssl.progress',
  'jssl.signals', 'jssl.storage',
)  # fmt: skip


def code_hash(config: Mapping[str, Any]) -> str:
  """A hash of a config and of all definitions that its results depend on."""
  return code().hash(config)


def reached(config: Mapping[str, Any]) -> frozenset[str]:
  """The definitions that the results of a config depend on, as 'module:name'."""
  return code().reached(config)


@functools.cache
def code() -> 'Code':
  """The sources as of the first call."""
  return Code()


def source(module: str) -> bytes:
  """The text of a jssl module."""
  return code().texts[module]


def within(module: str, places: Iterable[str]) -> bool:
  """Whether a module is one of the given modules, or in one of the given packages."""
  return f'{module}.'.startswith(tuple(f'{place}.' for place in places))


class Definition(NamedTuple):
  """One definition of a module; stored as a list in JSON.

  digest: hash of its text, without docstrings and comments. refs: dotted names of its references, 'jssl.core.loop.run'. names: strings in it
  that may be names of table entries.
  """

  digest: str
  refs: list[str]
  names: list[str]


class Module(NamedTuple):
  """An analysed module: its definitions, and its other names with the dotted names that they were imported as."""

  definitions: dict[str, Definition]
  imports: dict[str, str]
  tables: list[tuple[str, dict[str, str], str | None]]  # for jssl.tables: room, entries and wrap of each
  defaults: dict[str, list[str]]  # for jssl.keys: the strings in the default of each key


class Code:
  """Sources and their references.

  Args:
    overlay: module -> text to use instead of its file.
    left_out: modules and packages to ignore.
  """

  def __init__(self, overlay: Mapping[str, str] = {}, left_out: Iterable[str] = LEFT_OUT):
    self.left_out = tuple(left_out)
    self.texts = {name: path.read_bytes() for name, path in _files().items()} | {m: text.encode() for m, text in overlay.items()}
    self._modules = analysed(self.texts, write=not overlay)
    self._tops = {'jssl'}
    self._edges: dict[str, frozenset[str]] = {}
    self._entries: dict[str, list[str]] = {}  # name -> dotted names of all table entries with this name
    for room, entries, wrap in self._modules[TABLES].tables:
      for name, entry in entries.items():
        self._entries.setdefault(name, []).extend(f'jssl.{room}.{e.replace(":", ".")}' for e in (entry, wrap) if e)

  def hash(self, config: Mapping[str, Any], roots: Iterable[str] = ()) -> str:
    """A hash of a config and of the definitions that it reaches, from the given roots or by default those of results."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name in sorted(self.reached(config, roots)):
      digest.update(f'{name} {self._definition(name).digest}\n'.encode())
    return digest.hexdigest()[:16]

  def reached(self, config: Mapping[str, Any], roots: Iterable[str] = ()) -> frozenset[str]:
    """The definitions reached from the roots and from all names in a config."""
    roots = [f'{TABLES}.Table', *(roots or (LOOP if config.get('experiment') else FIGURES))]
    if config.get('experiment'):
      roots.append(f'jssl.experiments.{config["experiment"]["name"]}.loop')
    todo = [at for root in roots for at in self.resolved(root)]
    defaults = self._modules[KEYS].defaults
    unless = ((ROOMS.get(key, ''), name) for key in defaults.keys() - config.keys() for name in defaults[key])
    for room, name in {*_names(config), *unless, *(('', name) for name in _of_variants(config))}:
      todo += self._named(name, room)
    seen: set[str] = set()
    while todo:
      if (at := todo.pop()) not in seen:
        seen.add(at)
        todo += self._referred(at) - seen
    return frozenset(seen)

  def _referred(self, at: str) -> frozenset[str]:
    """The definitions that a definition refers to."""
    if at not in self._edges:
      module, _, name = at.partition(':')
      found = {f'{module}:{REST}'} if name != REST and REST in self._modules[module].definitions else set()
      for ref in self._definition(at).refs:
        found |= self.resolved(ref)
      for text in () if at == f'{KEYS}:DEFAULTS' else self._definition(at).names:  # a config with another default reaches that instead
        found |= self._named(text)
      self._edges[at] = frozenset(found)
    return self._edges[at]

  def _definition(self, at: str) -> Definition:
    module, _, name = at.partition(':')
    return self._modules[module].definitions[name]

  def _named(self, name: str, room: str = '') -> set[str]:
    """The table entries with that name, in one package or in any; a user's own is 'package.module:name'."""
    if own_name(name):
      self._tops.add(name.partition('.')[0].partition(':')[0])
      return self.resolved(name.replace(':', '.'))
    refs = (ref for ref in self._entries.get(name, ()) if ref.startswith(f'jssl.{room}.' if room else 'jssl.'))
    return {x for ref in refs for x in self.resolved(ref)}

  def resolved(self, ref: str, above: tuple[str, ...] = ()) -> set[str]:
    """The definitions that a dotted name stands for; empty if it is outside jssl, or ignored."""
    parts = ref.split('.')
    if parts[0] not in self._tops or ref in above:
      return set()
    cut = next((i for i in range(len(parts), 0, -1) if self._module('.'.join(parts[:i]))), 0)
    module, rest = '.'.join(parts[:cut]), parts[cut:]
    if not cut or within(module, self.left_out):
      return set()
    known = self._modules[module]
    if module == TABLES and rest[:1] != ['Table']:
      return set()  # these only list names; a listed name is looked up separately
    if rest and rest[0] in known.definitions:
      return {f'{module}:{rest[0]}'}
    if rest and rest[0] in known.imports:
      return self.resolved('.'.join([known.imports[rest[0]], *rest[1:]]), (*above, ref))
    # The module itself, or an attribute that is not found statically: all of it.
    offered = [x for target in known.imports.values() for x in self.resolved(target, (*above, ref))]
    return {f'{module}:{name}' for name in known.definitions} | {*offered}

  def _module(self, name: str) -> Module | None:
    """A module by its name, including user modules."""
    if name not in self._modules and name.partition('.')[0] in self._tops - {'jssl'}:
      path = _own_file(name)
      if path:
        self._modules[name] = analyse(name, path.read_bytes(), package=path.name == '__init__.py')
    return self._modules.get(name)


def _own_file(module: str) -> Path | None:
  """The file of a user module, located without importing anything."""
  top, *parts = module.split('.')
  try:
    spec = importlib.util.find_spec(top)
  except ValueError:  # for modules without a file, such as a notebook's __main__
    spec = None
  if spec is None or not (spec.origin or '').endswith('.py'):
    return None
  if not parts:
    return Path(spec.origin)
  if not spec.submodule_search_locations:
    return None
  base = Path(spec.origin).parent.joinpath(*parts)
  return next((path for path in (base / '__init__.py', base.with_name(f'{base.name}.py')) if path.is_file()), None)


def _files() -> dict[str, Path]:
  """The modules of jssl and the loops of experiments, by name."""
  found = {}
  for path in sorted(_package.rglob('*.py')):
    parts = path.relative_to(_package.parent).with_suffix('').parts
    found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
  loops = (f'{folder}/{name}.py' for name in experiments.names() for folder in experiments.__path__)
  return found | {f'jssl.experiments.{path.stem}': path for path in map(Path, loops) if path.exists()}


def analysed(texts: Mapping[str, bytes], write: bool) -> dict[str, Module]:
  """All analysed modules; unchanged ones are read from a cache."""
  own = Path(__file__)
  folder = Path(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')) / 'jssl' / 'reach'
  file = folder / f'{hashlib.sha256(str(own).encode()).hexdigest()[:16]}.json'  # one per checkout
  packages = {name for name in texts if any(other.startswith(f'{name}.') for other in texts)}
  of = {name: hashlib.sha256(own.read_bytes() + name.encode() + text).hexdigest()[:32] for name, text in texts.items()}
  try:
    held = json.loads(file.read_text())
  except (OSError, ValueError):
    held = None
  held = held if isinstance(held, dict) else {}
  new = {of[name]: analyse(name, text, package=name in packages) for name, text in texts.items() if of[name] not in held}
  if new and write:
    held = {key: held.get(key) or new[key] for key in of.values()}
    try:
      folder.mkdir(parents=True, exist_ok=True)
      part = file.with_suffix(f'.{os.getpid()}')
      part.write_text(json.dumps(held))
      part.replace(file)
    except OSError:  # the cache only saves time
      pass
  return {name: _read(new.get(of[name]) or held[of[name]]) for name in texts}


def _read(kept: Any) -> Module:
  definitions, *others = kept
  return Module({name: Definition(*x) for name, x in definitions.items()}, *others)


def _names(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
  """All strings in a config that may name a table entry, with the package of the entry if it is known, else ''."""
  for key, value in config.items():
    if key in ROOMS and isinstance(value, Mapping):
      for spec in value.values():
        spec = dict(spec) if isinstance(spec, Mapping) else {'name': spec}
        yield from ((ROOMS[key], name) for name in _strings(spec.pop('name', None)))
        yield from (('', name) for name in _strings(spec))
    else:
      yield from (('', name) for name in _strings(value))


def _strings(config: Any) -> Iterator[str]:
  """All strings in a config; each may be the name of a table entry."""
  if isinstance(config, Mapping):
    config = config.values()
  elif isinstance(config, str):
    yield config
    return
  if isinstance(config, Iterable):
    for value in config:
      yield from _strings(value)


def _of_variants(config: Mapping[str, Any]) -> Iterator[str]:
  """The strings in the settings 'x.y=v' of a claim's variants, which may contain further names."""
  for settings in ((config.get('claim') or {}).get('variants') or {}).values():
    for setting in settings:
      text = setting.partition('=')[2]
      try:
        yield from _strings(ast.literal_eval(text))
      except (ValueError, SyntaxError):
        yield text


# --- one module -----------------------------------------------------------------------------------------------------------------------------


def analyse(name: str, text: bytes, package: bool = False) -> Module:
  """The definitions of a module, and the references of each."""
  tree = ast.parse(text)
  here = name.split('.') if package else name.split('.')[:-1]
  imports: dict[str, str] = {}
  parts: dict[str, list[ast.stmt]] = {}  # name -> the statements that define it
  for statement in tree.body:
    imported, bound = _bound_by([statement], here)
    imports |= imported
    if isinstance(statement, ast.Import | ast.ImportFrom):
      continue
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.AugAssign) and bound:
      owners = bound
    elif (owner := _changed_by(statement)) in parts:
      owners = {owner}  # f.defvjp(...), NAMES['x'] = ...
    elif isinstance(statement, ast.If | ast.Try | ast.With) and not bound and all(_only_imports(s) for s in ast.iter_child_nodes(statement)):
      continue
    else:
      owners = {REST, *bound}
    for owner in owners:
      parts.setdefault(owner, []).append(statement)
  parts[REST] = [s for s in parts.get(REST, ()) if not _is_text(s)]
  scope = {**imports, **{own: f'{name}.{own}' for own in parts}}
  found = {}
  for own, statements in parts.items():
    if statements:
      reading = _Reading(scope, here)
      for statement in statements:
        reading.visit(statement)
        if isinstance(statement, ast.If | ast.Try | ast.With):  # try: from a import x, except ImportError: x = None
          reading.refs |= {*_bound_by([statement], here)[0].values()}
      digest = hashlib.sha256(''.join(map(_text, statements)).encode()).hexdigest()[:16]
      found[own] = Definition(digest, sorted(reading.refs - {f'{name}.{own}'}), sorted(reading.names))
  tables = [*filter(None, map(_table, tree.body))] if name == TABLES else []
  return Module(found, imports, tables, _defaults(parts['DEFAULTS'][0]) if name == KEYS else {})


_OWN_SCOPE = (
  ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def _bound_by(nodes: list[ast.AST], here: list[str]) -> tuple[dict[str, str], set[str]]:
  """Names bound by statements in their own scope: imports, with their dotted names, and other names."""
  imported: dict[str, str] = {}
  bound: set[str] = set()
  todo = [*nodes]
  while todo:
    node = todo.pop()
    if isinstance(node, ast.Import):
      imported |= {a.asname or a.name.partition('.')[0]: a.name if a.asname else a.name.partition('.')[0] for a in node.names}
    elif isinstance(node, ast.ImportFrom):
      base = [*here[: len(here) - node.level + 1], *filter(None, [node.module])] if node.level else [node.module]
      imported |= {a.asname or a.name: '.'.join([*base, a.name]) for a in node.names}
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
      bound.add(node.name)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
      bound.add(node.id)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
      bound.add(node.name)
    if not isinstance(node, _OWN_SCOPE):
      todo += ast.iter_child_nodes(node)
  return imported, bound


def _changed_by(node: ast.stmt) -> str | None:
  """The name of an object that a non-defining statement changes, as far as it can be determined: f for `f.defvjp(...)`."""
  node = node.targets[0] if isinstance(node, ast.Assign) else node.value.func if _is_call(node) else None
  while isinstance(node, ast.Attribute | ast.Subscript):
    node = node.value
  return node.id if isinstance(node, ast.Name) else None


def _is_call(node: ast.stmt) -> bool:
  return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute)


def _is_text(node: ast.AST) -> bool:
  return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _only_imports(node: ast.AST) -> bool:
  return isinstance(node, ast.Import | ast.ImportFrom | ast.expr | ast.Pass)


def _table(node: ast.stmt) -> tuple[str, dict[str, str], str | None] | None:
  """Room, entries and wrap of `NAME = Table(room, {...}, wrap=...)`."""
  if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)):
    return None
  room, entries, *_ = map(ast.literal_eval, node.value.args)
  return room, entries, next((ast.literal_eval(k.value) for k in node.value.keywords if k.arg == 'wrap'), None)


def _defaults(node: Any) -> dict[str, list[str]]:
  """The strings in each argument of `DEFAULTS = dict(key=...)`."""
  texts = lambda part: [x.value for x in ast.walk(part) if isinstance(x, ast.Constant) and isinstance(x.value, str)]
  return {keyword.arg: texts(keyword.value) for keyword in node.value.keywords}


def _text(node: Any) -> str:
  """A node as text, equal in all Python versions: without positions, docstrings and empty fields."""
  if isinstance(node, ast.AST):
    fields = ((field, getattr(node, field, None)) for field in node._fields)
    return f'{type(node).__name__}({",".join(f"{f}={_text(x)}" for f, x in fields if x is not None and x != [] and f != "kind")})'
  if isinstance(node, list):
    return f'[{",".join(_text(x) for x in node if not _is_text(x))}]'
  return repr(node)


class _Reading(ast.NodeVisitor):
  """Collects the references of the statements of a definition.

  Args:
    scope: the names of the module, with their dotted names.
    here: the package for relative imports.
  """

  def __init__(self, scope: Mapping[str, str], here: list[str]):
    self.refs: set[str] = set()
    self.names: set[str] = set()
    self._scope, self._here = scope, here

  def _within(self, inner: Mapping[str, str], nodes: Iterable[ast.AST]) -> None:
    """Reads a nested scope, whose names hide outer ones."""
    outer, self._scope = self._scope, {**self._scope, **inner}
    for node in nodes:
      self.visit(node)
    self._scope = outer

  def visit_FunctionDef(self, node: Any) -> None:
    for decorator in getattr(node, 'decorator_list', ()):
      self.visit(decorator)
    arguments, body = node.args, node.body if isinstance(node.body, list) else [node.body]
    for default in filter(None, [*arguments.defaults, *arguments.kw_defaults]):
      self.visit(default)
      self.names |= {x.value for x in ast.walk(default) if isinstance(x, ast.Constant) and isinstance(x.value, str)}
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    inner = {a.arg: '' for a in every if a}
    shared = {name for x in ast.walk(node) if isinstance(x, ast.Global) for name in x.names}
    imported, bound = _bound_by(body, self._here)
    inner |= {name: '' for name in bound - shared} | imported
    self._within(inner, [s for s in body if not _is_text(s)])

  visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

  def _visit_comprehension(self, node: Any) -> None:
    self.visit(node.generators[0].iter)
    bound = {name: '' for g in node.generators for name in _bound_by([g.target], self._here)[1]}
    self._within(bound, ast.iter_child_nodes(node))

  visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

  def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
    for part in filter(None, (node.target, node.value)):
      self.visit(part)
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
      self.names.add(node.value.value)  # the default of a field

  def visit_Name(self, node: ast.Name) -> None:
    if isinstance(node.ctx, ast.Load):
      self._refer(node.id, '')

  def visit_Attribute(self, node: ast.Attribute) -> None:
    chain, at = '', node
    while isinstance(at, ast.Attribute):
      chain, at = f'.{at.attr}{chain}', at.value
    if isinstance(at, ast.Name):
      self._refer(at.id, chain)
    else:
      self.visit(at)

  def _refer(self, name: str, chain: str) -> None:
    if target := self._scope.get(name):
      self.refs.add(target + chain)

  def visit_Subscript(self, node: ast.Subscript) -> None:
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str) and self._is_table(node.value):
      self.names.add(node.slice.value)
    self.generic_visit(node)

  def visit_Dict(self, node: ast.Dict) -> None:
    for key, value in zip(node.keys, node.values, strict=True):
      if isinstance(key, ast.Constant) and key.value == 'name' and isinstance(value, ast.Constant):
        self.names.add(value.value)
    self.generic_visit(node)

  def visit_Call(self, node: ast.Call) -> None:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
    told = [k.value for k in node.keywords if k.arg == 'name'] if called == 'dict' else []
    told += node.args if called in ('lookup', 'option') or called == 'get' and self._is_table(node.func.value) else []
    self.names |= {x.value for x in told if isinstance(x, ast.Constant) and isinstance(x.value, str)}
    self.generic_visit(node)

  def _is_table(self, node: ast.expr) -> bool:
    """Whether an expression is one of the tables: EVALUATORS, tables.DATA, TABLES['data']."""
    while isinstance(node, ast.Attribute | ast.Subscript):
      node = node.value
    return isinstance(node, ast.Name) and self._scope.get(node.id, '').startswith(TABLES)
