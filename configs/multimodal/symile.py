"""Symile. Saporta, Puli, Goldstein, Ranganath, NeurIPS 2024. arXiv:2411.01053, section 3 and Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='shifted_digits', batch_size=64, epochs=12, widths=(16, 32, 64, 64))
  c.number = 44
  c.parts = (
    'multilinear inner product of unit vectors of all modalities',
    'for each anchor the mean cross-entropy against all combinations of the other members in the batch: O(b^2) negatives',
    'learned temperature, the same for all anchors; one encoder a modality',
    'retrieval of one modality from all others by the product; sums of pairwise cosines with CLIP over all pairs as the rival',
    dict(part='learned inputs in the place of missing modalities', out='open', why='every example here is complete'),
    dict(part='O(b) negatives, members permuted (default of the official code)', out='open', why='the objective has it; none is drawn'),
    dict(part='Symile-M3 and MIMIC', out='data', why='no package ships them'),
  )
  c.kind = 'multimodal'
  c.data.train = 2000
  c.view = dict(name='with_columns', names=('shift', 'total'), view={**c.view.to_dict(), 'views': 1})
  c.heads = dict(
    image_end=dict(name='linear', dim=32),
    shift=dict(name='mlp_backbone', widths=(64,), norm='none', on='data.shift'),
    shift_end=dict(name='linear', dim=32, on='shift'),
    total=dict(name='mlp_backbone', widths=(64,), norm='none', on='data.total'),
    total_end=dict(name='linear', dim=32, on='total'),
    scale=dict(name='scale', init=10.0),
  )
  towers, heads = ('backbone', 'shift', 'total'), ('image_end', 'shift_end', 'total_end')
  ends = {tower: (head,) for tower, head in zip(towers, heads, strict=True)}
  c.passes.views = dict(name='embed', towers=towers, heads=ends)
  c.losses.tuples = dict(name='symile', of=dict(z='views.q', scale='nets.scale'))
  c.evaluators = dict(
    completion=dict(name='modality_completion', columns=('image', 'shift', 'total'), towers=towers, heads=heads, pairwise=False)
  )
  c.claim = dict(
    metric='completion_top1', beats=('random_init', 'pairs'), margin=0.5, without='pairs',
    variants=dict(pairs=('losses.tuples.name=pairwise_info_nce', 'evaluators.completion.pairwise=True')),
  )  # fmt: skip
  return c
