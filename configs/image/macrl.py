"""MACRL. Yao, Desai, Palaniswami, 2022. arXiv:2211.06012, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.small_masked(scale, epochs=60)
  c.number = 32
  c.parts = (
    'two branches with encoder, decoder and projector: strong changes and mask 0.5 in the first, weak ones and 0.25 in the second',
    'mean absolute error on masked patches, each branch by a decoder of its own, both added',
    'contrast of pooled encoder outputs through the projector, one direction, temperature 0.1, weight 0.3, each reconstruction 1',
    'encoder and projector of the second branch: moving average without gradient, decay rising from 0.98 to 1; its decoder is trained',
    'memory bank of 256 earlier keys',
    'linear and few-shot probes of the mean of the patch tokens; MAE alone and MoCo alone, not masked, as rivals',
    dict(part='mask ratios, weights, temperature and bank size of the paper', out='open', why='not known here; chosen for digits of 8 pixels'),
    dict(part='CIFAR-10, CIFAR-100, Tiny ImageNet, subsets of ImageNet', out='data', why='no package ships them; digits of 8 pixels'),
    dict(part='larger vision transformers, longer training', out='scale', why='2 blocks of 48, 60 epochs'),
  )
  strong = dict(affine=dict(degrees=20, translate=0.15, scale=(0.6, 1.2), shear=20), jitter=dict(brightness=0.4, contrast=0.4))
  weak = dict(affine=dict(degrees=5, translate=0.05, scale=(0.9, 1.1)))
  c.view = dict(name='augment', mean=0.3, std=0.35, views=(strong, weak))
  c.heads.decoder = common.mae_decoder(scale, width=32, depth=1, heads=4)
  c.heads.decoder_k = common.mae_decoder(scale, width=32, depth=1, heads=4)
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.98), networks=('backbone', 'projector'))
  # A queue of much of the data would hold the image itself among the negatives.
  c.passes.seen = dict(
    name='masked_encode', mask=(dict(name='random_mask', ratio=0.5), dict(name='random_mask', ratio=0.25)), teacher_views=(1,)
  )
  c.passes.rebuilt = dict(name='apply', network=('decoder', 'decoder_k'), by_view=True, on=('seen.tokens', 'seen.restore'))
  c.passes.code = dict(name='apply', network='projector', on='seen.pooled', teacher_views=(1,))
  c.memories.queue = dict(name='queue', of='code.out[1]', size=common.at(scale)(small=256, tiny=64))
  # Both branches' reconstruction is added, of which this is the mean.
  c.losses.rebuild = dict(name='masked_l1', of=('rebuilt.out', 'seen.patches', 'seen.mask'), over='views', weight=2.0)
  c.losses.contrast = dict(
    name='info_nce_queue', of=dict(q='code.out', k='code.out', negatives='memory.queue'), pairs=((0, 1),), temperature=0.1, weight=0.3
  )
  whole = dict(name='random_mask', ratio=0.0)
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'mae', 'moco'),
    margin=0.01,
    variants=dict(mae=('losses.contrast.weight=0.0',), moco=('losses.rebuild.weight=0.0', f'passes.seen.mask={(whole, whole)}')),
  )
  return c
