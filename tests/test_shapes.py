"""Public functions of objectives, metrics and ops against their annotations: shapes and types of arguments and results.

Objectives are called with the cases of their oracles, all others with the arguments below. Nothing is computed where a function can be
traced.
"""

import ast
import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from beartype import BeartypeConf, FrozenDict, beartype
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, jaxtyped

from jssl.core.mesh import BATCH, make_mesh
from jssl.objectives import info_nce, kl_align
from jssl.objectives.discrepancy import observed_only
from jssl.ops.logistic import Linear
from jssl.ops.pairwise import LOG_SUM_EXP, Rows
from jssl.types import Features
from tests.objectives import OBJECTIVES
from tests.oracles import ORACLES

ROOMS = ('objectives', 'metrics', 'ops')
# A number may be a schedule, and is then traced.
NUMBERS = BeartypeConf(hint_overrides=FrozenDict({float: float | int | Float[Array, '']}))
NAMES = sorted(OBJECTIVES)


def public() -> dict:
  """'room.module.function' -> function."""
  found = {}
  for room in ROOMS:
    for module in pkgutil.iter_modules(importlib.import_module(f'jssl.{room}').__path__, f'jssl.{room}.'):
      for name, value in vars(importlib.import_module(module.name)).items():
        if inspect.isfunction(value) and not name.startswith('_') and value.__module__ == module.name:
          found[f'{module.name.removeprefix("jssl.")}.{name}'] = value
  return found


PUBLIC = public()


DRAW = np.random.default_rng(0)


def real(*shape):
  return DRAW.normal(size=shape).astype(np.float32)


def whole(*shape, below=3):
  return DRAW.integers(0, below, shape).astype(np.int32)


def truth(*shape):
  return DRAW.random(shape) < 0.7


def call(*args, **options):
  return args, options


