"""Configs made small: the same method on narrow networks and few examples."""

from jssl import configs

BACKBONES = {
  'convnet': dict(widths=(8, 16)),
  'resnet18': dict(width=8),
  'vit': dict(width=16, depth=1, heads=2),
  'vit_micro': dict(width=16, depth=2, heads=2),
  'vit_tiny': dict(patch=14),
  'gcn': dict(widths=(8, 8)),
  'embedding': dict(dim=8),
  'embedding_bag': dict(dim=8),
  'bert': dict(width=16, depth=1, heads=2),
  'contextual_bert': dict(width=16, depth=1, heads=2),
  'dit': dict(width=16, depth=1, heads=2),
  'tst': dict(width=16, depth=1, heads=2),
  'frame_transformer': dict(width=16, depth=1, heads=2),
  'tubelet_vit': dict(width=24, depth=1, heads=2),
  'mlp_backbone': dict(widths=(16, 8)),
  'timeline_encoder': dict(width=16, depth=1, heads=2),
}
HEADS = {
  'unet': dict(widths=(8, 8)),
  'mae_decoder': dict(width=24, depth=1, heads=2),
  'dit_decoder': dict(width=16, depth=1, heads=2),
  'cross_decoder': dict(width=16, depth=1, heads=2),
  'reporter': dict(width=16, depth=1, heads=2),
}
# Ids of MiniLM's tokenizer become those of one trained on the texts at hand, which knows fewer.
TINY_MINILM = dict(name='bert', width=16, depth=2, heads=2, dropout=0.1, std=0.2)

ROLLED = ('rooms', 'demonstrations')  # data sets that are made on the device: few episodes will do


def small(name: str, batch_size: int = 16, **changes) -> dict:
  """The config of a system with a batch of 16 and a narrow backbone."""
  return {**shrink(configs.module(name).get_config().to_dict(), batch_size), **changes}


# What no config of a paper has: the system that it is made from, and what is added to which key.
MADE = {
  'rows_and_multipliers': (
    'simclr',
    dict(
      passes=dict(
        held=dict(name='recall', memory='memory.rows'),
        weight=dict(name='recall', memory='memory.weights'),
      ),
      memories=dict(
        rows=dict(name='rows', of=('views.q[0]', 'batch.example'), count='data.example.size', dim=64, momentum=0.5),
        weights=dict(name='multipliers', of=('loss.recalled', 'batch.example'), count='data.example.size', rate=0.1, level=0.5),
      ),
      losses=dict(
        recalled=dict(name='alignment', of=('views.q[1]', 'held.out')),
        constrained=dict(name='cosine_regression', of=dict(q='views.q[0]', k='views.q[1]', labels='weight.out', weights='weight.out')),
      ),
    ),
  ),
  'two_teachers': (
    'byol',
    dict(
      teachers=dict(
        now_and_then=dict(name='periodic', every=2, networks=('backbone', 'projector')),
        before=dict(name='copy', networks=('backbone', 'projector')),
      ),
      passes=dict(
        late=dict(name='embed', heads=('projector',), of_teacher='now_and_then'),
        last=dict(name='embed', heads=('projector',), of_teacher='before'),
      ),
      losses=dict(
        late=dict(name='byol', of=('views.q', 'late.k'), pairs='all'), last=dict(name='byol', of=('views.q', 'last.k'), pairs='all')
      ),
    ),
  ),
  'kto': (
    'dpo',
    dict(
      losses=dict(
        pairs=dict(
          name='kto',
          of=dict(
            chosen='answers.log_prob[0]', rejected='answers.log_prob[1]', reference_chosen='answers.reference[0]',
            reference_rejected='answers.reference[1]', mismatched='mismatched.log_prob', mismatched_reference='mismatched.reference',
          ),
        )
      )
    ),
  ),
  'two_turns': ('simclr', dict(cycle=(dict(train=('backbone',)), dict(train=('projector',), updates=2)))),
}


def made(name: str, **changes) -> dict:
  """One of what no paper's config has."""
  system, additions = MADE[name]
  c = small(system)
  for key, value in additions.items():
    c[key] = {**c.get(key, {}), **value} if isinstance(value, dict) else value
  return {**c, **changes}


def shrink(c: dict, batch_size: int = 16) -> dict:
  """A config with a batch of 16 and a narrow backbone."""
  c |= dict(batch_size=batch_size, epochs=1, steps=8)
  for phase in c.get('phases', ()):
    if 'tokenizer' in phase.get('data', ()):
      phase['data'] |= dict(tokenizer=None, vocabulary=600, length=8)
  width, narrow = c['backbone'].get('width'), dict(BACKBONES.get(c['backbone']['name'], {}))
  if any(str(of).endswith(']') for phase in c.get('phases', ()) for of in phase.get('start', {}).values()):
    narrow['depth'] = 2  # a network begins as some of the layers
  c['backbone'] = {**c['backbone'], **narrow}
  for head, spec in c['heads'].items():
    if width and spec.get('width') == width and 'depth' in spec:  # another of the same shape stays so
      c['heads'][head] = {**spec, **narrow}
  if c['data'].pop('tokenizer', None):
    c = _without_minilm(c)
    c['data']['vocabulary'] = 600
  if 'length' in c['data']:
    c['data']['length'] = 8
  c['heads'] = {head: {**spec, **HEADS.get(spec['name'], {})} for head, spec in c['heads'].items()}
  if 'denoiser' in c['heads'] and 'posterior' not in c['heads']:
    c['heads']['denoiser']['code'] = c['backbone']['widths'][-1]
  if c['data']['name'] in ROLLED:
    c['data'] |= dict(episodes=32, test=4)
  for memory in c['memories'].values():
    if memory['name'] == 'queue':
      memory['size'] = 4 * batch_size
  for loss in c['losses'].values():
    if 'size' in loss:
      loss['size'] = batch_size // 2
      # Whitening needs twice as many rows as features; with fewer it divides by rounding errors.
      c['heads']['projector']['widths'] = (16, batch_size // 4)
  return c


def _without_minilm(c):
  """A config with small encoders for MiniLM."""
  if isinstance(c, tuple):
    return tuple(_without_minilm(value) for value in c)
  if not isinstance(c, dict):
    return c
  if c.get('name') == 'minilm':
    return {**({'on': c['on']} if 'on' in c else {}), **TINY_MINILM}
  changed = {'vocabulary': 600, 'widths': (32, 16)}
  return {key: changed[key] if key in changed else _without_minilm(value) for key, value in c.items()}
