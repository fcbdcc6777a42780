"""References, the order of passes, and what is not run because nobody reads it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import tables
from jssl.core.build import plan
from jssl.core.graph import Node, arrange, look, parse, select, stacked
from jssl.errors import ConfigError
from jssl.passes.views import embed
from jssl.types import Call, Features, Pass
from tests.core.tiny import B, Started, shaken, tiny
from tests.passes.by_hand import given


@pytest.fixture(autouse=True)
def _views(monkeypatch):
  monkeypatch.setitem(tables.VIEWS, 'shaken', shaken)


@pytest.mark.parametrize(
  ('text', 'found'),
  [
    ('views.q', (False, 'views', 'q', None)),
    ('views.q[0]', (False, 'views', 'q', 0)),
    ('views.q[-1]', (False, 'views', 'q', -1)),
    ('seen.tokens[1:]', (False, 'seen', 'tokens', slice(1, None))),
    ('seen.tokens[:-1]', (False, 'seen', 'tokens', slice(None, -1))),
    ('seen.tokens[2:5]', (False, 'seen', 'tokens', slice(2, 5))),
    ('batch.label', (False, 'batch', 'label', None)),
    ('nets.backbone.table', (False, 'nets', 'backbone.table', None)),
    ('memory.duals.barrier', (False, 'memory', 'duals.barrier', None)),
    ('whole.views.q[1]', (True, 'views', 'q', 1)),
    ('whole.batch.label', (True, 'batch', 'label', None)),
    ('loss.nce', (False, 'loss', 'nce', None)),
  ],
)
def test_references(text, found):
  assert parse(text, 'there') == (text, *found)


@pytest.mark.parametrize(
  'text', ['', 'views', 'views.', '.q', 'views.q[', 'views.q[]', 'views.q[a]', 'views.q[0][1]', 'views q', 'views.q[0:1:2]', '0.q', 3, None]
)
def test_what_refers_to_nothing(text):
  with pytest.raises(ConfigError, match=r"^there: .* refers to nothing; write 'PASS.OUTPUT'"):
    parse(text, 'there')


def node(name, gives=('out',), reads=()):
  return Node(name, f'a_{name}', Pass(lambda call: {}, gives), tuple(reads))


def arranged(nodes, *wanted, columns=('label', 'image'), networks=('backbone',), memories=('queue',)):
  wanted = [('losses.it', *(x if isinstance(x, tuple) else (x, None))) for x in wanted]
  return arrange({n.name: n for n in nodes}, wanted, columns, networks, memories)


@pytest.mark.parametrize(
  ('wanted', 'says'),
  [
    ('view.q', "losses.it: view.q: no pass is called 'view'; did you mean views"),
    ('zzz.q', "no pass is called 'zzz'; there are batch, loss, memory, nets, views"),
    ('views.k', "losses.it: views.k: the pass 'views' (a_views) gives q, pooled"),
    ('views.poled', "the pass 'views' (a_views) gives q, pooled; did you mean pooled"),
    ('batch.lable', "batch.lable: no column is called 'lable'; did you mean label"),
    ('nets.backbon', "no network is called 'backbon'; did you mean backbone"),
    ('nets.zzz.table', "no network is called 'zzz'; there are backbone"),
    ('memory.cue', "no memory is called 'cue'; did you mean queue"),
    ('whole.view.q', "no pass is called 'view'; did you mean views"),
    ('loss.it', 'only memories are written from what a loss comes to'),
  ],
)
def test_errors_name_what_there_is(wanted, says):
  with pytest.raises(ConfigError) as error:
    arranged([node('views', ('q', 'pooled'))], wanted)
  assert says in str(error.value)


def test_errors_in_what_a_pass_reads_name_the_pass():
  with pytest.raises(ConfigError, match='passes.head: body.q: no pass is called'):
    arranged([node('head', reads=('body.q',))], 'head.out')


def test_passes_that_read_each_other_in_a_circle():
  ring = [node('a', reads=('b.out',)), node('b', reads=('c.out',)), node('c', reads=('a.out',))]
  with pytest.raises(ConfigError, match='circle: a -> b -> c -> a'):
    arranged(ring, 'a.out')
  with pytest.raises(ConfigError, match='circle: a -> a'):
    arranged([node('a', reads=('a.out',))], 'a.out')
  assert arranged([*ring, node('d')], 'd.out').stages[0][0].name == 'd', 'passes that are not run may read what they like'


def names(graph):
  return [[node.name for node in stage] for stage in graph.stages]


def test_what_is_read_is_run_before():
  graph = arranged([node('last', reads=('middle.out', 'first.out')), node('middle', reads=('first.out',)), node('first')], 'last.out')
  assert names(graph) == [['first', 'middle', 'last']]
  assert graph.kept == ({'last': {'out'}},)


def test_what_reads_the_whole_batch_comes_in_a_later_stage():
  passes = [
    node('scores', reads=('views.q', 'whole.teacher.out')), node('views', ('q', 'k')), node('teacher'), node('labels'),
    node('again', reads=('whole.scores.out', 'batch.label')), node('beside', reads=('whole.batch.label',)),
  ]  # fmt: skip
  graph = arranged(passes, 'again.out', 'views.k', 'beside.out')
  assert names(graph) == [['views', 'teacher', 'beside'], ['scores'], ['again']]  # the batch itself is there from the start
  assert graph.kept[0] == {'views': {'q', 'k'}, 'teacher': {'out'}, 'beside': {'out'}}
  assert graph.kept[1] == {'views': {'k'}, 'scores': {'out'}, 'beside': {'out'}}
  assert graph.kept[2] == {'views': {'k'}, 'again': {'out'}, 'beside': {'out'}}


def test_views_that_are_read():
  views = node('views', ('q', 'k', 'x', 'pooled'))
  asked = lambda *wanted: arranged([views], *wanted).asked['views']
  assert asked(('views.q', frozenset({0})), ('views.k', frozenset({1}))) == {'q': {0}, 'k': {1}}
  assert asked('views.q[2]', ('views.q', frozenset({0, 1}))) == {'q': {0, 1, 2}}
  assert asked('views.q[0]', 'views.q') == {'q': None} == asked('views.q', 'views.q[0]')
  assert asked('views.q[1:]') == asked('views.q[-1]') == {'q': None}
  assert asked('views.x') == {'x': None}
  assert arranged([views, node('head', reads=('views.q[1]',))], 'head.out').asked == {'head': {'out': None}, 'views': {'q': {1}}}


def test_select_and_stack():
  views = {i: jnp.full((2, 3), i) for i in range(4)}
  np.testing.assert_array_equal(select(views, 2), views[2])
  np.testing.assert_array_equal(select(views, -1), views[3])
  assert [*select(views, slice(1, 3))] == [1, 2] and [*select(views, slice(-1, None))] == [3] and select(views, None) is views
  few = {1: views[1], 3: views[3]}  # only views that are asked for are there
  np.testing.assert_array_equal(select(few, 3), views[3])
  x = jnp.arange(12.0).reshape(2, 3, 2)
  np.testing.assert_array_equal(select(x, 1), x[:, 1])
  np.testing.assert_array_equal(select(x, slice(1, None)), x[:, 1:])
  np.testing.assert_array_equal(stacked({1: x + 1, 0: x}), jnp.stack([x, x + 1], 1))
  assert stacked(x) is x


def test_what_references_stand_for():
  class Net:
    table = jnp.arange(10.0)[:, None]

    def __call__(self):
      return 7.0

  given = dict(outputs={'it': {'z': 1.0}}, batch={'label': jnp.arange(3)}, nets={'net': Net()}, memories={'m': {'a': 2.0}, 'n': jnp.arange(4)})
  whole = {'it': {'z': 5.0}, 'batch': {'label': jnp.arange(6)}}
  read = lambda text, **more: look(parse(text, 'there'), **given, **more)
  assert (read('it.z'), read('it.z', whole=whole), read('whole.it.z', whole=whole), read('whole.it.z')) == (1, 1, 5, 1)
  assert len(read('batch.label')) == 3 and len(read('whole.batch.label', whole=whole)) == 6
  assert read('nets.net') == 7 and read('memory.m.a') == 2
  np.testing.assert_array_equal(read('nets.net.table[2:4]'), Net.table[2:4])
  np.testing.assert_array_equal(read('memory.n[1:]'), [1, 2, 3])
  with pytest.raises(ConfigError, match="it.x: the pass 'it' gives z"):
    read('it.x')


@pytest.fixture
def seen(monkeypatch):
  """What is asked of the pass `counting`, each time that it is run: output -> views."""
  noted = []

  def counting() -> Pass:
    def run(call: Call):
      noted.append({name: views and tuple(views) for name, views in call.asked.items()})
      out = call.nets['backbone'](call.batch['image'].astype(jnp.float32)).pooled
      return {'out': {0: out, 1: 2 * out}, 'other': out}

    return Pass(run, ('out', 'other'))

  monkeypatch.setitem(tables.PASSES, 'counting', counting)
  return noted


def traced(config):
  p = plan(config)
  method = p.phases[0].turns[0].method
  start = jax.eval_shape(method.init, jax.random.key(0))
  return jax.eval_shape(method.loss, *start, p.batch, jax.random.key(0), jnp.int32(0))


def test_what_no_loss_needs_is_not_run(seen):
  passes = dict(seen=dict(name='counting'), head=dict(name='apply', network='projector', on='seen.out[1]'))
  far = dict(name='alignment', of=('head.out', 'views.q[0]'))
  traced(tiny(passes=passes, losses=dict(far={**far, 'weight': 0.0})))
  assert not seen, 'a pass that a loss of weight 0 alone needs'
  memories = dict(keys=dict(name='queue', of='head.out', size=2 * B))
  metrics = dict(far=dict(name='mean_value', of='seen.other'))
  _, (state, figures) = traced(tiny(passes=passes, losses=dict(far={**far, 'weight': 0.0}), memories=memories, metrics=metrics))
  assert not seen and not state['memories'] and 'metrics/far' not in figures, 'memories and metrics only look on'
  traced(tiny(passes=passes, losses=dict(far=far)))
  assert seen == [{'out': (1,)}]
  seen.clear()
  _, (state, figures) = traced(tiny(passes=passes, losses=dict(far=far), memories=memories, metrics=metrics))
  assert seen[-1] == {'out': (1,), 'other': None} and 'keys' in state['memories'] and 'metrics/far' in figures


def test_names_that_nothing_needs_are_still_checked():
  for key, spec in (('metrics', dict(name='mean_value', of='view.q')), ('memories', dict(name='queue', of='view.q', size=8))):
    with pytest.raises(ConfigError, match=f"{key}.it.*: view.q: no pass is called 'view'; did you mean views"):
      plan(tiny(**{key: dict(it=spec)}))
  with pytest.raises(ConfigError, match='only memories are written from what a loss comes to'):
    plan(tiny(metrics=dict(it=dict(name='mean_value', of='loss.near'))))


def test_a_pass_whose_teacher_another_phase_has():
  passes = dict(late=dict(name='embed', heads=('projector',), of_teacher='slow'))
  late = dict(name='alignment', of=('views.q', 'late.k'), pairs=((0, 1),))
  slow = dict(slow=dict(name='frozen', networks=('backbone', 'projector')))
  phases = (dict(steps=4, losses=('near',)), dict(losses=('late',), teachers=slow))
  assert plan(tiny(passes=passes, losses=dict(late=late), phases=phases)).phases[1].first == 4
  with pytest.raises(ConfigError, match="passes.late.of_teacher is 'slow'; there are none"):
    plan(tiny(passes=passes, losses=dict(late=late)))


def encodings(**changes) -> float:
  """How often a method encodes all examples, by its compiled FLOPs; what is elementwise is a twentieth of an encoding."""
  wide = dict(backbone=dict(name='mlp_backbone', widths=(1024, 8), norm='none'), **changes)
  return pytest.approx(Started(tiny(**wide)).flops() / (2 * B * 1024 * (64 + 8)), rel=0.1)


def over(pairs, **changes):
  return dict(losses=dict(near=dict(name='alignment', of=('views.q', 'views.k'), pairs=pairs)), **changes)


def test_moco_encodes_one_view_a_side():
  teacher = dict(name='ema', decay=0.9, networks=('backbone', 'projector'))
  assert 2 == encodings(**over(((0, 1),)), teacher=teacher)
  assert 4 == encodings(**over('all'), teacher=teacher)
  assert 2 == encodings(**over('all')), 'without a teacher both sides are one'


def test_the_student_sees_the_first_view_and_the_teacher_the_second():
  rows = {'student': [], 'teacher': []}

  def net(side):
    return lambda x, keys=None: rows[side].append(x) or Features(x[:, None], x)

  x = jnp.arange(4.0)[:, None]
  draw = lambda keys, batch: (batch['x'], batch['x'] + 100)
  sides = dict(nets={'backbone': net('student')}, target={'backbone': net('teacher')})
  given({'it': embed(view=draw)}, 'it.q[0]', 'it.k[1]', **sides, batch={'x': x}, keys=jax.random.split(jax.random.key(0), 4))
  np.testing.assert_array_equal(rows['student'], [x])
  np.testing.assert_array_equal(rows['teacher'], [x + 100])


def test_views_without_a_reader_cost_nothing():
  six = dict(view=dict(name='shaken', count=6))
  assert 2 == encodings(**over(((0, 1),)), **six)
  assert 3 == encodings(**over(((0, 1), (2, 1))), **six)
  assert 6 == encodings(**over('all'), **six)


def test_stages_give_in_pieces_what_they_give_at_once():
  passes = dict(pairs=dict(name='cross', each='views.q[0]', all='whole.views.k[1]', network='critic'))
  heads = dict(critic=dict(name='critic', widths=(8,), on='projector'))
  c = tiny(passes=passes, heads=heads, losses=dict(whole=dict(name='wcord_scores', of=('pairs.scores',))))
  figures = [Started({**c, 'micro_batches': count}).figures() for count in (1, 2, 4)]
  for found in figures[1:]:
    assert found == pytest.approx(figures[0], rel=1e-5)