KEY = jax.random.key(0)
TABLE = dict(row=whole(2, 5), column=whole(2, 5), ids=whole(2, 5))
# A step of generation that looks logits and states up, a cache that counts, prompts and their lengths.
LOGITS, STATES = jnp.asarray(real(7, 7)), jnp.asarray(real(7, 4))
WRITTEN = (lambda cache, ids, place: (LOGITS[ids], STATES[ids], cache + 1), jnp.zeros(2), whole(2, 3, below=7), np.int32([3, 2]))
# What is no objective, or takes other objectives: arguments, and options by name.
CALLS = {
  'objectives.classification.simplex': call(4),
  'objectives.clustering.dino_teacher': call(real(6, 4), centre=real(4)),
  'objectives.clustering.sinkhorn': call(real(6, 4), valid=truth(6)),
  'objectives.compound.matryoshka': call(real(6, 8), real(6, 8), objective=info_nce, dims=(4, 8), negatives=real(6, 2, 8)),
  'objectives.compound.matryoshka_2d': call(real(6, 3, 8), real(6, 3, 8), key=KEY, objective=info_nce, align=kl_align, dims=(4, 8)),
  'objectives.compound.missing_mmd': call(real(6, 4), whole(6, below=2), whole(6, below=2), truth(6), estimator=observed_only, classes=2),
  'objectives.contrastive.as_float32': call(real(6), real(2, 3)),
  'objectives.contrastive.log_sum_exp_of': call(real(6, 4), real(5, 4), whole(6), whole(5), 0.1, None),
  'objectives.contrastive.own_pairs': call(None, real(6, 4)),
  'objectives.control.allo_errors': call(real(6, 4), real(6, 4)),
  'objectives.discrepancy.mmd': call(real(6, 4), real(6), real(6)),
  'objectives.discrepancy.observed_only': call(whole(6, below=2), truth(6)),
  'objectives.discrepancy.inverse_propensity': call(whole(6, below=2), truth(6), real(6)),
  'objectives.discrepancy.imputed': call(real(6)),
  'objectives.discrepancy.doubly_robust': call(real(6), real(6), real(6), real(6)),
  'objectives.distillation.match_tokens': call(real(6, 3, 4), real(6, 5, 4), student_mask=truth(6, 3), teacher_mask=truth(6, 5)),
  'objectives.metric.own_class': call(real(6, 6)),
  'objectives.multi_view.gram': call(real(6, 4)),
  'objectives.non_negative.rectify': call(real(6, 4)),
  'objectives.prediction.feature_norm': call(real(6, 3, 4)),
  'objectives.prediction.token_mean': call(real(6, 3), truth(6, 3)),
  'objectives.preference.gae': call(real(6, 5), real(6, 5)),
  'objectives.redundancy.tico_covariance': call(real(6, 4), covariance=real(4, 4)),
  'objectives.spectrum.effective_rank': call(real(6, 4)),
  'objectives.spectrum.spectral_entropy': call(real(6, 4)),
  'metrics.geometry.alignment': call(real(6, 4), real(6, 4)),
  'metrics.geometry.uniformity': call(real(6, 4)),
  'metrics.health.alarm': call(dict(teacher_usage=0.05)),
  'metrics.health.deviation': call(real(6, 4)),
  'metrics.health.health': call(real(6, 4), (real(5, 3), real(5, 3)), real(7, 2)),
  'metrics.health.measured': call(real(6, 4), (real(5, 3), real(5, 3)), real(7, 2)),
  'metrics.health.ranked': call({'deviation': jnp.float32(1)}, {'rankme': real(6, 4)}),
  'metrics.health.teacher_entropy': call(real(6, 4)),
  'metrics.ranking.above': call(real(6), real(6)),
  'metrics.ranking.choices': call(real(6, 4)),
  'metrics.ranking.correlations': call(real(6), whole(6)),
  'metrics.ranking.hits': call(real(6, 4), whole(6)),
  'metrics.ranking.likeliest': call(KEY, real(6, 4)),
  'metrics.ranking.products': call(real(6, 4), real(5, 4)),
  'metrics.ranking.ranks': call(real(6, 4), whole(6), truth(6, 4)),
  'metrics.rates.rate_gap': call(truth(40), whole(40), whole(40, below=2)),
  'metrics.retrieval.mean_average_precision': call(real(6, 4), np.array([0, 0, 1, 1, 2, 2])),
  'metrics.retrieval.retrieval_figures': call(np.ones((3, 5)), real(3, 5)),
  'metrics.rouge.rouge_f1': call(['a', 'b'], ['a', 'c']),
  'metrics.spectrum.lidar': call(real(6, 3, 4)),
  'metrics.spectrum.rankme': call(real(6, 4)),
  'metrics.training.diagonal_top1': call(real(6, 6)),
  'metrics.training.mean_value': call(real(6, 4)),
  'metrics.training.pair_accuracy': call(real(6), real(6), real(6), real(6)),
  'metrics.training.pair_margin': call(real(6), real(6)),
  'metrics.training.share': call(truth(6, 4), truth(6, 4)),
  'metrics.training.token_accuracy': call(real(6, 5, 4), whole(6, 5), truth(6, 5)),
  'metrics.verification.equal_error_rate': call(real(6), np.arange(6) > 2),
  'ops.cross_fit.cross_fit': call(real(30, 2), whole(30, below=2), np.arange(30) % 3 > 0, key=KEY, folds=2),
  'ops.draws.between': call(real(6), (0.0, 2.0)),
  'ops.draws.inside': call(jnp.arange(5)[None, :, None], whole(6), whole(6)),
  'ops.draws.place': call(real(6), whole(6)),
  'ops.draws.sides': call(real(6), real(6)),
  'ops.draws.uniform': call(jax.random.split(KEY, 6), 2, 3),
  'ops.draws.wide': call(real(6), 3),
  'ops.gathered.gathered': call(info_nce, 'data'),
  'ops.generation.beam_search': call(*WRITTEN, beams=2, length=5, end=1),
  'ops.generation.contrastive_search': call(*WRITTEN, candidates=2, alpha=0.5, length=5, end=1),
  'ops.generation.filtered': call(real(6, 7), temperature=0.5, top_k=3, top_p=0.9),
  'ops.generation.generate': call(*WRITTEN, lambda logits, place: jnp.argmin(logits, -1), length=5, end=1),
  'ops.generation.greedy': call(*WRITTEN, length=5, end=1),
  'ops.generation.sample': call(*WRITTEN, jax.random.split(KEY, 2), length=5, end=1, temperature=2.0, top_k=3, top_p=0.9),
  'ops.graphs.edge_softmax': call(real(2, 3, 6, 6), truth(2, 6, 6)),
  'ops.graphs.normalized_adjacency': call(real(6, 4, 4)),
  'ops.late_interaction.late_interaction': call(real(2, 3, 4), real(5, 6, 4), truth(5, 6)),
  'ops.logistic.logistic': call(real(6, 4), real(6, 3), real(6)),
  'ops.logistic.logits': call(Linear(real(4, 3), real(3)), real(6, 4)),
  'ops.look_up.look_up': call(real(5, 4), whole(6, 2)),
  'ops.look_up.one_hot': call(whole(6, 2), 3),
  'ops.look_up.one_a_row': call(whole(6), 'labels'),
  'ops.look_up.pick': call(real(6, 2, 4), whole(6, 2)),
  'ops.mixing.cutmix': call(KEY, real(6, 4, 5, 3), real(6, 3), alpha=1.0),
  'ops.mixing.mixed': call(KEY, real(6, 4, 5, 3), real(6, 3)),
  'ops.mixing.mixing': call(KEY, (4, 5)),
  'ops.mixing.mixup': call(KEY, real(6, 4, 5, 3), real(6, 3), alpha=0.8),
  'ops.mixing.smoothed': call(whole(6), 3, 0.1),
  'ops.noise.cosine_schedule': call(10),
  'ops.noise.inverted_schedule': call(10),
  'ops.noise.linear_schedule': call(10),
  'ops.noise.noised': call(real(6, 4, 3), real(6, 4, 3), real(6)),
  'ops.normalize.l2_normalize': call(real(6, 4)),
  'ops.pairwise.nearest': call(real(6, 4), real(5, 4)),
  'ops.pairwise.over_candidates': call(LOG_SUM_EXP, Rows(real(6, 4), whole(6), real(6)), Rows(real(5, 4), whole(5), real(5))),
  'ops.pairwise.unlike': call(whole(6)),
  'ops.patches.cell_places': call(real(6, 2, 3), (2, 4)),
  'ops.patches.patch_sides': call(2, 3),
  'ops.patches.patchify': call(real(6, 4, 4, 3), 2),
  'ops.patches.take': call(real(6, 4, 3), whole(6, 2)),
  'ops.patches.unpatchify': call(real(6, 4, 12), 2, (2, 2)),
  'ops.pooling.masked_mean': call(real(2, 6, 4, 3), truth(6, 4)),
  'ops.table_structure.table_states': call(lambda ids, **rest: Features(ids, ids), TABLE, truth(2, 5), True),
  'ops.table_structure.token_types': call(TABLE),
  'ops.table_structure.visibility': call(TABLE),
  'ops.triple_scores.bilinear': call(real(6, 4), real(6, 4, 4), real(6, 4)),
  'ops.rows.over_devices': call(lambda a, batch: batch, (real(3),), NamedSharding(make_mesh(), BATCH)),
  'ops.rows.over_rows': call(lambda x: x['a'], lambda rows: {'a': rows}, 5),
  'ops.rows.take': call([dict(x=np.arange(3)), dict(x=np.arange(3))], np.array([1, 0, 1])),
  'ops.resample.bilinear': call(real(6, 4, 5, 3), real(6, 2, 7), real(6, 2, 7)),
  'ops.triple_scores.complex_': call(real(6, 4), real(6, 4), real(6, 4)),
  'ops.triple_scores.distmult': call(real(6, 4), real(6, 4), real(6, 4)),
  'ops.triple_scores.rotate': call(real(6, 4), real(6, 2), real(6, 4)),
  'ops.waveforms.frame_count': call(whole(6, below=9), (3, 2), (2, 1)),
  'ops.waveforms.mfcc': call(real(2, 500), rate=8000),
  'ops.waveforms.real_steps': call(whole(6), 4),
  'ops.waveforms.standardize': call(real(6, 9), whole(6)),
  'ops.triple_scores.transe': call(real(6, 4), real(6, 4), real(6, 4)),
}  # fmt: skip


