"""Configs that cannot be built are refused in one sentence that names the place and what to do."""

from pathlib import Path

import pytest

from jssl import configs, testing
from jssl.core.build import open_data, plan
from jssl.core.loop import open_source
from jssl.core.mesh import check_batch, make_mesh
from jssl.data.core import pictures
from jssl.keys import KINDS
from jssl.ledger import catalogue
from jssl.options import accepts, call, option
from jssl.parts.schedules import Schedule, cosine, duration, linear, rise
from jssl.tables import TABLES
from tests.made import tiny


def broken(path, value):
  c = tiny('simclr')
  at = c
  *parents, last = path.split('.')
  for key in parents:
    at = at[key]
  at[last] = value
  return c


@pytest.mark.parametrize(
  ('path', 'value', 'says'),
  [
    ('batchsize', 3, 'did you mean batch_size'),
    ('backbone.name', 'convnett', 'did you mean convnet'),
    ('backbone.width', 3, 'did you mean widths'),
    ('backbone.norm', 'batchnorm', 'unknown norm'),
    ('backbone.widths', 'wide', 'must be'),
    ('data.name', 'mnist5', 'mnist5k'),
    ('batch_size', 0, 'at least 1'),
    ('batch_size', 5000, 'more than the 4000'),
    ('steps', 'ten', 'whole number'),
    ('heads.projector.on', 'backbon', 'did you mean backbone'),
    ('heads.projector.on', 'projector', 'no network'),
    ('terms', {}, 'terms have become passes and losses'),
    ('losses', {}, 'at least one'),
    ('losses.nce', 3, 'dict(name='),
    ('losses.nce.name', 'nt_xnet', 'did you mean nt_xent'),
    ('losses.nce.temprature', 1.0, 'did you mean temperature'),
    ('losses.nce.temperature', 'warm', 'must be float'),
    ('losses.nce.weight', 'much', 'losses.nce.weight must be a number or a schedule'),
    ('losses.nce.of', None, 'name the outputs that it judges'),
    ('losses.nce.of', ('views.q',), 'pairs needs two outputs'),
    ('losses.match', dict(name='alignment', of=dict(q='views.q')), "missing a required argument: 'k'; `of` gives its arrays, which are q, k"),
    ('losses.nce.of', dict(q='views.q', k='views.k', kk='views.k'), "unexpected keyword argument 'kk'"),
    ('losses.nce.of', ('views.qq', 'views.k'), "the pass 'views' (embed) gives q, k, x"),
    ('losses.nce.of', ('view.q', 'views.k'), 'did you mean views'),
    ('losses.nce.pairs', ((0, 1, 2),), "write 'all' or ((0, 1), ...)"),
    ('losses.nce.over', 'pairs', "the only choice is 'views'"),
    ('losses.nce.over', 'views', 'exclude each other'),
    ('losses.nce.key', 3, "no option 'key'"),
    ('passes.views', 'embed', 'dict(name='),
    ('passes.views.name', 'embedd', 'did you mean embed'),
    ('passes.views.head', ('projector',), 'did you mean heads'),
    ('passes.views.frozen', ('projektor',), 'did you mean projector'),
    ('passes.views.of_teacher', 'slow', 'there are none'),
    ('passes.batch', dict(name='embed'), 'give it another name'),
    ('memories.queue', dict(name='cue', of='views.k'), 'did you mean queue'),
    ('memories.queue', dict(name='queue', of='loss.nec', size=64), 'did you mean nce'),
    ('metrics.top', dict(name='diagonal_top2', of='views.q'), 'did you mean diagonal_top1'),
    ('teachers', dict(slow=dict(name='emma')), 'did you mean ema'),
    ('freeze', ('backbon',), 'did you mean backbone'),
    ('freeze', ('backbone', 'projector'), 'nothing is left to train'),
    ('phases', (dict(steps=3), dict(steps=3)), 'add up to 8'),
    ('phases', (dict(stepz=3),), 'did you mean steps'),
    ('phases', (dict(losses=('nec',)),), 'did you mean nce'),
    ('cycle', (dict(losess=('nce',)),), 'did you mean losses'),
    ('optimizer.learning_rate', dict(name='cosine'), 'peak'),
    ('optimizer.learning_rate', dict(name='cosine', peak=1.0, warmup='soon'), "'5 epochs' or '10%'"),
    ('teacher', dict(name='ema', decay=0.9, networks=('backbone', 'head')), "teacher.networks names 'head'"),
    ('represent', dict(encoder='head'), 'head'),
    ('losses.nce.weight', 'heavy', 'losses.nce.weight must be a number or a schedule'),
    ('micro_batches', '2', 'whole number'),
    ('micro_batches', 5, 'take a multiple of 5'),
    ('mesh', dict(data='2'), 'whole number above 0'),
    ('mesh', dict(date=2), "no axis ['date']"),
    ('mesh', dict(data=-1, tensor=-1), 'one may be -1'),
    ('mesh', dict(data=5), 'take a multiple of 5'),
    ('rules', 'fsdpp', 'is no preset'),
    ('rules', 3, 'is no preset'),
    ('rules', (('[', 'fsdp'),), 'is no (pattern, axes)'),
    ('kind', 'methd', 'did you mean method'),
    ('source', dict(thread=3), 'did you mean threads'),
    ('source', dict(threads=0), 'source.threads must be a whole number of at least 1'),
    ('source', dict(memory='1 GiB'), 'source.memory must be a whole number'),
    ('source', 4, 'source must be dict'),
  ],
)
def test_refuses(path, value, says):
  with pytest.raises(ValueError) as error:
    plan(broken(path, value))
  assert says in str(error.value)


