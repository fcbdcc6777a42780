"""The command line under damaged circumstances: each trial ends in a sound result, or is refused in one clear line.

`python experiments/mutate.py --end-to-end` runs it. A trial draws one of CIRCUMSTANCES, each a function of the trial that starts
`jssl` one or more times and says how it ended; `Wrong` is what must not be. One file, since trials share what they start from and how
an end is read, and none is of use alone.
"""

import contextlib
import ctypes
import functools
import importlib.util
import itertools
import json
import math
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

warnings.filterwarnings('ignore', message='os.fork')  # what the child does before its program starts needs no thread of JAX
ROOT = Path(__file__).resolve().parents[1]
SECONDS = 90  # a command that takes longer hangs
STEPS = 3
TINY = (
  '--config.batch_size=16', '--config.data.name=digits', '--config.backbone.widths=(8,)', '--config.log_every=1',
  '--config.checkpoint_every=1', '--config.health_every=3', f'--config.steps={STEPS}',
)  # fmt: skip
TRAIN = ('train', 'simclr', '--protocol=none', *TINY)
TIMES = ('examples_per_second', 'data_wait', 'step_seconds', 'mfu', 'memory_peak')
EXPECTED = re.compile(r'step \d+/|jssl: |usage: |  +|jssl \w+: error:|.*Warning: |$')  # lines of the standard error
UNCLEAR = re.compile(
  r"has no attribute|NoneType|jssl: '\S+' codec can't|not subscriptable|unexpected keyword|index out of range|jssl: '\w+'$|jssl: $"
)


class Wrong(Exception):
  """An end that must not be: its kind, and what was seen."""


class Ended(NamedTuple):
  code: int
  out: str
  err: str


class Base:
  """What all trials share, each made when it is first asked for: data, a compile cache, and runs that nothing disturbs."""

  def __init__(self, folder: Path):
    """`folder` can be kept for the next time, for its cache; runs are made anew, since the code may be another one."""
    self.folder = folder
    for name in ('home', 'data', 'cache', 'trials'):
      (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ('reference', 'part', 'captured'):
      shutil.rmtree(folder / name, ignore_errors=True)
    digits = Path.home() / 'tensorflow_datasets' / 'digits'
    if digits.exists() and not (folder / 'data' / 'digits').exists():
      shutil.copytree(digits, folder / 'data' / 'digits')
    found = importlib.util.find_spec('jssl').origin
    assert found.startswith(str(ROOT)), f'{found} is another jssl: set PYTHONPATH={ROOT}'
    np.save(folder / 'in.npy', np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8))

  def jssl(self, how: str, *arguments: Any) -> None:
    ended = Trial(0, self, self.folder).jssl(*arguments)
    assert clean(ended) == how, ended.err

  @functools.cached_property
  def reference(self) -> Path:
    """A run to its end."""
    self.jssl('done', *TRAIN, '--workdir=reference')
    return self.folder / 'reference'

  @functools.cached_property
  def part(self) -> Path:
    """The same run as it is a step before its end."""
    part = shutil.copytree(self.reference, self.folder / 'part')
    shutil.rmtree(part / 'checkpoints' / str(STEPS))
    for name in ('results.json', 'metrics.csv'):
      (part / name).unlink()
    log = part / 'metrics.jsonl'
    log.write_text(''.join(line + '\n' for line in log.read_text().splitlines() if json.loads(line)['step'] < STEPS))
    return part

  @functools.cached_property
  def captured(self) -> Path:
    """A run whose guard has captured a step."""
    too_high = [f'--config.optimizer.learning_rate.{setting}' for setting in ('peak=1e30', 'warmup=0')]
    self.jssl('refused', *TRAIN, *too_high, '--workdir=captured')
    return self.folder / 'captured'

  @functools.cached_property
  def rows(self) -> list[dict]:
    return rows(self.reference)

  @functools.cached_property
  def params(self) -> list[np.ndarray]:
    return params(self.reference)

  @functools.cached_property
  def features(self) -> list[np.ndarray]:
    """Those of the input at the end, and a step before it."""
    for workdir in (self.reference, self.part):
      self.jssl('done', 'embed', workdir, 'in.npy', f'{workdir.name}.npy')
    return [np.load(self.folder / f'{name}.npy') for name in ('reference', 'part')]


class Trial:
  """A folder of its own, and commands in it."""

  def __init__(self, seed: int, base: Base, folder: Path):
    self.chance, self.base, self.folder, self.done = random.Random(seed), base, folder, []

  def start(self, *arguments: Any, env: dict | None = None, before: Callable = lambda: None, cwd: Path | None = None, **pipes):
    """Starts a command. A None in `env` unsets a variable; `before` runs in the process before the program does."""
    shared = self.base.folder
    whole = dict(
      PATH=os.environ['PATH'], HOME=str(shared / 'home'), LANG='C.UTF-8', PYTHONPATH=str(ROOT), JSSL_DATA_DIR=str(shared / 'data'),
      JAX_COMPILATION_CACHE_DIR=str(shared / 'cache'), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='0',
    )  # fmt: skip
    whole = {name: value for name, value in (whole | (env or {})).items() if value is not None}

    def prepare():
      for capability in (1, 2):  # root, too, is held to what a folder permits
        ctypes.CDLL(None).prctl(24, capability)
      before()

    pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) | pipes
    command = [sys.executable, '-m', 'jssl.cli', *(x if isinstance(x, bytes) else str(x) for x in arguments)]
    return subprocess.Popen(command, env=whole, cwd=cwd or self.folder, preexec_fn=prepare, start_new_session=True, **pipes)

  def end(self, running: subprocess.Popen) -> Ended:
    try:
      out, err = running.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
      raise Wrong('hangs', text(running.communicate()[1])) from None
    return Ended(running.returncode, text(out), text(err))

  def jssl(self, *arguments: Any, **options) -> Ended:
    return self.end(self.start(*arguments, **options))

  def copy(self, workdir: Path) -> Path:
    return shutil.copytree(workdir, self.folder / 'w')