def checked(function):
  return jaxtyped(function, typechecker=beartype(conf=NUMBERS))


def trace(function, args, options):
  """The shapes that a function returns; whole numbers and booleans that are no arrays are static."""
  static = {n: x for n, x in options.items() if isinstance(x, int | bool)}
  given = {n: jax.tree.map(jnp.asarray, x) for n, x in options.items() if n not in static}
  return jax.eval_shape(lambda args, given: checked(function)(*args, **given, **static), [jnp.asarray(x) for x in args], given)


@pytest.mark.parametrize('name', NAMES)
def test_objective(name):
  for args, options in ORACLES[name].cases(np.random.default_rng(0)):
    trace(OBJECTIVES[name], args, options)


def on_device(x):
  return jnp.asarray(x) if isinstance(x, np.ndarray) else x


@pytest.mark.parametrize('name', sorted(CALLS))
def test_function(name):
  args, options = CALLS[name]
  if 'ndarray' not in str(inspect.signature(PUBLIC[name])):
    args, options = jax.tree.map(on_device, (args, options))
  checked(PUBLIC[name])(*args, **options)


def test_every_public_function_is_called():
  objectives = {f'{f.__module__.removeprefix("jssl.")}.{f.__name__}' for f in OBJECTIVES.values()}
  assert set(CALLS) == set(PUBLIC) - objectives