def test_a_mask_is_no_view():
  c = tiny('mae')
  (of,) = (spec for spec in c['passes'].values() if 'mask' in spec)
  of['mask'] = dict(name='augment')
  with pytest.raises(ValueError, match="no mask is called 'augment'"):
    plan(c)


@pytest.mark.parametrize('name, misspelt', [('mnist', False), ('shapes3d', False), ('mnist5', True), ('mnist/x:1.0.0', False)])
def test_a_name_that_tensorflow_datasets_has_is_no_misspelling(name, misspelt, monkeypatch, tmp_path, capfd):
  monkeypatch.setenv('JSSL_DATA_DIR', str(tmp_path))
  opened = []
  monkeypatch.setitem(TABLES['data'], 'tfds', lambda name: opened.append(name))
  if misspelt:
    with pytest.raises(ValueError, match='did you mean mnist5k'):
      open_data(dict(name=name))
    (tmp_path / name).mkdir()  # one that was prepared there
  open_data(dict(name=name))
  assert opened == [name] and not ''.join(capfd.readouterr())


def test_a_data_set_of_ones_own_is_not_looked_for_elsewhere():
  for name in ('no_such.module:data', 'os.path:no_such_set'):
    with pytest.raises(ValueError, match=name):
      plan({**tiny('simclr'), 'data': dict(name=name)})


def test_options_of_the_source_reach_it():
  p = plan({**tiny('simclr'), 'source': dict(memory=0, threads=3, prefetch=1, decoders=20)})
  assert p.config['source'] == dict(memory=0, threads=3, prefetch=1, workers=0, decoders=20)
  source = open_source(p)
  assert (source._threads, source._prefetch, source._workers) == (3, 1, 0)
  assert pictures.pool()._max_workers == 20
  assert source.next()['image'].shape == p.batch['image'].shape and source._stream is not None
  source.close()


def test_two_shelves_have_no_system_of_one_name():
  files = [f.stem for folder in configs.__path__ for f in Path(folder).glob('*/*.py') if not f.stem.startswith('_')]
  assert len(files) == len({*files}) == len(configs.names())


def test_kinds_of_all_systems_are_known():
  assert {configs.module(name).get_config().get('kind', 'method') for name in configs.names()} <= {*KINDS}


def test_a_teacher_renewed_now_and_then_goes_by_the_length_of_its_phase():
  made = lambda every: call(option('teacher', dict(name='periodic', every=every), 'teachers', dict(steps=40, epoch=5)))
  for every, renewed in ((10, 10), ('25%', 10), ('2 epochs', 10)):
    taught = [float(made(every)(0.0, 1.0, step)) for step in range(20)]
    assert [i + 1 for i, x in enumerate(taught) if x] == [renewed, 2 * renewed]
  with pytest.raises(ValueError, match="'5 epochs' or '10%'"):
    made('now and then')


def test_backbones_of_every_kind_fit_joint_embedding():
  for backbone in (
    dict(name='convnet'), dict(name='resnet18'), dict(name='mlp_backbone'),
    dict(name='vit_micro', patch=7, width=16, depth=1, heads=2),
  ):  # fmt: skip
    plan({**tiny('simclr'), 'backbone': backbone})


def test_accepts():
  assert accepts(float, 1) and accepts(float, Schedule(lambda step: step)) and not accepts(float, True)
  assert accepts(int | None, None) and not accepts(int, 1.5) and not accepts(str, 3)


def test_durations_and_schedules():
  clock = dict(steps=200, epoch=20)
  assert [duration(d, **clock) for d in (7, '7 steps', '3 epochs', '1 epoch', '10%')] == [7, 7, 60, 20, 20]
  rate = cosine(peak=2.0, end=0.5, warmup='10%', **clock)
  assert float(rate(0)) == pytest.approx(0.1) and float(rate(20)) == pytest.approx(2.0)
  assert float(rate(200)) == pytest.approx(0.5) and float(rate(110)) == pytest.approx(1.25)
  assert float(linear(start=0.0, end=1.0, over='50%', **clock)(50)) == pytest.approx(0.5)
  assert float(rise(start=0.9, **clock)(0)) == pytest.approx(0.9) and float(rise(start=0.9, **clock)(200)) == 1.0


def test_mesh_and_batch_say_what_fits():
  with pytest.raises(ValueError, match='must multiply to 8'):
    make_mesh(dict(data=3))
  with pytest.raises(ValueError, match='take a multiple of 8, such as 64'):
    check_batch(65, make_mesh(), 1)
  assert dict(make_mesh(dict(fsdp=2, tensor=2)).shape) == dict(data=2, fsdp=2, sequence=1, tensor=2)


def test_every_system_is_listed():
  rows = catalogue.systems()
  assert {row['name'] for row in rows} == set(configs.names())
  assert all(row['paper'] and row['family'] and row['kind'] for row in rows)


def test_a_view_that_is_not_drawn_is_refused_by_its_number():
  c = tiny('simclr')
  c['losses']['nce']['pairs'] = ((0, 2),)
  with pytest.raises(ValueError, match='view 2 of .views. is out of range: there are 2'):
    testing.check_traces(c)


@pytest.mark.parametrize('weight', [10**30, float('nan'), float('inf')])
def test_a_weight_that_no_float32_holds_is_refused(weight):
  c = tiny('simclr')
  c['losses']['nce']['weight'] = weight
  with pytest.raises(ValueError, match=r'losses\.nce\.weight is .* expected a finite number'):
    plan(c)