def text(said: bytes | None) -> str:
  return (said or b'').decode(errors='backslashreplace')


# How a command ended.


def clean(ended: Ended, killed: int = 0) -> str:
  """'done', 'refused' in one line, or 'killed' as intended."""
  if killed and ended.code == -killed:
    return 'killed'
  tail = ended.err.strip().splitlines()
  for sign in ('Traceback', 'Exception ignored', 'Fatal Python', 'terminate called'):
    if sign in ended.err:
      raise Wrong(f'{sign}: {tail[-1] if tail else ""}'[:150], ended.err)
  if ended.code < 0:
    raise Wrong(f'dies by signal {-ended.code}', ended.err)
  if stray := [line for line in tail if not EXPECTED.match(line)]:
    raise Wrong(f'stray line: {stray[0][:100]}', ended.err)
  if not ended.code:
    return 'done'
  if not tail or not re.match(r'jssl( \w+)?: ', tail[-1]):
    raise Wrong('refused without a word', ended.err)
  if UNCLEAR.search(tail[-1]) or len(tail[-1]) > 1500:
    raise Wrong(f'refused unclearly: {tail[-1][:120]}', ended.err)
  return 'refused'


def strict(path: Path) -> Any:
  def refuse(word):
    raise Wrong(f'{path.name} holds {word}', '')

  try:
    return json.loads(path.read_text(), parse_constant=refuse)
  except (OSError, ValueError) as error:
    raise Wrong(f'{path.name} cannot be read', str(error)) from None


def finite(value: Any) -> bool:
  if isinstance(value, dict | list):
    return all(map(finite, value.values() if isinstance(value, dict) else value))
  return value is not None and (not isinstance(value, float) or math.isfinite(value))


def rows(workdir: Path) -> list[dict]:
  found = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  return [{k: v for k, v in row.items() if k not in TIMES} for row in found]


@functools.cache
def abstract() -> Callable:
  """What a checkpoint of the runs here holds."""
  import jax

  from jssl.core.mesh import make_mesh
  from jssl.core.programs import Programs
  from jssl.run import load_config, plan

  states = Programs(plan(load_config('simclr', TINY)), make_mesh(devices=jax.devices()[:1])).states
  return lambda step: states[0]


def params(workdir: Path) -> list[np.ndarray]:
  """The trained state, every array of it."""
  import jax

  from jssl.core import checkpoint

  train = checkpoint.restore(checkpoint.open_checkpoints(workdir / 'checkpoints'), abstract())[0]
  return [np.asarray(x) for x in jax.tree.leaves(train._replace(key=jax.random.key_data(train.key)))]


def sound(t: Trial, workdir: Path | bytes, same: bool = True, log: bool = True) -> str:
  """That a finished run left what it should; with `same` the bits of the undisturbed one, and with `log` its figures too."""
  plain = t.folder / f'sound{time.monotonic_ns()}'  # by a name that every library can read
  shutil.copytree(workdir, os.fsencode(plain) if isinstance(workdir, bytes) else plain, symlinks=True)
  if not finite(strict(plain / 'results.json')):
    raise Wrong('results.json has figures that are not finite', (plain / 'results.json').read_text())
  strict(plain / 'config.json')
  found = rows(plain)
  if not finite(found):
    raise Wrong('metrics.jsonl has figures that are not finite', str(found))
  steps = [row['step'] for row in found if 'loss' in row]
  if steps != (list(range(1, STEPS + 1)) if log else sorted(set(steps))):
    raise Wrong('metrics.jsonl lacks steps or has them twice', str(found))
  if same and log and found != t.base.rows:
    raise Wrong('other figures than undisturbed', f'{found}\n{t.base.rows}')
  if same and not all(np.array_equal(a, b) for a, b in zip(params(plain), t.base.params, strict=True)):
    raise Wrong('other arrays than undisturbed', '')
  return 'sound'


def trained(t: Trial, ended: Ended, workdir: Path | bytes, must: str = '', same: bool = True) -> str:
  """How a training ended; `must` is 'sound' or 'refused' where only that will do."""
  how = clean(ended)
  how = sound(t, workdir, same) if how == 'done' else how
  if must and how != must:
    raise Wrong(f'{how}, but must be {must}', ended.err)
  return how


