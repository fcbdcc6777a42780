"""A user's own package, outside the repository: used by every command, each from a folder that has nothing to do with it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jssl import modules, run, testing
from jssl.core.agreement import described
from jssl.core.build import plan
from jssl.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = {
  'losses.py': """
import jax
import jax.numpy as jnp


def hinge(q, k, *, margin: float = 0.5):
  similarity = q @ k.T / (jnp.linalg.norm(q, axis=1)[:, None] * jnp.linalg.norm(k, axis=1) + 1e-6)
  others = jax.nn.relu(similarity - margin) * (1 - jnp.eye(len(q)))
  return 1 - jnp.diagonal(similarity) + others.sum(1) / (len(q) - 1)


def broken(q, k):
  return jnp.log(-1 - jnp.sum((q - k) ** 2, -1))
""",
  'data.py': """
import numpy as np

from jssl.data import arrays


def blobs(*, examples: int = 64):
  rng = np.random.default_rng(0)
  label = rng.integers(0, 3, examples)
  x = rng.normal(size=(examples, 6)) + 3 * np.eye(6)[label]
  return arrays(x=x.astype(np.float32), label=label.astype(np.int32), held_out=0.25, inputs='x', facts=dict(label=dict(size=3)))
""",
  'parts.py': """
import jax
import jax.numpy as jnp
from flax import nnx

from jssl.types import Features, Pass, Ref, Transform, View


def shaken(keys, batch, *, scale: float = 0.1):
  draw = lambda i: jax.vmap(lambda key, x: x + scale * jax.random.normal(jax.random.fold_in(key, i), x.shape))(keys, batch['x'])
  return draw(0), draw(1)


def drawn(*, view: View) -> Pass:
  return Pass(lambda call: dict(zip('ab', view(call.key('view'), call.batch))), ('a', 'b'))


def encoded(*, a: Ref, b: Ref) -> Pass:
  return Pass(lambda call: {name: call.nets['head'](call.nets['backbone'](call.read(of))) for name, of in (('q', a), ('k', b))}, ('q', 'k'))


class Small(nnx.Module):
  def __init__(self, on, *, dim: int = 8, rngs):
    self.linear, self.dim = nnx.Linear(on.shape[-1], dim, rngs=rngs), dim

  def __call__(self, x, **_):
    x = jnp.tanh(self.linear(x))
    return Features(x[:, None], x)


class Head(nnx.Module):
  def __init__(self, on, *, dim: int, rngs):
    self.linear, self.dim = nnx.Linear(on.dim, dim, rngs=rngs), dim

  def __call__(self, features):
    return self.linear(features.pooled)


def doubled(*, factor: float = 2.0):
  return Transform(lambda x, y: jnp.float32(factor), lambda state, x: state * x)
""",
  'judges.py': """
def spread(subject, key, *, scale: float = 1.0):
  return {'std': scale * float(subject.frozen.test_x.std())}
""",
}
CONFIG = """
from ml_collections import ConfigDict


def get_config():
  return ConfigDict(dict(
    data=dict(name='mine.data:blobs', examples=80), batch_size=16, steps=6, checkpoint_every=3, log_every=1,
    backbone=dict(name='mine.parts:Small', dim=8), heads=dict(head=dict(name='mine.parts:Head', dim=4)),
    passes=dict(
      drawn=dict(name='mine.parts:drawn', view=dict(name='mine.parts:shaken', scale=0.2)),
      views=dict(name='mine.parts:encoded', a='drawn.a', b='drawn.b'),
    ),
    losses=dict(hinge=dict(name='mine.losses:hinge', of=('views.q', 'views.k'), margin=0.4)),
    optimizer=dict(name='adamw', learning_rate=0.01),
    transform=dict(name='mine.parts:doubled'), evaluators=dict(spread=dict(name='mine.judges:spread', scale=2.0)),
  ))
"""


def write(folder: Path) -> Path:
  """The package and a config beside it."""
  (folder / 'mine').mkdir(parents=True)
  for name, text in {'__init__.py': '', **PACKAGE}.items():
    (folder / 'mine' / name).write_text(text)
  (folder / 'own.py').write_text(CONFIG)
  return folder / 'own.py'


def python(*arguments, cwd, path=()):
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, (ROOT, *path))), 'XLA_FLAGS': ''}
  return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=environment)


def jssl(*arguments, cwd, path=()):
  return python('-m', 'jssl', *arguments, cwd=cwd, path=path)


def elsewhere(folder: Path) -> Path:
  folder.mkdir(exist_ok=True)
  return folder


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The folder of the user, and that of a run."""
  folder = tmp_path_factory.mktemp('own')
  config = write(folder / 'theirs')
  done = jssl('train', config, '--workdir', folder / 'run', '--json', cwd=elsewhere(folder / 'a'))
  assert done.returncode == 0, done.stderr
  figures = json.loads(done.stdout)
  assert set(figures['figures']) == {'spread_std'} and set(figures['baselines']) == {'random_init'}
  assert json.loads((folder / 'run' / 'config.json').read_text())['modules'] == str(folder / 'theirs')
  return folder, figures['figures']


