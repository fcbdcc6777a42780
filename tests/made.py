"""Configs at the scale `tiny`, and methods made up for what no paper's config has."""

from jssl.run import load_config


def tiny(name: str, **changes) -> dict:
  """The config of a system at the scale `tiny`, with `changes` of its keys."""
  return {**load_config(f'{name}:tiny').to_dict(), **changes}


def rows_and_multipliers() -> dict:
  """SimCLR with memories that are read by the numbers of examples."""
  c = tiny('simclr')
  c['passes'] |= dict(
    held=dict(name='recall', memory='memory.rows'),
    weight=dict(name='recall', memory='memory.weights'),
  )
  c['memories'] |= dict(
    rows=dict(name='rows', of=('views.q[0]', 'batch.example'), count='data.example.size', dim=64, momentum=0.5),
    weights=dict(name='multipliers', of=('loss.recalled', 'batch.example'), count='data.example.size', rate=0.1, level=0.5),
  )
  c['losses'] |= dict(
    recalled=dict(name='alignment', of=('views.q[1]', 'held.out')),
    constrained=dict(name='cosine_regression', of=dict(q='views.q[0]', k='views.q[1]', labels='weight.out', weights='weight.out')),
  )
  return c


def two_teachers() -> dict:
  """BYOL with two teachers more, one that is copied now and then and one of the step before."""
  c = tiny('byol')
  both = ('backbone', 'projector')
  c['teachers'] = dict(now_and_then=dict(name='periodic', every=2, networks=both), before=dict(name='copy', networks=both))
  c['passes'] |= dict(
    late=dict(name='embed', heads=('projector',), of_teacher='now_and_then'),
    last=dict(name='embed', heads=('projector',), of_teacher='before'),
  )
  c['losses'] |= dict(
    late=dict(name='byol', of=('views.q', 'late.k'), pairs='all'), last=dict(name='byol', of=('views.q', 'last.k'), pairs='all')
  )
  return c


def kto() -> dict:
  """DPO with the loss of its variant KTO, which compares with the answers of other questions."""
  settings = load_config('dpo:tiny').claim.variants.kto
  return load_config('dpo:tiny', settings).to_dict()


def two_turns() -> dict:
  """SimCLR whose networks are trained in turns."""
  return tiny('simclr', cycle=(dict(train=('backbone',)), dict(train=('projector',), updates=2)))


MADE = {make.__name__: make for make in (rows_and_multipliers, two_teachers, kto, two_turns)}