@pytest.mark.parametrize('name', sorted(PUBLIC))
def test_arrays_have_shapes(name):
  """No annotation says Array, or np.ndarray, without a shape."""
  definition = ast.parse(inspect.getsource(PUBLIC[name])).body[0]
  arguments = definition.args
  for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *filter(None, [arguments.vararg])):
    assert argument.annotation or (name, argument.arg) == ('ops.table_structure.table_states', 'net'), f'{argument.arg} has no annotation'
  annotations = [a.annotation for a in ast.walk(arguments) if isinstance(a, ast.arg) and a.annotation] + [definition.returns]
  for annotation in annotations:
    shaped = [n for n in ast.walk(annotation) if isinstance(n, ast.Subscript) and hasattr(jaxtyping, getattr(n.value, 'id', ''))]
    within = {m for n in shaped for m in ast.walk(n)}
    bare = [n for n in ast.walk(annotation) if getattr(n, 'id', getattr(n, 'attr', '')) in ('Array', 'ndarray') and n not in within]
    assert not bare, f'{ast.unparse(annotation)} has no shape'


@pytest.mark.parametrize(
  ('name', 'args', 'options'),
  [
    ('nt_xent', (real(6, 4), real(5, 4)), {}),
    ('nt_xent', (real(6, 4), real(6, 4)), dict(ids=real(6))),
    ('nt_xent', (real(6, 4), real(6, 4)), dict(ids=whole(5))),
    ('masked_mse', (real(6, 4, 3), real(6, 4, 3)), dict(mask=truth(6, 5))),
  ],
)
def test_other_shapes_and_types_are_told(name, args, options):
  with pytest.raises(jaxtyping.TypeCheckError):
    trace(OBJECTIVES[name], args, options)
