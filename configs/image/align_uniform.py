"""Alignment and uniformity. Wang, Isola, ICML 2020. arXiv:2005.10242, section 4.1."""

from jssl.configs import common


def get_config():
  c = common.image(data='mnist5k', batch_size=128, epochs=25)
  c.number = 132
  c.data.train = 2000
  c.backbone.widths = (16, 32, 64, 64)
  c.heads.projector = dict(name='linear', dim=64)
  c.terms.sphere = dict(name='two_view', objective=dict(name='align_uniform'), pairs=((0, 1),))
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init', 'align_only'), margin=0.02, seeds=3,
    also=(dict(metric='linear_top1', beats=('contrastive',), margin=-0.01),),
    variants=dict(
      align_only=('terms.sphere.objective.uniformity=0.0',),
      contrastive=(
        'terms.sphere.objective.name=nt_xent', 'terms.sphere.objective.temperature=0.2', 'terms.sphere.pairs=((0, 1), (1, 0))',
      ),
    ),
  )  # fmt: skip
  return c
