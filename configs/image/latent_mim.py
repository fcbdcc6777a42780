"""Latent MIM. Wei, Gupta, Morgado, ECCV 2024. arXiv:2407.15837, section 3."""

from jssl.configs import common


def get_config():
  c = common.small_masked(epochs=100)
  c.number = 2
  # Patches with a gap of a pixel, so that neighbours do not give each other away.
  c.view = dict(name='gapped', patch=2, gap=1, mean=0.3, std=0.35)
  c.heads.predictor = dict(name='cross_decoder', width=48, depth=2, heads=4)
  c.heads.projector = dict(name='mlp', widths=(96, 48), norm='layer')
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  c.terms.tell = dict(
    name='discriminated', mask=dict(name='random_mask', ratio=0.75), similarity_weight=0.1,
    objective=dict(name='patch_discrimination', temperature=0.2),
  )
  c.evaluators.knn = dict(name='knn')
  c.claim = dict(
    metric='knn_top1', beats=('random_init', 'mae', 'latent_mse'), margin=0.02, seeds=3,
    variants=dict(
      mae=(
        'terms.tell.name=masked', 'terms.tell.mask={"name": "random_mask", "ratio": 0.75}',
        'terms.tell.objective={"name": "masked_mse"}', 'heads.predictor.name=mae_decoder',
        'heads.predictor.width=48', 'heads.predictor.depth=2', 'heads.predictor.heads=4', 'terms.tell.decoder=predictor',
      ),
      latent_mse=('terms.tell.objective={"name": "latent_l2"}', 'terms.tell.similarity_weight=0.0'),
    ),
  )
  return c
