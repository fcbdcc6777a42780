"""Configs made small: the same method on narrow networks and few examples."""

from jssl import configs

BACKBONES = {
  'convnet': dict(widths=(8, 16)),
  'resnet18': dict(width=8),
  'vit_micro': dict(width=16, depth=2, heads=2),
  'vit_tiny': dict(patch=14),
  'mlp_backbone': dict(widths=(16, 8)),
  'timeline_encoder': dict(width=16, depth=1, heads=2),
}

ROLLED = ('rooms', 'demonstrations')  # data sets that are made on the device: few episodes will do


def small(name: str, batch_size: int = 16, **changes) -> dict:
  """The config of a system with a batch of 16 and a narrow backbone."""
  c = configs.module(name).get_config().to_dict()
  c |= dict(batch_size=batch_size, epochs=1, steps=8)
  c['backbone'] = {**c['backbone'], **BACKBONES.get(c['backbone']['name'], {})}
  if c['data']['name'] in ROLLED:
    c['data'] |= dict(episodes=8, test=4)
  for term in c['terms'].values():
    if 'memory' in term and 'size' in term['memory']:
      term['memory']['size'] = 4 * batch_size
    if 'size' in term['objective']:
      term['objective']['size'] = batch_size // 2
      # Whitening needs twice as many rows as features; with fewer it divides by rounding errors.
      c['heads']['projector']['widths'] = (16, batch_size // 4)
  return {**c, **changes}