@pytest.mark.rotating
def test_evaluate_from_another_folder(trained):
  folder, figures = trained
  # A package of the same name where the command is given is not what the run means.
  other = elsewhere(folder / 'b')
  (other / 'mine').mkdir(exist_ok=True)
  (other / 'mine' / '__init__.py').write_text('raise RuntimeError("the wrong one")')
  done = jssl('evaluate', folder / 'run', '--json', cwd=other)
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout)['figures'] == figures


@pytest.mark.rotating
def test_embed_from_another_folder(trained):
  folder, _ = trained
  np.save(folder / 'x.npy', np.ones((3, 6), np.float32))
  run = folder / 'run'
  for of, source, rows in ((run, folder / 'x.npy', 3), (run, 'data:mine.data:blobs/train', 60), (run / 'model', folder / 'x.npy', 3)):
    done = jssl('embed', of, source, folder / 'z.npy', cwd=elsewhere(folder / 'c'))
    assert done.returncode == 0, done.stderr
    assert np.load(folder / 'z.npy').shape == (rows, 8)


@pytest.mark.long
def test_resume_from_another_folder_and_a_moved_package(trained):
  folder, _ = trained
  shutil.copytree(folder / 'run', folder / 'cut')
  for step in ('6', '5'):
    shutil.rmtree(folder / 'cut' / 'checkpoints' / step, ignore_errors=True)
  moved = write(folder / 'moved')
  done = jssl('train', moved, '--workdir', folder / 'cut', '--json', cwd=elsewhere(folder / 'd'))
  assert done.returncode == 0, done.stderr
  whole, cut = (json.loads((folder / name / 'results.json').read_text())['figures'] for name in ('run', 'cut'))
  assert whole == cut
  assert json.loads((folder / 'cut' / 'config.json').read_text())['modules'] == str(folder / 'moved')


@pytest.mark.long
def test_replay_from_another_folder(trained):
  folder, _ = trained
  bad = ['--config.losses.hinge={"name": "mine.losses:broken", "of": ("views.q", "views.k")}']
  done = jssl('train', folder / 'theirs' / 'own.py', '--workdir', folder / 'bad', *bad, cwd=folder)
  assert done.returncode == 2 and 'log made' in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
  done = jssl('replay', folder / 'bad', '--json', cwd=elsewhere(folder / 'e'))
  assert done.returncode == 0, done.stderr
  found = json.loads(done.stdout)['first']
  assert (found['operation'], found['part']) == ('log', 'hinge') and 'mine/losses.py' in found['where']


@pytest.mark.long
def test_load_and_check_method_from_another_folder(trained):
  folder, _ = trained
  code = (
    'import sys, numpy as np, jssl; from jssl import run, testing\n'
    'model = jssl.load(sys.argv[1]); assert model.encode(np.ones((2, 6), np.float32)).shape == (2, 8)\n'
    'print(sorted(testing.check_method(run.load_config(sys.argv[2]))))\n'
    'testing.check_method(model.plan.config)\n'
  )
  done = python('-c', code, folder / 'run', folder / 'theirs' / 'own.py', cwd=elsewhere(folder / 'f'))
  assert done.returncode == 0, done.stderr
  assert 'micro_batches_2' in done.stdout


def test_a_package_that_is_gone_or_installed(trained):
  folder, figures = trained
  shutil.copytree(folder / 'run', folder / 'lost')
  config = json.loads((folder / 'lost' / 'config.json').read_text())
  (folder / 'lost' / 'config.json').write_text(json.dumps({**config, 'modules': str(folder / 'gone')}))
  done = jssl('evaluate', folder / 'lost', cwd=elsewhere(folder / 'g'))
  assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
  assert "module 'mine'" in done.stderr and str(folder / 'gone') in done.stderr and 'PYTHONPATH' in done.stderr
  done = jssl('evaluate', folder / 'lost', '--json', cwd=folder / 'g', path=[folder / 'theirs'])
  assert done.returncode == 0 and json.loads(done.stdout)['figures'] == figures, done.stderr


CONTENTS = {
  'ours_syntax': ('def hinge(q, k)\n', 'ours_syntax.py:1'),
  'ours_import': ('import numpy\nimport no_such_thing\n', "ModuleNotFoundError: No module named 'no_such_thing', at {folder}/ours_import.py:2"),
  'ours_error': ('x = {}\ny = x["a"]\n', "KeyError: 'a', at {folder}/ours_error.py:2"),
  'ours_lacking': ('def hnge(q, k): pass\n', "ours_lacking ({folder}/ours_lacking.py) has no 'hinge'; there are hnge"),
  'ours_number': ('hinge = 3\n', 'of type int; expected a function or a class'),
  'ours_hints': ('def hinge(q, k, *, margin: "Wrong" = 3): pass\n', "name 'Wrong' is not defined"),
  'ours_positional': ('def hinge(q, k, margin=3): pass\n', 'options stand behind a *'),
}


