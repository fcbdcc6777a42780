"""SimSiam. Chen, He, CVPR 2021. arXiv:2011.10566, Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, batch_size=128, epochs=30)
  c.optimizer.learning_rate.peak = 2e-3
  c.heads.projector = dict(name='mlp', widths=(256, 256, 256), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(64, 256))
  c.passes.views = dict(name='embed', heads=('projector',), predictor='predictor')
  c.losses.match = dict(name='negative_cosine', of=('views.q', 'views.k'), pairs='all')
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