def embedded(t: Trial, ended: Ended, out: Path, same: Sequence = ()) -> str:
  """How an embedding ended; `same` are the features that it may have, where it does not matter which."""
  if clean(ended) == 'refused':
    return 'refused'
  found = np.load(out)
  if len(found) != 5 or not np.isfinite(found).all():
    raise Wrong('embeds nonsense', str(found))
  if same and not any(np.array_equal(found, features) for features in same):
    raise Wrong('embeds otherwise than undisturbed', ended.err)
  return 'sound'


# Circumstances: names of workdirs.

NAMES = (
  '[x]', 'a[0-9]', ']', '{a,b}', '{', '*', '?', 'a b', ' ', 'a\nb', 'a\tb', 'a\rb', "a'b", 'a"b', 'a\\b', '\x1b[31m', '\x07', 'été',
  '日本', '👩‍🔬', '-w', '--json', 'x' * 255, 'x' * 256, 'd/' * 120 + 'w', '../{folder}/w', 'w/', 'w//', './w/.',
  '~/w', '~nobody-there/w', '$HOME', '%s{x}', 'w.orbax-checkpoint-tmp', '3', 'checkpoints', 'a:b', 'a=b', '#', '&', ';', '|', '<x>', '@', '+',
  '[bold]x[/bold]', '[/]', ':smile:', '.', '', b'\xff\xfe', b'a\x80b', 'gs://bucket/w', 'gs:/bucket/w', 's3://bucket/w', 'file:///tmp/w', 'http://x/w',
)  # fmt: skip


def workdir_by_an_odd_name(t: Trial) -> str:
  name = t.chance.choice(NAMES)
  t.done.append(repr(name)[:80])
  if isinstance(name, bytes):
    return trained(t, t.jssl(*TRAIN, b'--workdir=' + name), os.fsencode(t.folder) + b'/' + name)
  name = name.replace('{folder}', t.folder.name)
  how = trained(t, t.jssl(*TRAIN, f'--workdir={name}', env=dict(HOME=str(t.folder))), t.folder / name.replace('~/', ''))
  if how == 'sound':
    workdir = name if not name.startswith('-') else f'./{name}'
    ended = t.jssl('embed', workdir, t.base.folder / 'in.npy', 'o.npy', env=dict(HOME=str(t.folder)))
    if embedded(t, ended, t.folder / 'o.npy', t.base.features[:1]) == 'refused':
      raise Wrong('trains there, and cannot embed from there', ended.err)
  return how


def workdir_that_is_no_folder(t: Trial) -> str:
  w, other = t.folder / 'w', t.folder / 'other'
  makes = dict(
    file=lambda: w.write_text('x'), link=lambda: (other.mkdir(), w.symlink_to(other)), dangling=lambda: w.symlink_to(other),
    loop=lambda: w.symlink_to(w), link_to_file=lambda: (other.write_text('x'), w.symlink_to(other)), pipe=lambda: os.mkfifo(w),
    read_only=lambda: w.mkdir(0o555), no_entry=lambda: w.mkdir(0o000), write_only=lambda: w.mkdir(0o333), parent=lambda: t.folder.chmod(0o555),
    checkpoints_file=lambda: (w.mkdir(), (w / 'checkpoints').write_text('x')), lock_folder=lambda: (w / 'lock').mkdir(parents=True),
    metrics_folder=lambda: (w / 'metrics.jsonl').mkdir(parents=True), results_folder=lambda: (w / 'results.json').mkdir(parents=True),
    config_folder=lambda: (w / 'config.json').mkdir(parents=True), part_folder=lambda: (w / 'config.json.part').mkdir(parents=True),
    csv_folder=lambda: (w / 'metrics.csv').mkdir(parents=True), steps_folder=lambda: (w / 'checkpoints' / '2').mkdir(parents=True),
    others_files=lambda: (w.mkdir(), (w / 'thesis.txt').write_text('x')),
  )  # fmt: skip
  kind = t.chance.choice(sorted(makes))
  t.done.append(kind)
  makes[kind]()
  try:
    return trained(t, t.jssl(*TRAIN, f'--workdir={w}'), w, must='sound' if kind in ('link', 'others_files') else '')
  finally:
    t.folder.chmod(0o755)
    if w.is_dir():
      w.chmod(0o755)


def workdir_in_a_special_place(t: Trial) -> str:
  place = t.chance.choice(('/dev/null', '/dev/null/w', '/proc/w', '/proc/self/w', '/sys/w', '/dev/full'))
  t.done.append(place)
  return trained(t, t.jssl(*TRAIN, f'--workdir={place}'), Path(place), must='refused')


# Circumstances: data of the user's own.