@pytest.mark.parametrize('name', CONTENTS)
def test_errors_of_a_users_module_are_one_line_with_its_place(name, tmp_path, monkeypatch):
  text, says = CONTENTS[name]
  (tmp_path / f'{name}.py').write_text(text)
  monkeypatch.setattr(sys, 'path', [*sys.path])
  c = dict(
    data=dict(name='digits'), batch_size=8, steps=2, backbone=dict(name='mlp_backbone'), optimizer=dict(name='sgd', learning_rate=0.1),
    passes=dict(views=dict(name='embed')), losses=dict(near=dict(name=f'{name}:hinge', of=('views.q', 'views.k'), margin=1.0)),
    view=dict(name='plain'), modules=str(tmp_path),
  )  # fmt: skip
  with pytest.raises(ConfigError) as error:
    plan(c)
  told = str(error.value)
  assert told.startswith('losses.near') and says.format(folder=tmp_path) in told and '\n' not in told, told


def test_the_folder_is_found_and_two_of_one_name_are_told(tmp_path, monkeypatch):
  monkeypatch.setattr(sys, 'path', [*sys.path])
  monkeypatch.setattr(modules, '_added', [])
  for folder in ('one', 'two'):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / 'both_have.py').write_text('def hinge(q, k): return (q - k).sum(-1)\n')
    (tmp_path / folder / 'own.py').write_text(CONFIG.replace('mine.losses:hinge', 'both_have:hinge').replace('mine.', 'jssl.'))
  given = dict(losses=dict(near=dict(name='both_have:hinge')), evaluators=dict(a='both_have:hinge'), name='a:b c')
  assert [*modules.names(given)] == ['both_have:hinge'] * 2
  assert modules.use({**given, 'modules': [str(tmp_path / 'one')]}) == str(tmp_path / 'one')
  __import__('both_have')
  with pytest.raises(ValueError, match='in separate processes'):
    modules.use({**given, 'modules': str(tmp_path / 'two')})
  with pytest.raises(ValueError, match='modules must be a folder'):
    modules.use({**given, 'modules': 3})
  assert modules.use(dict(name='simclr')) is None and modules.use(dict(losses=dict(a=dict(name='json:loads')))) is None


def test_a_config_that_raises_says_where(tmp_path):
  (tmp_path / 'c.py').write_text('def get_config():\n  return nothing\n')
  with pytest.raises(ConfigError, match=r'NameError: .*, at .*/c.py:2; it needs a function get_config'):
    run.load_config(str(tmp_path / 'c.py'))


def test_the_page_that_shows_this(tmp_path, monkeypatch):
  """Its code as it stands: the method, and data and an evaluator in their place."""
  monkeypatch.setattr(sys, 'path', [*sys.path])
  page = (ROOT / 'docs' / 'your_own_method.md').read_text()
  blocks = {m[1]: m[0] for m in re.finditer(r'# ([\w/]+\.py).*?(?=```)', page, re.S)}
  assert {*blocks} == {'mine/losses.py', 'my_method.py', 'mine/data.py', 'mine/judges.py'}
  for name, text in blocks.items():
    path = tmp_path / name.replace('mine/', 'shown/')  # another test's module is called mine
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace('mine.', 'shown.'))
  c = run.load_config(str(tmp_path / 'my_method.py'), ['--config.steps=2', '--config.losses.hinge.margin=0.1'])
  assert c.modules == str(tmp_path)
  testing.check_traces(c)
  c.data, c.backbone, c.view, c.inputs = dict(name='shown.data:blobs'), dict(name='mlp_backbone'), None, None
  c.passes, c.evaluators = dict(views=dict(name='embed', view=dict(name='columns', names=('x', 'x')))), dict(s='shown.judges:spread')
  with c.ignore_type():
    c.losses.hinge = dict(name='shown.losses:hinge', of=('views.q', 'views.k'), pairs='all')
  assert set(run.train(c, quiet=True)['figures']) == {'s_std'}


def test_processes_compare_the_users_code_and_not_where_it_lies(tmp_path, monkeypatch):
  monkeypatch.setattr(sys, 'path', [*sys.path])
  (tmp_path / 'compared_here').mkdir()
  (tmp_path / 'compared_here' / 'losses.py').write_text('def hinge(q, k): return (q - k).sum(-1)\n')
  c = dict(
    data=dict(name='digits'), batch_size=8, steps=2, backbone=dict(name='mlp_backbone'), optimizer=dict(name='sgd', learning_rate=0.1),
    passes=dict(views=dict(name='embed', view=dict(name='plain'))), modules=str(tmp_path),
    losses=dict(near=dict(name='compared_here.losses:hinge', of=('views.q', 'views.k'))),
  )  # fmt: skip
  p = plan(c)
  before = described(p)
  assert described(p._replace(config={**p.config, 'modules': '/elsewhere', 'source': {}})) == before
  (tmp_path / 'compared_here' / 'more.py').write_text('x = 1\n')
  after = described(p)
  assert after[:2] == before[:2] and after[2] != before[2]
