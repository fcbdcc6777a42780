"""Configs made small: the same method on narrow networks and few examples."""

from jssl import configs

BACKBONES = {
  'convnet': dict(widths=(8, 16)),
  'resnet18': dict(width=8),
  'vit': dict(width=16, depth=1, heads=2),
  'vit_micro': dict(width=16, depth=2, heads=2),
  'vit_tiny': dict(patch=14),
  'dit': dict(width=16, depth=1, heads=2),
  'tst': dict(width=16, depth=1, heads=2),
  'frame_transformer': dict(width=16, depth=1, heads=2),
  'tubelet_vit': dict(width=24, depth=1, heads=2),
}
HEADS = {
  'unet': dict(widths=(8, 8)),
  'mae_decoder': dict(width=24, depth=1, heads=2),
  'dit_decoder': dict(width=16, depth=1, heads=2),
  'cross_decoder': dict(width=16, depth=1, heads=2),
  'reporter': dict(width=16, depth=1, heads=2),
}


def small(name: str, batch_size: int = 16, **changes) -> dict:
  """The config of a system with a batch of 16 and a narrow backbone."""
  c = configs.module(name).get_config().to_dict()
  c |= dict(batch_size=batch_size, epochs=1, steps=8)
  c['backbone'] = {**c['backbone'], **BACKBONES.get(c['backbone']['name'], {})}
  c['heads'] = {head: {**spec, **HEADS.get(spec['name'], {})} for head, spec in c['heads'].items()}
  if 'denoiser' in c['heads'] and 'posterior' not in c['heads']:
    c['heads']['denoiser']['code'] = c['backbone']['widths'][-1]
  for term in c['terms'].values():
    if 'memory' in term and 'size' in term['memory']:
      term['memory']['size'] = 4 * batch_size
    if 'size' in term.get('objective', {}):
      term['objective']['size'] = batch_size // 2
      # Whitening needs twice as many rows as features; with fewer it divides by rounding errors.
      c['heads']['projector']['widths'] = (16, batch_size // 4)
  return {**c, **changes}