SYSTEMS = {
  'image': ('image.simclr', 'image=r.integers(0, 256, (N, 8, 8, 1), np.uint8), label=r.integers(0, 10, N)', 'c.backbone.widths = (8,)', {}),
  'labels': (
    'labelled.i_edl', 'image=r.integers(0, 256, (N, 8, 8, 1), np.uint8), label=r.integers(0, 10, N)',
    'c.backbone.widths = (8,); c.heads.classifier = dict(name="linear", dim=10)',  # which has as many classes as the labels, unless given
    dict(label=10),
  ),
  'triples': (
    'kg.distmult', 'head=r.integers(0, 20, N), relation=r.integers(0, 5, N), tail=r.integers(0, 20, N)',
    'c.backbone.update(count=20, dim=8); c.heads.relations.count = 5', dict(head=20, relation=5, tail=20),
  ),
  'tokens': (
    'text.simcse', 'ids=r.integers(5, 50, (N, 8))',
    "c.backbone = dict(name='bert', vocabulary=50, width=16, depth=1, heads=2, mask_id=4, dropout=0.1); c.heads.projector.widths = (16, 16)",
    dict(ids=50),
  ),
  'series': ('series.tst', 'series=r.normal(size=(N, 10, 12)).astype(np.float32)', "c.backbone.update(width=16, depth=1, heads=2)", {}),
}  # fmt: skip
CONFIG = """import numpy as np
from columns_of_mine import columns
from jssl import tables
from jssl.configs.{module} import get_config as sound
from jssl.data.core.arrays import arrays

tables.TABLES['data']['mine'] = lambda: arrays(**columns())


def get_config():
  c = sound()
  c.data, c.claim, c.batch_size, c.steps, c.log_every, c.health_every = dict(name='mine'), None, {batch}, {steps}, 1, 3
  {changes}
  return c
"""
COLUMNS = """import numpy as np

N, r = {n}, np.random.default_rng(0)


def columns():
  found = dict({columns})
  x = found['{column}']
  {damage}
  found['{column}'] = x
  return found
"""
# What is done to a column, and whether the run has to be refused then.
DAMAGE = {
  'nothing': ('pass', 'sound'),
  'one past the end': ('x.flat[{at}] = {limit}', 'refused'),
  'far past the end': ('x.flat[{at}] = 1000000', 'refused'),
  'negative': ('x.flat[{at}] = -1', 'refused'),
  'very negative': ('x.flat[{at}] = -1000', 'refused'),
  'past 32 bits': ('x.flat[{at}] = 2**40', 'refused'),
  'float ids': ('x = x.astype(np.float32)', ''),
  'NaN': ('x = x.astype(np.float32) / max(1, x.max()); x.flat[{at}] = np.nan', 'refused'),
  'infinite': ('x = x.astype(np.float32) / max(1, x.max()); x.flat[{at}] = np.inf', 'refused'),
  'huge': ('x = x.astype(np.float32) / max(1, x.max()); x.flat[{at}] = 1e30', ''),
  'all NaN': ('x = np.full(x.shape, np.nan, np.float32)', 'refused'),
  'floats to 255': ('x = x.astype(np.float32)', ''),
  '16 bits': ('x = x.astype(np.uint16) * 257', ''),
  'big endian': ("x = x.astype(x.dtype.newbyteorder('>'))", ''),
  'not contiguous': ('x = np.asfortranarray(x)[::-1]', 'sound'),
  'constant': ('x = np.zeros_like(x)', ''),
  'one dimension more': ('x = x[..., None]', ''),
  'one dimension less': ('x = x[..., 0] if x.ndim > 1 else x', ''),
  'no width': ('x = x[:, :0] if x.ndim > 1 else x', ''),
  'texts': ('x = x.astype(str)', 'refused'),
  'objects': ('x = x.astype(object)', 'refused'),
  'bools': ('x = x > x.mean()', ''),
  'complex': ('x = x.astype(complex)', 'refused'),
  'shorter': ('x = x[:-1]', ''),
  'scalar': ('x = x.flat[0]', 'refused'),
  'a list': ('x = x.tolist()', ''),
  'masked': ('x = np.ma.array(x, mask=x > 3)', ''),
}


def data_of_ones_own(t: Trial) -> str:
  system = t.chance.choice(sorted(SYSTEMS))
  module, columns, changes, limits = SYSTEMS[system]
  damage = t.chance.choice([d for d in DAMAGE if limits or d not in ('one past the end', 'far past the end', 'negative', 'very negative')])
  column = t.chance.choice(sorted(limits) or [columns.split('=')[0]])
  n, batch = t.chance.choice(((64, 16),) * 4 + ((1, 1), (2, 1), (0, 1), (16, 16), (15, 16), (64, 1)))
  t.done.append(f'{system} {column} {damage}, {n} examples in batches of {batch}')
  done, must = DAMAGE[damage]
  whole = n == 64 and batch == 16  # with less, a batch may hold too little for a loss
  fits = damage == 'past 32 bits' and column not in limits  # a float column holds it
  must = must if whole and not fits else 'refused' if n < batch else ''
  done = done.format(at=t.chance.randrange(16), limit=limits.get(column, 0))
  (t.folder / 'columns_of_mine.py').write_text(COLUMNS.format(n=n, columns=columns, column=column, damage=done))
  (t.folder / 'mine.py').write_text(CONFIG.format(module=module, batch=batch, steps=STEPS, changes=changes))
  how = trained(t, t.jssl('train', 'mine.py', '--workdir=w', '--protocol=none'), t.folder / 'w', must=must, same=False)
  if how == 'sound':
    data = t.jssl('embed', 'w', 'data:mine/train', 'o.npy')
    if clean(data) == 'done' and not np.isfinite(np.load(t.folder / 'o.npy')).all():
      raise Wrong('embeds nonsense', data.err)
  elif (t.folder / 'w' / 'captures').exists():
    clean(t.jssl('replay', 'w'))
  return how


def inputs_of_ones_own(t: Trial) -> str:
  """`embed` of arrays that are not what the model was trained on."""
  x = np.load(t.base.folder / 'in.npy')
  kinds = dict(
    nan=np.where(x > 100, np.nan, x / 255).astype(np.float32), inf=np.where(x > 100, np.inf, x / 255), floats=x.astype(np.float64),
    scaled=x / 255.0, deep=x.astype(np.uint16) * 257, signed=x.astype(np.int8), long=x.astype(np.int64), bools=x > 9, objects=x.astype(object),
    texts=x.astype(str), empty=x[:0], one=x[:1], flat=x.reshape(len(x), -1), no_channel=x[..., 0], colour=np.repeat(x, 3, -1),
    large=np.repeat(x, 4, 1), scalar=x[0, 0, 0, 0], complex=x.astype(complex), half=(x / 255).astype(np.float16),
    records=np.zeros(3, [('a', 'i4')]), dates=x.astype('M8[s]'), single=x[0],
  )  # fmt: skip
  kind = t.chance.choice((*sorted(kinds), 'truncated', 'not an array', 'missing', 'folder', 'archive', 'no header', 'pictures'))
  t.done.append(kind)
  path, w = t.folder / 'x.npy', t.base.reference
  if kind in kinds:
    np.save(path, kinds[kind])
  elif kind == 'archive':
    np.savez(path.open('wb'), x=x)
  elif kind == 'folder':
    path.mkdir()
  elif kind == 'pictures':
    path = t.folder / 'pictures'
    path.mkdir()
    for name in ('a.png', 'b.jpg', 'c.txt', '.d.png', 'e\n.gif'):
      (path / name).write_bytes(t.chance.randbytes(t.chance.randrange(40)))
  elif kind != 'missing':
    whole = (t.base.folder / 'in.npy').read_bytes()
    path.write_bytes({'truncated': whole[: len(whole) // 2], 'not an array': b'hello', 'no header': b''}[kind])
  out = t.chance.choice(('o.npy', 'o.npy', 'o.parquet', 'no/such/o.npy', 'o.txt', 'd.npy', '/dev/full.npy', 'o.NPY', '.npy'))
  (t.folder / 'd.npy').mkdir()
  batch = t.chance.choice((256, 256, 1, 7, 0, -1, 10**9))
  t.done.append(f'{out}, --batch_size={batch}')
  ended = t.jssl('embed', w, path, out, f'--batch_size={batch}')
  if clean(ended) == 'done' and out == 'o.npy' and not np.isfinite(np.load(t.folder / out)).all():
    raise Wrong('embeds nonsense', ended.err)
  return 'refused' if ended.code else 'sound'


# Circumstances: surroundings.

ENVIRONMENTS = [
  *(({'HOME': home}, '') for home in (None, '', '/nonexistent', '/dev/null', 'relative')),
  *(({'HOME': home, 'JSSL_DATA_DIR': None}, '') for home in (None, '/nonexistent', '/dev/null')),
  *(({'HOME': None, 'JAX_COMPILATION_CACHE_DIR': None}, ''), ({'HOME': '/proc', 'JAX_COMPILATION_CACHE_DIR': None, 'TMPDIR': '/proc'}, '')),
  *(({'JAX_COMPILATION_CACHE_DIR': place}, '') for place in ('/dev/null', '/proc/x', '/nonexistent/x', '')),
  *(({'TMPDIR': place}, '') for place in ('/dev/null', '/nonexistent', '/proc', '')),
  *(({'LANG': lang, 'LC_ALL': lang}, 'sound') for lang in (None, 'C', 'POSIX', 'xx_YY.nonsense', 'tr_TR.UTF-8', '')),
  ({'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}, 'sound'),
  *(({'PYTHONIOENCODING': coding}, 'sound') for coding in ('ascii', 'latin-1', 'ascii:strict')),
  *(({'PYTHONHASHSEED': seed}, 'sound') for seed in ('0', '1', '4294967295')),
  *(({'PYTHONOPTIMIZE': level}, 'sound') for level in '12'),
  *(({name: '1'}, 'sound') for name in ('PYTHONUNBUFFERED', 'PYTHONDONTWRITEBYTECODE', 'PYTHONNOUSERSITE', 'NO_COLOR', 'FORCE_COLOR')),
  *(({'PYTHONWARNINGS': how}, 'sound') for how in ('ignore', 'default')),
  *(({'COLUMNS': wide, 'TERM': term}, 'sound') for wide, term in (('1', 'dumb'), ('0', ''), ('x', 'nonsense'), ('-5', 'xterm'), (None, None))),
  *(({'TZ': zone}, 'sound') for zone in ('Mars/Phobos', 'UTC-25', '')),
  *(({'JAX_PLATFORMS': what}, must) for what, must in (('cpu', 'sound'), ('', 'sound'), ('tpu', ''), ('nonsense', ''), ('cuda,cpu', ''))),
  *(({'JSSL_DATA_DIR': place}, '') for place in ('/dev/null', '/proc', '/nonexistent/x', '', 'relative', 'gs://bucket/data', '~/data')),
  ({'JAX_DEBUG_NANS': '1'}, ''), ({'JAX_DISABLE_JIT': '0'}, 'sound'), ({'JAX_LOG_COMPILES': '0'}, 'sound'), ({'PATH': ''}, 'sound'),
  ({'SLURM_JOB_ID': '1', 'SLURM_NTASKS': '2'}, 'sound'), ({'http_proxy': 'nonsense', 'https_proxy': ':'}, 'sound'),
]  # fmt: skip


def odd_environment(t: Trial) -> str:
  env, must = t.chance.choice(ENVIRONMENTS)
  t.done.append(str(env))
  return trained(t, t.jssl(*TRAIN, '--workdir=w', env=env), t.folder / 'w', must=must)


def odd_current_folder(t: Trial) -> str:
  kind, here = t.chance.choice(('read only', 'no entry', 'gone', 'named oddly', 'shadows')), t.folder / 'here'
  t.done.append(kind)
  here = t.folder / 'a [b]\n{c}' if kind == 'named oddly' else here
  here.mkdir()
  if kind == 'shadows':
    for name in ('data', 'configs', 'runs'):
      (here / name).mkdir()
    (here / 'simclr').write_text('x')
  modes = {'read only': 0o555, 'no entry': 0o000}
  before = lambda: here.chmod(modes[kind]) if kind in modes else here.rmdir() if kind == 'gone' else None
  workdir = t.chance.choice(((), (f'--workdir={t.folder / "w"}',), ('--workdir=w',)))
  t.done.append(str(workdir))
  ended = t.jssl(*TRAIN, *workdir, cwd=here, before=before)
  if here.exists():
    here.chmod(0o755)
  where = t.folder / 'w' if workdir and workdir[0] != '--workdir=w' else here / 'w'
  where = where if workdir else next(iter((here / 'runs').glob('*')), where)
  return trained(t, ended, where)


def odd_streams(t: Trial) -> str:
  streams = ('stdout closed', 'stdout full', 'stdout broken', 'stderr closed', 'stderr full', 'stderr broken', 'stdin closed', 'all closed')
  kind = t.chance.choice(streams)
  t.done.append(kind)
  number = dict(stdin=0, stdout=1, stderr=2).get(kind.split()[0])
  before, pipes = lambda: None, {}
  if kind.endswith('closed'):
    before = lambda: [os.close(i) for i in ((0, 1, 2) if number is None else (number,))]
  elif kind.endswith('full'):
    pipes[kind.split()[0]] = Path('/dev/full').open('w')
  else:
    read, write = os.pipe()
    os.close(read)
    pipes[kind.split()[0]] = write
  commands = (
    (*TRAIN, '--workdir=w'), (*TRAIN, '--workdir=w', '--json'), ('list',), ('list', '--json'), ('train', '--help'), ('evaluate', 'nothing'),
    ('embed', t.base.reference, t.base.folder / 'in.npy', 'o.npy'),
  )  # fmt: skip
  command = t.chance.choice(commands)
  t.done.append(' '.join(map(str, command[:2])))
  ended = t.jssl(*command, before=before, **pipes)
  for handle in pipes.values():
    os.close(handle) if isinstance(handle, int) else handle.close()
  if ended.code > 0 and number is not None and number != 1:
    # Where nobody can be told, the code tells.
    how = 'refused' if ended.code in (1, 2) else clean(ended)
  else:
    how = 'refused' if ended.code in (1, 2) and number is None else clean(ended)
  if ended.code not in (0, 1, 2) or command[0] == 'evaluate' and not ended.code:
    raise Wrong(f'ends with {ended.code}', ended.err)
  if ended.code == 0 and command[0] == 'train' and '--help' not in command:
    return sound(t, t.folder / 'w')
  return how


def limited(t: Trial, what: int, amount: int) -> str:
  """A run with too little of something, and the same command with enough."""
  t.done.append(str(amount))
  first = trained(t, t.jssl(*TRAIN, '--workdir=w', before=lambda: resource.setrlimit(what, (amount, amount))), t.folder / 'w')
  return first if first == 'sound' else f'refused, then {trained(t, t.jssl(*TRAIN, "--workdir=w"), t.folder / "w", must="sound")}'


def files_too_small(t: Trial) -> str:
  return limited(t, resource.RLIMIT_FSIZE, int(10 ** t.chance.uniform(1, 5.3)))


def too_few_files(t: Trial) -> str:
  return limited(t, resource.RLIMIT_NOFILE, t.chance.randrange(12, 80))


def signalled(t: Trial) -> str:
  """A signal at a random moment, and the same command again."""
  which = t.chance.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGHUP))
  late = t.chance.choice((0, 0, 2)), t.chance.uniform(0.3, 5)
  t.done.append(f'{which.name} after {late[1]:.2f} s{" of steps" if late[0] else ""}')
  running = t.start(*TRAIN, '--workdir=w')
  if late[0]:  # close to what is written
    deadline = time.time() + SECONDS
    while running.poll() is None and not (t.folder / 'w' / 'metrics.jsonl').exists() and time.time() < deadline:
      time.sleep(0.005)
  time.sleep(late[1] / 5 if late[0] else late[1])
  running.send_signal(which)
  clean(t.end(running), killed=which)
  return trained(t, t.jssl(*TRAIN, '--workdir=w'), t.folder / 'w', must='sound')


def old_files(t: Trial) -> str:
  """A run stopped early whose files come from the future, or from 1970, as after a clock that was wrong."""
  w, when = t.copy(t.base.part), t.chance.choice((0, 1, 2**31 - 1, time.time() + 1e8))
  t.done.append(str(when))
  lock = dict(process=1, host='elsewhere', started='1', since=when)
  (w / 'lock').write_text(t.chance.choice(('', '{}', '[]', 'null', '{"host": 3}', json.dumps(lock))))
  for path in w.rglob('*'):
    os.utime(path, (when, when))
  ended = t.jssl(*TRAIN, '--workdir=w', *t.chance.choice(((), ('--take-over',))))
  return trained(t, ended, w)


# Circumstances: two runs.


def two_at_once(t: Trial) -> str:
  """The same command, or one with another seed, which then must not be mixed with it."""
  apart, other = t.chance.choice((0, 0, 0.05, t.chance.uniform(0, 5))), t.chance.choice(((), ('--config.seed=1',)))
  t.done.append(f'{apart:.2f} s apart, the second with {other}')
  first = t.start(*TRAIN, '--workdir=w')
  time.sleep(apart)
  second = t.start(*TRAIN, *other, '--workdir=w')
  ends = [clean(t.end(x)) for x in (first, second)]
  if 'done' not in ends or other and ends == ['done', 'done']:
    raise Wrong('of two runs neither goes on, or of two configs both do', str(ends))
  seconds = other and ends[1] == 'done'
  if strict(t.folder / 'w' / 'config.json')['seed'] != (1 if seconds else 0):
    raise Wrong('holds the config of the run that was refused', str(ends))
  return sound(t, t.folder / 'w', same=not seconds)


def killed_and_taken_over(t: Trial) -> str:
  first = t.start(*TRAIN, '--workdir=w')
  deadline = time.time() + SECONDS
  while not (t.folder / 'w' / 'lock').exists() and first.poll() is None and time.time() < deadline:
    time.sleep(0.01)
  time.sleep(t.chance.uniform(0, 1.5))
  kind = t.chance.choice(('kill', 'kill while the other one starts', 'take over from the living'))
  t.done.append(kind)
  if kind == 'kill':
    first.kill()
  second = t.start(*TRAIN, '--workdir=w', *(('--take-over',) if kind.startswith('take') else ()))
  if kind.startswith('kill while'):
    time.sleep(t.chance.uniform(0, 4))
    first.kill()
  ended = t.end(second)
  with contextlib.suppress(Wrong if kind.startswith('take') else ()):
    clean(t.end(first), killed=signal.SIGKILL)
  how = clean(ended)
  if how == 'refused':  # while the first one was alive
    how = trained(t, t.jssl(*TRAIN, '--workdir=w'), t.folder / 'w', must='sound')
  return sound(t, t.folder / 'w')


def another_config(t: Trial) -> str:
  w = t.copy(t.chance.choice((t.base.reference, t.base.part)))
  change = '--config.' + t.chance.choice(('seed=1', 'steps=4', 'losses.nce.temperature=0.3', 'keep=3', 'backbone.widths=(4,)'))
  t.done.append(change)
  trained(t, t.jssl(*TRAIN, change, '--workdir=w'), w, must='refused')
  return trained(t, t.jssl(*TRAIN, '--workdir=w'), w, must='sound')


def resumed_with(t: Trial) -> str:
  w = t.copy(t.chance.choice((t.base.reference, t.base.part)))
  changes = (
    'steps=5',
    'steps=1',
    'steps=0',
    'epochs=1',
    'seed=1',
    'batch_size=8',
    'optimizer.learning_rate=1e-4',
    'keep=1',
    'data.name=x',
    'x',
    '=',
  )
  given = [t.chance.choice(changes) for _ in range(t.chance.choice((1, 1, 2)))]
  t.done.append(f'resumed with {given}')
  how = clean(t.jssl(*TRAIN, '--workdir=w', *(x for change in given for x in ('--resume-with', change))))
  embedded(t, t.jssl('embed', 'w', t.base.folder / 'in.npy', 'o.npy'), t.folder / 'o.npy')
  return how if w.exists() else 'refused'


def begun_as_another(t: Trial) -> str:
  of = t.chance.choice((t.base.reference, t.base.part, t.base.reference / 'model', t.base.folder, 'nowhere', ''))
  more = t.chance.choice(
    ((), ('--config.start.layers=(0,1)',), ("--config.start.networks=('projector',)",), ("--config.freeze=('backbone',)",))
  )
  adapted = t.chance.choice(((), ("--config.lora={'rank': 2, 'of': ('projector.*',)}",), ("--config.masks={'keep': 0.5, 'of': 'x'}",)))
  t.done.append(f'begun as {of} {more} {adapted}')
  return trained(t, t.jssl(*TRAIN, f'--config.start.of={of}', *more, *adapted, '--workdir=w'), t.folder / 'w', same=False)


def planned(t: Trial) -> str:
  mesh = t.chance.choice(('data=2', 'data=1,fsdp=2', 'data=3', 'data=0', 'fsdp', 'tensor=2', 'data=-1', ''))
  more = t.chance.choice(((), ('--config.rules=fsdp',), ('--config.batch_size=7',), ('--mfu=0',), ('--price=x',), ('--json',)))
  t.done.append(f'planned for {mesh} {more}')
  return clean(t.jssl('plan', 'simclr', '--mesh', mesh, *TINY, *more))


def read_while_it_trains(t: Trial) -> str:
  first = t.start(*TRAIN, '--workdir=w')
  deadline = time.time() + SECONDS
  while not (t.folder / 'w' / 'checkpoints').exists() and first.poll() is None and time.time() < deadline:
    time.sleep(0.01)
  time.sleep(t.chance.uniform(0, 1))
  ended = t.jssl('embed', 'w', t.base.folder / 'in.npy', 'o.npy')
  embedded(t, ended, t.folder / 'o.npy')
  return trained(t, t.end(first), t.folder / 'w', must='sound')


# Circumstances: a damaged workdir.


def damage(t: Trial, path: Path) -> None:
  kind = t.chance.choice(('truncated', 'removed', 'empty', 'garbled', 'appended', 'folder', 'unreadable', 'zeros', 'dangling'))
  t.done.append(f'{path.name if path.parent.name != "d" else "d/..."} {kind}')
  held = bytearray(path.read_bytes())
  if kind in ('removed', 'folder', 'dangling'):
    path.unlink()
    {'removed': lambda: None, 'folder': path.mkdir, 'dangling': lambda: path.symlink_to('nowhere')}[kind]()
  elif kind == 'unreadable':
    path.chmod(0o000)
  else:
    at = t.chance.randrange(max(len(held), 1))
    if kind == 'garbled':
      for _ in range(t.chance.choice((1, 1, 8, 100))):
        held[t.chance.randrange(len(held))] = t.chance.randrange(256)
    more = bytes(held) + t.chance.randbytes(20)
    path.write_bytes({'truncated': held[:at], 'empty': b'', 'garbled': held, 'zeros': bytes(len(held)), 'appended': more}[kind])


def damaged_workdir(t: Trial) -> str:
  command = t.chance.choice(('embed', 'resume', 'resume', 'evaluate', 'replay'))
  w = t.copy(t.base.part if command == 'resume' else t.base.captured if command == 'replay' else t.base.reference)
  files = sorted(p for p in w.rglob('*') if p.is_file())
  top = [p for p in files if p.parent == w]
  t.done.append(command)
  for path in t.chance.sample(t.chance.choice((top, files)), t.chance.choice((1, 1, 2))):
    damage(t, path)
  whole = not any('config.json' in done for done in t.done)  # a value in it may be another one, and no one can know
  if command == 'embed':
    return embedded(t, t.jssl('embed', w, t.base.folder / 'in.npy', 'o.npy'), t.folder / 'o.npy', t.base.features if whole else ())
  if command == 'resume':
    how = clean(t.jssl(*TRAIN, '--workdir=w'))
    for path in w.rglob('*'):
      if path.is_file():
        path.chmod(0o644)
    return sound(t, w, log=not any('metrics.jsonl' in done for done in t.done)) if how == 'done' else how  # what it held is lost
  if command == 'evaluate':
    ended = t.jssl('evaluate', w, '--protocol=knn', '--json')
    if clean(ended) == 'done' and not (ended.out.strip() and finite(json.loads(ended.out))):
      raise Wrong('evaluates to nonsense', ended.out)
    return 'refused' if ended.code else 'sound'
  ended = t.jssl('replay', w)
  return 'refused' if clean(ended) == 'refused' else 'sound'


GROUPS = (  # each as often as the others, and within it each entry
  3 * (workdir_by_an_odd_name,) + 2 * (workdir_that_is_no_folder,) + (workdir_in_a_special_place,),
  (data_of_ones_own, data_of_ones_own, inputs_of_ones_own),
  3 * (odd_environment,) + 2 * (odd_streams, signalled) + (odd_current_folder, files_too_small, too_few_files, old_files),
  (two_at_once, killed_and_taken_over, another_config, read_while_it_trains, resumed_with, begun_as_another, planned),
  (damaged_workdir,),
)


def run(seed: int, base: Base, among: str = '') -> tuple[str, str, list[str]]:
  """The trial of a seed: how it ended, what was seen, and what was done. `among` keeps only the circumstances whose name has it."""
  t = Trial(seed, base, Path(tempfile.mkdtemp(prefix=f'{seed}-', dir=base.folder / 'trials')))
  groups = [own for group in GROUPS if (own := [one for one in group if among in one.__name__])]
  one = t.chance.choice(t.chance.choice(groups))
  t.done.append(one.__name__)
  try:
    how, seen = one(t), ''
  except Wrong as wrong:
    how, seen = f'{one.__name__}: {nameless(wrong.args[0])}', wrong.args[1]
  except Exception as error:
    how, seen = f'{one.__name__}: the trial itself fails: {type(error).__name__}: {str(error)[:100]}', ''
  finally:
    for path in itertools.chain([t.folder], t.folder.rglob('*')):
      with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
          path.chmod(0o755)
    shutil.rmtree(os.fsencode(t.folder), ignore_errors=True)
  return how, seen, t.done


def nameless(message: str) -> str:
  """A message without what is different each time."""
  return re.sub(r'\d+', 'N', re.sub(r'/[^\s,;:\'")]+', '/...', message))


FINE = ('sound', 'done', 'refused', 'killed', 'refused, then sound')
